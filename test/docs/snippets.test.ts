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

/** The TypeScript blocks of a document, each as a module beside it that does not exist on disk. */
const snippets = new Map(
  documents.flatMap((document) =>
    [...readFileSync(join(root, document), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(
      (match, index) =>
        [join(root, "test", `${document.replaceAll("/", "-")}-${index + 1}.ts`), match[1] ?? ""] as const
    )
  )
)

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

describe("the snippets of the documents", () => {
  it("compile", { timeout: 60_000 }, () => {
    assert.isAbove(snippets.size, 2)
    assert.deepStrictEqual(compile(), [])
  })

  it("that show the simulated network are tests that pass", () => {
    assert.isAbove(tests.length, 3)
    assert.deepStrictEqual(
      [...snippets].filter(([, text]) => text.includes(SIMULATED) && !text.includes(VITEST)).map(([name]) => name),
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
