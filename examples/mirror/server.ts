/** The receiving side, in a separate process: stores the files of one session, and sends a verdict on each. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { MuxadoError, Session, SessionOptions } from "effect-muxado"
import { ErrorCode, MuxStream } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { throwAwayCertificate } from "../shared/certificate.js"
import { MalformedMessage, NotStored, ServerFailed } from "./errors.js"
import {
  Announcement,
  FileHeader,
  HEADER_REFUSED,
  receiveMessage,
  sendMessage,
  StreamType,
  Verdict
} from "./protocol.js"
import { reasonOf } from "./reason.js"

/**
 * Prints its address on stdout, serves one session, and ends with it. It also ends when the process that started it has
 * ended, because that closes its stdin. At the end it removes the directory.
 */
export const serveInto = Effect.fn("serveInto")(function* (
  directory: string,
  options: SessionOptions,
  verbose: boolean
) {
  const fs = yield* FileSystem.FileSystem
  // the directory is removed at the end, with all files in it
  const present = yield* fs.readDirectory(directory)
  if (present.length > 0) return yield* new ServerFailed({ detail: `${directory} is not empty` })
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(directory, { recursive: true, force: true })))
  const identity = yield* throwAwayCertificate()
  if (verbose) yield* Console.error("server certificate made")
  const { address, run } = yield* NodeSessionServer.makeTls({ host: "127.0.0.1", port: 0, ...identity }, options)
  if (address._tag !== "TcpAddress") return yield* new ServerFailed({ detail: `listening on ${address.path}` })
  yield* Console.log(yield* Schema.encode(Announcement)({ port: address.port, certificate: identity.cert }))
  const over = yield* Deferred.make<void, MuxadoError.ServerFailed>()
  const end = Deferred.succeed(over, undefined)
  const serving = run((session) => Effect.ensuring(receiveFiles(session, directory), end))
  yield* Effect.forkScoped(Effect.intoDeferred(serving, over))
  yield* Effect.forkScoped(Effect.zipRight(parentGone, end))
  yield* Deferred.await(over)
}, Effect.scoped)

const parentGone = Effect.ignore(
  Stream.runDrain(
    NodeStream.fromReadable(
      () => process.stdin,
      (cause) => cause
    )
  )
)

/** Serves a session until its client leaves, and stores its files below `directory`. */
export const receiveFiles = (session: Session.SessionService, directory: string) =>
  session.serve((stream) =>
    stream.type === StreamType.File
      ? receiveFile(session, stream, directory)
      : MuxStream.reset(stream, ErrorCode.StreamRefused)
  )

const receiveFile = Effect.fn("receiveFile")(
  function* (session: Session.SessionService, stream: MuxStream.MuxStream, directory: string) {
    const { message: header, rest } = yield* receiveMessage(stream, FileHeader)
    const path = yield* pathBelow(directory, header.path)
    const verdict = yield* Effect.catchTags(store(stream, rest, header, path), {
      NotStored: ({ reason }) => failed(header.path, reason),
      SystemError: (error) => failed(header.path, reasonOf(error)),
      BadArgument: (error) => failed(header.path, reasonOf(error))
    })
    // The client finishes the verdict's stream when it has the verdict. The file's stream ends after that.
    yield* session.withStream(
      (judging) =>
        sendMessage(judging, Verdict, verdict).pipe(
          Effect.zipRight(MuxStream.finish(judging)),
          Effect.zipRight(MuxStream.readAll(judging))
        ),
      { type: StreamType.Verdict }
    )
  },
  (handled, _session, stream) =>
    Effect.catchTag(handled, "MalformedMessage", () => MuxStream.reset(stream, HEADER_REFUSED))
)

/** The header is already checked. Here the path is checked against the rules of this system. */
const pathBelow = Effect.fn("pathBelow")(function* (directory: string, relative: string) {
  const path = yield* Path.Path
  const resolved = path.resolve(directory, relative)
  if (resolved.startsWith(directory + path.sep)) return resolved
  return yield* new MalformedMessage({ detail: `${relative} is not below the root` })
})

const store = Effect.fn("store")(function* (
  stream: MuxStream.MuxStream,
  first: Uint8Array,
  header: FileHeader,
  path: string
) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory((yield* Path.Path).dirname(path), { recursive: true })
  const file = yield* fs.open(path, { flag: "wx" })
  const notStored = (reason: string) => new NotStored({ path: header.path, reason })
  const sha256 = createHash("sha256")
  let size = 0
  for (let bytes = Option.some(first); Option.isSome(bytes); bytes = yield* MuxStream.read(stream)) {
    if (bytes.value.length === 0) continue
    size += bytes.value.length
    if (size > header.size) return yield* notStored("the file has more bytes than announced")
    sha256.update(bytes.value)
    // an interrupted write may still run when the file is closed and its descriptor's number belongs to another file
    yield* Effect.uninterruptible(file.writeAll(bytes.value))
  }
  if (size < header.size) return yield* notStored("the file has fewer bytes than announced")
  const stored: Verdict = { _tag: "Stored", path: header.path, size, sha256: sha256.digest("hex") }
  return stored
}, Effect.scoped)

const failed = (path: string, reason: string): Effect.Effect<Verdict> =>
  Effect.succeed({ _tag: "Failed", path, reason })
