/** Frames as bytes, made without the library, so that an attacker can send any bytes. */

export const FIN = 1
export const SYN = 2

export const RST = 0
export const DATA = 1
export const WNDINC = 2
export const GOAWAY = 3

/** The type of the streams that carry heartbeats. */
export const HEARTBEAT = 0xffffffff

/** What a stream may carry before the first increment. */
export const WINDOW = 262_144

/** The most that 24 bits can say. */
export const LONGEST = 0xffffff

const UINT31 = 0x7fffffff

export const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits.replaceAll(" ", ""), "hex"))

export const join = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

export const uint32s = (...values: ReadonlyArray<number>): Uint8Array => {
  const bytes = new Uint8Array(4 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, index) => view.setUint32(4 * index, value))
  return bytes
}

/** A header alone: what it announces may follow, or not. */
export const header = (length: number, type: number, flags: number, id: number): Uint8Array =>
  uint32s(length * 256 + type * 16 + flags, id)

export const frame = (type: number, flags: number, id: number, payload: Uint8Array): Uint8Array =>
  join(header(payload.length, type, flags, id), payload)

const NOTHING = new Uint8Array(0)

export const data = (id: number, payload: Uint8Array = NOTHING, flags = 0): Uint8Array =>
  frame(DATA, flags, id, payload)

export const fin = (id: number): Uint8Array => data(id, NOTHING, FIN)

/** The first frame of a stream: its type, and bytes behind it. */
export const syn = (id: number, payload: Uint8Array = NOTHING, type = 0): Uint8Array =>
  data(id, join(uint32s(type), payload), SYN)

export const rst = (id: number, code: number): Uint8Array => frame(RST, 0, id, uint32s(code))

export const grant = (id: number, increment: number): Uint8Array => frame(WNDINC, 0, id, uint32s(increment))

export const goAway = (lastStreamId: number, code: number): Uint8Array =>
  frame(GOAWAY, 0, 0, uint32s(lastStreamId, code))

/** The n-th stream of a client, from 3 on. */
export const odd = (n: number): number => (2 * n + 3) & UINT31

export const zeros = (length: number): Uint8Array => new Uint8Array(length)
