/**
 * The file of a unix socket that this process listens on.
 *
 * Node binds the path directly, and when the server closes, Node removes any file at that path. This module binds the
 * socket in a private folder beside the path, sets its mode there, and then links it to the path. So the file never has
 * other permissions, only one of two servers gets the path, and a server removes only its own file.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { park } from "../../internal/support/park.js"
import { PathInUse } from "./explain.js"
import type { SocketFileOptions } from "./listenOptions.js"
import { maxPathBytes } from "./where.js"

/**
 * - `listen` calls `bind` with a path in the private folder, and then links the socket to its own path.
 * - `remove` removes the file, unless another server has replaced it. It is idempotent.
 *
 * @since 0.1.0
 * @category models
 */
export interface SocketFile {
  readonly listen: <E>(bind: (path: string) => Effect.Effect<void, E>) => Effect.Effect<void, E | Error>
  readonly remove: () => void
}

/** Identifies a file. The inode number is not enough, because the system uses it again. */
type Identity = Pick<Fs.BigIntStats, "dev" | "ino" | "birthtimeNs">

/** How often `listen` tries to get the path while other servers change it. */
const ATTEMPTS = 5

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ mode, path, replaceStale = false }: SocketFileOptions): SocketFile => {
  let owned: Identity | undefined

  /** Links the socket to its path. False if a file exists there. */
  const claim = (made: string): boolean => {
    const mine = look(made)
    if (!linkOrMove(made, path)) return false
    owned = mine
    return true
  }

  const listen: SocketFile["listen"] = (bind) =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* privateFolder(Path.dirname(path))
        const made = yield* bindIn(folder, bind)
        if (mode !== undefined) yield* attempt(() => Fs.chmodSync(made, mode))
        for (let n = 0; n < ATTEMPTS; n++) {
          if (yield* attempt(() => claim(made))) return
          const there = yield* attempt(() => look(path))
          if (there === undefined) continue
          if (!there.isSocket()) return yield* inUse("the file at that path is not a socket")
          const answer = yield* probe(path)
          if (answer === "ECONNREFUSED") {
            if (!replaceStale) return yield* inUse(STALE)
            yield* attempt(() => takeAway(path, there, Path.join(folder, "old")))
          } else if (answer !== "ENOENT") {
            return yield* inUse(
              answer === undefined ? "a server already listens on it" : `a server may be listening on it: ${answer}`
            )
          }
        }
        return yield* inUse("other servers are starting on the same path")
      })
    )

  const remove = (): void => {
    const mine = owned
    owned = undefined
    if (mine === undefined) return
    try {
      const there = look(path)
      if (there !== undefined && isSame(there, mine)) Fs.unlinkSync(path)
    } catch {
      // The folder is deleted or not writable: there is nothing more to do.
    }
  }

  return { listen, remove }
}

const STALE =
  "the socket file is stale: nothing listens on it. Remove it, or set replaceStale: true to have it replaced"

const inUse = (text: string): Effect.Effect<never, Error> => Effect.fail(new PathInUse(text))

const attempt = <A>(f: () => A): Effect.Effect<A, Error> =>
  Effect.try({ try: f, catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause))) })

const look = (path: string): Fs.BigIntStats | undefined => Fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })

const isSame = (one: Identity, other: Identity): boolean =>
  one.dev === other.dev && one.ino === other.ino && one.birthtimeNs === other.birthtimeNs

/** A folder that only this user can enter. It is removed when the scope closes. */
const privateFolder = (parent: string): Effect.Effect<string, Error, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(() => Fs.mkdtempSync(`${parent}${Path.sep}.`)),
    (folder) => Effect.ignore(attempt(() => Fs.rmSync(folder, { recursive: true, force: true })))
  )

/** Binds a socket in the folder, and returns its path. */
const bindIn = <E>(
  folder: string,
  bind: (path: string) => Effect.Effect<void, E>
): Effect.Effect<string, E | Error> => {
  const made = `${folder}${NAME}`
  if (Buffer.byteLength(made) <= maxPathBytes()) return Effect.as(bind(made), made)
  if (process.platform !== "linux") {
    const limit = maxPathBytes() - PRIVATE_BYTES
    return Effect.fail(new Error(`the path of its folder is too long: the limit is ${limit} bytes here`))
  }
  // The path by the folder's descriptor is short enough. When the server closes, Node removes this path, and the number
  // of the descriptor may belong to another folder then. So the name is random.
  const name = randomBytes(16).toString("hex")
  return Effect.acquireUseRelease(
    attempt(() => Fs.openSync(folder, "r")),
    (fd) => Effect.as(bind(`/proc/self/fd/${fd}/${name}`), `${folder}/${name}`),
    (fd) => Effect.sync(() => Fs.closeSync(fd))
  )
}

const NAME = "/s"

/** The bytes that the private folder and the name in it add to the path. */
const PRIVATE_BYTES = "/.XXXXXX".length + NAME.length

/** False if there is a file at `path` already. */
const linkOrMove = (made: string, path: string): boolean => {
  try {
    Fs.linkSync(made, path)
    return true
  } catch (error) {
    if (isCode(error, ["EEXIST"])) return false
    if (!isCode(error, ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])) throw error
    // On a file system without hard links, two servers that start in the same instant can both succeed.
    if (look(path) !== undefined) return false
    Fs.renameSync(made, path)
    return true
  }
}

/** Removes the stale file. If another server has replaced it since it was checked, the file is put back. */
const takeAway = (path: string, stale: Identity, aside: string): void => {
  try {
    Fs.renameSync(path, aside)
  } catch (error) {
    if (isCode(error, ["ENOENT"])) return
    throw error
  }
  const taken = look(aside)
  if (taken !== undefined && !isSame(taken, stale)) linkOrMove(aside, path)
}

const isCode = (error: unknown, codes: ReadonlyArray<string>): boolean =>
  error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code)

/** Tries to connect. `undefined` if a server accepts, otherwise the code of the error. */
const probe = (path: string): Effect.Effect<string | undefined> =>
  park((resume) => {
    const socket = Net.connect({ path })
    socket.on("error", (error) => resume(Effect.succeed("code" in error ? String(error.code) : error.message)))
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(undefined))
    })
    return Effect.sync(() => socket.destroy())
  })
