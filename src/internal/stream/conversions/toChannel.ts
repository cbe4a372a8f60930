/** Converts both directions of a stream to a `Channel`, of bytes or of what is read and written as bytes. */
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { StreamError } from "../../../MuxadoError.js"
import type { MuxStream } from "../muxStream.js"
import { ErrorCode } from "../../../protocol/wire/errorCode.js"
import { race } from "../../support/race.js"
import { Once } from "../../support/waiters.js"
import { uncut } from "./uncut.js"

type Bytes = Chunk.Chunk<Uint8Array>
type Data = Chunk.Chunk<Uint8Array | string>

export const toChannel = <IE>(stream: MuxStream): Channel.Channel<Bytes, Data, StreamError | IE, IE, void, unknown> =>
  channelOver<Uint8Array, Uint8Array | string, never, IE>(stream, stream.read, (data) => stream.write(data))

/** `read` and `write` replace those of the stream. */
export const channelOver = <Out, In, E, IE>(
  stream: MuxStream,
  read: Effect.Effect<Option.Option<Out>, StreamError | E>,
  write: (data: In) => Effect.Effect<void, StreamError | E>
): Channel.Channel<Chunk.Chunk<Out>, Chunk.Chunk<In>, StreamError | E | IE, IE, void, unknown> =>
  Channel.unwrapScoped(
    Effect.map(uncut(stream), (whole) => {
      const inputFailed = new Once<never, StreamError | E | IE>()
      const fail = (cause: Cause.Cause<StreamError | E | IE>) =>
        Effect.suspend(() => {
          inputFailed.complete(Exit.failCause(cause))
          return stream.reset(ErrorCode.StreamCancelled)
        })
      const output: Channel.Channel<
        Chunk.Chunk<Out>,
        unknown,
        StreamError | E | IE,
        unknown,
        void,
        unknown
      > = Channel.flatMap(
        Channel.fromEffect(race(inputFailed.await, read)),
        Option.match({
          onNone: () => Channel.void,
          onSome: (data) => Channel.zipRight(Channel.write(Chunk.of(data)), output)
        })
      )
      return Channel.embedInput(output, {
        awaitRead: () => Effect.void,
        emit: (chunk: Chunk.Chunk<In>) =>
          Effect.catchAllCause(
            Effect.forEach(chunk, (data) => write(data), { discard: true }),
            fail
          ),
        error: (cause: Cause.Cause<IE>) => fail(cause),
        done: () => Effect.catchAllCause(Effect.zipRight(stream.finish, whole), fail)
      })
    })
  )
