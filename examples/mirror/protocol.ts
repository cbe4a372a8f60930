/**
 * The protocol of the two sides of a mirror.
 *
 * The client opens a stream for each file: its header, then its bytes, then FIN. When the server has stored them, it
 * opens a stream for the verdict, waits until the client has finished that one, and then finishes the file's stream. So
 * when a file's stream has ended with FIN, the client has its verdict.
 */
import { MuxStream } from "effect-muxado"
import type { MuxadoError } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { MalformedMessage } from "./errors.js"

/** The types of the streams. */
export const StreamType = { File: 1, Verdict: 2 } as const

/** The code with which the server resets a file's stream whose header is invalid: an application's own code. */
export const HEADER_REFUSED = 0x1000

/** A path below the mirror's root, with "/" between the names on every system. */
const RelativePath = Schema.String.pipe(
  Schema.filter((path) =>
    path.includes("\0") || path.split("/").some((name) => name === "" || name === "." || name === "..")
      ? "expected a path that stays below the root"
      : undefined
  )
)

export const FileHeader = Schema.parseJson(Schema.Struct({ path: RelativePath, size: Schema.NonNegativeInt }))
export type FileHeader = typeof FileHeader.Type

const Sha256 = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/))

/** The result of a file at the server. */
export const Verdict = Schema.parseJson(
  Schema.Union(
    Schema.TaggedStruct("Stored", { path: RelativePath, size: Schema.NonNegativeInt, sha256: Sha256 }),
    Schema.TaggedStruct("Failed", { path: RelativePath, reason: Schema.String })
  )
)
export type Verdict = typeof Verdict.Type

/** The one line that the server process prints when it listens. */
export const Announcement = Schema.parseJson(
  Schema.Struct({
    port: Schema.Int.pipe(Schema.between(1, 65_535)),
    certificate: Schema.String
  })
)

// --- messages: 4 bytes of length, then JSON ---

const PREFIX = 4

/** A path of 4,096 bytes fits in any JSON escape. */
const MAX_MESSAGE = 64 * 1024

export const sendMessage = Effect.fn("sendMessage")(function* <A>(
  stream: MuxStream.MuxStream,
  schema: Schema.Schema<A, string>,
  message: A
) {
  const json = yield* Effect.mapError(Schema.encode(schema)(message), malformed)
  const body = new TextEncoder().encode(json)
  if (body.length > MAX_MESSAGE) return yield* new MalformedMessage({ detail: `a message of ${body.length} bytes` })
  const bytes = new Uint8Array(PREFIX + body.length)
  new DataView(bytes.buffer).setUint32(0, body.length)
  bytes.set(body, PREFIX)
  yield* MuxStream.write(stream, bytes)
})

/** The next message, and the bytes after it that have arrived with it. */
export const receiveMessage = Effect.fn("receiveMessage")(function* <A>(
  stream: MuxStream.MuxStream,
  schema: Schema.Schema<A, string>
) {
  const start = yield* readAtLeast(stream, new Uint8Array(0), PREFIX)
  const length = new DataView(start.buffer, start.byteOffset).getUint32(0)
  if (length > MAX_MESSAGE) return yield* new MalformedMessage({ detail: `a message of ${length} bytes` })
  const bytes = yield* readAtLeast(stream, start, PREFIX + length)
  const json = new TextDecoder().decode(bytes.subarray(PREFIX, PREFIX + length))
  const message = yield* Effect.mapError(Schema.decode(schema)(json), malformed)
  return { message, rest: bytes.subarray(PREFIX + length) }
})

const readAtLeast = (
  stream: MuxStream.MuxStream,
  bytes: Uint8Array,
  length: number
): Effect.Effect<Uint8Array, MuxadoError.StreamError | MalformedMessage> =>
  bytes.length >= length
    ? Effect.succeed(bytes)
    : Effect.flatMap(
        MuxStream.read(stream),
        Option.match({
          onNone: () => new MalformedMessage({ detail: "the stream ended within a message" }),
          onSome: (more) => readAtLeast(stream, Buffer.concat([bytes, more]), length)
        })
      )

const malformed = (error: ParseResult.ParseError): MalformedMessage =>
  new MalformedMessage({
    detail: ParseResult.ArrayFormatter.formatErrorSync(error)
      .map((issue) => issue.message)
      .join(", ")
  })
