/**
 * Runs the programs with every peer and records the bytes: `npm run goldens:capture`. `npm run test:interop` builds the
 * peers.
 */
import { NodeTransport } from "effect-muxado/node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import type { Socket } from "node:net"
import { createServer } from "node:net"
import { sessionOver } from "../interop/cell.js"
import type { Peer } from "../interop/peer.js"
import { spawnPeer } from "../interop/peer.js"
import type { PeerName } from "../interop/peers.js"
import { PEERS, programOf } from "../interop/peers.js"
import type { Golden } from "./golden.js"
import { recording } from "./golden.js"
import type { Program } from "./programs.js"
import { PROGRAMS } from "./programs.js"

const FILES = new URL("./files/", import.meta.url)

const capture = (name: PeerName, role: "client" | "server", program: Program) =>
  Effect.gen(function* () {
    const peer = yield* spawnPeer(programOf(name))
    const recorded = recording(yield* role === "server" ? dial(peer, program) : listen(peer, program))
    const session = yield* sessionOver(role === "server" ? "client" : "server", recorded.transport, program.options)
    const log = yield* program.run(session, (act) => act(peer))
    const { implementation, version } = yield* peer.info
    const golden: Golden = {
      implementation,
      version,
      role,
      program: program.name,
      window: program.options.window ?? 262_144,
      received: recorded.received,
      sent: recorded.sent(),
      log
    }
    const file = `${name}-${role}-${program.name}.json`
    writeFileSync(new URL(file, FILES), `${JSON.stringify(golden, null, 2)}\n`)
    console.log(file, recorded.received.length, "chunks;", log.join("; "))
  }).pipe(Effect.scoped, Effect.timeout("20 seconds"))

const dial = (peer: Peer, program: Program) =>
  Effect.flatMap(peer.start({ ...program.peer, role: "server" }), (port) =>
    NodeTransport.makeTcp({ host: "127.0.0.1", port })
  )

const listen = (peer: Peer, program: Program) =>
  Effect.gen(function* () {
    const connected = yield* Deferred.make<Socket>()
    const server = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const listening = createServer((socket) => Deferred.unsafeDone(connected, Effect.succeed(socket)))
        listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
      }),
      (listening) => Effect.sync(() => listening.close())
    )
    const address = server.address()
    if (address === null || typeof address === "string") return yield* Effect.dieMessage("no port")
    yield* peer.start({ ...program.peer, role: "client", port: address.port })
    return yield* NodeTransport.fromDuplex(yield* Deferred.await(connected))
  })

for (const name of PEERS) {
  for (const role of ["client", "server"] as const) {
    for (const program of PROGRAMS) await Effect.runPromise(capture(name, role, program))
  }
}
