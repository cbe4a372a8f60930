/**
 * Encodes frames into bytes.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.
 *
 * @since 0.1.0
 */
import type { Data, Frame } from "./frame.js"
import { Flag, FrameType, HEADER_LENGTH } from "./frame.js"
import { newArray } from "../collections/v8.js"

/** Payloads of at most this many bytes are copied after their header. For longer ones a separate chunk is cheaper. */
const COPY_LIMIT = 8 * 1024

/**
 * Encodes a batch of frames as the chunks of one write. Small payloads share a buffer with the headers; large ones are
 * passed by reference. The pieces of a DATA frame must be consecutive, and only the first one has a header. Throws a
 * `RangeError` if the pieces of a DATA frame do not have its announced length.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (frames: ReadonlyArray<Frame>): ReadonlyArray<Uint8Array> => {
  let size = 0
  for (const frame of frames) size += headerLength(frame) + copiedLength(frame)
  const block = new Uint8Array(size)
  const chunks = newArray<Uint8Array>()
  let start = 0
  let at = 0
  /**
   * Payload bytes that the last DATA header has announced and that no piece has contained; `undefined` before a header.
   */
  let owed: number | undefined = undefined
  for (const frame of frames) {
    owed = owedAfter(owed, frame)
    at = writeFrame(block, at, frame)
    if (frame._tag === "Data" && frame.payload.length > COPY_LIMIT) {
      if (at > start) chunks.push(block.subarray(start, at))
      chunks.push(frame.payload)
      start = at
    }
  }
  if (at > start) chunks.push(start === 0 ? block : block.subarray(start, at))
  return chunks
}

/**
 * The length of a frame, or of a piece of one, on the wire, including the header, in bytes.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodedLength = (frame: Frame): number => headerLength(frame) + payloadLength(frame)

/**
 * If a payload does not have its announced length, the peer reads later bytes as frames. So this throws, and nothing of
 * the batch is written.
 */
const owedAfter = (owed: number | undefined, frame: Frame): number | undefined => {
  if (frame._tag !== "Data") return owed
  const due = frame.first ? frame.length : owed
  // the header was in an earlier batch
  if (due === undefined) return undefined
  const left = due - frame.payload.length
  if (left >= 0 && (left === 0 || !frame.last)) return left
  throw new RangeError(
    `DATA on stream ${frame.streamId} announces ${frame.length} bytes of payload, but has ${frame.length - left}`
  )
}

const headerLength = (frame: Frame): number => (frame._tag === "Data" && !frame.first ? 0 : HEADER_LENGTH)

const payloadLength = (frame: Frame): number => {
  switch (frame._tag) {
    case "Data":
      return frame.payload.length
    case "Rst":
    case "WindowIncrement":
      return 4
    case "GoAway":
      return 8 + frame.debug.length
    case "Unknown":
      return 0
  }
}

const copiedLength = (frame: Frame): number =>
  frame._tag === "Data" && frame.payload.length > COPY_LIMIT ? 0 : payloadLength(frame)

/** Writes a frame at `at`, without a payload that is passed by reference. Returns the position after it. */
const writeFrame = (block: Uint8Array, at: number, frame: Frame): number => {
  if (frame._tag === "Data") return writeData(block, at, frame)
  const length = payloadLength(frame)
  writeUint24(block, at, length)
  const payload = at + HEADER_LENGTH
  switch (frame._tag) {
    case "Rst":
      block[at + 3] = FrameType.Rst << 4
      writeUint32(block, at + 4, frame.streamId)
      writeUint32(block, payload, frame.code)
      break
    case "WindowIncrement":
      block[at + 3] = FrameType.WindowIncrement << 4
      writeUint32(block, at + 4, frame.streamId)
      writeUint32(block, payload, frame.increment)
      break
    case "GoAway":
      block[at + 3] = FrameType.GoAway << 4
      writeUint32(block, at + 4, 0)
      writeUint32(block, payload, frame.lastStreamId)
      writeUint32(block, payload + 4, frame.code)
      block.set(frame.debug, payload + 8)
      break
    case "Unknown":
      block[at + 3] = (frame.type << 4) | frame.flags
      writeUint32(block, at + 4, frame.streamId)
  }
  return payload + length
}

const writeData = (block: Uint8Array, at: number, { fin, first, length, payload, streamId, syn }: Data): number => {
  let place = at
  if (first) {
    writeUint24(block, at, length)
    block[at + 3] = (FrameType.Data << 4) | (syn ? Flag.Syn : 0) | (fin ? Flag.Fin : 0)
    writeUint32(block, at + 4, streamId)
    place += HEADER_LENGTH
  }
  if (payload.length > COPY_LIMIT) return place
  block.set(payload, place)
  return place + payload.length
}

const writeUint24 = (block: Uint8Array, at: number, value: number): void => {
  block[at] = value >>> 16
  block[at + 1] = value >>> 8
  block[at + 2] = value
}

const writeUint32 = (block: Uint8Array, at: number, value: number): void => {
  block[at] = value >>> 24
  block[at + 1] = value >>> 16
  block[at + 2] = value >>> 8
  block[at + 3] = value
}
