/** Converts a stream to a platform `Socket`. */
import * as Socket from "@effect/platform/Socket"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { MuxStream } from "../muxStream.js"
import type { StreamError } from "../../../MuxadoError.js"
import { uncutOnSuccess } from "./uncut.js"

type Handler<A, E, R> = (bytes: Uint8Array) => Effect.Effect<A, E, R> | void

const CLEAN = 1000

export const toSocket = (stream: MuxStream): Socket.Socket => {
  const runRaw = <A, E, R>(
    handler: Handler<A, E, R>,
    options?: { readonly onOpen?: Effect.Effect<void> | undefined }
  ): Effect.Effect<void, Socket.SocketError | E, R> => {
    const loop: Effect.Effect<void, Socket.SocketError | E, R> = Effect.flatMap(
      Effect.mapError(stream.read, readError),
      (chunk) => {
        if (chunk._tag === "None") return Effect.void
        const result = handler(chunk.value)
        return Effect.isEffect(result) ? Effect.zipRight(result, loop) : loop
      }
    )
    const untilClosed = Effect.catchIf(loop, isLocalClose, () => Effect.void)
    return options?.onOpen === undefined ? untilClosed : Effect.zipRight(options.onOpen, untilClosed)
  }
  const writeWith =
    (whole: Effect.Effect<void>) =>
    (chunk: Uint8Array | string | Socket.CloseEvent): Effect.Effect<void, Socket.SocketError> => {
      if (!Socket.isCloseEvent(chunk)) {
        return Effect.mapError(
          stream.write(chunk),
          (cause) => new Socket.SocketGenericError({ reason: "Write", cause })
        )
      }
      return chunk.code === CLEAN ? Effect.zipRight(whole, stream.close) : stream.reset(chunk.code)
    }
  return Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: runRaw,
    runRaw,
    // if the writer's scope fails, the peer must not see a complete stream
    writer: Effect.zipRight(
      Effect.addFinalizer((exit) => (Exit.isSuccess(exit) ? Effect.ignore(stream.finish) : Effect.void)),
      Effect.map(uncutOnSuccess(stream), writeWith)
    )
  })
}

const readError = (cause: StreamError): Socket.SocketError => new Socket.SocketGenericError({ reason: "Read", cause })

/** True if a read failed because this side had closed the stream. `run` then succeeds. */
const isLocalClose = (error: unknown): boolean =>
  error instanceof Socket.SocketGenericError && hasTag(error.cause, "StreamClosed")

const hasTag = (value: unknown, tag: string): boolean =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === tag
