/** A WebSocket takes whatever it is given, at once: the limits of a session must hold over it all the same. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Socket from "@effect/platform/Socket"
import { SocketServer } from "@effect/platform/SocketServer"
import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session, SessionServer, Transport } from "effect-muxado"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { scenario } from "../support/session/sessions.js"
import { leavesNothing } from "../support/census.js"
import * as RawWebSocket from "../support/rawWebSocket.js"
import { build, portOf } from "../support/transport/socketPairs.js"

const KIB = 1024
const MIB = 1024 * KIB

const OUTBOUND_LIMIT = MIB
/** What goes into one write of a transport, with its headers. */
const BATCH = 256 * KIB + 64 * KIB
const HIGH_WATER_MARK = 256 * KIB
const BOUND = OUTBOUND_LIMIT + BATCH + HIGH_WATER_MARK

const options = { maxSendBuffer: OUTBOUND_LIMIT, writeTimeout: "2 seconds", heartbeat: false } as const

/** A WebSocket whose peer takes what `take` says, and which can pause. */
class FakeWebSocket extends EventTarget {
  binaryType = "blob"
  readyState = 1
  bufferedAmount: unknown = 0
  paused = false
  terminated = false
  sent = 0

  constructor(readonly url = "") {
    super()
  }

  send(bytes: Uint8Array): void {
    this.sent += bytes.length
    this.bufferedAmount = (this.bufferedAmount as number) + bytes.length
  }

  take(bytes: number): void {
    this.bufferedAmount = Math.max(0, (this.bufferedAmount as number) - bytes)
  }

  push(bytes: Uint8Array): void {
    this.dispatchEvent(new MessageEvent("message", { data: bytes }))
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  terminate(): void {
    this.terminated = true
    this.end()
  }

  /** The peer answers once it has taken everything. */
  close(): void {
    if (this.bufferedAmount === 0) this.end()
  }

  private end(): void {
    this.dispatchEvent(Object.assign(new Event("close"), { code: 1000, reason: "" }))
  }

  get asWebSocket(): globalThis.WebSocket {
    return this as unknown as globalThis.WebSocket
  }
}

/** The constructor that makes this WebSocket. */
const constructorOf = (fake: FakeWebSocket) => Layer.succeed(Socket.WebSocketConstructor, () => fake.asWebSocket)

/** A server whose one connection is this WebSocket, as the platform's server hands it over. */
const serverOf = (fake: FakeWebSocket): SocketServer["Type"] => ({
  address: { _tag: "TcpAddress", hostname: "127.0.0.1", port: 1 },
  run: (handler) =>
    Socket.fromWebSocket(Effect.succeed(fake.asWebSocket)).pipe(
      Effect.flatMap(handler),
      Effect.provideService(Socket.WebSocket, fake.asWebSocket),
      Effect.ignore,
      Effect.zipRight(Effect.never)
    )
})

/** The first message: nothing but a frame of an unknown type. */
const anyFrame = Uint8Array.of(0, 0, 0, 0xf0, 0, 0, 0, 0)

const grant = (id: number) => Uint8Array.of(0, 0, 4, 0x20, 0, 0, 0, id, 0x7f, 0xfb, 0, 0)

type Open = Effect.Effect<Session.SessionService, unknown, Scope.Scope>

const clientOver = <R>(transport: Effect.Effect<Transport.TransportService, unknown, R>) =>
  Effect.flatMap(transport, (transport) => Session.fromTransport(transport, { ...options, role: "client" }))

const media: Readonly<Record<string, (fake: FakeWebSocket) => Open>> = {
  "a SocketServer of WebSockets": (fake) =>
    Effect.gen(function* () {
      const server = yield* SessionServer.make(options).pipe(Effect.provideService(SocketServer, serverOf(fake)))
      const opened = yield* Deferred.make<Session.SessionService>()
      yield* Effect.forkScoped(
        server.run((session) => Effect.zipRight(Deferred.succeed(opened, session), Effect.never))
      )
      return yield* Deferred.await(opened)
    }),
  makeWebSocket: (fake) => clientOver(Effect.provide(Transport.makeWebSocket("ws://localhost"), constructorOf(fake))),
  "layerSocket over layerWebSocketConstructorArrayBuffer": (fake) =>
    clientOver(
      build(
        Transport.layerSocket().pipe(
          Layer.provide(Socket.layerWebSocket("ws://localhost")),
          Layer.provide(Transport.layerWebSocketConstructorArrayBuffer),
          Layer.provide(constructorOf(fake))
        )
      )
    ),
  "layerSocket, after the first message": (fake) =>
    Effect.tap(
      clientOver(
        build(
          Transport.layerSocket().pipe(
            Layer.provide(Socket.layerWebSocket("ws://localhost")),
            Layer.provide(constructorOf(fake))
          )
        )
      ),
      () => Effect.sync(() => fake.push(anyFrame))
    ),
  "fromSocket in the handler of a WebSocket server, after the first message": (fake) =>
    Effect.gen(function* () {
      const opened = yield* Deferred.make<Session.SessionService, unknown>()
      const handler = (socket: Socket.Socket) =>
        clientOver(Transport.fromSocket(socket)).pipe(
          Effect.intoDeferred(opened),
          Effect.zipRight(Effect.never),
          Effect.scoped
        )
      yield* Effect.forkScoped(serverOf(fake).run(handler))
      const session = yield* Deferred.await(opened)
      fake.push(anyFrame)
      return session
    })
}

describe("a session over a WebSocket whose peer grants credit and reads nothing", () => {
  for (const [name, open] of Object.entries(media)) {
    it.effect(`buffers a bounded amount, and ends after writeTimeout: ${name}`, () =>
      Effect.gen(function* () {
        const fake = new FakeWebSocket()
        const session = yield* open(fake)
        let taken = 0
        const stream = yield* session.open()
        const flood = Effect.forever(
          Effect.tap(MuxStream.write(stream, new Uint8Array(64 * KIB)), () => Effect.sync(() => (taken += 64 * KIB)))
        )
        const writing = yield* Effect.fork(Effect.ignore(flood))
        yield* TestClock.adjust("1 millis")
        fake.push(grant(stream.id))
        let most = 0
        const sample = Effect.sync(() => (most = Math.max(most, taken - fake.sent + (fake.bufferedAmount as number))))
        // at first the peer takes 1 MiB a second: that goes on
        for (let i = 0; i < 100; i++) {
          fake.take(10 * KIB)
          yield* TestClock.adjust("10 millis")
          yield* sample
        }
        const before = taken
        yield* TestClock.adjust("1 second")
        yield* sample
        assert.isAtMost(taken - before, BOUND)
        assert.isAtLeast(taken, OUTBOUND_LIMIT)
        assert.isAtMost(most, BOUND)
        yield* TestClock.adjust("2 seconds")
        const end = yield* session.closed
        assert(end._tag === "SessionDead")
        assert.strictEqual(end.reason, "WriteStalled")
        yield* Fiber.await(writing)
        // what it did not send goes with it
        assert.isTrue(fake.terminated)
      }).pipe(scenario, Logger.withMinimumLogLevel(LogLevel.None))
    )

    it.effect(`pauses while it is not read from: ${name}`, () =>
      Effect.gen(function* () {
        const fake = new FakeWebSocket()
        yield* open(fake)
        // a chunk of 1 MiB and more is dealt with in several turns, in which no other is read
        const many = new Uint8Array(3 * MIB)
        for (let at = 0; at < many.length; at += anyFrame.length) many.set(anyFrame, at)
        fake.push(many)
        assert.isTrue(fake.paused)
        yield* TestClock.adjust("1 second")
        assert.isFalse(fake.paused)
      }).pipe(scenario, Logger.withMinimumLogLevel(LogLevel.None))
    )
  }
})

describe("the WebSocket under a transport", () => {
  it.scoped(
    "is not the WebSocket of the server in whose handler the transport is made, unless it is the same one",
    () =>
      Effect.gen(function* () {
        const around = new FakeWebSocket()
        around.bufferedAmount = 100 * MIB
        let written = 0
        let push = (_bytes: Uint8Array): void => {}
        const runRaw: Socket.Socket["runRaw"] = (handler, run) =>
          Effect.flatMap(Effect.runtime<never>(), (runtime) => {
            push = (bytes) => {
              const effect = handler(bytes)
              if (Effect.isEffect(effect)) Runtime.runSync(runtime)(effect as Effect.Effect<unknown>)
            }
            return Effect.zipRight(run?.onOpen ?? Effect.void, Effect.never)
          })
        // over a file, a child process or a TCP connection
        const other = Socket.Socket.of({
          [Socket.TypeId]: Socket.TypeId,
          run: () => Effect.dieMessage("not used"),
          runRaw,
          writer: Effect.succeed(() => Effect.sync(() => void written++))
        })
        const transport = yield* Transport.fromSocket(other).pipe(
          Effect.provideService(Socket.WebSocket, around.asWebSocket)
        )
        push(anyFrame)
        yield* transport.write([anyFrame])
        yield* transport.write([anyFrame])
        assert.strictEqual(written, 2)
      })
  )

  it.scoped("may come from the context of its Socket", () =>
    Effect.gen(function* () {
      const fake = new FakeWebSocket()
      yield* Effect.gen(function* () {
        const socket = yield* Socket.fromWebSocket(Socket.WebSocket)
        const transport = yield* Transport.fromSocket(socket, { highWaterMark: 0 })
        fake.push(anyFrame)
        assert.deepStrictEqual(yield* transport.read, anyFrame)
        const writing = yield* Effect.fork(transport.write([anyFrame]))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(fake.sent, 8)
        assert.isNull(writing.unsafePoll())
        fake.take(8)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(writing)
      }).pipe(Effect.provideService(Socket.WebSocket, fake.asWebSocket))
    })
  )

  it.scoped.each(["pause", "resume"] as const)("fails only its own transport if its %s throws", (method) =>
    Effect.gen(function* () {
      const fake = new FakeWebSocket()
      fake[method] = () => {
        throw new Error("broken")
      }
      const transport = yield* Effect.provide(Transport.makeWebSocket("ws://localhost"), constructorOf(fake))
      fake.push(new Uint8Array(2 * MIB))
      yield* transport.read
      const error = yield* Effect.flip(transport.read)
      assert.deepStrictEqual([error.reason, error.initiator], ["Read", "Local"])
      assert.include(error.message, "broken")
    })
  )

  it.scoped("is named in the errors of its transport, without secrets", () =>
    Effect.gen(function* () {
      const url = "wss://user:secret@example.com:7000/path?token=secret#secret"
      const fake = new FakeWebSocket(url)
      const transport = yield* Effect.provide(Transport.makeWebSocket(url), constructorOf(fake))
      yield* transport.destroy
      assert.strictEqual((yield* Effect.flip(transport.read)).endpoint, "wss://example.com:7000/path")
    })
  )

  it.scoped("cannot be opened with an invalid URL", () =>
    Effect.gen(function* () {
      for (const url of ["nonsense", Effect.die(new Error("no URL")), Effect.succeed(5 as unknown as string)]) {
        const error = yield* Effect.flip(
          Effect.provide(Transport.makeWebSocket(url), NodeSocket.layerWebSocketConstructor)
        )
        assert.deepStrictEqual([error._tag, error.reason, error.processed], ["TransportFailed", "Open", "no"])
      }
    })
  )
})

describe("a server of real WebSockets", () => {
  it.live("buffers a bounded amount for a client that grants 2 GiB and reads nothing, and ends its session", () =>
    Effect.gen(function* () {
      let taken = 0
      let most = 0
      const end = yield* Deferred.make<Session.SessionService>()
      const handler = (session: Session.SessionService) =>
        Effect.gen(function* () {
          yield* Deferred.succeed(end, session)
          const request = yield* NodeSocketServer.IncomingMessage
          yield* session.serve((stream) =>
            Effect.forever(
              Effect.map(MuxStream.write(stream, new Uint8Array(64 * KIB)), () => {
                taken += 64 * KIB
                most = Math.max(most, taken - (request.socket.bytesWritten - request.socket.writableLength))
              })
            )
          )
        }).pipe(Effect.ignore)
      const sockets = yield* NodeSocketServer.makeWebSocket({ host: "127.0.0.1", port: 0 })
      const server = yield* SessionServer.make({ ...options, writeTimeout: "500 millis" }).pipe(
        Effect.provideService(SocketServer, sockets)
      )
      yield* Effect.forkScoped(
        Effect.provideService(server.run(handler), NodeSocketServer.IncomingMessage, undefined as never)
      )
      const client = yield* RawWebSocket.connect(portOf(sockets))
      client.socket.pause()
      yield* client.send(Buffer.concat([Buffer.from("000004120000000300000007", "hex"), grant(3)]))
      const closed = yield* Effect.flatMap(Deferred.await(end), (session) => session.closed)
      assert.deepInclude(closed, { _tag: "SessionDead", reason: "WriteStalled" })
      assert.isAtLeast(taken, OUTBOUND_LIMIT)
      assert.isAtMost(most, BOUND)
    }).pipe(Effect.scoped, leavesNothing, Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.live("pauses its clients when their bytes are not read", () =>
    Effect.gen(function* () {
      const sockets = yield* NodeSocketServer.makeWebSocket({ host: "127.0.0.1", port: 0 })
      const opened = yield* Deferred.make<Transport.TransportService>()
      const handler = (socket: Socket.Socket) =>
        Effect.flatMap(Transport.fromSocket(socket), (transport) => Deferred.succeed(opened, transport)).pipe(
          Effect.zipRight(Effect.never),
          Effect.scoped,
          Effect.ignore
        )
      yield* Effect.forkScoped(sockets.run(handler))
      const client = yield* RawWebSocket.connect(portOf(sockets))
      const transport = yield* Deferred.await(opened)
      const total = 64 * MIB
      const message = RawWebSocket.frame(new Uint8Array(64 * KIB))
      for (let i = 0; i < total / (64 * KIB); i++) client.socket.write(message)
      yield* Effect.sleep("500 millis")
      // the rest waits at the client, or in the kernel
      assert.isAtLeast(client.socket.writableLength, total / 2)
      let received = 0
      while (received < total) received += (yield* transport.read).length
      assert.strictEqual(received, total)
    }).pipe(Effect.scoped, leavesNothing)
  )
})
