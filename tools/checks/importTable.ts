/**
 * The import table of docs/architecture.md, and the imports of a dependency tree that it forbids.
 *
 * A file belongs to the row with the longest path that matches it. It may import the files of its own row, the files of
 * the rows that its row names, and the packages of its row. Imports of types count too.
 */
import { isBuiltin } from "node:module"

/** Groups of packages, as the table names them. */
type Packages = "plain data" | "effect" | "platform" | "msgpack" | "test clock" | "node"

/** One row of the table. */
export interface Row {
  /** How the document calls it. */
  readonly name: string
  /** Folders and files, from the root of the repository. A folder ends in a slash. */
  readonly paths: ReadonlyArray<string>
  /** The names of the rows below that it may import. */
  readonly imports: ReadonlyArray<string>
  readonly packages: ReadonlyArray<Packages>
}

const wire = ["protocol/wire", "protocol/collections"]
const protocol = ["protocol", "protocol/streams", "protocol/receiving", "protocol/sending", ...wire]
const internal = ["internal/session", "internal/stream", "internal/transport", "internal/support"]

/** Each row imports rows before it. Only the four rows of `protocol`, `streams`, `receiving` and `sending` import each other. */
export const table: ReadonlyArray<Row> = [
  { name: "protocol/collections", paths: ["src/protocol/collections/"], imports: [], packages: ["plain data"] },
  {
    name: "protocol/wire",
    paths: ["src/protocol/wire/"],
    imports: ["protocol/collections"],
    packages: ["plain data"]
  },
  ...["protocol/streams", "protocol/receiving", "protocol/sending", "protocol"].map((name): Row => ({
    name,
    paths: [`src/${name}/`],
    imports: protocol.filter((other) => other !== name),
    packages: ["plain data"]
  })),
  { name: "internal/support", paths: ["src/internal/support/"], imports: ["protocol/wire"], packages: ["effect"] },
  {
    name: "MuxadoError",
    paths: ["src/MuxadoError.ts", "src/internal/errors/"],
    imports: ["protocol", "protocol/wire", "internal/support"],
    packages: ["effect"]
  },
  {
    name: "internal/transport",
    paths: ["src/internal/transport/"],
    imports: ["protocol", "protocol/wire", "MuxadoError", "internal/support"],
    packages: ["effect", "platform"]
  },
  {
    name: "internal/stream",
    paths: ["src/internal/stream/"],
    imports: ["protocol", "protocol/streams", "protocol/wire", "MuxadoError", "internal/support"],
    packages: ["effect", "platform"]
  },
  {
    name: "internal/session",
    paths: ["src/internal/session/"],
    imports: [
      ...["protocol", "protocol/streams", "protocol/wire", "protocol/collections"],
      ...["MuxadoError", "internal/stream", "internal/transport", "internal/support"]
    ],
    packages: ["effect"]
  },
  {
    name: "wire modules",
    paths: ["src/Frame.ts", "src/ErrorCode.ts"],
    imports: ["protocol/wire"],
    packages: []
  },
  {
    name: "public modules",
    paths: [
      ...["src/Session.ts", "src/MuxStream.ts", "src/SessionOptions.ts", "src/ResolvedOptions.ts"],
      ...["src/Transport.ts", "src/FrameReader.ts", "src/FrameWriter.ts", "src/FrameLog.ts"]
    ],
    imports: ["protocol", "protocol/receiving", "protocol/wire", "MuxadoError", ...internal],
    packages: ["effect", "platform"]
  },
  // the root entry does not reach these two rows
  {
    name: "internal/messages",
    paths: ["src/internal/messages/"],
    imports: ["protocol/wire", "MuxadoError", "internal/stream", "internal/support"],
    packages: ["effect", "msgpack"]
  },
  {
    name: "Messages",
    paths: ["src/Messages.ts"],
    imports: ["MuxadoError", "internal/session", "internal/stream", "internal/messages"],
    packages: ["effect"]
  },
  {
    name: "internal/server",
    paths: ["src/internal/server/"],
    imports: ["MuxadoError", "public modules", "internal/transport", "internal/support"],
    packages: ["effect", "platform"]
  },
  {
    name: "SessionServer",
    paths: ["src/SessionServer.ts"],
    imports: ["MuxadoError", "public modules", "internal/server"],
    packages: ["effect", "platform"]
  },
  {
    name: "internal/managed",
    paths: ["src/internal/managed/"],
    imports: [
      ...["protocol", "protocol/wire", "MuxadoError", "public modules", "internal/session", "internal/stream"],
      ...["internal/transport", "internal/support"]
    ],
    packages: ["effect"]
  },
  {
    name: "ManagedSession",
    paths: ["src/ManagedSession.ts"],
    imports: ["MuxadoError", "public modules", "internal/managed"],
    packages: ["effect", "platform"]
  },
  {
    name: "index",
    paths: ["src/index.ts"],
    imports: ["MuxadoError", "wire modules", "public modules", "SessionServer", "ManagedSession"],
    packages: []
  },
  {
    name: "node/internal",
    paths: ["src/node/internal/"],
    imports: ["MuxadoError", "public modules", "SessionServer", "internal/server", "internal/support"],
    packages: ["effect", "node"]
  },
  {
    name: "node",
    paths: ["src/node/"],
    imports: [
      "MuxadoError",
      "public modules",
      "SessionServer",
      "ManagedSession",
      "internal/managed",
      "internal/server",
      "node/internal"
    ],
    packages: ["effect", "node"]
  },
  {
    name: "testing/internal",
    paths: ["src/testing/internal/"],
    imports: ["protocol", "MuxadoError", "public modules", "internal/transport", "internal/support"],
    packages: ["effect", "test clock"]
  },
  {
    name: "testing",
    paths: ["src/testing/"],
    imports: ["MuxadoError", "public modules", "internal/transport", "internal/support", "testing/internal"],
    packages: ["effect", "test clock"]
  },
  // the bytes that these send must not be those that the library's encoder makes
  {
    name: "attack and conformance bytes",
    paths: ["tools/attacks/bytes.ts", "tools/conformance/frames.ts"],
    imports: [],
    packages: ["node"]
  }
]

/** What only some files may use. */
export interface Restriction {
  /** Modules, or `Effect.async` for the function. */
  readonly what: ReadonlyArray<string>
  /** The files that may. */
  readonly files: ReadonlyArray<string>
  readonly why: string
}

const RUN = "src/internal/support/run.ts"

export const restrictions: ReadonlyArray<Restriction> = [
  {
    what: ["Effect.async"],
    files: ["src/internal/support/park.ts"],
    why: "a fiber waits for a callback in one way"
  },
  {
    what: ["effect/Runtime", "effect/FiberRefs"],
    files: [RUN],
    why: "fibers start in one place"
  },
  {
    what: ["effect/Scheduler"],
    files: [RUN, "src/internal/support/outside.ts", "src/testing/internal/scheduling.ts"],
    why: "`outside` runs tasks outside of requests, `scheduling` observes them"
  },
  {
    what: ["effect/FiberId"],
    files: [RUN, "src/testing/internal/fibers.ts"],
    why: "`fibers` names the fibers that a test has left"
  },
  {
    what: ["effect/FiberRef"],
    files: [RUN, "src/testing/internal/warn.ts"],
    why: "`warn` asks which loggers there are"
  },
  {
    what: ["effect/Deferred", "effect/MutableQueue", "effect/Supervisor"],
    files: [],
    why: "`waiters` and `queue` are used instead; Effect 4 has no `Supervisor`"
  },
  {
    what: ["effect/Schema", "effect/ParseResult"],
    files: [
      "src/Messages.ts",
      "src/internal/messages/codec.ts",
      "src/internal/messages/format.ts",
      "src/internal/messages/options.ts"
    ],
    why: "they are larger than the library, in a browser's bundle too; the root entry reaches none of these files"
  },
  { what: ["effect", "@effect/platform"], files: [], why: "a browser's bundle has only the modules that are named" }
]

/** One import of a file. `id` is the file that it reaches, `null` for a package. */
export interface Import {
  readonly id: string | null
  readonly request: string
}

export type Tree = Readonly<Record<string, ReadonlyArray<Import> | null>>

/** The row of a file. */
export const rowOf = (file: string): Row | undefined => {
  let found: Row | undefined
  let length = 0
  for (const row of table) {
    for (const path of row.paths) {
      if (path.length > length && (path === file || (path.endsWith("/") && file.startsWith(path)))) {
        found = row
        length = path.length
      }
    }
  }
  return found
}

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

const groups: Readonly<Record<Packages, (request: string) => boolean>> = {
  "plain data": (request) => plainModules.has(request),
  effect: (request) => request.startsWith("effect/") && !request.startsWith("effect/Test"),
  platform: (request) => request === "@effect/platform/Socket" || request === "@effect/platform/SocketServer",
  msgpack: (request) => request === "@effect/platform/MsgPack",
  "test clock": (request) => request === "effect/TestClock",
  node: (request) => isBuiltin(request)
}

const isSource = (id: string | null): id is string => id !== null && (id.startsWith("src/") || id.startsWith("tools/"))

/** The imports of the tree that the table does not have. */
export const importFaults = (tree: Tree): ReadonlyArray<string> =>
  Object.entries(tree).flatMap(([file, imports]) => {
    const row = rowOf(file)
    if (row === undefined) return file.startsWith("src/") ? [`${file} is in no row of the table`] : []
    return (imports ?? []).flatMap(({ id, request }) => {
      if (isSource(id)) {
        const to = rowOf(id)
        if (to === row || (to !== undefined && row.imports.includes(to.name))) return []
        return [`${row.name} may not import ${to?.name ?? id}: ${file} -> ${id}`]
      }
      const restriction = restrictions.find(({ what }) => what.includes(request))
      if (restriction !== undefined && !restriction.files.includes(file)) {
        return [`${restriction.files.join(" and ") || "no file"} may import ${request}: ${file}`]
      }
      return row.packages.some((name) => groups[name](request))
        ? []
        : [`${row.name} may not import the package: ${file} -> ${request}`]
    })
  })

/** Whether a file may call a function that only some may. */
export const mayCall = (file: string, name: string): boolean =>
  restrictions.every(({ files, what }) => !what.includes(name) || files.includes(file))

/** The tables as the document has them. */
export const asMarkdown = (): string => {
  const code = (names: ReadonlyArray<string>): string => names.map((name) => `\`${name}\``).join(", ")
  return [
    "| row | files | imports | packages |",
    "| --- | --- | --- | --- |",
    ...table.map(({ imports, name, packages, paths }) => {
      const cells = [name, code(paths), imports.join(", ") || "nothing", packages.join(", ") || "none"]
      return `| ${cells.join(" | ")} |`
    }),
    "",
    "| module or function | only in | why |",
    "| --- | --- | --- |",
    ...restrictions.map(({ files, what, why }) => `| ${code(what)} | ${code(files) || "no file"} | ${why} |`)
  ].join("\n")
}
