/** What somebody else's transport, reader, writer or logger does must end the session, or harm nothing: never a zombie. */
import { assert, describe, it } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxadoError, MuxStream, Session, Transport } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { failing } from "../support/failing.js"
import { call, echoWhole, ending, quick, sessionTest } from "../support/session/sessionTest.js"
import { echo, encoded, exchange, passTimeUntil, scenario, sessionOver, settle } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

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

describe("a session ends, and its calls with it, when", () => {
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
              Effect.exit(client.withStream((stream) => exchange(stream, encoded("a call"))))
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

describe("an ending is bounded, and harms nothing, when", () => {
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
          yield* client.withStream((stream) => exchange(stream, encoded("a call")))
          yield* passTimeUntil(yield* Effect.fork(client.close))
          assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
        }).pipe(scenario)
      )
    }
  }
})

describe("what a transport of the application reads", () => {
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

describe("a writer of frames from the application", () => {
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
      assert.include(closed.message, "announces 9 bytes of payload, but has 8")
      yield* Fiber.join(call)
    }).pipe(scenario)
  )
})

const timers = { ...quick, heartbeat: false as const }

it.effect("a value that is no transport fails with InvalidOptions", () =>
  Effect.gen(function* () {
    for (const value of [undefined, 3, {}]) {
      const end = yield* ending(Effect.scoped(Session.fromTransport(wrong(value), { ...quick, role: "client" })))
      assert.match(end, /^fails InvalidOptions: .*transport/)
    }
  })
)

it.scopedLive("a transport that reads empty chunks without end keeps no core busy", () =>
  Effect.gen(function* () {
    let reads = 0
    const transport: Transport.TransportService = {
      read: Effect.sync(() => {
        reads++
        return new Uint8Array()
      }),
      write: () => Effect.void,
      end: Effect.void,
      destroy: Effect.void
    }
    yield* Session.fromTransport(transport, { ...quick, role: "client" })
    yield* Effect.sleep(50)
    assert.isBelow(reads, 100)
  })
)

it.effect("a reader of frames that gives something else is named in the error", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair()
    const client = yield* Session.make({ ...quick, role: "client" }).pipe(
      Effect.provideService(Transport.Transport, link.client),
      Effect.provideService(FrameReader.FrameReader, wrong({ take: Effect.succeed("nothing of the kind") })),
      Effect.provideService(FrameWriter.FrameWriter, FrameWriter.make(link.client))
    )
    assert.match((yield* client.closed).message, /a FrameReader must give/)
  }).pipe(Effect.scoped)
)

describe("a transport of the application", () => {
  for (const [way, fault] of Object.entries(failing)) {
    for (const at of [1, 2]) {
      sessionTest(`whose write ${way}, the ${at}. time, ends its session with TransportFailed`, () =>
        Effect.gen(function* () {
          const link = yield* SimulatedTransport.makePair()
          let writes = 0
          const transport: Transport.TransportService = {
            ...link.client,
            write: (chunks) => (++writes >= at ? wrong(fault()) : link.client.write(chunks))
          }
          const client = yield* Session.fromTransport(transport, { ...timers, role: "client" })
          const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
          yield* Effect.forkScoped(server.serve(echoWhole))
          if (at === 2) assert.strictEqual(yield* call(client), "hello")
          assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
          assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
          assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
          assert.strictEqual((yield* server.closed)._tag, "TransportFailed")
        })
      )
    }

    sessionTest(`whose read ${way} ends its session with TransportFailed`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        let reads = 0
        const read = wrong<Transport.TransportService["read"]>(
          Effect.suspend(() => (++reads >= 3 ? wrong<Transport.TransportService["read"]>(fault()) : link.client.read))
        )
        const client = yield* Session.fromTransport({ ...link.client, read }, { ...timers, role: "client" })
        const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
        yield* Effect.forkScoped(server.serve(echoWhole))
        yield* Effect.forEach([1, 2, 3], () => ending(call(client)))
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      })
    )

    for (const part of ["end", "destroy"] as const) {
      sessionTest(`whose ${part} ${way} lets its session close`, () =>
        Effect.gen(function* () {
          const link = yield* SimulatedTransport.makePair()
          const transport = { ...link.client, [part]: Effect.suspend(() => wrong<Effect.Effect<void>>(fault())) }
          const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
          yield* Effect.forkScoped(server.serve(echoWhole))
          const scope = yield* Scope.make()
          const client = yield* Scope.extend(Session.fromTransport(transport, { ...timers, role: "client" }), scope)
          assert.strictEqual(yield* call(client), "hello")
          assert.strictEqual(yield* ending(Scope.close(scope, Exit.void)), "ok")
          assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
        })
      )
    }
  }

  sessionTest("whose operations never complete is closed within its limits", () =>
    Effect.gen(function* () {
      const never: Transport.TransportService = {
        read: Effect.never,
        write: () => Effect.never,
        end: Effect.never,
        destroy: Effect.never
      }
      const scope = yield* Scope.make()
      const client = yield* Scope.extend(Session.fromTransport(never, { ...timers, role: "client" }), scope)
      yield* Scope.extend(client.open(), scope)
      assert.strictEqual(yield* ending(Scope.close(scope, Exit.void)), "ok")
      assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
    })
  )

  for (const [name, value] of Object.entries({
    text: "text",
    "a number": 7,
    nothing: undefined,
    "an ArrayBuffer": new ArrayBuffer(8),
    "a Uint16Array": Uint16Array.of(1)
  })) {
    sessionTest(`that reads ${name} instead of a Uint8Array ends its session and names it`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const transport = { ...link.client, read: wrong<Transport.TransportService["read"]>(Effect.succeed(value)) }
        const client = yield* Session.fromTransport(transport, { ...timers, role: "client" })
        const error = yield* client.closed
        assert.strictEqual(error._tag, "TransportFailed")
        assert.include(error.message, "a chunk must be a Uint8Array, not ")
      })
    )
  }
})

describe("a reader or writer of frames from the application", () => {
  const start = (
    reader: (mine: FrameReader.FrameReaderService) => unknown,
    writer: (mine: FrameWriter.FrameWriterService) => unknown
  ) =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
      yield* Effect.forkScoped(server.serve(echoWhole))
      const mine = { reader: FrameReader.make(link.client), writer: FrameWriter.make(link.client) }
      return yield* Session.make({ ...timers, role: "client" }).pipe(
        Effect.provideService(Transport.Transport, link.client),
        Effect.provideService(FrameReader.FrameReader, wrong(reader(mine.reader))),
        Effect.provideService(FrameWriter.FrameWriter, wrong(writer(mine.writer)))
      )
    })

  const ways: Record<string, () => unknown> = {
    ...failing,
    "gives something else": () => Effect.succeed("nothing of the kind")
  }

  for (const [way, fault] of Object.entries(ways)) {
    sessionTest(`whose take ${way} ends the session with TransportFailed`, () =>
      Effect.gen(function* () {
        let takes = 0
        const client = yield* start(
          (mine) => ({
            take: Effect.suspend(() =>
              ++takes >= 2 ? wrong<FrameReader.FrameReaderService["take"]>(fault()) : mine.take
            )
          }),
          (mine) => mine
        )
        yield* Effect.forEach([1, 2], () => ending(call(client)))
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      })
    )
  }

  for (const [way, fault] of Object.entries(failing)) {
    sessionTest(`whose write ${way} ends the session with TransportFailed`, () =>
      Effect.gen(function* () {
        let writes = 0
        const client = yield* start(
          (mine) => mine,
          (mine) => ({
            write: (...args: Parameters<typeof mine.write>) => (++writes >= 2 ? fault() : mine.write(...args))
          })
        )
        assert.strictEqual(yield* call(client), "hello")
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      })
    )
  }
})

sessionTest("a transport without a write ends its session with TransportFailed", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair()
    const transport = wrong<Transport.TransportService>({ ...link.client, write: undefined })
    const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
    const serving = yield* Effect.fork(call(client).pipe(Effect.flip))
    assert.strictEqual((yield* Fiber.join(serving))._tag, "TransportFailed")
    assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
  })
)

sessionTest("a reader and a writer of nothing fail when they are used, and no earlier", () =>
  Effect.gen(function* () {
    const nothing = wrong<Transport.TransportService>({})
    assert.match(yield* ending(FrameReader.make(nothing).take), /^(dies|fails) /)
    assert.match(
      yield* ending(FrameWriter.make(nothing).write([{ _tag: "Rst", streamId: 3, code: 6 }])),
      /^(dies|fails) /
    )
  })
)

it.effect("a reader that dies ends the session, heartbeats or not", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair()
    const session = yield* sessionOver(
      "client",
      { ...link.client, read: Effect.dieMessage("broken") },
      {
        heartbeat: false
      }
    )
    const end = yield* session.closed
    assert.strictEqual(end._tag, "TransportFailed")
  }).pipe(scenario)
)

describe("a FrameReader or FrameWriter from the context", () => {
  it.effect("that dies ends the session, which does not hang", () =>
    Effect.gen(function* () {
      for (const broken of ["reader", "writer"] as const) {
        const link = yield* SimulatedTransport.makePair()
        const defect = new Error("a bug")
        const session = yield* Session.make({ role: "client", heartbeat: false }).pipe(
          Effect.provideService(Transport.Transport, link.client),
          Effect.provideService(
            FrameReader.FrameReader,
            broken === "reader" ? { take: Effect.die(defect) } : FrameReader.make(link.client)
          ),
          Effect.provideService(FrameWriter.FrameWriter, { write: () => Effect.die(defect) })
        )
        if (broken === "writer") yield* session.open()
        const closed = yield* Effect.fork(session.closed)
        yield* settle
        const exit = yield* closed.unsafePoll() ?? assert.fail(`the session outlives its ${broken}`)
        assert(exit._tag === "TransportFailed")
        assert.strictEqual(exit.initiator, "Local")
        assert.include(exit.message, "a bug")
      }
    }).pipe(scenario)
  )
})
