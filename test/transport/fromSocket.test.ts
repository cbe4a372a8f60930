import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Socket from "@effect/platform/Socket"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { createHash } from "node:crypto"
import type { TransportFailed } from "../../src/MuxadoError.js"
import * as Transport from "../../src/Transport.js"
import { echoWhole } from "../support/session/sessionTest.js"
import { assertCarriesOneSession, listening } from "../support/session/tcp.js"
import { accept, build, layerNodeWebSocket, layerStandardWebSocket, portOf } from "../support/transport/socketPairs.js"
import { assertSameBytes, join, noise, readBytes, readToEnd } from "../support/transport/suite.js"
import { wrong } from "../support/wrong.js"

type Message = Uint8Array | string
type Written = Message | Socket.CloseEvent

/** A socket that does what the test says: `push` is the medium, `written` what it was given. */
const makeFakeSocket = (
  options: {
    readonly write?: (written: Written) => Effect.Effect<void, Socket.SocketError>
    /** Run when the writer's scope closes; a writer without one has no scope. */
    readonly endWriting?: Effect.Effect<void>
  } = {}
) => {
  const written: Array<Written> = []
  const outcome = Deferred.unsafeMake<void, Socket.SocketError>(Fiber.id(Fiber.void))
  let handler: (message: Message) => unknown = () => undefined
  const runRaw: Socket.Socket["runRaw"] = (onMessage, opts) =>
    Effect.suspend(() => {
      handler = onMessage
      return Effect.zipRight(opts?.onOpen ?? Effect.void, Deferred.await(outcome))
    })
  const isClosed = Effect.unsafeMakeLatch(false)
  const write = (message: Written) =>
    Effect.suspend(() => {
      written.push(message)
      if (Socket.isCloseEvent(message)) isClosed.unsafeOpen()
      return options.write?.(message) ?? Effect.void
    })
  const socket = Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: () => Effect.dieMessage("a string would have become bytes"),
    runRaw,
    writer:
      options.endWriting === undefined
        ? Effect.succeed(write)
        : Effect.as(
            Effect.addFinalizer(() => options.endWriting ?? Effect.void),
            write
          )
  })
  return { socket, written, outcome, isClosed: isClosed.await, push: (message: Message) => handler(message) }
}

const closed = (code: number) => new Socket.SocketCloseError({ reason: "Close", code })

const messageOf = (error: TransportFailed) => (error.cause instanceof Error ? error.cause.message : "")

describe("a transport over a Socket", () => {
  describe("reading", () => {
    it.effect("loses no message that arrives in the step in which the connection opens", () =>
      Effect.gen(function* () {
        const { push, socket } = makeFakeSocket()
        const first = Effect.runFork(
          Effect.scoped(Effect.flatMap(Transport.fromSocket(socket), (transport) => transport.read))
        )
        push(new Uint8Array([1]))
        for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow()
        const exit = yield* Fiber.poll(first)
        yield* Fiber.interrupt(first)
        assert(exit._tag === "Some" && Exit.isSuccess(exit.value), "the message was lost")
        assert.deepStrictEqual(exit.value.value, new Uint8Array([1]))
      })
    )

    it.scoped("fails on a text message, after the bytes before it", () =>
      Effect.gen(function* () {
        const { push, socket } = makeFakeSocket()
        const transport = yield* Transport.fromSocket(socket)
        push(new Uint8Array([1]))
        push("two")
        push(new Uint8Array([3]))
        assert.deepStrictEqual(yield* transport.read, new Uint8Array([1]))
        const error = yield* Effect.flip(transport.read)
        assert.deepStrictEqual([error.reason, error.initiator], ["Read", "Remote"])
        assert.include(messageOf(error), "text message")
      })
    )

    it.scoped("never returns an empty chunk", () =>
      Effect.gen(function* () {
        const { push, socket } = makeFakeSocket()
        const transport = yield* Transport.fromSocket(socket)
        push(new Uint8Array(0))
        push(new Uint8Array([1]))
        assert.deepStrictEqual(yield* transport.read, new Uint8Array([1]))
      })
    )

    it.scoped("fails, and closes the socket, when more than maxBuffered bytes are unread", () =>
      Effect.gen(function* () {
        const { isClosed, push, socket, written } = makeFakeSocket()
        const transport = yield* Transport.fromSocket(socket, { maxBuffered: 10 })
        push(new Uint8Array(6))
        push(new Uint8Array(4))
        assert.strictEqual((yield* transport.read).length, 6)
        push(new Uint8Array(6))
        push(new Uint8Array(1))
        assert.strictEqual((yield* transport.read).length, 4)
        assert.strictEqual((yield* transport.read).length, 6)
        const error = yield* Effect.flip(transport.read)
        assert.strictEqual(error.reason, "Read")
        assert.include(messageOf(error), "more than 10 received bytes are unread")
        yield* isClosed
        assert.deepStrictEqual(written, [new Socket.CloseEvent(1000)])
      })
    )

    const endings: ReadonlyArray<[string, Exit.Exit<void, Socket.SocketError>, TransportFailed["reason"], string]> = [
      ["a peer's end", Exit.void, "Ended", ""],
      ["close code 1000", Exit.fail(closed(1000)), "Ended", "Close: 1000"],
      ["close code 1001", Exit.fail(closed(1001)), "Ended", "Close: 1001"],
      ["a close without a code", Exit.fail(closed(1005)), "Ended", "Close: 1005"],
      ["close code 1006", Exit.fail(closed(1006)), "Read", "Close: 1006"],
      ["close code 1011", Exit.fail(closed(1011)), "Read", "Close: 1011"],
      [
        "an error of the medium",
        Exit.fail(new Socket.SocketGenericError({ reason: "Read", cause: new Error("ECONNRESET") })),
        "Read",
        "ECONNRESET"
      ],
      [
        "an error in an event",
        Exit.fail(new Socket.SocketGenericError({ reason: "Read", cause: { error: new Error("bad frame") } })),
        "Read",
        "bad frame"
      ],
      ["a defect", Exit.die(new Error("a bug")), "Read", "a bug"]
    ]
    it.scoped.each(endings)("reports %s", ([, exit, reason, message]) =>
      Effect.gen(function* () {
        const { outcome, push, socket } = makeFakeSocket()
        const transport = yield* Transport.fromSocket(socket)
        push(new Uint8Array([1]))
        yield* Deferred.done(outcome, exit)
        assert.deepStrictEqual(yield* transport.read, new Uint8Array([1]))
        for (const _ of [1, 2]) {
          const error = yield* Effect.flip(transport.read)
          assert.deepStrictEqual([error.reason, error.initiator], [reason, "Remote"])
          assert.strictEqual(messageOf(error), message)
        }
        const refused = yield* Effect.flip(transport.write([new Uint8Array([1])]))
        assert.strictEqual(refused.reason, "Write")
      })
    )
  })

  describe("writing", () => {
    it.scoped("sends each write as one message", () =>
      Effect.gen(function* () {
        const { socket, written } = makeFakeSocket()
        const transport = yield* Transport.fromSocket(socket)
        const single = new Uint8Array([4])
        yield* transport.write([new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3])])
        yield* transport.write([single])
        yield* transport.write([new Uint8Array(0)])
        assert.deepStrictEqual(written, [new Uint8Array([1, 2, 3]), single])
        assert.strictEqual(written[1], single)
      })
    )

    it.scoped("fails a write that the socket never completes, once the socket has ended", () =>
      Effect.gen(function* () {
        const { outcome, socket } = makeFakeSocket({ write: () => Effect.never })
        const transport = yield* Transport.fromSocket(socket)
        const writing = yield* Effect.fork(Effect.flip(transport.write([new Uint8Array([1])])))
        yield* Effect.yieldNow()
        yield* Deferred.succeed(outcome, undefined)
        assert.strictEqual((yield* Fiber.join(writing)).reason, "Write")
      })
    )

    it.scoped("reports an error and a defect of the socket's writer", () =>
      Effect.gen(function* () {
        const error = new Socket.SocketGenericError({ reason: "Write", cause: new Error("EPIPE") })
        const failing = yield* Transport.fromSocket(makeFakeSocket({ write: () => Effect.fail(error) }).socket)
        const dying = yield* Transport.fromSocket(makeFakeSocket({ write: () => Effect.die(new Error("bug")) }).socket)
        const first = yield* Effect.flip(failing.write([new Uint8Array([1])]))
        const second = yield* Effect.flip(dying.write([new Uint8Array([1])]))
        assert.deepStrictEqual([first.reason, messageOf(first)], ["Write", "EPIPE"])
        assert.deepStrictEqual([second.reason, messageOf(second)], ["Write", "bug"])
      })
    )

    it.scoped("completes once no more than highWaterMark bytes are unsent", () =>
      Effect.gen(function* () {
        let bufferedAmount = 0
        const { socket } = makeFakeSocket({
          write: (message) =>
            Effect.sync(() => {
              if (message instanceof Uint8Array) bufferedAmount += message.length
            })
        })
        const transport = yield* Transport.fromSocket(socket, {
          bufferedAmount: () => bufferedAmount,
          highWaterMark: 10
        })
        yield* transport.write([new Uint8Array(10)])
        const writing = yield* Effect.fork(transport.write([new Uint8Array(1)]))
        yield* TestClock.adjust("1 second")
        assert.isTrue(Option.isNone(yield* Fiber.poll(writing)))
        bufferedAmount = 10
        yield* TestClock.adjust("256 millis")
        assert.isTrue(Option.isSome(yield* Fiber.poll(writing)))
        yield* Fiber.join(writing)
      })
    )

    it.scoped("fails a write that waits for unsent bytes when it is destroyed", () =>
      Effect.gen(function* () {
        const { socket } = makeFakeSocket()
        const transport = yield* Transport.fromSocket(socket, { bufferedAmount: () => 1, highWaterMark: 0 })
        const writing = yield* Effect.fork(Effect.flip(transport.write([new Uint8Array(1)])))
        yield* Effect.yieldNow()
        yield* transport.destroy
        const error = yield* Fiber.join(writing)
        assert.deepStrictEqual([error.reason, error.initiator], ["Write", "Local"])
      })
    )
  })

  describe("ending", () => {
    it.scoped("ends only its writing when the socket's writer has a scope", () =>
      Effect.gen(function* () {
        let endings = 0
        const { outcome, push, socket, written } = makeFakeSocket({ endWriting: Effect.sync(() => void endings++) })
        const transport = yield* Transport.fromSocket(socket)
        yield* transport.end
        yield* transport.end
        assert.strictEqual(endings, 1)
        assert.deepStrictEqual(written, [])
        push(new Uint8Array([1]))
        assert.deepStrictEqual(yield* transport.read, new Uint8Array([1]))
        assert.strictEqual((yield* Effect.flip(transport.write([new Uint8Array([1])]))).initiator, "Local")
        yield* Deferred.succeed(outcome, undefined)
        const error = yield* Effect.flip(transport.read)
        assert.deepStrictEqual([error.reason, error.initiator], ["Ended", "Remote"])
      })
    )

    it.scoped("closes a socket that cannot end its writing alone, and waits until it is closed", () =>
      Effect.gen(function* () {
        const { outcome, socket, written } = makeFakeSocket()
        const transport = yield* Transport.fromSocket(socket)
        const ending = yield* Effect.fork(transport.end)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(written, [new Socket.CloseEvent(1000)])
        assert.isTrue(Option.isNone(yield* Fiber.poll(ending)))
        yield* Deferred.fail(outcome, closed(1000))
        yield* Fiber.join(ending)
        const error = yield* Effect.flip(transport.read)
        assert.deepStrictEqual([error.reason, error.initiator], ["Ended", "Local"])
      })
    )

    it.scoped("does not wait for the socket when it is destroyed, and ends the operations that wait", () =>
      Effect.gen(function* () {
        const { isClosed, push, socket, written } = makeFakeSocket({
          write: () => Effect.never,
          endWriting: Effect.never
        })
        const transport = yield* Transport.fromSocket(socket)
        const ending = yield* Effect.fork(transport.end)
        yield* Effect.yieldNow()
        push(new Uint8Array([1]))
        yield* transport.destroy
        yield* transport.destroy
        yield* Fiber.join(ending)
        yield* transport.end
        const error = yield* Effect.flip(transport.read)
        assert.deepStrictEqual([error.reason, error.initiator], ["Read", "Local"])
        yield* isClosed
        assert.deepStrictEqual(written, [new Socket.CloseEvent(1000)])
      })
    )

    it.effect("interrupts the socket's run when the scope closes", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        let interrupted = false
        const runRaw: Socket.Socket["runRaw"] = (_, opts) =>
          Effect.zipRight(opts?.onOpen ?? Effect.void, Effect.never).pipe(
            Effect.onInterrupt(() => Effect.sync(() => (interrupted = true)))
          )
        const socket = Socket.Socket.of({
          [Socket.TypeId]: Socket.TypeId,
          run: () => Effect.dieMessage("a string would have become bytes"),
          runRaw,
          writer: Effect.succeed(() => Effect.void)
        })
        yield* Scope.extend(Transport.fromSocket(socket), scope)
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(interrupted)
      })
    )
  })

  describe("opening", () => {
    it.scopedLive("fails with Open, and nothing processed, when the connection is refused", () =>
      Effect.gen(function* () {
        const socket = yield* NodeSocket.makeNet({ port: yield* unusedPort, host: "127.0.0.1" })
        const error = yield* Effect.flip(Transport.fromSocket(socket))
        assert.deepStrictEqual([error._tag, error.reason, error.processed], ["TransportFailed", "Open", "no"])
        assert.include(error.message, "ECONNREFUSED")
      })
    )

    it.scopedLive.each([
      ["ws", layerNodeWebSocket],
      ["the standard", layerStandardWebSocket]
    ] as const)("fails with Open when a WebSocket of %s is refused", ([, layer]) =>
      Effect.gen(function* () {
        const url = `ws://127.0.0.1:${yield* unusedPort}`
        const error = yield* Effect.flip(build(Transport.layerWebSocket(url).pipe(Layer.provide(layer))))
        assert.deepStrictEqual([error._tag, error.reason, error.processed], ["TransportFailed", "Open", "no"])
      })
    )
  })
})

describe("a transport over a WebSocket", () => {
  it.scopedLive.each([
    ["an orderly close", 1000, "Ended"],
    ["a peer that goes away", 1001, "Ended"],
    ["an internal error of the peer", 1011, "Read"]
  ] as const)("reports %s", ([, code, reason]) =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.makeWebSocket({ port: 0, host: "127.0.0.1" })
      yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.scoped(
            Effect.gen(function* () {
              const write = yield* socket.writer
              yield* socket.runRaw(() => undefined, {
                onOpen: Effect.zipRight(write(new Uint8Array([7])), write(new Socket.CloseEvent(code))).pipe(
                  Effect.orDie
                )
              })
            })
          ).pipe(Effect.ignore)
        )
      )
      const client = yield* Transport.makeWebSocket(`ws://127.0.0.1:${portOf(server)}`).pipe(
        Effect.provide(layerNodeWebSocket)
      )
      assert.deepStrictEqual(yield* readToEnd(client), [new Uint8Array([7]), reason])
    })
  )

  it.scopedLive("does not report a broken connection as an orderly end", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ port: 0, host: "127.0.0.1" })
      yield* Effect.forkScoped(server.run(shakeHandsAndLeave))
      const client = yield* Transport.makeWebSocket(`ws://127.0.0.1:${portOf(server)}`).pipe(
        Effect.provide(layerNodeWebSocket)
      )
      assert.deepStrictEqual(yield* readToEnd(client), [new Uint8Array(0), "Read"])
    })
  )

  // Whichever way the layers are put together: the first way, the standard constructor is in the context of the run.
  const arrayBuffers = Transport.layerWebSocketConstructorArrayBuffer
  const ways = (url: string) => ({
    "layerSocket, wrapped inside": Transport.layerSocket().pipe(
      Layer.provide(Socket.layerWebSocket(url).pipe(Layer.provide(arrayBuffers)))
    ),
    "layerSocket, wrapped outside": Transport.layerSocket().pipe(
      Layer.provide(Socket.layerWebSocket(url)),
      Layer.provide(arrayBuffers)
    ),
    layerWebSocket: Transport.layerWebSocket(url)
  })
  it.scopedLive.each(["layerSocket, wrapped inside", "layerSocket, wrapped outside", "layerWebSocket"] as const)(
    "gets ArrayBuffers, and in order, from a WebSocket that would give Blobs (%s)",
    (way) =>
      Effect.gen(function* () {
        const server = yield* NodeSocketServer.makeWebSocket({ port: 0, host: "127.0.0.1" })
        const accepted = yield* accept(server)
        const kinds = new Set<string>()
        const layerRecording = Layer.effect(
          Socket.WebSocketConstructor,
          Effect.map(Socket.WebSocketConstructor, (construct) => (url: string, protocols?: string | Array<string>) => {
            const webSocket = construct(url, protocols)
            webSocket.addEventListener("message", (event) => kinds.add(Object.prototype.toString.call(event.data)))
            return webSocket
          })
        ).pipe(Layer.provide(layerStandardWebSocket))
        const url = `ws://127.0.0.1:${portOf(server)}`
        const client = yield* build(ways(url)[way].pipe(Layer.provide(layerRecording)))
        const peer = yield* accepted
        const sent = [1_000_000, 1, 100_000, 2, 3].map((length) => noise(length, length))
        for (const bytes of sent) yield* peer.write([bytes])
        const expected = join(sent)
        assertSameBytes(yield* readBytes(client, expected.length), expected)
        assert.deepStrictEqual([...kinds], ["[object ArrayBuffer]"])
      })
  )

  it.scopedLive("waits for unsent bytes on a real WebSocket", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.makeWebSocket({ port: 0, host: "127.0.0.1" })
      const accepted = yield* accept(server)
      let webSocket: globalThis.WebSocket | undefined
      const client = yield* Transport.makeWebSocket(`ws://127.0.0.1:${portOf(server)}`, { highWaterMark: 1000 }).pipe(
        Effect.provideServiceEffect(
          Socket.WebSocketConstructor,
          Effect.map(Socket.WebSocketConstructor, (construct) => (url: string, protocols?: string | Array<string>) => {
            webSocket = construct(url, protocols)
            return webSocket
          })
        ),
        Effect.provide(layerNodeWebSocket)
      )
      const peer = yield* accepted
      yield* Effect.forkScoped(Effect.forever(peer.read))
      for (let i = 0; i < 20; i++) {
        yield* client.write([new Uint8Array(1_000_000)])
        assert.isAtMost(webSocket?.bufferedAmount ?? Infinity, 1000)
      }
    })
  )
})

/** A port on which nobody listens any more. */
const unusedPort = Effect.scoped(Effect.map(NodeSocketServer.make({ port: 0, host: "127.0.0.1" }), portOf))

/** A server of WebSockets that closes the connection without a close frame. */
const shakeHandsAndLeave = (socket: Socket.Socket) =>
  Effect.scoped(
    Effect.gen(function* () {
      const write = yield* socket.writer
      const request = yield* Deferred.make<string>()
      const running = yield* Effect.fork(
        socket.run((bytes) => Deferred.unsafeDone(request, Effect.succeed(Buffer.from(bytes).toString())))
      )
      const key = /sec-websocket-key: (.*)\r\n/i.exec(yield* Deferred.await(request))?.[1] ?? ""
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
      const upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
      yield* write(`${upgrade}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
      yield* Fiber.interrupt(running)
    })
  )

it.scopedLive("a second transport over a Socket is refused", () =>
  Effect.gen(function* () {
    const port = yield* listening((session) => session.serve(echoWhole))
    const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port })
    const scope = yield* Effect.scope
    yield* assertCarriesOneSession(Effect.provideService(Transport.fromSocket(socket), Scope.Scope, scope))
  })
)

describe("the options of a Socket's transport", () => {
  const options: ReadonlyArray<object> = [
    { maxBuffered: "x" },
    { highWaterMark: -1 },
    { openTimeout: "soon" },
    { bufferedAmount: 3 }
  ]
  for (const option of options) {
    const [name = ""] = Object.keys(option)
    it.scoped(`an invalid ${name} fails with Open, and the message names it`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Transport.fromSocket(wrong({}), wrong(option)))
        assert.include(error.message, name)
      })
    )
  }
})
