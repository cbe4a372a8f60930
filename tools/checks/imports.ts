/** Fails on an import cycle in src, also one of types, and on an import that docs/architecture.md does not allow. */
import { parseCircular, parseDependencyTree } from "dpdm"
import { readFileSync } from "node:fs"
import ts from "typescript"
import { asMarkdown, importFaults, mayCall } from "./importTable.js"

/** `Effect.async` and its like where a file calls them. */
const forbiddenCalls = (file: string): ReadonlyArray<string> => {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest)
  const found: Array<string> = []
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node)) {
      const name = node.getText(source)
      if (!mayCall(file, name)) found.push(`${name} is called in ${file}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const tree = await parseDependencyTree(["src/**/*.ts", "tools/{attacks,conformance}/**/*.ts"], {})
const sources = Object.keys(tree).filter((file) => file.startsWith("src/"))

const faults = [
  ...parseCircular(tree).map((cycle) => `import cycle: ${cycle.join(" -> ")}`),
  ...importFaults(tree),
  ...sources.flatMap(forbiddenCalls),
  ...(readFileSync("docs/architecture.md", "utf8").includes(asMarkdown())
    ? []
    : [`docs/architecture.md must have these tables:\n\n${asMarkdown()}\n`])
]

for (const fault of faults) console.error(fault)
console.log(`${sources.length} source files, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
