import { assert, describe, it } from "@effect/vitest"
import { isFunction } from "effect/Predicate"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { runInThisContext } from "node:vm"
import * as ts from "typescript"

const root = join(dirname(fileURLToPath(import.meta.url)), "../..")

const documents = ["README.md", ...readdirSync(join(root, "docs")).map((name) => join("docs", name))].filter((name) =>
  name.endsWith(".md")
)

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join("src", name))

const read = (name: string): string => readFileSync(join(root, name), "utf8")

const manifest = JSON.parse(read("package.json")) as {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

/** The modules that package.json exports. */
const publicModules = Object.values(manifest.exports).flatMap((entry) =>
  typeof entry === "string" ? [] : [entry.types.replace("./dist/", "src/").replace(".d.ts", ".ts")]
)

const docstrings = (name: string): ReadonlyArray<string> => read(name).match(/\/\*\*.*?\*\//gs) ?? []

/** What a docstring says, without the stars. */
const uncommented = (docstring: string): string => docstring.replaceAll(/^ *\* ?/gm, "")

/** The TypeScript blocks of a text, each as a module that does not exist on disk. */
const blocks = (name: string, text: string): ReadonlyArray<readonly [string, string]> =>
  [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match, index) => [
    join(root, "test", `${name.replaceAll(/[\\/]/g, "-")}-${index + 1}.ts`),
    match[1] ?? ""
  ])

const documentSnippets = documents.flatMap((name) => blocks(name, read(name)))

const examples = sources.flatMap((name) => blocks(name, docstrings(name).map(uncommented).join("\n")))

const snippets = new Map([...documentSnippets, ...examples])

const VITEST = 'from "@effect/vitest"'
const SIMULATED = 'from "effect-muxado/testing"'

/** The snippets that are tests. */
const tests = [...snippets].filter(([, text]) => text.includes(VITEST))

/** Runs a snippet, which registers its tests. */
const runModule = (text: string, modules: ReadonlyMap<string, unknown>): void => {
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 }
  })
  const run: unknown = runInThisContext(`(function (require, exports) {${outputText}\n})`)
  if (!isFunction(run)) return assert.fail("a snippet is no module")
  Reflect.apply(run, undefined, [(name: string) => modules.get(name), {}])
}

const compile = (): ReadonlyArray<string> => {
  const configFile = join(root, "tsconfig.json")
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(configFile, (name) => ts.sys.readFile(name)).config,
    ts.sys,
    root
  )
  const options = { ...config.options, noUnusedLocals: false }
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => snippets.has(name) || disk.fileExists(name),
    readFile: (name) => snippets.get(name) ?? disk.readFile(name),
    getSourceFile: (name, language) => {
      const text = snippets.get(name) ?? disk.readFile(name)
      return text === undefined ? undefined : ts.createSourceFile(name, text, language)
    }
  }
  const program = ts.createProgram([...snippets.keys()], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      (diagnostic) =>
        `${diagnostic.file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")}`
    )
}

describe("the documents and docstrings", () => {
  it("hold snippets that compile", { timeout: 120_000 }, () => {
    assert.isAbove(documentSnippets.length, 2)
    assert.isAbove(examples.length, 20)
    assert.deepStrictEqual(compile(), [])
  })

  it("have an example for each public constructor and layer", () => {
    const constructor =
      /(\/\*\*(?:(?!\*\/).)*@category (?:constructors|layers)\b(?:(?!\*\/).)*\*\/)\s*export const (\w+)/gs
    const constructors = publicModules.flatMap((name) =>
      [...read(name).matchAll(constructor)].map(([, docstring = "", constant = ""]) => ({
        name: `${name}: ${constant}`,
        usesItself: new RegExp(`@example\\n.*\\b${constant}\\b`, "s").test(docstring)
      }))
    )
    assert.isAbove(constructors.length, 30)
    assert.deepStrictEqual(
      constructors.filter(({ usesItself }) => !usesItself).map(({ name }) => name),
      []
    )
  })

  it("show the simulated network in tests that run", () => {
    assert.isAbove(tests.length, 3)
    assert.deepStrictEqual(
      documentSnippets.filter(([, text]) => text.includes(SIMULATED) && !text.includes(VITEST)).map(([name]) => name),
      []
    )
  })
})

// a snippet without a test fails: a suite must have one
for (const [name, text] of tests) {
  describe(`the snippet ${relative(join(root, "test"), name)}`, async () => {
    const modules = new Map<string, unknown>()
    for (const { fileName } of ts.preProcessFile(text).importedFiles) {
      modules.set(fileName, await import(/* @vite-ignore */ fileName))
    }
    // `layer` replaces these for all that follows
    const { effect, flakyTest, layer, prop, scoped } = it
    runModule(text, modules)
    Object.assign(it, { effect, flakyTest, layer, prop, scoped })
  })
}
