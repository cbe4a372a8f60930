/** Frames in words, for transcripts and failures. */
import type { WireFrame } from "./frames.js"
import { Code, Flag, FrameType, header, FrameParser, UINT31, wordAt } from "./frames.js"

const names: ReadonlyMap<number, string> = new Map(Object.entries(Code).map(([name, code]) => [code, name]))

export const codeInWords = (code: number): string => {
  const name = names.get(code)
  return name === undefined ? `code 0x${code.toString(16)}` : `code ${code} ${name}`
}

/** One frame: `DATA 3 SYN (5) "hello"`, `RST 3 code 4 StreamClosed`. */
export const inWords = (frame: WireFrame): string => {
  const { payload, streamId, type } = frame
  const marks = `${frame.reserved ? " R" : ""}${undefinedFlags(frame)}`
  switch (type) {
    case FrameType.Data: {
      const syn = (frame.flags & Flag.Syn) !== 0 ? " SYN" : ""
      const fin = (frame.flags & Flag.Fin) !== 0 ? " FIN" : ""
      return `DATA ${streamId}${syn}${fin}${marks} (${payload.length})${payload.length > 0 ? ` ${excerpt(payload)}` : ""}`
    }
    case FrameType.Rst: {
      const code = wordAt(frame, 0)
      return payload.length === 4 && code !== undefined
        ? `RST ${streamId}${marks} ${codeInWords(code)}`
        : `RST ${streamId}${marks} of ${payload.length} bytes`
    }
    case FrameType.WindowIncrement: {
      const increment = wordAt(frame, 0)
      return payload.length === 4 && increment !== undefined
        ? `WNDINC ${streamId}${marks} +${increment & UINT31}${increment > UINT31 ? " R" : ""}`
        : `WNDINC ${streamId}${marks} of ${payload.length} bytes`
    }
    case FrameType.GoAway: {
      const last = wordAt(frame, 0)
      const code = wordAt(frame, 4)
      if (last === undefined || code === undefined) return `GOAWAY of ${payload.length} bytes${marks}`
      const on = streamId === 0 ? "" : ` on ${streamId}`
      const debug = payload.length > 8 ? ` ${excerpt(payload.subarray(8))}` : ""
      return `GOAWAY${on}${marks} last ${last & UINT31} ${codeInWords(code)}${debug}`
    }
    default:
      return `unknown type ${type} on ${streamId}${marks} (${payload.length})`
  }
}

const undefinedFlags = ({ flags, type }: WireFrame): string => {
  const defined = type === FrameType.Data ? Flag.Fin | Flag.Syn : 0
  const others = flags & ~defined
  return others === 0 ? "" : ` flags 0x${others.toString(16)}`
}

const SHOWN = 24

const excerpt = (bytes: Uint8Array): string => {
  const shown = bytes.subarray(0, SHOWN)
  const more = bytes.length > SHOWN ? "…" : ""
  return shown.every((byte) => byte >= 0x20 && byte < 0x7f)
    ? `"${String.fromCharCode(...shown)}${more}"`
    : `${Buffer.from(shown).toString("hex")}${more}`
}

/** Bytes that need not be whole frames, or frames at all. */
export const bytesInWords = (bytes: Uint8Array): ReadonlyArray<string> => {
  const parser = new FrameParser()
  const words = parser.push(bytes).map(inWords)
  const rest = parser.pending
  if (rest.length === 0) return words
  const head = header(rest)
  if (head === undefined) return [...words, `bytes ${Buffer.from(rest).toString("hex")}`]
  const { length, ...fields } = head
  const name = inWords({ ...fields, payload: new Uint8Array(0) }).replace(/ of 0 bytes| \(0\)/, "")
  return [...words, `header of ${name}, announcing ${length} bytes, with ${rest.length - 8} of them`]
}
