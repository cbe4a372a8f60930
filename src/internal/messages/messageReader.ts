/** Reads the messages of one stream, one at a time. An interruption loses no message. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { StreamError } from "../../MuxadoError.js"
import { InvalidOptions } from "../../MuxadoError.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import { MessageInvalid } from "../errors/messageInvalid.js"
import type { MuxStream } from "../stream/muxStream.js"
import type { AnyFiber } from "../support/run.js"
import { currentFiber, isDone, onExit } from "../support/run.js"
import { WaitSet } from "../support/waiters.js"
import type { Decoder } from "./codec.js"
import type { Format } from "./format.js"
import type { Frames } from "./frames.js"
import { TooLarge } from "./frames.js"

/** Why `next` fails. */
type ReceiveError = StreamError | MessageInvalid

export class MessageReader {
  private readonly frames: Frames
  /** A message that is complete, and that no call has returned. */
  private front: Uint8Array | undefined = undefined
  private ended = false
  /** After an invalid message, every call fails with its error. */
  private failure: Cause.Cause<ReceiveError> | undefined = undefined
  /** The fiber that reads or decodes a message. Others wait for it, so that each message is returned once, in order. */
  private holder: AnyFiber | undefined = undefined
  private readonly waiting = new WaitSet()
  /** The holders whose end wakes those that wait. */
  private readonly watched = new WeakSet<AnyFiber>()

  private constructor(
    private readonly stream: MuxStream,
    private readonly format: Format
  ) {
    this.frames = format.frames()
  }

  /** The one reader of a stream: all messages of a stream share the bytes that have arrived. */
  static of(stream: MuxStream, format: Format): Effect.Effect<MessageReader, InvalidOptions> {
    return Effect.suspend(() => {
      const known = readers.get(stream)
      if (known !== undefined && known.format !== format) {
        const detail = `Messages: the messages of this stream are read as ${known.format.name}, not as ${format.name}`
        return Effect.fail(new InvalidOptions({ detail }))
      }
      const reader = known ?? new MessageReader(stream, format)
      readers.set(stream, reader)
      return Effect.succeed(reader)
    })
  }

  /** The next message; `None` after the peer's FIN. */
  next<A, R>(decoder: Decoder<A, R>): Effect.Effect<Option.Option<A>, ReceiveError, R> {
    return Effect.flatMap(this.hold(decoder), (message) =>
      // in the last operation: before it, an interruption leaves the message to the next call
      Effect.sync(() => {
        this.take(message)
        return message
      })
    )
  }

  /** The same for a `Stream`: fails with `None` after the peer's FIN. */
  pull<A, R>(decoder: Decoder<A, R>): Effect.Effect<A, Option.Option<ReceiveError>, R> {
    return Effect.flatMap(Effect.mapError(this.hold(decoder), Option.some), (message) => {
      if (message._tag === "Some") {
        return Effect.sync(() => {
          this.take(message)
          return message.value
        })
      }
      this.release()
      return Effect.fail(Option.none())
    })
  }

  private take(message: Option.Option<unknown>): void {
    if (message._tag === "Some") this.front = undefined
    this.release()
  }

  /** Decodes the next message, and keeps it. After success the caller must call `release`, if it is not interrupted. */
  private hold<A, R>(decoder: Decoder<A, R>): Effect.Effect<Option.Option<A>, ReceiveError, R> {
    return Effect.suspend(() => {
      const other = this.otherHolder
      if (other !== undefined) return Effect.zipRight(this.after(other), this.hold(decoder))
      this.holder = currentFiber()
      return Effect.onError(
        Effect.catchAllCause(this.decoded(decoder), (cause) => this.fails(cause)),
        () => Effect.sync(() => this.release())
      )
    })
  }

  private get otherHolder(): AnyFiber | undefined {
    const { holder } = this
    return holder === undefined || isDone(holder) || holder === currentFiber() ? undefined : holder
  }

  /** Waits until another fiber holds no message. It may have been interrupted just before it took one. */
  private after(other: AnyFiber): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.watched.has(other)) {
        this.watched.add(other)
        onExit(other, () => this.waiting.notifyAll())
      }
      return this.waiting.waitUnless(() => this.holder !== other || isDone(other))
    })
  }

  private release(): void {
    this.holder = undefined
    this.waiting.notifyAll()
  }

  private decoded<A, R>(decoder: Decoder<A, R>): Effect.Effect<Option.Option<A>, ReceiveError, R> {
    return Effect.suspend(() => {
      if (this.failure !== undefined) return Effect.failCause(this.failure)
      const front = this.front ?? this.frames.next(decoder.maxBytes)
      if (front === undefined) {
        if (!this.ended) return Effect.zipRight(this.fill, this.decoded(decoder))
        const size = this.frames.rest
        return size === 0 ? Effect.succeedNone : Effect.fail(this.invalid("Incomplete", { size }))
      }
      if (front instanceof TooLarge) {
        return Effect.fail(this.invalid("TooLarge", { size: front.size, maxBytes: decoder.maxBytes }))
      }
      this.front = front
      return Effect.mapBoth(decoder.decode(front), {
        onFailure: (cause) => this.invalid("Decode", { cause }),
        onSuccess: (value) => Option.some(value)
      })
    })
  }

  /** Reads one chunk. No interruption can come between reading it and keeping it. */
  private readonly fill: Effect.Effect<void, StreamError> = Effect.uninterruptibleMask((restore) =>
    Effect.map(restore(this.stream.read), (chunk) => {
      if (chunk._tag === "Some") this.frames.push(chunk.value)
      else this.ended = true
    })
  )

  private invalid(
    reason: "Decode" | "TooLarge" | "Incomplete",
    more: { readonly cause?: unknown; readonly size?: number; readonly maxBytes?: number }
  ): MessageInvalid {
    return new MessageInvalid({ reason, direction: "Receive", streamId: this.stream.id, ...more })
  }

  /** Resets the stream if its messages are invalid, or if a schema dies. The failures of the stream pass through. */
  private fails(cause: Cause.Cause<ReceiveError>): Effect.Effect<never, ReceiveError> {
    return Effect.suspend(() => {
      const failure = Cause.failureOption(cause)
      const dies = Cause.isDie(cause)
      const isInvalid = failure._tag === "Some" && failure.value._tag === "MessageInvalid"
      if (this.failure !== undefined || (!dies && !isInvalid)) return Effect.failCause(cause)
      this.failure = cause
      this.front = undefined
      const reset = this.stream.reset(dies ? ErrorCode.InternalError : ErrorCode.StreamCancelled)
      return Effect.zipRight(reset, Effect.failCause(cause))
    })
  }
}

const readers = new WeakMap<MuxStream, MessageReader>()
