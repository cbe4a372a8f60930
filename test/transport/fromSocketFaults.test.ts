/** A `Socket` is code that is not ours: whatever it does wrong ends its transport, and nothing else. */
import * as Socket from "@effect/platform/Socket"
import { assert, describe, it } from "@effect/vitest"
import { Session, Transport } from "effect-muxado"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as vm from "node:vm"
import type { TransportFailed } from "../../src/MuxadoError.js"
import { failing } from "../support/failing.js"
import { call, ending, quick } from "../support/session/sessionTest.js"
import { wrong } from "../support/wrong.js"

type Send = (chunk: Uint8Array | string | Socket.CloseEvent) => Effect.Effect<void, Socket.SocketError>
type Writer = Effect.Effect<Send, never, Scope.Scope>
type Run = Effect.Effect<void, Socket.SocketError>

interface Parts {
  readonly run?: (opened: Effect.Effect<void>) => Run
  readonly writer?: () => Writer
  readonly send?: Send
}

interface Made {
  readonly socket: Socket.Socket
  readonly push: (message: unknown) => unknown
}

const nothing: Send = () => Effect.void

/** A socket that opens and stays open, except for the parts that a test replaces. */
const makeSocket = ({ run, send = nothing, writer }: Parts = {}): Made => {
  let handler: (message: Uint8Array) => unknown = () => undefined
  const socket: Socket.Socket = {
    [Socket.TypeId]: Socket.TypeId,
    run: () => Effect.dieMessage("not used"),
    runRaw: (onMessage, options) => {
      handler = onMessage
      const opened = options?.onOpen ?? Effect.void
      return run === undefined ? Effect.zipRight(opened, Effect.never) : run(opened)
    },
    writer: Effect.succeed(send)
  }
  if (writer !== undefined) Object.defineProperty(socket, "writer", { get: writer })
  return { socket, push: (message: unknown) => handler(message as Uint8Array) }
}

const broken = new Error("broken")

const throws = (): never => {
  throw broken
}

/** What an effect that is not ours can come to, and the message that tells of it. */
const faults: ReadonlyArray<readonly [string, () => Effect.Effect<never, Socket.SocketError>, string]> = [
  ["throws", throws, "broken"],
  ["dies", () => Effect.die(broken), "broken"],
  ["fails", () => Effect.fail(new Socket.SocketGenericError({ reason: "Write", cause: broken })), "broken"],
  ["interrupts itself", () => Effect.interrupt, "interrupted itself"],
  ["gives no effect", () => null as never, "must be an Effect, not null"]
]

const messageOf = (error: TransportFailed): string => (error.cause instanceof Error ? error.cause.message : "")

const one = Uint8Array.of(1)

describe("a Socket whose writer", () => {
  for (const [fault, effect, message] of faults) {
    it.scoped(`${fault} does not become a transport`, () =>
      Effect.gen(function* () {
        const { socket } = makeSocket({ writer: () => effect() as Effect.Effect<never> })
        const error = yield* Effect.flip(Transport.fromSocket(socket))
        assert.deepStrictEqual([error.reason, error.processed], ["Open", "no"])
        assert.include(messageOf(error), message)
      })
    )

    it.scoped(`${fault} when it sends ends the transport, and its session, with that cause`, () =>
      Effect.gen(function* () {
        const { socket } = makeSocket({ send: effect })
        const transport = yield* Transport.fromSocket(socket)
        const reading = yield* Effect.fork(Effect.flip(transport.read))
        const error = yield* Effect.flip(transport.write([one]))
        assert.strictEqual(error.reason, "Write")
        assert.include(messageOf(error), message)
        const read = yield* Fiber.join(reading)
        assert.strictEqual(read.reason, "Write")
        assert.include(messageOf(read), message)

        const second = yield* Transport.fromSocket(makeSocket({ send: effect }).socket)
        const session = yield* Session.fromTransport(second, { role: "client", heartbeat: false })
        yield* Effect.fork(Effect.scoped(session.open()))
        const end = yield* session.closed
        assert.strictEqual(end._tag, "TransportFailed")
        assert.include(end.message, message)
      })
    )

    it.scoped(`${fault} on the close event fails the transport, and end completes`, () =>
      Effect.gen(function* () {
        const { socket } = makeSocket({ send: (chunk) => (Socket.isCloseEvent(chunk) ? effect() : Effect.void) })
        const transport = yield* Transport.fromSocket(socket)
        yield* transport.end
        assert.include(messageOf(yield* Effect.flip(transport.read)), message)
      })
    )
  }

  it.scoped("never becomes available fails with Open after openTimeout", () =>
    Effect.gen(function* () {
      const { socket } = makeSocket({ writer: () => Effect.never })
      const opening = yield* Effect.fork(Effect.flip(Transport.fromSocket(socket, { openTimeout: "3 seconds" })))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(opening)
      assert.deepStrictEqual([error.reason, messageOf(error)], ["Open", "the Socket has no writer within 3s"])
    })
  )

  it.effect("cannot be released does not delay the end of the scope", () =>
    Effect.gen(function* () {
      for (const release of [Effect.never, Effect.die(broken), Effect.interrupt]) {
        const writer = Effect.as(
          Effect.addFinalizer(() => release),
          () => Effect.void
        )
        const scope = yield* Scope.make()
        yield* Scope.extend(Transport.fromSocket(makeSocket({ writer: () => writer }).socket), scope)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.join(closing)
      }
    })
  )
})

describe("a Socket whose run", () => {
  for (const [fault, effect, message] of faults) {
    it.scoped(`${fault} before it is open does not become a transport`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Transport.fromSocket(makeSocket({ run: effect }).socket))
        assert.deepStrictEqual([error.reason, error.processed], ["Open", "no"])
        assert.include(messageOf(error), message)
      })
    )

    it.scoped(`${fault} later ends the transport, and its session, with that cause`, () =>
      Effect.gen(function* () {
        const later = yield* Deferred.make<void>()
        const run = (opened: Effect.Effect<void>) =>
          opened.pipe(Effect.zipRight(Deferred.await(later)), Effect.zipRight(Effect.suspend(effect)))
        const transport = yield* Transport.fromSocket(makeSocket({ run }).socket)
        const session = yield* Session.fromTransport(transport, { role: "client", heartbeat: false })
        yield* Deferred.succeed(later, undefined)
        const end = yield* session.closed
        assert(end._tag === "TransportFailed")
        // what gives no effect is a defect of the effect system's own, at this place
        assert.include(end.message, fault === "gives no effect" ? "" : message)
        assert.isDefined(end.cause)
      })
    )
  }

  it.scoped("ends before it is open does not become a transport", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Transport.fromSocket(makeSocket({ run: () => Effect.void }).socket))
      assert.deepStrictEqual([error.reason, messageOf(error)], ["Open", "the Socket ended before it was open"])
    })
  )

  it.scoped("never opens fails with Open after openTimeout", () =>
    Effect.gen(function* () {
      const opening = yield* Effect.fork(
        Effect.flip(Transport.fromSocket(makeSocket({ run: () => Effect.never }).socket))
      )
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(opening)
      assert.deepStrictEqual([error.reason, messageOf(error)], ["Open", "the Socket did not open within 10s"])
    })
  )

  it.effect("cannot be interrupted does not delay the end of the scope", () =>
    Effect.gen(function* () {
      const release = yield* Deferred.make<void>()
      const run = (opened: Effect.Effect<void>) =>
        Effect.uninterruptible(Effect.zipRight(opened, Deferred.await(release)))
      const scope = yield* Scope.make()
      const transport = yield* Scope.extend(Transport.fromSocket(makeSocket({ run }).socket), scope)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* Effect.flip(transport.read)).reason, "Read")
      yield* Deferred.succeed(release, undefined)
    })
  )
})

describe("a value that is given to a transport over a Socket", () => {
  const wrong: ReadonlyArray<readonly [string, unknown, string]> = [
    ["a string", ["hello"], "not a string of 5 characters"],
    ["an ArrayBuffer", [one, new ArrayBuffer(5)], "not an ArrayBuffer of 5 bytes"],
    ["a Uint16Array", [Uint16Array.of(500)], "Uint16Array of 2 bytes"],
    ["null in the batch", [null], "not null"],
    ["no array", one, "Uint8Array of 1 bytes"],
    ["null", null, "not null"]
  ]
  it.scoped.each(wrong)("fails its write if it is %s, and no part of it is sent", ([, chunks, message]) =>
    Effect.gen(function* () {
      const sent: Array<unknown> = []
      const { socket } = makeSocket({ send: (chunk) => Effect.sync(() => void sent.push(chunk)) })
      const transport = yield* Transport.fromSocket(socket)
      const error = yield* Effect.flip(transport.write(chunks as ReadonlyArray<Uint8Array>))
      assert.strictEqual(error.reason, "Write")
      assert.instanceOf(error.cause, TypeError)
      assert.include(messageOf(error), message)
      assert.deepStrictEqual(sent, [])
      yield* transport.write([one])
      assert.deepStrictEqual(sent, [one])
    })
  )

  it.scoped("fails its write if its memory is transferred before the write runs, alone and among others", () =>
    Effect.gen(function* () {
      const sent: Array<unknown> = []
      const { socket } = makeSocket({ send: (chunk) => Effect.sync(() => void sent.push(chunk)) })
      const transport = yield* Transport.fromSocket(socket)
      for (const others of [[], [one]]) {
        const chunk = new Uint8Array(100)
        const writing = transport.write([...others, chunk])
        structuredClone(chunk.buffer, { transfer: [chunk.buffer] })
        const error = yield* Effect.flip(writing)
        assert.strictEqual(error.reason, "Write")
        assert.include(messageOf(error), "transferred")
      }
      assert.deepStrictEqual(sent, [])
    })
  )

  it.scoped.each([
    ["a number", 5, "not 5"],
    ["null", null, "not null"],
    ["an object", { data: one }, "not an object"],
    ["a Uint16Array", Uint16Array.of(1), "Uint16Array"],
    ["a Blob", new Blob(["1"]), "not a Blob"],
    ["an array of fragments", [one], "not an array"]
  ] as const)("fails reading if the Socket delivers %s", ([, message, detail]) =>
    Effect.gen(function* () {
      const { push, socket } = makeSocket()
      const transport = yield* Transport.fromSocket(socket)
      push(one)
      push(message)
      push(one)
      assert.deepStrictEqual(yield* transport.read, one)
      const error = yield* Effect.flip(transport.read)
      assert.deepStrictEqual([error.reason, error.initiator], ["Read", "Local"])
      assert.include(messageOf(error), detail)
    })
  )

  it.scoped("may be bytes of another realm", () =>
    Effect.gen(function* () {
      const sent: Array<unknown> = []
      const { push, socket } = makeSocket({ send: (chunk) => Effect.sync(() => void sent.push(chunk)) })
      const transport = yield* Transport.fromSocket(socket)
      const other: { readonly bytes: Uint8Array; readonly buffer: ArrayBuffer } = vm.runInNewContext(
        "({ bytes: Uint8Array.of(1, 2), buffer: Uint8Array.of(3).buffer })"
      ) as never
      push(other.bytes)
      push(other.buffer)
      assert.deepStrictEqual([...(yield* transport.read), ...(yield* transport.read)], [1, 2, 3])
      yield* transport.write([other.bytes])
      assert.strictEqual(sent[0], other.bytes)
    })
  )

  it.scoped("fails reading, and leaves no gap, if the Socket transfers memory that it has delivered", () =>
    Effect.gen(function* () {
      const { push, socket } = makeSocket()
      const transport = yield* Transport.fromSocket(socket)
      const chunk = new Uint8Array(100)
      push(chunk)
      push(one)
      structuredClone(chunk.buffer, { transfer: [chunk.buffer] })
      for (const _ of [1, 2]) {
        const error = yield* Effect.flip(transport.read)
        assert.deepStrictEqual([error.reason, error.initiator], ["Read", "Local"])
        assert.include(messageOf(error), "transferred")
      }
    })
  )

  it.scoped("does not keep a large buffer alive for a small message in it", () =>
    Effect.gen(function* () {
      const { push, socket } = makeSocket()
      const transport = yield* Transport.fromSocket(socket)
      push(new Uint8Array(65_536).subarray(7, 10))
      assert.strictEqual((yield* transport.read).buffer.byteLength, 3)
    })
  )

  it.scoped.each([
    [{ maxBuffered: NaN }, "maxBuffered"],
    [{ maxBuffered: "1" as unknown as number }, "maxBuffered"],
    [{ highWaterMark: -1 }, "highWaterMark"],
    [{ bufferedAmount: 5 as unknown as () => number }, "bufferedAmount"],
    [{ openTimeout: "soon" as unknown as number }, "openTimeout"]
  ] as const)("fails with Open if it is a wrong option: %o", ([options, name]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Transport.fromSocket(makeSocket().socket, options))
      assert.deepStrictEqual([error.reason, error.processed], ["Open", "no"])
      assert.include(messageOf(error), name)
    })
  )

  const amounts: ReadonlyArray<readonly [string, () => number, string]> = [
    ["throws", throws, "broken"],
    ["gives no number", () => "5" as never, "a string"],
    ["gives NaN", () => NaN, "not NaN"],
    ["gives less than nothing", () => -1, "not -1"]
  ]
  it.scoped.each(amounts)("ends only its own transport if its bufferedAmount %s", ([, bufferedAmount, message]) =>
    Effect.gen(function* () {
      const transport = yield* Transport.fromSocket(makeSocket().socket, { bufferedAmount })
      const other = yield* Transport.fromSocket(makeSocket().socket)
      const error = yield* Effect.flip(transport.write([one]))
      assert.strictEqual(error.reason, "Write")
      assert.include(messageOf(error), message)
      assert.strictEqual((yield* Effect.flip(transport.read)).reason, "Write")
      yield* other.write([one])
    })
  )
})

it.scopedLive("the error of a Socket whose write throws has the reason Write", () =>
  Effect.gen(function* () {
    const socket = wrong<Socket.Socket>({
      [Socket.TypeId]: Socket.TypeId,
      runRaw: (_: unknown, options?: { readonly onOpen?: Effect.Effect<void> }) =>
        Effect.zipRight(options?.onOpen ?? Effect.void, Effect.never),
      writer: Effect.succeed(() => {
        throw new Error("boom")
      })
    })
    const transport = yield* Transport.fromSocket(socket)
    const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
    yield* ending(call(client))
    const error = yield* client.closed
    assert.strictEqual(error._tag === "TransportFailed" ? error.reason : undefined, "Write")
  })
)

describe("a Socket given to fromSocket", () => {
  const opening = (writer: unknown, deliver: unknown = undefined) =>
    wrong<Socket.Socket>({
      [Socket.TypeId]: Socket.TypeId,
      runRaw: (handler: (data: unknown) => void, options?: { readonly onOpen?: Effect.Effect<void> }) =>
        Effect.zipRight(
          options?.onOpen ?? Effect.void,
          Effect.zipRight(
            Effect.sync(() => {
              if (deliver !== undefined) handler(deliver)
            }),
            Effect.never
          )
        ),
      writer: Effect.succeed(writer)
    })

  for (const [way, fault] of Object.entries({
    ...failing,
    "is over at once": () => Effect.void,
    "never opens": () => Effect.never
  })) {
    it.scopedLive(`whose runRaw ${way} fails with Open`, () =>
      Effect.gen(function* () {
        const socket = wrong<Socket.Socket>({ ...opening(() => Effect.void), runRaw: fault })
        const error = yield* Effect.flip(Transport.fromSocket(socket, { openTimeout: 50 }))
        assert.strictEqual(error._tag === "TransportFailed" ? error.reason : undefined, "Open")
      })
    )
  }

  for (const [way, fault] of Object.entries(failing)) {
    it.scopedLive(`whose writer ${way} ends the session over it with TransportFailed`, () =>
      Effect.gen(function* () {
        const transport = yield* Transport.fromSocket(opening(fault))
        const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      })
    )
  }

  for (const [name, message] of Object.entries({
    text: "text",
    "a number": 7,
    "an object": { length: 4 },
    null: null
  })) {
    it.scopedLive(`that gives ${name} instead of bytes ends the session over it`, () =>
      Effect.gen(function* () {
        const transport = yield* Transport.fromSocket(opening(() => Effect.void, message))
        const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      })
    )
  }
})
