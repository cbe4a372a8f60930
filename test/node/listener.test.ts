import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { vi } from "vitest"
import { NodeTransport } from "../../src/node/index.js"
import type { Listener } from "../../src/node/internal/listener.js"
import { listen, MAX_WAITING } from "../../src/node/internal/listener.js"
import { certificates } from "../support/certificates.js"
import { accepted, connectTo, listenOptions, media, portOf, socketPath, turns } from "../support/node/support.js"

const here = { host: "127.0.0.1", port: 0 }
const tcp = { _tag: "Tcp", where: here } as const

/** A bare client, which goes with the scope. */
const dial = (listener: Listener) =>
  Effect.acquireRelease(
    Effect.async<Net.Socket>((resume) => {
      const { address } = listener
      const socket = Net.connect(
        address._tag === "UnixAddress" ? { path: address.path } : { host: "127.0.0.1", port: address.port }
      )
      socket.on("error", () => {})
      socket.resume()
      socket.on("connect", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const closed = (socket: Net.Socket) =>
  Effect.gen(function* () {
    while (!socket.closed) yield* turns(1)
  })

const isRefused = (listener: Listener) =>
  Effect.async<boolean>((resume) => {
    const socket = Net.connect({ host: "127.0.0.1", port: portOf(listener) })
    socket.on("error", () => resume(Effect.succeed(true)))
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(false))
    })
  })

describe("a listener", () => {
  for (const medium of media) {
    it.scopedLive(`${medium}: a subscriber gets the connections that came before it, then the new ones`, () =>
      Effect.gen(function* () {
        const listener = yield* Effect.flatMap(listenOptions(medium), listen)
        yield* connectTo(listener, medium)
        yield* connectTo(listener, medium)
        // Each has its handshake behind it at the server too.
        yield* Effect.sleep("50 millis")
        const taken: Array<Net.Socket> = []
        yield* listener.subscribe((socket) => void taken.push(socket))
        assert.strictEqual(taken.length, 2)
        yield* connectTo(listener, medium)
        while (taken.length < 3) yield* turns(1)
        for (const socket of taken) {
          assert.isTrue(socket.allowHalfOpen)
          assert.strictEqual(socket instanceof Tls.TLSSocket, medium === "tls")
          assert.isFalse(socket.destroyed)
          socket.destroy()
        }
      })
    )

    it.scopedLive(
      `${medium}: closing the scope closes the listener and the waiting connections; delivered ones stay open`,
      () =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const listener = yield* Scope.extend(Effect.flatMap(listenOptions(medium), listen), scope)
          const one = yield* connectTo(listener, medium)
          const socket = yield* accepted(listener)
          const two = yield* connectTo(listener, medium)
          yield* Scope.close(scope, Exit.void)
          assert.strictEqual((yield* Effect.flip(two.read)).initiator, "Remote")
          const transport = yield* NodeTransport.fromDuplex(socket)
          yield* one.write([new Uint8Array(3)])
          assert.strictEqual((yield* transport.read).length, 3)
          if (listener.address._tag === "UnixAddress") assert.isFalse(existsSync(listener.address.path))
          else assert.isTrue(yield* isRefused(listener))
        })
    )
  }

  it.scopedLive("shows its address", () =>
    Effect.gen(function* () {
      const one = yield* listen(tcp)
      assert.isAbove(portOf(one), 0)
      assert.strictEqual(one.address._tag === "TcpAddress" && one.address.hostname, "127.0.0.1")
      const path = yield* socketPath
      const two = yield* listen({ _tag: "Unix", path })
      assert.deepStrictEqual(two.address, { _tag: "UnixAddress", path })
    })
  )

  it.scopedLive("an address in use, a bad port and bad certificates fail with ServerFailed", () =>
    Effect.gen(function* () {
      const one = yield* listen(tcp)
      const used = yield* Effect.flip(listen({ _tag: "Tcp", where: { ...here, port: portOf(one) } }))
      assert.deepStrictEqual([used._tag, used.reason], ["ServerFailed", "AddressInUse"])
      assert.strictEqual(
        (yield* Effect.flip(listen({ _tag: "Tcp", where: { ...here, port: 70_000 } }))).reason,
        "Listen"
      )
      const bad = yield* Effect.flip(listen({ _tag: "Tls", options: { port: 0, key: "no key", cert: "none" } }))
      assert.strictEqual(bad.reason, "Listen")
    })
  )

  it.scopedLive("interrupted before it listens, it leaves the address free", () =>
    Effect.gen(function* () {
      const port = portOf(yield* Effect.scoped(listen(tcp)))
      const again = { _tag: "Tcp", where: { host: "localhost", port } } as const
      const fiber = yield* Effect.fork(Effect.scoped(listen(again)))
      // The host is being looked up.
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      yield* Effect.sleep("50 millis")
      assert.strictEqual(portOf(yield* listen(again)), port)
    })
  )

  it.scopedLive("stopListening refuses new connections, keeps the old ones, and may be called twice", () =>
    Effect.gen(function* () {
      const listener = yield* listen(tcp)
      const client = yield* dial(listener)
      const socket = yield* accepted(listener)
      yield* listener.stopListening
      yield* listener.stopListening
      assert.isTrue(yield* isRefused(listener))
      assert.isFalse(socket.destroyed || client.destroyed)
      socket.destroy()
    })
  )

  it.scopedLive("the newest subscriber gets the connections; when it leaves, the one before it gets them", () =>
    Effect.gen(function* () {
      const listener = yield* listen(tcp)
      const taken: Array<string> = []
      const take = (name: string) =>
        listener.subscribe((socket) => {
          taken.push(name)
          socket.destroy()
        })
      const next = (count: number) =>
        Effect.gen(function* () {
          yield* dial(listener)
          while (taken.length < count) yield* turns(1)
        })
      yield* take("one")
      yield* Effect.scoped(Effect.zipRight(take("two"), next(1)))
      yield* next(2)
      assert.deepStrictEqual(taken, ["two", "one"])
    })
  )

  it.scopedLive("without a subscriber, connections beyond the bound are closed", () =>
    Effect.gen(function* () {
      const listener = yield* listen(tcp)
      const clients = yield* Effect.replicateEffect(dial(listener), MAX_WAITING)
      const excess = yield* dial(listener)
      yield* closed(excess)
      assert.isTrue(clients.every((client) => !client.destroyed))
      const taken: Array<Net.Socket> = []
      yield* listener.subscribe((socket) => void taken.push(socket))
      assert.strictEqual(taken.length, MAX_WAITING)
      for (const socket of taken) socket.destroy()
    })
  )

  it.scopedLive("an accept error is logged as a warning, and the listener continues", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel.label} ${String(message)}`))
      const listening = vi.spyOn(Net.Server.prototype, "listen")
      const listener = yield* listen(tcp).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      const server: unknown = listening.mock.contexts[0]
      listening.mockRestore()
      assert.instanceOf(server, Net.Server)
      server.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }))
      assert.lengthOf(logged, 1)
      assert.include(logged[0], "WARN A connection could not be accepted")
      assert.include(logged[0], "EMFILE")
      yield* dial(listener)
      ;(yield* accepted(listener)).destroy()
    })
  )

  it.scopedLive("a handshake that fails, stalls or is cut affects only its own connection", () =>
    Effect.gen(function* () {
      const { ca, client, server } = yield* Effect.promise(certificates)
      const listener = yield* listen({
        _tag: "Tls",
        options: { ...server, host: "127.0.0.1", port: 0, handshakeTimeout: 100 }
      })
      const surfaced: Array<Net.Socket> = []
      yield* listener.subscribe((socket) => void surfaced.push(socket))
      const stalled = yield* dial(listener)
      const wrong = yield* dial(listener)
      wrong.write("GET / HTTP/1.1\r\n\r\n")
      const cut = yield* dial(listener)
      cut.write(Uint8Array.of(22, 3, 1, 2, 0))
      cut.resetAndDestroy()
      yield* closed(stalled)
      yield* closed(wrong)
      assert.strictEqual(surfaced.length, 0)
      yield* NodeTransport.makeTls({ host: "127.0.0.1", port: portOf(listener), ca, ...client })
      while (surfaced.length < 1) yield* turns(1)
      for (const socket of surfaced) socket.destroy()
    })
  )

  it.scopedLive("closing the scope destroys connections in their handshake; completed ones stay open", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const listener = yield* Scope.extend(Effect.flatMap(listenOptions("tls"), listen), scope)
      const client = yield* connectTo(listener, "tls")
      const socket = yield* accepted(listener)
      const stalled = yield* dial(listener)
      yield* Effect.sleep("50 millis")
      yield* Scope.close(scope, Exit.void)
      yield* closed(stalled)
      const transport = yield* NodeTransport.fromDuplex(socket)
      yield* transport.write([new Uint8Array(5)])
      assert.strictEqual((yield* client.read).length, 5)
    })
  )
})
