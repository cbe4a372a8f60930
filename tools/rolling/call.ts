/** One call of a rolling restart: its request, its reply, and both sides of it. */
import type { MuxadoError } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

export const Request = Schema.Struct({
  id: Schema.Number,
  /** 1 for the first attempt. A managed session that repeats a call makes another attempt. */
  attempt: Schema.Number,
  kind: Schema.Literal("Unary", "Streaming"),
  /** How long the server works on it, in milliseconds. */
  takes: Schema.Number
})

export type Request = typeof Request.Type

/** The pieces of a streaming reply. */
const PIECES = 8
const PADDING = "-".repeat(1000)

const piecesOf = ({ id, kind }: Request): ReadonlyArray<string> =>
  kind === "Unary"
    ? [`reply to ${id}`]
    : Array.from({ length: PIECES }, (_, i) => `piece ${i + 1} of the reply to ${id} ${PADDING}\n`)

const RequestText = Schema.parseJson(Request)
const decode = Schema.decodeUnknown(RequestText)
const text = new TextDecoder()

/** Sends the request, and returns whether the reply is right. */
export const ask = (stream: MuxStream.MuxStream, request: Request): Effect.Effect<boolean, MuxadoError.StreamError> =>
  Effect.gen(function* () {
    yield* MuxStream.write(stream, JSON.stringify(request))
    yield* MuxStream.finish(stream)
    const reply =
      request.kind === "Unary"
        ? text.decode(yield* MuxStream.readAll(stream))
        : yield* Stream.mkString(Stream.decodeText(MuxStream.toStream(stream)))
    return reply === piecesOf(request).join("")
  })

/** Executes a request: `executed` is called when it begins, before a byte of the reply is sent. */
export const answer = (stream: MuxStream.MuxStream, executed: (request: Request) => void) =>
  Effect.gen(function* () {
    const request = yield* Effect.flatMap(MuxStream.readAll(stream), (bytes) => decode(text.decode(bytes)))
    executed(request)
    const pieces = piecesOf(request)
    for (const piece of pieces) {
      yield* Effect.sleep(request.takes / pieces.length)
      yield* MuxStream.write(stream, piece)
    }
  })
