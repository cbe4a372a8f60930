/** Frames as bytes, including frames that no encoder would write. */
import { concat, pattern } from "../../test/support/bytes.js"

export const FrameKind = { Rst: 0, Data: 1, WindowIncrement: 2, GoAway: 3 } as const
export const FIN = 1
export const SYN = 2

export const header = (length: number, type: number, flags: number, id: number): Uint8Array =>
  Uint8Array.of(length >>> 16, length >>> 8, length, (type << 4) | (flags & 15), ...uint32(id))

export const uint32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)

/** A frame of any type, whose length is that of its payload unless told otherwise. */
export const frame = (
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array = new Uint8Array(0),
  length = payload.length
): Uint8Array => concat([header(length, type, flags, id), payload])

export const data = (id: number, flags: number, payload?: Uint8Array): Uint8Array =>
  frame(FrameKind.Data, flags, id, payload)

export const rst = (id: number, code: number): Uint8Array => frame(FrameKind.Rst, 0, id, uint32(code))

export const windowIncrement = (id: number, increment: number): Uint8Array =>
  frame(FrameKind.WindowIncrement, 0, id, uint32(increment))

export const goAway = (last: number, code: number, debug: Uint8Array = new Uint8Array(0)): Uint8Array =>
  frame(FrameKind.GoAway, 0, 0, concat([uint32(last), uint32(code), debug]))

export const text = (length: number, from = 0): Uint8Array => pattern(length, from)
