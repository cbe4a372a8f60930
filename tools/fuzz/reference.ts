/** A naive reference: reads all bytes of a peer at once, and judges them by the wire rules only. */
import type { InboundFrame } from "../../src/protocol/wire/frame.js"
import { toHex } from "../../test/support/bytes.js"
import { showInbound } from "../../test/support/protocol/text.js"
import { must } from "./broken.js"
import { FIN, FrameKind, SYN } from "./frames.js"

/** What the peer said on one stream. */
export interface Said {
  readonly payload: Array<Uint8Array>
  length: number
  synSeen: boolean
  /** How many bytes there were when the first FIN came. */
  finAt: number | undefined
}

export interface Reference {
  /** The frames as text; DATA that is not complete says how much of it is there. */
  readonly seen: ReadonlyArray<string>
  readonly streams: ReadonlyMap<number, Said>
  /** The code of the first violation that costs the session, budgets aside. */
  readonly violation: number | undefined
}

/** `peerParity` is that of the ids which the peer may open. */
export const judge = (bytes: Uint8Array, peerParity: number): Reference => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const seen: Array<string> = []
  const streams = new Map<number, Said>()
  let violation: number | undefined
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = view.getUint32(at) >>> 8
    const type = view.getUint8(at + 3) >>> 4
    const flags = view.getUint8(at + 3) & 15
    const id = view.getUint32(at + 4) & 0x7fff_ffff
    const body = bytes.subarray(at + 8, at + 8 + length)
    const fault = faultOf(type, id, length)
    at += 8 + length
    if (fault !== undefined) {
      seen.push(`malformed ${fault} ${type} ${id} ${length}`)
      return { seen, streams, violation: violation ?? fault }
    }
    if (type === FrameKind.Data) {
      seen.push(dataText(id, flags, length, body.length, checksum(body)))
      const said = streams.get(id) ?? { payload: [], length: 0, synSeen: false, finAt: undefined }
      if ((flags & SYN) !== 0 && (id % 2 !== peerParity || said.synSeen)) violation ??= 1
      said.synSeen ||= (flags & SYN) !== 0
      if (said.synSeen || id % 2 !== peerParity) {
        said.payload.push(body)
        said.length += body.length
        if ((flags & FIN) !== 0 && body.length === length) said.finAt ??= said.length
      }
      streams.set(id, said)
    } else if (type > 3) seen.push(`unknown ${type} ${flags} ${id} ${length}`)
    else if (body.length === length) seen.push(fixedText(type, id, body))
  }
  return { seen, streams, violation }
}

/** The code of the fault in a header, `undefined` if there is none. */
export const faultOf = (type: number, id: number, length: number): number | undefined => {
  if (type > 3) return undefined
  if ((id === 0) !== (type === FrameKind.GoAway)) return 1
  if (type === FrameKind.Data) return undefined
  return (type === FrameKind.GoAway ? length >= 8 : length === 4) ? undefined : 8
}

const fixedText = (type: number, id: number, body: Uint8Array): string => {
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const first = view.getUint32(0)
  if (type === FrameKind.Rst) return `rst ${id} ${first}`
  if (type === FrameKind.WindowIncrement) return `wndinc ${id} ${first % 2 ** 31}`
  return `goaway ${first % 2 ** 31} ${view.getUint32(4)} ${toHex(body.subarray(8, 1032))}`
}

const dataText = (id: number, flags: number, length: number, received: number, sum: number): string =>
  `data ${id} ${flags & 3} ${length}: ${received} bytes ${sum}`

/** FNV-1a, over as many pieces as there are. */
const checksum = (bytes: Uint8Array, from = 0x811c_9dc5): number => {
  let sum = from
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x0100_0193)
  return sum
}

/** The frames of a decoder as the same text, the pieces of DATA put together. */
export const textOf = (frames: ReadonlyArray<InboundFrame>): ReadonlyArray<string> => {
  const seen: Array<string> = []
  let open = false
  let received = 0
  let sum = checksum(new Uint8Array(0))
  for (const frame of frames) {
    must(frame._tag === "Data" || !open, () => `${frame._tag} within DATA`)
    if (frame._tag !== "Data") {
      seen.push(showInbound(frame))
      continue
    }
    must(frame.first !== open, () => "a piece of DATA does not know its place")
    must(frame.first || frame.payload.length > 0, () => "a piece of DATA with nothing in it")
    received = frame.payload.length + (frame.first ? 0 : received)
    sum = frame.first ? checksum(frame.payload) : checksum(frame.payload, sum)
    open = received < frame.length
    must(frame.last !== open, () => "a piece of DATA is not the last, or it is")
    if (open) continue
    seen.push(dataText(frame.streamId, flagsOf(frame), frame.length, received, sum))
  }
  const last = frames.at(-1)
  if (open && last?._tag === "Data") {
    seen.push(dataText(last.streamId, flagsOf(last), last.length, received, sum))
  }
  return seen
}

const flagsOf = ({ fin, syn }: { readonly fin: boolean; readonly syn: boolean }): number =>
  (syn ? SYN : 0) | (fin ? FIN : 0)
