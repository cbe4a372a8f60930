/** One direction of messages: a schema, a format and a limit, and the errors of a message. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { MessageInvalid } from "../errors/messageInvalid.js"
import type { Format } from "./format.js"
import { TooLarge } from "./frames.js"

/** Makes the bytes of messages. Nothing is written if a value has none. */
export interface Encoder<A, R> {
  /** `streamId` is only for the error. */
  readonly encode: (value: A, streamId: number | undefined) => Effect.Effect<Uint8Array, MessageInvalid, R>
}

/** Makes the values of messages from their bytes. */
export interface Decoder<A, R> {
  readonly format: Format
  readonly maxBytes: number
  /** Fails with the cause of a `MessageInvalid`. */
  readonly decode: (bytes: Uint8Array) => Effect.Effect<A, unknown, R>
}

export const encoderOf = <A, I, R>(schema: Schema.Schema<A, I, R>, format: Format, maxBytes: number): Encoder<A, R> => {
  const toEncoded = Schema.encode(schema)
  return {
    encode: (value, streamId) => {
      const invalid = (reason: "Encode" | "TooLarge", more: { readonly cause?: unknown; readonly size?: number }) =>
        new MessageInvalid({ reason, direction: "Send", streamId, ...more })
      return Effect.flatMap(
        Effect.mapError(
          Effect.suspend(() => toEncoded(value)),
          (cause) => invalid("Encode", { cause })
        ),
        (encoded) =>
          Effect.suspend(() => {
            let bytes
            try {
              bytes = format.print(encoded, maxBytes)
            } catch (cause) {
              return Effect.fail(invalid("Encode", { cause }))
            }
            return bytes instanceof TooLarge
              ? Effect.fail(
                  new MessageInvalid({ reason: "TooLarge", direction: "Send", streamId, size: bytes.size, maxBytes })
                )
              : Effect.succeed(bytes)
          })
      )
    }
  }
}

export const decoderOf = <A, I, R>(schema: Schema.Schema<A, I, R>, format: Format, maxBytes: number): Decoder<A, R> => {
  const fromEncoded = Schema.decodeUnknown(schema)
  return {
    format,
    maxBytes,
    decode: (bytes) =>
      Effect.flatMap(
        Effect.try({
          try: () => format.parse(bytes),
          // not an `UnknownException`, which would hide the message of the parser
          catch: (cause) => cause
        }),
        (value) => fromEncoded(value)
      )
  }
}
