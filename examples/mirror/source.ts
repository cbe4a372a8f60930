/** The list of files to mirror, in a fixed order, and the entries that are skipped. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as NodeFs from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { FileSkipped, SourceUnavailable } from "./errors.js"
import type { Amount } from "./format.js"
import { reasonOf } from "./reason.js"

/** A file when it was listed. `path` is relative to the source, with "/" between the names. */
export interface SourceFile {
  readonly path: string
  readonly size: number
}

export interface Source {
  readonly root: string
  readonly files: ReadonlyArray<SourceFile>
  readonly skipped: ReadonlyArray<FileSkipped>
}

export const amountOf = ({ files }: Source): Amount => ({
  files: files.length,
  bytes: files.reduce((sum, file) => sum + file.size, 0)
})

/** All files below a directory, or one file. */
export const fromPath = Effect.fn("Source.fromPath")(function* (given: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const unavailable = (reason: string) => new SourceUnavailable({ path: given, reason })
  const orUnavailable = Effect.mapError((error: PlatformError) => unavailable(reasonOf(error)))
  // a link as the given path is followed; links below it are skipped
  const root = yield* orUnavailable(fs.realPath(given))
  const info = yield* orUnavailable(fs.stat(root))
  switch (info.type) {
    case "Directory":
      // folders below it that cannot be read are skipped, but the source itself must be readable
      yield* orUnavailable(fs.readDirectory(root))
      return yield* list(root, [""])
    case "File":
      return yield* list(path.dirname(root), [path.basename(root)])
    default:
      return yield* unavailable("neither a directory nor a file")
  }
})

/** The sources and documents of this project, without installed and built files. */
export const ownProject = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const root = fileURLToPath(new URL("../..", import.meta.url))
  const present = yield* Effect.filter(OWN, (name) => Effect.orElseSucceed(fs.exists(`${root}/${name}`), () => false))
  return yield* list(root, present)
})

const OWN = [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "bench",
  "docs",
  "examples",
  "package.json",
  "tools",
  "src",
  "test",
  "tsconfig.json"
]

const list = Effect.fn("Source.list")(function* (root: string, names: ReadonlyArray<string>) {
  const found = { files: new Array<SourceFile>(), skipped: new Array<FileSkipped>() }
  yield* Effect.forEach(names, (name) => visit(root, name, found), { discard: true })
  const source: Source = { root, ...found }
  return source
})

interface Found {
  readonly files: Array<SourceFile>
  readonly skipped: Array<FileSkipped>
}

const visit = (root: string, relative: string, found: Found): Effect.Effect<void> =>
  Effect.gen(function* () {
    const absolute = `${root}/${relative}`
    // Node's own `lstat`: the platform's FileSystem follows symbolic links
    const info = yield* attempt(relative, () => NodeFs.lstat(absolute))
    if (info.isSymbolicLink()) return yield* new FileSkipped({ path: relative, reason: "symbolic link" })
    if (info.isFile()) return void found.files.push({ path: relative, size: info.size })
    if (!info.isDirectory()) return yield* new FileSkipped({ path: relative, reason: "not a regular file" })
    const names = yield* attempt(relative, () => NodeFs.readdir(absolute))
    const below = relative === "" ? "" : `${relative}/`
    yield* Effect.forEach(names.sort(), (name) => visit(root, below + name, found), { discard: true })
  }).pipe(Effect.catchTag("FileSkipped", (skipped) => Effect.sync(() => found.skipped.push(skipped))))

const attempt = <A>(path: string, use: () => Promise<A>): Effect.Effect<A, FileSkipped> =>
  Effect.tryPromise({ try: use, catch: (error) => new FileSkipped({ path, reason: reasonOf(error) }) })
