/** The faults of a connection. */
import type { Transport } from "effect-muxado"
import type { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import type { FaultName } from "./profile.js"
import type { Run } from "./run.js"

/** A transport that changes one byte of what arrives after `strike`, and whose `write` throws after `breakWrites`. */
export const corruptible = (run: Run, transport: Transport.TransportService) => {
  let due = false
  let broken = false
  return {
    transport: {
      ...transport,
      write: (chunks: ReadonlyArray<Uint8Array>) => {
        if (broken) throw new Error("the port is closed")
        return transport.write(chunks)
      },
      read: Effect.map(transport.read, (chunk) => {
        run.now("arrives")
        if (!due) return chunk
        due = false
        run.tainted = true
        const bytes = new Uint8Array(chunk)
        const at = run.random.below(bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ run.random.between(1, 255)
        return bytes
      })
    },
    strike: () => {
      due = true
    },
    breakWrites: () => {
      broken = true
    }
  }
}

export const strike = (
  run: Run,
  fault: FaultName,
  link: SimulatedTransport.Pair,
  side: { readonly strike: () => void; readonly breakWrites: () => void }
): Effect.Effect<void> => {
  if (fault === "none") return Effect.void
  return Effect.suspend(() => {
    run.fault(fault)
    switch (fault) {
      case "corrupt":
        return Effect.sync(side.strike)
      case "writeThrows":
        return Effect.sync(side.breakWrites)
      case "halfOpen": {
        const lost = { blackHole: true }
        return link.inject(run.random.chance(0.5) ? { clientToServer: lost } : { serverToClient: lost })
      }
      default:
        return link[fault]
    }
  })
}
