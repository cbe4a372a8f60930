/**
 * Frames as the tester reads and builds them. It shares no code with `src/` on purpose: otherwise an error of the
 * decoder there could hide itself here.
 */

export const FrameType = { Rst: 0, Data: 1, WindowIncrement: 2, GoAway: 3 } as const

export const Flag = { Fin: 1, Syn: 2 } as const

export const Code = {
  NoError: 0,
  ProtocolError: 1,
  InternalError: 2,
  FlowControlError: 3,
  StreamClosed: 4,
  StreamRefused: 5,
  StreamCancelled: 6,
  StreamReset: 7,
  FrameSizeError: 8,
  AcceptQueueFull: 9,
  EnhanceYourCalm: 10
} as const

/** The window of each direction of each stream before the first WNDINC, in bytes. */
export const WINDOW = 262_144

export const UINT31 = 0x7fffffff

/** The type of heartbeat streams. */
export const HEARTBEAT = 0xffffffff

const HEADER = 8

export interface WireFrame {
  readonly type: number
  readonly flags: number
  /** The top bit of the word that holds the stream id. */
  readonly reserved: boolean
  readonly streamId: number
  readonly payload: Uint8Array
}

// --- bytes to frames

/** Collects bytes until frames are whole. */
export class FrameParser {
  private rest: Uint8Array = new Uint8Array(0)

  /** What has come of a frame that is not whole. */
  get pending(): Uint8Array {
    return this.rest
  }

  push(chunk: Uint8Array): ReadonlyArray<WireFrame> {
    const bytes = concat([this.rest, chunk])
    const frames: Array<WireFrame> = []
    let at = 0
    while (bytes.length - at >= HEADER && bytes.length - at - HEADER >= lengthAt(bytes, at)) {
      const end = at + HEADER + lengthAt(bytes, at)
      frames.push({ ...headerAt(bytes, at), payload: bytes.slice(at + HEADER, end) })
      at = end
    }
    this.rest = bytes.slice(at)
    return frames
  }
}

/** The header of a frame, as far as it is one. */
export const header = (bytes: Uint8Array): (Omit<WireFrame, "payload"> & { readonly length: number }) | undefined =>
  bytes.length < HEADER ? undefined : { ...headerAt(bytes, 0), length: lengthAt(bytes, 0) }

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const lengthAt = (bytes: Uint8Array, at: number): number => view(bytes).getUint32(at) >>> 8

const headerAt = (bytes: Uint8Array, at: number): Omit<WireFrame, "payload"> => {
  const typeAndFlags = view(bytes).getUint8(at + 3)
  const id = view(bytes).getUint32(at + 4)
  return { type: typeAndFlags >> 4, flags: typeAndFlags & 0xf, reserved: id > UINT31, streamId: id & UINT31 }
}

/** The big-endian number at `at` of a payload; `undefined` where it is too short. */
export const wordAt = (frame: WireFrame, at: number): number | undefined =>
  frame.payload.length < at + 4 ? undefined : view(frame.payload).getUint32(at)

export const isSyn = (frame: WireFrame): boolean => frame.type === FrameType.Data && (frame.flags & Flag.Syn) !== 0

export const isFin = (frame: WireFrame): boolean => frame.type === FrameType.Data && (frame.flags & Flag.Fin) !== 0

// --- frames to bytes

export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

export const word = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)

/** Bytes as hexadecimal digits, with any spaces. */
export const hex = (digits: string): Uint8Array => {
  const clean = digits.replaceAll(/\s/g, "")
  return Uint8Array.from({ length: clean.length / 2 }, (_, i) => Number.parseInt(clean.slice(2 * i, 2 * i + 2), 16))
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** `length` bytes in which each position matters. */
export const noise = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = state >>> 16
  }
  return bytes
}

export interface Raw {
  readonly type: number
  readonly flags?: number
  readonly streamId: number
  readonly payload?: Uint8Array
  /** What the header says instead of the payload's length. */
  readonly length?: number
}

/** Any frame, whether or not there is such a one; `streamId` takes the reserved bit, too. */
export const frame = ({ flags = 0, payload = new Uint8Array(0), length = payload.length, streamId, type }: Raw) =>
  concat([word(((length << 8) | (type << 4) | flags) >>> 0), word(streamId), payload])

export const data = (
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
  flags: { readonly syn?: boolean; readonly fin?: boolean } = {}
): Uint8Array =>
  frame({
    type: FrameType.Data,
    flags: (flags.fin === true ? Flag.Fin : 0) | (flags.syn === true ? Flag.Syn : 0),
    streamId,
    payload
  })

export const fin = (streamId: number): Uint8Array => data(streamId, undefined, { fin: true })

export const rst = (streamId: number, code: number): Uint8Array =>
  frame({ type: FrameType.Rst, streamId, payload: word(code) })

export const windowIncrement = (streamId: number, increment: number): Uint8Array =>
  frame({ type: FrameType.WindowIncrement, streamId, payload: word(increment) })

export const goAway = (lastStreamId: number, code: number, debug: Uint8Array = new Uint8Array(0)): Uint8Array =>
  frame({ type: FrameType.GoAway, streamId: 0, payload: concat([word(lastStreamId), word(code), debug]) })

/** The empty frame of unknown type that follows a GOAWAY. */
export const filler: Uint8Array = hex("000000f000000000")
