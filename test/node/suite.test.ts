/** The contract of a transport on every medium of Node, on both paths, and with bytes that came before the first read. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Duplex } from "node:stream"
import { NodeTransport } from "../../src/node/index.js"
import type { TransportService } from "../../src/Transport.js"
import { byFastPath, without } from "../support/transport/paths.js"
import type { TransportPair } from "../support/transport/suite.js"
import { noise, transportSuite } from "../support/transport/suite.js"
import { media, PairEnd, socketPair, turns } from "../support/node/support.js"

type MakeDuplexes = Effect.Effect<readonly [Duplex, Duplex], unknown, Scope.Scope>

/** How the source of a transport is filled before its first read. */
interface Early {
  readonly name: string
  readonly bytes: number
  readonly fill: (near: Duplex, far: Duplex, bytes: Uint8Array) => Effect.Effect<void>
}

const written = (name: string, bytes: number): Early => ({
  name: `after ${name} that came before the first read`,
  bytes,
  fill: (near, far, early) =>
    Effect.gen(function* () {
      far.write(early)
      const enough = Math.min(early.length, 16_384)
      while (near.readableLength < enough) yield* turns(1)
      yield* turns(5)
    })
})

const unshifted = (name: string, bytes: number): Early => ({
  name: `after ${name} that were put back with unshift`,
  bytes,
  fill: (near, _far, early) => Effect.sync(() => void near.unshift(early))
})

const ONE_MEBIBYTE = written("1 MiB", 1_048_576)

const FIRST_BYTES = noise(3_145_729, 20)

const earlies: ReadonlyArray<Early | undefined> = [
  undefined,
  written("10 KB", 10_000),
  written("64 KiB", 65_536),
  written("81 919 bytes", 81_919),
  ONE_MEBIBYTE,
  unshifted("200 000 bytes", 200_000),
  unshifted("3 MiB", 3_145_728)
]

/** An end whose destruction the other end sees, as that of a socket. */
class PipeEnd extends PairEnd {
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(error)
    if (!this.writableFinished) this.peer?.destroy(new Error("The other end is gone"))
  }
}

const pipe: MakeDuplexes = Effect.sync(() => {
  // Large enough for the early bytes: the suite writes before it reads.
  const [one, other] = [new PipeEnd({ highWaterMark: 4_194_304 }), new PipeEnd({ highWaterMark: 4_194_304 })]
  const ends = [one, other] as const
  one.peer = other
  other.peer = one
  return ends
})

const makePair = (makeDuplexes: MakeDuplexes, early: Early | undefined, path: "read" | "interrupt" | "pause") =>
  Effect.gen(function* () {
    const [one, other] = yield* makeDuplexes
    const pair: TransportPair = {
      client: yield* NodeTransport.fromDuplex(one),
      server: yield* NodeTransport.fromDuplex(other)
    }
    const by = (side: TransportService) => (path === "read" ? side : byFastPath(side, path))
    const [client, server] = [by(pair.client), by(pair.server)]
    if (early === undefined) return { client, server }
    const [toClient, toServer] = [FIRST_BYTES.subarray(0, early.bytes), FIRST_BYTES.subarray(1, early.bytes + 1)]
    yield* early.fill(one, other, toClient)
    yield* early.fill(other, one, toServer)
    let cut = false
    const cutting = (side: TransportService): TransportService => ({
      ...side,
      destroy: Effect.zipRight(
        Effect.sync(() => (cut = true)),
        side.destroy
      )
    })
    return {
      client: cutting(without(client, toClient, () => cut)),
      server: cutting(without(server, toServer, () => cut))
    }
  })

const PATHS = [
  ["read", "read"],
  ["interrupt", "callbacks"],
  ["pause", "callbacks that ask for a pause after each chunk"]
] as const

for (const early of earlies) {
  const when = early === undefined ? "" : `, ${early.name},`
  const options = { bytes: early === undefined ? 300_000 : 30_000 }
  for (const medium of media) {
    // More than the kernel holds of a unix socket: the suite writes before it reads.
    if (medium === "unix" && early === ONE_MEBIBYTE) continue
    for (const [path, by] of PATHS)
      transportSuite(`a ${medium} socket, by ${by}${when}`, makePair(socketPair(medium), early, path), options)
  }
  // It offers callbacks only for sockets.
  transportSuite(`another Duplex${when}`, makePair(pipe, early, "read"), options)
}
