/** The ways around the fibers keep every promise of `read` and `write`. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session, type Transport } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import type { DirectTransport } from "../../src/internal/transport/fastPath.js"
import { directTransport } from "../../src/internal/transport/fastPath.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import { data } from "../../src/protocol/wire/frame.js"
import { echo, exchange, noise, passTimeUntil, scenario, sessionOver, encoded } from "../support/session/sessions.js"

const offer = (transport: Transport.TransportService, parts: Partial<DirectTransport>): Transport.TransportService => {
  const each: DirectTransport["each"] = (take) => Effect.forever(Effect.map(transport.read, (chunk) => take(chunk)))
  const offered = { ...transport }
  directTransport.set(offered, { each, tryWrite: () => false, ...parts })
  return offered
}

describe("chunks that come by callback", () => {
  const frames = [
    data(3, Uint8Array.of(0, 0, 0, 0), { syn: true }),
    data(3, noise(60_000, 1)),
    data(3, noise(60_000, 2)),
    data(3, noise(80_000, 3)),
    data(3, new Uint8Array(0), { fin: true })
  ]
  const wire = Buffer.concat(encode(frames))
  const payload = Buffer.concat(frames.slice(1).map((frame) => frame.payload))

  for (const first of [0, 1, 7, 10_000, 65_536, 65_537, 81_919, wire.length]) {
    for (const path of ["read", "callbacks"] as const) {
      it.effect(`${first} bytes, then all the rest at once, by ${path}: every byte is read, once and in order`, () =>
        Effect.gen(function* () {
          const chunks = [wire.subarray(0, first), wire.subarray(first)].filter((chunk) => chunk.length > 0)
          const link = yield* SimulatedTransport.makePair()
          const read = Effect.suspend(() => {
            const chunk = chunks.shift()
            return chunk === undefined ? Effect.never : Effect.succeed(chunk)
          })
          const full = { ...link.server, read }
          const transport = path === "read" ? full : offer(full, {})
          const server = yield* sessionOver("server", transport, { heartbeat: false })
          const stream = yield* server.accept
          assert.isTrue(Buffer.from(yield* MuxStream.readAll(stream)).equals(payload))
          yield* Effect.fork(server.close)
          yield* link.cut
        }).pipe(scenario)
      )
    }
  }
})

describe("a write at once", () => {
  for (const [how, tryWrite] of [
    [
      "throws",
      () => {
        throw new Error("the port is closed")
      }
    ],
    ["gives no answer", () => undefined as unknown as boolean]
  ] as const) {
    it.effect(`that ${how} ends the session, or goes by the writer: no zombie, no unhandled rejection`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const transport = offer(link.client, { tryWrite })
        const client = yield* Session.fromTransport(transport, { role: "client", heartbeat: false })
        const server = yield* sessionOver("server", link.server, { heartbeat: false })
        yield* Effect.fork(server.serve(echo))
        const calling = yield* Effect.fork(
          Effect.forEach([1, 2, 3], () => Effect.exit(client.withStream((stream) => exchange(stream, encoded("a call")))))
        )
        const exits = yield* passTimeUntil(calling)
        if (how === "throws") {
          const closed = yield* client.closed
          assert(closed._tag === "TransportFailed")
          assert.include(closed.message, "the port is closed")
          assert.isTrue(exits.some((exit) => exit._tag === "Failure"))
        } else {
          assert.isTrue(exits.every((exit) => exit._tag === "Success"))
        }
      }).pipe(scenario)
    )
  }
})
