import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { TransportFailed } from "../../src/MuxadoError.js"
import type { TransportService } from "../../src/Transport.js"
import { Transport } from "../../src/Transport.js"
import { NodeTransport } from "../../src/node/index.js"
import { listen } from "../../src/node/internal/listener.js"
import { noise } from "../support/bytes.js"
import { certificates } from "../support/certificates.js"
import {
  accepted,
  bytes,
  census,
  connected,
  connectTo,
  listenOptions,
  media,
  portOf,
  readToEnd,
  turns,
  writeAll
} from "../support/node/support.js"

const chunk = new Uint8Array(65_536)

/** Writes until the other side takes no more: the bytes taken, and the write that still waits. */
const fill = (transport: TransportService) =>
  Effect.gen(function* () {
    let written = 0
    while (true) {
      const fiber = yield* Effect.fork(transport.write([chunk]))
      const done = yield* Fiber.await(fiber).pipe(Effect.timeoutOption("300 millis"))
      if (done._tag === "None") return { written, fiber }
      written += chunk.length
      assert.isBelow(written, 64_000_000, "the writer never suspends")
    }
  })

/** A plain listener of Node, for peers that misbehave. */
const rawServer = (onConnection: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly sockets: Set<Net.Socket>; readonly server: Net.Server }>(
      (resume) => {
        const sockets = new Set<Net.Socket>()
        const server = Net.createServer((socket) => {
          sockets.add(socket)
          socket.on("error", () => {})
          onConnection(socket)
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({ port, sockets, server }))
        })
      }
    ),
    ({ server, sockets }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )

const assertOpenFailed = (error: TransportFailed): void => {
  assert.strictEqual(error.reason, "Open")
  assert.strictEqual(error.initiator, "Local")
  assert.strictEqual(error.processed, "no")
}
const codeOf = (error: TransportFailed): unknown =>
  error.cause instanceof Error && "code" in error.cause ? error.cause.code : undefined

for (const medium of media) {
  describe(medium, () => {
    it.scopedLive("20 MB arrive in order both ways at once, and each side ends separately", () =>
      Effect.gen(function* () {
        const { client, server } = yield* connected(medium)
        const there = noise(20_000_000, 1)
        const back = noise(20_000_000, 2)
        const [, , atServer, atClient] = yield* Effect.all(
          [
            Effect.zipRight(writeAll(client, there), client.end),
            Effect.zipRight(writeAll(server, back), server.end),
            readToEnd(server),
            readToEnd(client)
          ],
          { concurrency: "unbounded" }
        )
        assert.isTrue(Buffer.from(there).equals(atServer))
        assert.isTrue(Buffer.from(back).equals(atClient))
      })
    )

    it.scopedLive("after one side has ended its direction, the other side can still send", () =>
      Effect.gen(function* () {
        for (const first of ["client", "server"]) {
          const both = yield* connected(medium)
          const [near, far] = first === "client" ? [both.client, both.server] : [both.server, both.client]
          yield* near.write([bytes("question")])
          yield* near.end
          assert.strictEqual(Buffer.from(yield* readToEnd(far)).toString(), "question")
          const answer = noise(3_000_000, 5)
          yield* Effect.fork(Effect.zipRight(writeAll(far, answer), far.end))
          assert.isTrue(Buffer.from(answer).equals(yield* readToEnd(near)))
        }
      })
    )

    it.scopedLive("a write suspends while the peer does not read, and the peer buffers a bounded amount", () =>
      Effect.gen(function* () {
        const { client, server, socket } = yield* connected(medium)
        const { fiber, written } = yield* fill(client)
        assert.isAtMost(socket.readableLength, socket.readableHighWaterMark + 65_536)
        const reading = yield* Effect.fork(readToEnd(server))
        yield* Fiber.join(fiber)
        yield* client.end
        assert.strictEqual((yield* Fiber.join(reading)).length, written + chunk.length)
      })
    )

    it.scopedLive("destroying one side fails its pending write and read, and the other side notices it", () =>
      Effect.gen(function* () {
        const { client, server } = yield* connected(medium)
        const { fiber } = yield* fill(client)
        const reading = yield* Effect.fork(Effect.flip(client.read))
        yield* client.destroy
        const write = yield* Effect.flip(Fiber.join(fiber))
        assert.deepStrictEqual([write.reason, write.initiator], ["Write", "Local"])
        const read = yield* Fiber.join(reading)
        assert.deepStrictEqual([read.reason, read.initiator], ["Read", "Local"])
        // A cut in the middle shows as an end, or as an error.
        const seen = yield* Effect.flip(Effect.forever(server.read))
        assert.include(["Read", "Ended"], seen.reason)
        assert.strictEqual(seen.initiator, "Remote")
      })
    )

    it.scopedLive("closing the scope closes the socket, and removes all listeners of the transport", () =>
      Effect.gen(function* () {
        const listener = yield* Effect.flatMap(listenOptions(medium), listen)
        const scope = yield* Scope.make()
        yield* Effect.fork(Scope.extend(connectTo(listener, medium), scope))
        const socket = yield* accepted(listener)
        const before = census(socket)
        const transport = yield* Scope.extend(NodeTransport.fromDuplex(socket), scope)
        assert.notDeepEqual(census(socket), before)
        yield* Effect.fork(Effect.exit(transport.read))
        yield* turns(3)
        yield* Scope.close(scope, Exit.void)
        while (!socket.closed) yield* turns(1)
        yield* turns(1)
        for (const name of ["readable", "drain", "finish", "error"]) {
          assert.isAtMost(socket.listenerCount(name), medium === "tls" && name === "error" ? 1 : 0, name)
        }
        for (const name of ["end", "close"]) assert.isAtMost(socket.listenerCount(name), before[name] ?? 0, name)
      })
    )

    it.scopedLive("a layer connects, and closes with its scope", () =>
      Effect.gen(function* () {
        const listener = yield* Effect.flatMap(listenOptions(medium), listen)
        const { ca, client } = yield* Effect.promise(certificates)
        const { address } = listener
        const at = { host: "127.0.0.1", port: portOf(listener) }
        const layer =
          address._tag === "UnixAddress"
            ? NodeTransport.layerUnix({ path: address.path })
            : medium === "tls"
              ? NodeTransport.layerTls({ ...at, ca, ...client })
              : NodeTransport.layerTcp(at)
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(layer, scope)
        const peer = yield* Effect.flatMap(accepted(listener), NodeTransport.fromDuplex)
        yield* Context.get(context, Transport).write([bytes("hello")])
        assert.strictEqual(Buffer.from(yield* peer.read).toString(), "hello")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Effect.flip(peer.read)).initiator, "Remote")
      })
    )
  })
}

describe("a socket that is reset", () => {
  it.scopedLive("a reset in the middle of a write fails the write and the read", () =>
    Effect.gen(function* () {
      const { client, socket } = yield* connected("tcp")
      const { fiber } = yield* fill(client)
      const reading = yield* Effect.fork(Effect.flip(client.read))
      socket.resetAndDestroy()
      const write = yield* Effect.flip(Fiber.join(fiber))
      assert.deepStrictEqual([write.reason, write.initiator, write.processed], ["Write", "Remote", "maybe"])
      assert.include(["ECONNRESET", "EPIPE"], codeOf(write))
      const read = yield* Fiber.join(reading)
      assert.deepStrictEqual([read.reason, read.initiator], ["Read", "Remote"])
      assert.strictEqual((yield* Effect.flip(client.write([chunk]))).reason, "Write")
      yield* client.end
    })
  )

  it.scopedLive("a socket that other code of this process closes fails with initiator Local", () =>
    Effect.gen(function* () {
      const { server, socket } = yield* connected("tcp")
      const reading = yield* Effect.fork(Effect.flip(server.read))
      yield* turns(2)
      socket.destroy()
      const read = yield* Fiber.join(reading)
      assert.deepStrictEqual([read.reason, read.initiator], ["Read", "Local"])
    })
  )

  it.scopedLive("a long loop of writes does not keep the process from reading", () =>
    Effect.gen(function* () {
      const { client, server } = yield* connected("tcp")
      const draining = yield* Effect.fork(readToEnd(server))
      yield* Effect.repeatN(client.write([chunk]), 999)
      yield* client.end
      assert.strictEqual((yield* Fiber.join(draining)).length, 65_536_000)
    })
  )
})

describe("connecting a socket", () => {
  it.scopedLive("a refused connection is an Open failure that names the cause", () =>
    Effect.gen(function* () {
      const { port, server } = yield* rawServer(() => {})
      yield* Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
      const tcp = yield* Effect.flip(NodeTransport.makeTcp({ host: "127.0.0.1", port }))
      assertOpenFailed(tcp)
      assert.strictEqual(codeOf(tcp), "ECONNREFUSED")
      const tls = yield* Effect.flip(NodeTransport.makeTls({ host: "127.0.0.1", port }))
      assertOpenFailed(tls)
      assert.strictEqual(codeOf(tls), "ECONNREFUSED")
      const unix = yield* Effect.flip(NodeTransport.makeUnix({ path: "/nowhere/at/all" }))
      assertOpenFailed(unix)
      assert.strictEqual(codeOf(unix), "ENOENT")
      const named = yield* Effect.flip(
        NodeTransport.makeTcp({
          host: "two.addresses",
          port,
          autoSelectFamily: true,
          lookup: (_host, _options, done) =>
            done(null, [
              { address: "127.0.0.1", family: 4 },
              { address: "127.0.0.2", family: 4 }
            ])
        })
      )
      assertOpenFailed(named)
      assert.include(named.message, "ECONNREFUSED")
    })
  )

  it.scoped("an invalid port is an Open failure", () =>
    Effect.gen(function* () {
      assertOpenFailed(yield* Effect.flip(NodeTransport.makeTcp({ port: 70_000 })))
    })
  )

  it.scoped("connecting fails after 10 seconds, on Effect's clock", () =>
    Effect.gen(function* () {
      let asked = 0
      const lookup: Net.LookupFunction = () => void asked++
      const fiber = yield* Effect.fork(Effect.flip(NodeTransport.makeTcp({ host: "silent", port: 1, lookup })))
      yield* turns(2)
      assert.strictEqual(asked, 1)
      yield* TestClock.adjust("9999 millis")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(fiber)
      assertOpenFailed(error)
      assert.include(error.message, "No connection within 10s")
    })
  )

  it.scopedLive("connectTimeout includes the TLS handshake, and destroys the socket", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* rawServer((socket) => socket.resume())
      const error = yield* Effect.flip(NodeTransport.makeTls({ host: "127.0.0.1", port, connectTimeout: "200 millis" }))
      assertOpenFailed(error)
      for (const socket of sockets) while (!socket.closed) yield* turns(1)
      assert.strictEqual(sockets.size, 1)
    })
  )

  it.scopedLive("interruption while connecting destroys the socket", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* rawServer((socket) => socket.resume())
      const fiber = yield* Effect.fork(NodeTransport.makeTls({ host: "127.0.0.1", port }))
      while (sockets.size === 0) yield* turns(1)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      for (const socket of sockets) while (!socket.closed) yield* turns(1)
    })
  )

  it.scopedLive("a failed handshake is an Open failure: not TLS, a hang-up, an unknown authority, another name", () =>
    Effect.gen(function* () {
      const plain = yield* rawServer((socket) => socket.end("this is not TLS\r\n"))
      assertOpenFailed(yield* Effect.flip(NodeTransport.makeTls({ host: "127.0.0.1", port: plain.port })))
      const rude = yield* rawServer((socket) => socket.destroy())
      assertOpenFailed(yield* Effect.flip(NodeTransport.makeTls({ host: "127.0.0.1", port: rude.port })))
      const listener = yield* Effect.flatMap(listenOptions("tls"), listen)
      const { ca, client } = yield* Effect.promise(certificates)
      const at = { host: "127.0.0.1", port: portOf(listener) }
      const unknown = yield* Effect.flip(NodeTransport.makeTls({ ...at, ...client }))
      assertOpenFailed(unknown)
      const misnamed = yield* Effect.flip(NodeTransport.makeTls({ ...at, ...client, ca, servername: "elsewhere.test" }))
      assertOpenFailed(misnamed)
      assert.strictEqual(codeOf(misnamed), "ERR_TLS_CERT_ALTNAME_INVALID")
    })
  )

  it.scopedLive(
    "a client without the right certificate gets no session at the server, and fails with TransportFailed",
    () =>
      Effect.gen(function* () {
        const listener = yield* Effect.flatMap(listenOptions("tls"), listen)
        const surfaced: Array<Net.Socket> = []
        yield* listener.subscribe((socket) => void surfaced.push(socket))
        const { ca, stranger } = yield* Effect.promise(certificates)
        const at = { host: "127.0.0.1", port: portOf(listener), ca }
        for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
          for (const identity of [{}, stranger]) {
            const options = { ...at, ...identity, minVersion: version, maxVersion: version }
            const error = yield* Effect.flip(Effect.flatMap(NodeTransport.makeTls(options), (_) => _.read))
            // With TLS 1.3 the client's part of the handshake is over before the server has judged its certificate.
            assert.include(version === "TLSv1.2" ? ["Open"] : ["Read", "Ended"], error.reason)
          }
        }
        assert.strictEqual(surfaced.length, 0)
      })
  )

  it.scopedLive("the server knows the server name (SNI) that the client asked for", () =>
    Effect.gen(function* () {
      const listener = yield* Effect.flatMap(listenOptions("tls"), listen)
      const { ca, client } = yield* Effect.promise(certificates)
      const lookup: Net.LookupFunction = (_host, options, done) =>
        options.all === true ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)
      yield* NodeTransport.makeTls({ host: "localhost", port: portOf(listener), ca, ...client, lookup })
      const socket = yield* accepted(listener)
      assert.instanceOf(socket, Tls.TLSSocket)
      assert.strictEqual(Reflect.get(socket, "servername"), "localhost")
      socket.destroy()
    })
  )
})

it.scopedLive("an interrupted connect leaves no connection", () =>
  Effect.gen(function* () {
    const sockets: Array<Net.Socket> = []
    const server = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const server = Net.createServer((socket) => sockets.push(socket.on("error", () => undefined)))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
    )
    const address = server.address()
    const port = address === null || typeof address === "string" ? 0 : address.port
    const dialling = yield* Effect.fork(Effect.scoped(NodeTransport.makeTls({ host: "127.0.0.1", port })))
    while (sockets.length === 0) yield* Effect.sleep(5)
    yield* Fiber.interrupt(dialling)
    yield* Effect.async<void>((resume) => {
      const [socket] = sockets
      if (socket === undefined || socket.closed) resume(Effect.void)
      else socket.resume().once("close", () => resume(Effect.void))
    })
  })
)
