/** What somebody else's transport, reader, writer or logger does must end the session, or harm nothing: never a zombie. */
import { assert, describe, it } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxadoError, MuxStream, Session, Transport } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { echo, exchange, passTimeUntil, scenario, sessionOver, text } from "./utils/sessions.js"

const reason = new Error("the port is closed")

/** Each way in which a part can go wrong, as the effect that it should have given. */
const faults: Readonly<Record<string, () => Effect.Effect<never, MuxadoError.TransportFailed>>> = {
  throws: () => {
    throw reason
  },
  dies: () => Effect.die(reason),
  fails: () =>
    Effect.fail(
      new MuxadoError.TransportFailed({ reason: "Write", cause: reason, initiator: "Remote", processed: "maybe" })
    ),
  "interrupts itself": () => Effect.interrupt,
  "never completes": () => Effect.never,
  "gives no effect": () => undefined as unknown as Effect.Effect<never>
}

/** Calls `fault` from the third call on. */
const later = <Args extends ReadonlyArray<unknown>, A, E>(
  ordinary: (...args: Args) => Effect.Effect<A, E>,
  fault: () => Effect.Effect<never, E>
) => {
  let calls = 0
  return (...args: Args): Effect.Effect<A, E> => (++calls >= 3 ? fault() : ordinary(...args))
}

type Parts = {
  readonly transport: Transport.TransportService
  readonly reader: FrameReader.FrameReaderService
  readonly writer: FrameWriter.FrameWriterService
}

const breaks: Readonly<
  Record<string, (link: Transport.TransportService, fault: () => Effect.Effect<never, never>) => Parts>
> = {
  "a transport's write": (link, fault) => {
    const transport = { ...link, write: later(link.write, fault) }
    return { transport, reader: FrameReader.make(transport), writer: FrameWriter.make(transport) }
  },
  "a transport's read": (link, fault) => {
    const read = later(() => link.read, fault)
    const transport = {
      ...link,
      get read() {
        return read()
      }
    }
    return { transport, reader: FrameReader.make(transport), writer: FrameWriter.make(transport) }
  },
  "a reader's take": (link, fault) => {
    const reader = FrameReader.make(link)
    const take = later(() => reader.take, fault)
    return {
      transport: link,
      reader: {
        get take() {
          return take()
        }
      },
      writer: FrameWriter.make(link)
    }
  },
  "a writer's write": (link, fault) => ({
    transport: link,
    reader: FrameReader.make(link),
    writer: { write: later(FrameWriter.make(link).write, fault) }
  })
}

const start = ({ reader, transport, writer }: Parts) =>
  Session.make({
    role: "client",
    heartbeat: { interval: "1 second", tolerance: "1 second" },
    writeTimeout: "1 second"
  }).pipe(
    Effect.provideService(Transport.Transport, transport),
    Effect.provideService(FrameReader.FrameReader, reader),
    Effect.provideService(FrameWriter.FrameWriter, writer)
  )

describe("a session ends, and its calls with it, if", () => {
  for (const [part, broken] of Object.entries(breaks)) {
    for (const [how, fault] of Object.entries(faults)) {
      it.effect(`${part} ${how}`, () =>
        Effect.gen(function* () {
          const link = yield* SimulatedTransport.makePair()
          const client = yield* start(broken(link.client, fault as () => Effect.Effect<never, never>))
          const server = yield* sessionOver("server", link.server, { heartbeat: false })
          yield* Effect.fork(server.serve(echo))
          const calls = yield* Effect.fork(
            Effect.forEach([1, 2, 3, 4, 5, 6], () =>
              Effect.exit(client.withStream((stream) => exchange(stream, text("a call"))))
            )
          )
          const exits = yield* passTimeUntil(calls)
          assert.isTrue(exits.some((exit) => exit._tag === "Failure"))
          const closed = yield* passTimeUntil(yield* Effect.fork(client.closed))
          if (how === "never completes") {
            assert.strictEqual(closed._tag, "SessionDead")
          } else {
            assert(closed._tag === "TransportFailed")
            if (how === "gives no effect") return
            assert.include(closed.message, how === "interrupts itself" ? "interrupted itself" : "the port is closed")
          }
          // a session that has ended says so at once
          const late = yield* Effect.flip(client.withStream(() => Effect.void))
          assert.strictEqual(late._tag, closed._tag)
        }).pipe(scenario)
      )
    }
  }
})

describe("an ending is bounded, and harms nothing, if", () => {
  for (const part of ["end", "destroy"] as const) {
    for (const [how, fault] of Object.entries(faults)) {
      it.effect(`a transport's ${part} ${how}`, () =>
        Effect.gen(function* () {
          const link = yield* SimulatedTransport.makePair()
          const transport: Transport.TransportService = {
            read: link.client.read,
            write: link.client.write,
            end: link.client.end,
            destroy: link.client.destroy,
            get [part]() {
              return Effect.zipRight(link.client[part], fault() as Effect.Effect<never>)
            }
          }
          const client = yield* Session.fromTransport(transport, { role: "client", heartbeat: false })
          const server = yield* sessionOver("server", link.server, { heartbeat: false })
          yield* Effect.fork(server.serve(echo))
          yield* client.withStream((stream) => exchange(stream, text("a call")))
          yield* passTimeUntil(yield* Effect.fork(client.close))
          assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
        }).pipe(scenario)
      )
    }
  }
})

describe("what a transport reads", () => {
  for (const [chunk, name] of [
    ["hello", "a string of 5 characters"],
    [new ArrayBuffer(8), "an ArrayBuffer of 8 bytes"],
    [Uint16Array.of(1), "a Uint16Array of 2 bytes"],
    [null, "null"],
    [undefined, "undefined"]
  ] as const) {
    it.effect(`ends the session with TransportFailed if it is ${name}`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const client = yield* Session.fromTransport(
          { ...link.client, read: Effect.succeed(chunk as unknown as Uint8Array) },
          { role: "client" }
        )
        const closed = yield* client.closed
        assert(closed._tag === "TransportFailed")
        assert.strictEqual(closed.reason, "Read")
        assert.include(closed.message, `a chunk must be a Uint8Array, not ${name}`)
      }).pipe(scenario)
    )
  }
})

describe("what a writer of somebody else's writes", () => {
  it.effect("cannot turn payload into frames: a payload that is not as long as announced ends the session", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const writer = FrameWriter.make(link.client)
      const client = yield* start({
        transport: link.client,
        reader: FrameReader.make(link.client),
        writer: {
          write: (frames) =>
            writer.write(
              frames.map((frame) => (frame._tag === "Data" ? { ...frame, payload: frame.payload.subarray(1) } : frame))
            )
        }
      })
      const call = yield* Effect.fork(Effect.exit(client.withStream((stream) => MuxStream.write(stream, "hello"))))
      const closed = yield* client.closed
      assert(closed._tag === "TransportFailed")
      assert.include(closed.message, "announces 9 bytes of payload, and brings 8")
      yield* Fiber.join(call)
    }).pipe(scenario)
  )
})

describe("a handler's surroundings", () => {
  it.effect("a resetCode that throws or gives no code resets with InternalError, and the session goes on", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* sessionOver("client", link.client)
      const server = yield* sessionOver("server", link.server)
      const codes: Array<unknown> = [3, () => "never", -1, "6"]
      yield* Effect.fork(
        server.serve(({ type }) => Effect.fail(type ?? 0), {
          resetCode: (type) => {
            if (type === 4) throw reason
            return codes[type] as number
          }
        })
      )
      const seen: Array<number> = []
      for (const type of [0, 1, 2, 3, 4]) {
        const error = yield* Effect.flip(client.withStream(MuxStream.readAll, { type }))
        assert(error._tag === "StreamReset")
        seen.push(error.code)
      }
      assert.deepStrictEqual(seen, [3, 2, 2, 2, 2])
    }).pipe(scenario)
  )

  it.effect("a handler that throws where it is called resets its stream, and the session goes on", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* sessionOver("client", link.client)
      const server = yield* sessionOver("server", link.server)
      const handled = yield* Deferred.make<void>()
      yield* Effect.fork(
        server.serve((stream) => {
          if (stream.type === 1) throw reason
          return Effect.zipRight(Deferred.succeed(handled, undefined), echo(stream))
        })
      )
      const error = yield* Effect.flip(client.withStream(MuxStream.readAll, { type: 1 }))
      assert.deepInclude(error, { _tag: "StreamReset", code: 2 })
      yield* client.withStream((stream) => exchange(stream, text("still here")))
      yield* Deferred.await(handled)
    }).pipe(scenario)
  )
})
