/**
 * Messages with schemas on a stream, in both directions, and calls of one message there and one back.
 *
 * On the wire a message is a line of JSON (`"ndjson"`), or a MessagePack value after its length in bytes, a big-endian
 * uint32 (`"msgpack"`). This module imports `effect/Schema`, so the root entry point does not export it.
 *
 * @module
 * @since 0.1.0
 */
import * as Channel from "effect/Channel"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { MessageInvalid } from "./internal/errors/messageInvalid.js"
import type { Decoder, Encoder } from "./internal/messages/codec.js"
import { decoderOf, encoderOf } from "./internal/messages/codec.js"
import type { FormatName } from "./internal/messages/format.js"
import { MessageReader } from "./internal/messages/messageReader.js"
import { readOptions } from "./internal/messages/options.js"
import type { SessionService } from "./internal/session/sessionService.js"
import { channelOver } from "./internal/stream/conversions/toChannel.js"
import { sinkOver } from "./internal/stream/conversions/toSink.js"
import type { MuxStream } from "./internal/stream/muxStream.js"
import type { OpenError, StreamError } from "./MuxadoError.js"

export type { FormatName as Format } from "./internal/messages/format.js"

/**
 * Why an operation on messages failed: the stream or the session failed, or a message is invalid.
 *
 * @since 0.1.0
 * @category errors
 */
export type MessageError = StreamError | MessageInvalid

/**
 * How messages look on the wire. Both sides must use the same format.
 *
 * @since 0.1.0
 * @category models
 */
export interface WireOptions {
  /**
   * `"ndjson"`: a line of JSON, in UTF-8, which ends in LF or CRLF. `"msgpack"`: 4 bytes with the length, big-endian,
   * and then one MessagePack value, which can contain bytes, dates and 64-bit integers. Default `"ndjson"`.
   */
  readonly format?: FormatName | undefined
  /**
   * The maximum size of one message in bytes, in each direction, without the line feed or the length. Default 1,048,576
   * (1 MiB). The maximum is 4,294,967,295.
   */
  readonly maxBytes?: number | undefined
}

/**
 * Options of `make`: `receive` is the schema of the messages of the peer, `send` that of the messages to the peer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<In, InEncoded, InR, Out, OutEncoded, OutR> extends WireOptions {
  /** The messages of the peer. */
  readonly receive: Schema.Schema<In, InEncoded, InR>
  /** The messages to the peer. */
  readonly send: Schema.Schema<Out, OutEncoded, OutR>
}

/**
 * The messages of one stream. `InR` and `OutR` are the services that the schemas need.
 *
 * @since 0.1.0
 * @category models
 */
export interface Messages<In, Out, InR = never, OutR = never> {
  /** The stream that carries them. Do not read it as bytes at the same time. */
  readonly stream: MuxStream
  /**
   * The next message, or `None` after the peer's FIN, on every call. Interrupting it loses no message. If several
   * fibers call it, each message goes to one of them, and the fibers get them in order.
   *
   * Fails with `MessageInvalid`, which resets the stream, or as `MuxStream.read` does. After a `MessageInvalid` every
   * call fails with the same error. If the schema throws or dies, `next` dies, and the stream is reset with
   * InternalError.
   */
  readonly next: Effect.Effect<Option.Option<In>, MessageError, InR>
  /**
   * The messages as a `Stream`, which ends at the peer's FIN. While its consumer does not pull, no more than one chunk of
   * bytes is read, so the peer's writer waits. Fails as `next` does.
   */
  readonly receive: Stream.Stream<In, MessageError, InR>
  /**
   * Sends one message. Completes when the session has accepted its bytes. Concurrent calls do not mix their messages.
   *
   * Fails with `MessageInvalid` if the value does not match the schema (`"Encode"`) or is too large (`"TooLarge"`): then
   * nothing was written, and the stream goes on. Otherwise fails as `MuxStream.write` does.
   */
  readonly send: (value: Out) => Effect.Effect<void, MessageError, OutR>
  /** Sends all values of a stream, and finishes. If the stream or a value fails, the stream is reset, as with `sink`. */
  readonly sendAll: <E, R>(values: Stream.Stream<Out, E, R>) => Effect.Effect<void, E | MessageError, R | OutR>
  /**
   * The outbound direction as a `Sink`: finishes when its input ends. If the input or a value fails, the stream is reset
   * with StreamCancelled, because the messages are not complete.
   */
  readonly sink: Sink.Sink<void, Out, never, MessageError, OutR>
  /** Both directions as a `Channel`, with the rules of `MuxStream.toChannel`. */
  readonly channel: <IE = never>() => Channel.Channel<
    Chunk.Chunk<In>,
    Chunk.Chunk<Out>,
    MessageError | IE,
    IE,
    void,
    unknown,
    InR | OutR
  >
  /** Ends this side's direction: FIN follows the last message. Receiving stays open. */
  readonly finish: Effect.Effect<void, StreamError>
}

/**
 * Sends and receives messages on a stream. It reads nothing until `next` or `receive` runs. Several calls for one stream
 * share what has arrived, so a program can use another schema after a first message. They must use the same format.
 *
 * With wrong options, each operation fails with `InvalidOptions`.
 *
 * A message is invalid if it is an empty line, begins with a byte order mark, is not UTF-8, has a key `__proto__`, or is
 * MessagePack with an extension other than a timestamp or nested more than 256 deep. JSON has no NaN and no infinity:
 * they are sent as `null`. JSON numbers above 2^53 are rounded, as by `JSON.parse`; MessagePack integers of 64 bits are
 * received as `bigint`.
 *
 * @example
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import type { MuxStream } from "effect-muxado"
 * import * as Messages from "effect-muxado/Messages"
 *
 * const Job = Schema.Struct({ id: Schema.Int, input: Schema.String })
 * const Done = Schema.Struct({ id: Schema.Int, output: Schema.String })
 *
 * // answers each job of the stream
 * export const work = (stream: MuxStream.MuxStream) => {
 *   const messages = Messages.make(stream, { receive: Job, send: Done })
 *   return messages.receive.pipe(
 *     Stream.map(({ id, input }) => ({ id, output: input.toUpperCase() })),
 *     messages.sendAll
 *   )
 * }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <In, InEncoded, InR, Out, OutEncoded, OutR>(
  stream: MuxStream,
  options: Options<In, InEncoded, InR, Out, OutEncoded, OutR>
): Messages<In, Out, InR, OutR> => {
  const checked = readOptions("make", options, ["receive", "send"], ({ format, maxBytes }) => ({
    decoder: decoderOf(options.receive, format, maxBytes),
    encoder: encoderOf(options.send, format, maxBytes)
  }))
  const next = Effect.flatMap(checked, ({ decoder }) => nextOf(stream, decoder))
  const send = (value: Out): Effect.Effect<void, MessageError, OutR> =>
    Effect.flatMap(checked, ({ encoder }) => sendTo(stream, encoder, value))
  const sink = Sink.unwrap(
    Effect.map(Effect.context<OutR>(), (context) =>
      sinkOver(stream, (value: Out) => Effect.provide(send(value), context))
    )
  )
  return {
    stream,
    next,
    receive: Stream.unwrap(
      Effect.map(
        Effect.flatMap(checked, ({ decoder }) =>
          Effect.map(MessageReader.of(stream, decoder.format), (reader) => ({ decoder, reader }))
        ),
        ({ decoder, reader }) => Stream.repeatEffectOption(reader.pull(decoder))
      )
    ),
    send,
    sendAll: (values) => Stream.run(values, sink),
    sink,
    channel: <IE = never>() =>
      Channel.unwrap(
        Effect.map(Effect.context<InR | OutR>(), (context) =>
          channelOver<In, Out, MessageInvalid, IE>(stream, Effect.provide(next, context), (value) =>
            Effect.provide(send(value), context)
          )
        )
      ),
    finish: stream.finish
  }
}

const nextOf = <A, R>(stream: MuxStream, decoder: Decoder<A, R>): Effect.Effect<Option.Option<A>, MessageError, R> =>
  Effect.flatMap(MessageReader.of(stream, decoder.format), (reader) => reader.next(decoder))

const sendTo = <A, R>(stream: MuxStream, encoder: Encoder<A, R>, value: A): Effect.Effect<void, MessageError, R> =>
  Effect.flatMap(encoder.encode(value, stream.id), (bytes) => stream.write(bytes))

/**
 * A call with one message there and one back, for both sides: `request` makes the call, `respond` answers it. The same
 * value can be the options of `session.serve`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint<Req, ReqEncoded, ReqR, Res, ResEncoded, ResR> extends WireOptions {
  /** The type of the stream. Default 0. */
  readonly type?: number | undefined
  /** The message of the caller. */
  readonly request: Schema.Schema<Req, ReqEncoded, ReqR>
  /** The message that comes back. */
  readonly response: Schema.Schema<Res, ResEncoded, ResR>
}

/**
 * Opens a stream, sends one message, finishes, and returns the first message that comes back. The stream is closed then.
 *
 * Fails as `session.withStream` and `MuxStream.read` do. Fails with `MessageInvalid`: `"Encode"` or `"TooLarge"` with
 * direction `"Send"` if the request is invalid, and then no stream was opened; otherwise if the response is, or with
 * `"Incomplete"` if the peer finished without one. If this is interrupted, the peer's handler is interrupted.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import type { Session } from "effect-muxado"
 * import * as Messages from "effect-muxado/Messages"
 *
 * const Length = { type: 7, request: Schema.String, response: Schema.Int }
 *
 * export const serve = (session: Session.SessionService) =>
 *   session.serve(Messages.respond(Length, (text) => Effect.succeed(text.length)), { type: Length.type })
 *
 * export const lengthOf = (session: Session.SessionService, text: string) => Messages.request(session, text, Length)
 * ```
 *
 * @since 0.1.0
 * @category calls
 */
export const request = <Req, ReqEncoded, ReqR, Res, ResEncoded, ResR>(
  session: Pick<SessionService, "withStream">,
  value: Req,
  endpoint: Endpoint<Req, ReqEncoded, ReqR, Res, ResEncoded, ResR>
): Effect.Effect<Res, MessageError | OpenError, ReqR | ResR> =>
  Effect.flatMap(checkedCall("request", endpoint), ({ request, response }) =>
    // before the stream is opened, so that an invalid request costs the peer nothing
    Effect.flatMap(request.encoder.encode(value, undefined), (bytes) =>
      session.withStream(
        (stream) =>
          Effect.zipRight(
            Effect.zipRight(stream.write(bytes), stream.finish),
            Effect.flatMap(nextOf(stream, response.decoder), present(stream))
          ),
        endpoint.type === undefined ? undefined : { type: endpoint.type }
      )
    )
  )

/**
 * A handler for `session.serve`: receives one message, runs `handler` with it, sends its result as one message, and
 * finishes. What follows the first message is ignored. To tell the caller about failures as data, use a response schema
 * such as `Schema.Either`; any other failure resets the stream, with the code that `resetCode` of `serve` returns.
 *
 * Fails as `handler` does, as `MuxStream.read` and `MuxStream.write` do, or with `MessageInvalid`: `"Incomplete"` if the
 * caller finished without a message. `serve` logs an invalid response as a warning, and an invalid request, which is a
 * mistake of the peer, at debug level.
 *
 * @since 0.1.0
 * @category calls
 */
export const respond = <Req, ReqEncoded, ReqR, Res, ResEncoded, ResR, E, R>(
  endpoint: Endpoint<Req, ReqEncoded, ReqR, Res, ResEncoded, ResR>,
  handler: (request: Req, stream: MuxStream) => Effect.Effect<Res, E, R>
): ((stream: MuxStream) => Effect.Effect<void, E | MessageError, R | ReqR | ResR>) => {
  const checked = checkedCall("respond", endpoint)
  return (stream) =>
    Effect.flatMap(checked, ({ request, response }) =>
      nextOf(stream, request.decoder).pipe(
        Effect.flatMap(present(stream)),
        Effect.flatMap((received) => handler(received, stream)),
        Effect.flatMap((result) => sendTo(stream, response.encoder, result)),
        Effect.zipRight(stream.finish)
      )
    )
}

/** Both directions of a call, as its two sides use them. */
const checkedCall = <Req, ReqEncoded, ReqR, Res, ResEncoded, ResR>(
  operation: string,
  endpoint: Endpoint<Req, ReqEncoded, ReqR, Res, ResEncoded, ResR>
) =>
  readOptions(operation, endpoint, ["request", "response"], ({ format, maxBytes }) => ({
    request: {
      encoder: encoderOf(endpoint.request, format, maxBytes),
      decoder: decoderOf(endpoint.request, format, maxBytes)
    },
    response: {
      encoder: encoderOf(endpoint.response, format, maxBytes),
      decoder: decoderOf(endpoint.response, format, maxBytes)
    }
  }))

/** Fails if the peer has finished without a message. */
const present =
  (stream: MuxStream) =>
  <A>(message: Option.Option<A>): Effect.Effect<A, MessageInvalid> =>
    Option.match(message, {
      onNone: () =>
        Effect.fail(new MessageInvalid({ reason: "Incomplete", direction: "Receive", streamId: stream.id, size: 0 })),
      onSome: Effect.succeed
    })
