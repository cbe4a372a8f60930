import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session } from "effect-muxado"
import type { SessionServer } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ChildProcess } from "node:child_process"
import { fork } from "node:child_process"
import * as Net from "node:net"
import { reusePortProblem } from "../../src/node/internal/where.js"
import { certificates } from "../support/certificates.js"
import { call } from "../support/session/sessionTest.js"
import { decoded, eventually } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

const here = { host: "127.0.0.1", port: 0 } as const

const portOf = ({ address }: SessionServer.SessionServerService): number =>
  address._tag === "TcpAddress" ? address.port : 0

/** A server as the program may have it, without handlers. */
const listening = Effect.acquireRelease(
  Effect.async<Net.Server>((resume) => {
    const server = Net.createServer().listen(here.port, here.host, () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => void server.close())
)

const client = (port: number) =>
  Effect.flatMap(NodeTransport.makeTcp({ host: here.host, port }), (transport) =>
    Session.fromTransport(transport, { role: "client" })
  )

/** Which server answers a new connection. */
const whoAnswers = (port: number) =>
  Effect.scoped(Effect.flatMap(client(port), (session) => session.withStream(MuxStream.readAll))).pipe(
    Effect.map(decoded)
  )

/** Runs a server that answers "old", the first stream of each session when it is released. */
const runOld = (server: SessionServer.SessionServerService) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const running = yield* Effect.forkScoped(
      server.run((session) =>
        session.serve((stream) => Effect.zipRight(Deferred.await(gate), MuxStream.write(stream, "old")))
      )
    )
    const session = yield* client(portOf(server))
    const calling = yield* Effect.fork(session.withStream(MuxStream.readAll))
    yield* eventually(
      "a call in flight",
      Effect.map(session.stats, ({ outboundStreams }) => outboundStreams === 1)
    )
    /** Stops it while the call is in flight, and lets the call end when the announcement has arrived. */
    const stop = Effect.gen(function* () {
      const stopping = yield* Effect.fork(Fiber.interrupt(running))
      assert.strictEqual((yield* session.draining)._tag, "RemoteGoneAway")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(decoded(yield* Fiber.join(calling)), "old")
      yield* Fiber.join(stopping)
    })
    return { stop }
  })

const successor = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork("test/support/node/successor.ts", [...args], { execArgv: ["--import", "tsx"], stdio: "inherit" })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )

/** Node keeps the handle of a server in `_handle`. */
const descriptorOf = (server: Net.Server): number => {
  const handle: unknown = Reflect.get(server, "_handle")
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined
  return typeof fd === "number" ? fd : assert.fail("a descriptor")
}

const hears = (child: ChildProcess, message: string) =>
  Effect.async<void>((resume) => {
    child.on("message", (heard) => {
      if (heard === message) resume(Effect.void)
    })
  })

describe("a server that is replaced", () => {
  it.scopedLive(
    "sends its listening socket to another process, which takes the new connections while the old one drains",
    () =>
      Effect.gen(function* () {
        const owner = yield* listening
        const old = yield* NodeSessionServer.makeTcp({ listening: owner })
        const { stop } = yield* runOld(old)
        const child = yield* successor()
        yield* hears(child, "started")
        child.send("take this", owner)
        yield* hears(child, "listening")
        yield* stop
        for (let i = 0; i < 5; i++) assert.strictEqual(yield* whoAnswers(portOf(old)), "new")
      }),
    30_000
  )

  it.scopedLive(
    "inherits its listening socket as a file descriptor",
    () =>
      Effect.gen(function* () {
        const owner = yield* listening
        const old = yield* NodeSessionServer.makeTcp({ listening: owner })
        const { stop } = yield* runOld(old)
        const child = yield* Effect.acquireRelease(
          Effect.sync(() =>
            fork("test/support/node/successor.ts", ["fd"], {
              execArgv: ["--import", "tsx"],
              stdio: ["ignore", "inherit", "inherit", "ipc", descriptorOf(owner)]
            })
          ),
          (child) => Effect.sync(() => void child.kill("SIGKILL"))
        )
        yield* hears(child, "listening")
        yield* stop
        for (let i = 0; i < 5; i++) assert.strictEqual(yield* whoAnswers(portOf(old)), "new")
      }),
    30_000
  )

  it.scopedLive("takes over a listening server for TLS too, and its address is that of the server", () =>
    Effect.gen(function* () {
      const { ca, server: identity } = yield* Effect.promise(certificates)
      const owner = yield* listening
      const server = yield* NodeSessionServer.makeTls({ ...identity, listening: owner })
      yield* Effect.forkScoped(server.run((session) => session.serve((stream) => MuxStream.write(stream, "tls"))))
      const address = owner.address()
      assert.strictEqual(portOf(server), typeof address === "object" ? address?.port : undefined)
      const transport = yield* NodeTransport.makeTls({ host: "localhost", port: portOf(server), ca })
      const session = yield* Session.fromTransport(transport, { role: "client" })
      assert.strictEqual(yield* call(session), "tls")
    })
  )

  it.scopedLive("with reusePort, two servers share a port, where Node can do that", () =>
    Effect.gen(function* () {
      const making = NodeSessionServer.makeTcp({ ...here, reusePort: true })
      if (reusePortProblem(true).length > 0) {
        const error = yield* Effect.flip(making)
        assert.strictEqual(error._tag, "InvalidOptions")
        return assert.include(error.message, "reusePort needs Node 22.12, 23.1 or later; this is Node ")
      }
      const old = yield* making
      const { stop } = yield* runOld(old)
      const next = yield* NodeSessionServer.makeTcp({ host: here.host, port: portOf(old), reusePort: true })
      yield* Effect.forkScoped(next.run((session) => session.serve((stream) => MuxStream.write(stream, "new"))))
      yield* stop
      for (let i = 0; i < 5; i++) assert.strictEqual(yield* whoAnswers(portOf(old)), "new")
    })
  )

  it("knows the versions of Node that have reusePort", () => {
    for (const version of ["20.20.2", "22.11.9", "23.0.0"]) assert.lengthOf(reusePortProblem(true, version), 1, version)
    for (const version of ["22.12.0", "23.1.0", "24.0.0", "100.0.0"]) {
      assert.deepStrictEqual(reusePortProblem(true, version), [])
    }
    for (const value of [undefined, false]) assert.deepStrictEqual(reusePortProblem(value, "20.0.0"), [])
    assert.match(reusePortProblem("yes", "24.0.0").join(), /^reusePort must be true or false, not /)
  })

  it.scopedLive("refuses what it cannot take over, before it listens", () =>
    Effect.gen(function* () {
      const owner = yield* listening
      const idle = Net.createServer()
      for (const [where, message] of [
        [{ listening: idle }, "this one does not listen"],
        [{ listening: { fd: -1 } }, "{ fd } with the number of a descriptor"],
        [{ listening: 3 }, "{ fd } with the number of a descriptor"],
        [{ listening: owner, port: 0 }, "have no meaning with listening"],
        [{ listening: owner, reusePort: true }, "have no meaning with listening"]
      ] as const) {
        const error = yield* Effect.flip(NodeSessionServer.makeTcp(wrong(where)))
        assert.strictEqual(error._tag, "InvalidOptions")
        assert.include(error.message, message)
      }
      const nothing = yield* Effect.flip(NodeSessionServer.makeTcp({ listening: { fd: 1_000_000 } }))
      assert.deepStrictEqual([nothing._tag, nothing.message.includes("descriptor 1000000")], ["ServerFailed", true])
    })
  )
})

describe("a server whose run was interrupted", () => {
  it.scopedLive("closes connections that are still in their TLS handshake, although its own scope stays open", () =>
    Effect.gen(function* () {
      const { server: identity } = yield* Effect.promise(certificates)
      const server = yield* NodeSessionServer.makeTls({ ...identity, ...here, handshakeTimeout: 60_000 })
      const running = yield* Effect.fork(server.run((session) => session.closed))
      const socket = Net.connect(portOf(server), here.host)
      socket.on("error", () => {}).resume()
      yield* eventually(
        "a connection",
        Effect.sync(() => !socket.connecting)
      )
      yield* Effect.sleep("20 millis")
      yield* Fiber.interrupt(running)
      yield* eventually(
        "its end",
        Effect.sync(() => socket.closed)
      )
    })
  )

  it.scopedLive("with stopDelay, serves new connections in this time, and none after it", () =>
    Effect.gen(function* () {
      const server = yield* NodeSessionServer.makeTcp(here, { stopDelay: "500 millis" })
      const running = yield* Effect.fork(
        server.run((session) => session.serve((stream) => MuxStream.write(stream, "served")))
      )
      assert.strictEqual(yield* whoAnswers(portOf(server)), "served")
      const stopping = yield* Effect.fork(Fiber.interrupt(running))
      yield* Effect.sleep("20 millis")
      assert.strictEqual(yield* whoAnswers(portOf(server)), "served")
      yield* Fiber.join(stopping)
      const refused = yield* Effect.flip(whoAnswers(portOf(server)))
      assert.deepStrictEqual([refused._tag, "reason" in refused && refused.reason], ["TransportFailed", "Open"])
    })
  )
})
