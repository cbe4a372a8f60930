import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
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

describe("the documents", () => {
  it("hold snippets that compile", { timeout: 60_000 }, () => {
    assert.isAbove(snippets.size, 2)
    assert.deepStrictEqual(compile(), [])
  })
})
