/**
 * Fails on a run-time import cycle in src, and on an import that a layer may not have.
 *
 * - `src/protocol` is sans-IO: it imports itself and Effect's plain data modules, nothing that runs.
 * - What `src/index.ts` reaches runs anywhere: no Node module, no `@effect/platform-node`. It is bundled for browsers, so
 *   it imports no `effect/Schema` either, which is larger than all of this library.
 * - What `src/testing/index.ts` reaches needs no `@effect/platform-node`.
 */
import { isBuiltin } from "node:module"
import { parseCircular, parseDependencyTree } from "dpdm"
import type { DependencyTree } from "dpdm"

/** Effect's modules that are only data and functions: they start no fiber, and read no clock. */
const plainModules: ReadonlySet<string> = new Set(
  [
    ["Array", "BigInt", "Boolean", "Brand", "Chunk", "Data", "Either", "Equal", "Equivalence", "Function", "Hash"],
    ["HashMap", "HashSet", "Iterable", "List", "Match", "Number", "Option", "Order", "Predicate", "Record"],
    ["SortedMap", "SortedSet", "String", "Struct", "Tuple", "Types"]
  ]
    .flat()
    .map((name) => `effect/${name}`)
)

const isNodeOnly = (request: string): boolean => isBuiltin(request) || isPlatformNode(request)

const isPlatformNode = (request: string): boolean => request.startsWith("@effect/platform-node")

const isLarge = (request: string): boolean => request === "effect/Schema" || request === "effect/ParseResult"

/** Every file that `entry` reaches, itself included, with the way there. */
const reachable = (tree: DependencyTree, entry: string): ReadonlyMap<string, string> => {
  const paths = new Map(entry in tree ? [[entry, entry]] : [])
  for (const [file, path] of paths) {
    for (const { id } of tree[file] ?? []) {
      if (id !== null && !paths.has(id)) paths.set(id, `${path} -> ${id}`)
    }
  }
  return paths
}

/** The imports that `entry` must not reach, each with the way there. */
const forbidden = (tree: DependencyTree, entry: string, isForbidden: (request: string) => boolean) =>
  [...reachable(tree, entry)].flatMap(([file, path]) =>
    (tree[file] ?? []).filter(({ request }) => isForbidden(request)).map(({ request }) => `${path} -> ${request}`)
  )

const protocolEscapes = (tree: DependencyTree) =>
  Object.entries(tree)
    .filter(([file]) => file.startsWith("src/protocol/"))
    .flatMap(([file, imports]) =>
      (imports ?? [])
        .filter(({ id, request }) => !plainModules.has(request) && !(id ?? "").startsWith("src/protocol/"))
        .map(({ request }) => `${file} -> ${request}`)
    )

const tree = await parseDependencyTree("src/**/*.ts", {})

// A cycle of types only is harmless, and usual between a module and its internals: those imports are left out.
const runTimeTree = await parseDependencyTree("src/**/*.ts", { transform: true })

const faults = [
  ...parseCircular(runTimeTree).map((cycle) => `import cycle: ${cycle.join(" -> ")}`),
  ...protocolEscapes(tree).map((path) => `not for src/protocol: ${path}`),
  ...forbidden(runTimeTree, "src/index.ts", isLarge).map((path) => `too large for the root module: ${path}`),
  ...forbidden(tree, "src/index.ts", isNodeOnly).map((path) => `not for the root module: ${path}`),
  ...forbidden(tree, "src/testing/index.ts", isPlatformNode).map((path) => `not for the testing module: ${path}`)
]

for (const fault of faults) console.error(fault)
console.log(
  `${Object.keys(tree).filter((file) => file.startsWith("src/")).length} source files, ${faults.length} faults`
)
process.exitCode = faults.length === 0 ? 0 : 1
