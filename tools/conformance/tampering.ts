/** Transports that break a correct target: they change, double or drop frames that pass. */
import type { Transport } from "effect-muxado"
import * as Effect from "effect/Effect"
import type { WireFrame } from "./frames.js"
import { concat, frame, FrameParser } from "./frames.js"

export interface Tampering {
  /** What becomes of a frame that the target sends; the same frames, unless given. */
  readonly outbound?: (frame: WireFrame) => ReadonlyArray<Uint8Array>
  /** What becomes of a frame that the target is sent. */
  readonly inbound?: (frame: WireFrame) => ReadonlyArray<Uint8Array>
}

/** The frame as it was. */
export const kept = ({ flags, payload, reserved, streamId, type }: WireFrame): Uint8Array =>
  frame({ type, flags, streamId: (reserved ? streamId + 0x80000000 : streamId) >>> 0, payload })

const same = (seen: WireFrame): ReadonlyArray<Uint8Array> => [kept(seen)]

/** Frames pass when they are whole; `make` gives the tampering for one connection. */
export const tamper =
  (make: () => Tampering) =>
  (transport: Transport.TransportService): Transport.TransportService => {
    const { inbound = same, outbound = same } = make()
    const incoming = new FrameParser()
    const outgoing = new FrameParser()
    const read: Transport.TransportService["read"] = Effect.flatMap(transport.read, (chunk) => {
      const bytes = concat(incoming.push(chunk).flatMap(inbound))
      return bytes.length > 0 ? Effect.succeed(bytes) : read
    })
    return {
      ...transport,
      read,
      write: (chunks) => {
        const bytes = concat(outgoing.push(concat(chunks)).flatMap(outbound))
        return bytes.length > 0 ? transport.write([bytes]) : Effect.void
      }
    }
  }
