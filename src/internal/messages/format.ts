/** The two formats of a message on the wire: a line of JSON, or a length and a MessagePack value. */
import * as MsgPack from "@effect/platform/MsgPack"
import * as Schema from "effect/Schema"
import type { Frames } from "./frames.js"
import { LineFrames, PREFIX_LENGTH, PrefixedFrames, TooLarge } from "./frames.js"
import { msgPackFault, PROTO_KEY } from "./plainMsgPack.js"

/** The name of a format. */
export type FormatName = "ndjson" | "msgpack"

export interface Format {
  readonly name: FormatName
  readonly frames: () => Frames
  /** The value of a message. Throws if the bytes are none. */
  readonly parse: (bytes: Uint8Array) => unknown
  /** The bytes of a message, with what delimits it. Throws if the value has none. */
  readonly print: (value: unknown, maxBytes: number) => Uint8Array | TooLarge
}

const encoder = new TextEncoder()
/** Does not drop a byte order mark, so that it is an error in each line, and not only in the second. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const ndjson: Format = {
  name: "ndjson",
  frames: () => new LineFrames(),
  parse: (bytes) => {
    const text = decoder.decode(bytes)
    const value: unknown = JSON.parse(text, PERHAPS_PROTO.test(text) ? refuseProto : undefined)
    return value
  },
  print: (value, maxBytes) => {
    const text: unknown = JSON.stringify(value)
    if (typeof text !== "string") throw new TypeError("JSON has no such value")
    const line = encoder.encode(`${text}\n`)
    const size = line.length - 1
    return size > maxBytes ? new TooLarge(size) : line
  }
}

/**
 * The key `__proto__` in any spelling. `JSON.parse` makes a property of it, which would become the prototype of an
 * object if a schema copies it.
 */
const PERHAPS_PROTO =
  /(?:_|\\u005[fF]){2}(?:p|\\u0070)(?:r|\\u0072)(?:o|\\u006[fF])(?:t|\\u0074)(?:o|\\u006[fF])(?:_|\\u005[fF]){2}"\s*:/

const refuseProto = (key: string, value: unknown): unknown => {
  if (key === "__proto__") throw new SyntaxError(PROTO_KEY)
  return value
}

const unpack = Schema.decodeUnknownSync(MsgPack.schema(Schema.Unknown))
const pack = Schema.encodeSync(MsgPack.schema(Schema.Unknown))

const msgpack: Format = {
  name: "msgpack",
  frames: () => new PrefixedFrames(),
  parse: (bytes) => {
    const fault = msgPackFault(bytes)
    if (fault !== undefined) throw new SyntaxError(`Invalid MessagePack: ${fault}`)
    return unpack(bytes)
  },
  print: (value, maxBytes) => {
    const packed = pack(value)
    if (packed.length > maxBytes) return new TooLarge(packed.length)
    const frame = new Uint8Array(PREFIX_LENGTH + packed.length)
    new DataView(frame.buffer).setUint32(0, packed.length)
    frame.set(packed, PREFIX_LENGTH)
    return frame
  }
}

export const formats: Readonly<Record<FormatName, Format>> = { ndjson, msgpack }
