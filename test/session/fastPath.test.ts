/** The ways around the fibers keep every promise of `read` and `write`. */
import { assert, describe, it } from "@effect/vitest"
import { Frame, FrameReader, FrameWriter, MuxadoError, MuxStream, Session, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { eagerly } from "../support/eagerScheduler.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import { data } from "../../src/protocol/wire/frame.js"
import { noise } from "../support/bytes.js"
import { echo, encoded, exchange, passTimeUntil, scenario, sessionOver, settle } from "../support/session/sessions.js"

type Parts = Omit<Transport.FastPath, "owner">

/** Hands over what `read` gives, and pauses when it is asked to. */
const eachOf =
  (transport: Transport.TransportService): Parts["each"] =>
  (take) => {
    const each: Effect.Effect<void, MuxadoError.TransportFailed> = Effect.flatMap(transport.read, (chunk) =>
      take(chunk) ? each : Effect.void
    )
    return each
  }

const offer = (transport: Transport.TransportService, parts: Partial<Parts>): Transport.TransportService =>
  Transport.withFastPath(transport, { each: eachOf(transport), tryWrite: () => false, ...parts })

/** As from a program without types. */
const wrong = <A>(value: unknown): A => value as A

/** What a session over the transport ends with. */
const endOf = (transport: Transport.TransportService) =>
  Effect.gen(function* () {
    const session = yield* sessionOver("client", transport, { heartbeat: false })
    yield* settle
    const closed = yield* Effect.fork(session.closed)
    yield* settle
    const end = yield* passTimeUntil(closed)
    assert(end._tag === "TransportFailed")
    return end
  })

describe("chunks that arrive by callback on the fast path", () => {
  const frames = [
    data(3, Uint8Array.of(0, 0, 0, 0), { syn: true }),
    data(3, noise(60_000, 1)),
    data(3, noise(60_000, 2)),
    data(3, noise(80_000, 3)),
    data(3, new Uint8Array(0), { fin: true })
  ]
  const wire = Buffer.concat(encode(frames))
  const payload = Buffer.concat(frames.slice(1).map((frame) => frame.payload))

  for (const first of [0, 1, 7, 10_000, 65_536, 65_537, 81_919, wire.length]) {
    for (const path of ["read", "callbacks"] as const) {
      it.effect(`${first} bytes, then all the rest at once, by ${path}: every byte is read, once and in order`, () =>
        Effect.gen(function* () {
          const chunks = [wire.subarray(0, first), wire.subarray(first)].filter((chunk) => chunk.length > 0)
          const link = yield* SimulatedTransport.makePair()
          const read = Effect.suspend(() => {
            const chunk = chunks.shift()
            return chunk === undefined ? Effect.never : Effect.succeed(chunk)
          })
          const full = { ...link.server, read }
          const transport = path === "read" ? full : offer(full, {})
          const server = yield* sessionOver("server", transport, { heartbeat: false })
          const stream = yield* server.accept
          assert.isTrue(Buffer.from(yield* MuxStream.readAll(stream)).equals(payload))
          yield* Effect.fork(server.close)
          yield* link.cut
        }).pipe(scenario)
      )
    }
  }
})

describe("a write at once on the fast path", () => {
  for (const [how, tryWrite, message] of [
    [
      "throws",
      () => {
        throw new Error("the port is closed")
      },
      "the port is closed"
    ],
    ["gives no answer", () => wrong<boolean>(undefined), "tryWrite must return true or false, not undefined"],
    [
      "is asynchronous",
      () => wrong<boolean>(Promise.resolve(true)),
      "tryWrite must return true or false, not a Promise"
    ]
  ] as const) {
    it.effect(`that ${how} ends the session: nothing is written twice, and no call hangs`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const client = yield* sessionOver("client", offer(link.client, { tryWrite }), { heartbeat: false })
        const server = yield* sessionOver("server", link.server, { heartbeat: false })
        yield* Effect.fork(server.serve(echo))
        const calling = yield* Effect.fork(
          Effect.forEach([1, 2, 3], () =>
            Effect.exit(client.withStream((stream) => exchange(stream, encoded("a call"))))
          )
        )
        const exits = yield* passTimeUntil(calling)
        const closed = yield* client.closed
        assert(closed._tag === "TransportFailed")
        assert.include(closed.message, message)
        assert.isTrue(exits.some((exit) => exit._tag === "Failure"))
      }).pipe(scenario)
    )
  }
})

it.effect("a chunk that arrives before the frames of the last one were received does not replace them", () =>
  Effect.gen(function* () {
    const { client } = yield* SimulatedTransport.makePair()
    let take: (chunk: Uint8Array) => void = () => assert.fail("nobody listens")
    const transport = Transport.withFastPath(client, {
      each: (onChunk) => {
        take = onChunk
        return Effect.never
      },
      tryWrite: () => false
    })
    const session = yield* sessionOver("client", transport, { typed: false, heartbeat: false, acceptBacklog: 1000 })
    yield* settle
    const chunk = (first: number) => {
      const ids = Array.from({ length: 50 }, (_, index) => first + 2 * index)
      return Buffer.concat(encode(ids.map((id) => Frame.data(id, Uint8Array.of(1), { syn: true }))))
    }
    take(chunk(2))
    take(chunk(102))
    yield* settle
    assert.strictEqual((yield* session.stats).accepted, 100)
  }).pipe(scenario)
)

it.scopedLive("a copy of a transport with another write is written to", () =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
    yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
    const port = server.address._tag === "TcpAddress" ? server.address.port : 0
    const transport = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
    let writes = 0
    let reads = 0
    const session = yield* sessionOver("client", {
      ...transport,
      read: Effect.tap(transport.read, () => Effect.sync(() => reads++)),
      write: (chunks) => {
        writes++
        return transport.write(chunks)
      }
    })
    const bytes = noise(1000, 1)
    assert.deepStrictEqual(yield* session.withStream((stream) => exchange(stream, bytes)), bytes)
    assert.isAbove(writes, 0)
    assert.isAbove(reads, 0)
  })
)

describe("code before a transport with a fast path is not bypassed", () => {
  /** Counts what goes through it. */
  const counting = (transport: Transport.TransportService, seen: { reads: number; writes: number }) => ({
    read: Effect.tap(transport.read, () => Effect.sync(() => seen.reads++)),
    write: (chunks: ReadonlyArray<Uint8Array>) => {
      seen.writes++
      return transport.write(chunks)
    }
  })
  type Counted = ReturnType<typeof counting>

  const copies: Readonly<
    Record<string, (transport: Transport.TransportService, counted: Counted) => Transport.TransportService>
  > = {
    "a spread with another read and write": (transport, counted) => ({ ...transport, ...counted }),
    "Object.assign": (transport, counted) => Object.assign({}, transport, counted),
    "Object.create": (transport, counted) =>
      Object.create(transport, {
        read: { value: counted.read },
        write: { value: counted.write }
      }) as Transport.TransportService,
    "a copy of all property descriptors": (transport, counted) =>
      Object.defineProperties({} as Transport.TransportService, {
        ...Object.getOwnPropertyDescriptors(transport),
        read: { value: counted.read },
        write: { value: counted.write }
      }),
    "a Proxy": (transport, counted) =>
      new Proxy(
        { ...transport },
        {
          get: (target, key): unknown =>
            key === "read" || key === "write" ? counted[key] : Reflect.get(transport, key, target),
          getOwnPropertyDescriptor: (target, key) =>
            key === "fastPath"
              ? { ...Reflect.getOwnPropertyDescriptor(transport, key), configurable: true }
              : Reflect.getOwnPropertyDescriptor(target, key)
        }
      )
  }

  for (const [how, copy] of Object.entries(copies)) {
    it.effect(how, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const seen = { reads: 0, writes: 0 }
        const bypassed = () => assert.fail("the copy is bypassed")
        const transport = offer(link.client, { each: bypassed, tryWrite: bypassed })
        const copied = copy(transport, counting(transport, seen))
        const client = yield* sessionOver("client", copied, { heartbeat: false })
        const server = yield* sessionOver("server", link.server, { heartbeat: false })
        yield* Effect.fork(server.serve(echo))
        const answer = yield* Effect.fork(client.withStream((stream) => exchange(stream, encoded("a call"))))
        assert.deepStrictEqual(yield* passTimeUntil(answer), encoded("a call"))
        assert.isAbove(seen.reads, 0)
        assert.isAbove(seen.writes, 0)
      }).pipe(scenario)
    )
  }

  it.effect("an assignment to its write, which would be bypassed, throws", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const transport: { write: unknown } = offer(link.client, {})
      assert.throws(() => (transport.write = () => Effect.void), TypeError)
    }).pipe(scenario)
  )

  it.effect("a reader and a writer between the session and its transport", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const transport = offer(link.client, {})
      const [reader, writer] = [FrameReader.make(transport), FrameWriter.make(transport)]
      assert.isDefined(reader.fastPath)
      assert.isDefined(writer.fastPath)
      let [taken, written] = [0, 0]
      const client = yield* Session.make({ role: "client", heartbeat: false }).pipe(
        Effect.provideService(Transport.Transport, transport),
        Effect.provideService(FrameReader.FrameReader, {
          ...reader,
          take: Effect.tap(reader.take, () => Effect.sync(() => taken++))
        }),
        Effect.provideService(FrameWriter.FrameWriter, {
          ...writer,
          write: (frames) => {
            written++
            return writer.write(frames)
          }
        })
      )
      const server = yield* sessionOver("server", link.server, { heartbeat: false })
      yield* Effect.fork(server.serve(echo))
      const answer = yield* Effect.fork(client.withStream((stream) => exchange(stream, encoded("a call"))))
      yield* passTimeUntil(answer)
      assert.isAbove(taken, 0)
      assert.isAbove(written, 0)
    }).pipe(scenario)
  )
})

describe("a fast path that is wrong", () => {
  const tryWrite = () => false
  const each = () => Effect.never
  const notFunctions: ReadonlyArray<readonly [unknown, string]> = [
    [undefined, "each of a transport's fastPath must be a function, not undefined"],
    [{ each: 5, tryWrite }, "each of a transport's fastPath must be a function, not 5"],
    [{ each }, "tryWrite of a transport's fastPath must be a function, not undefined"]
  ]
  it.effect.each(notFunctions)(
    "%# fails the session with InvalidOptions before anything is started",
    ([parts, detail]) =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const transport = Transport.withFastPath(link.client, wrong<Parts>(parts))
        const error = yield* Effect.flip(sessionOver("client", transport))
        assert(error._tag === "InvalidOptions")
        assert.include(error.message, detail)
      }).pipe(scenario)
  )

  it.effect("that withFastPath has not made fails the session with InvalidOptions", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const error = yield* Effect.flip(sessionOver("client", { ...link.client, fastPath: wrong(true) }))
      assert.include(error.message, "the fastPath of a transport must be made by withFastPath, and cannot be true")
    }).pipe(scenario)
  )

  it("is refused for a value that is not an object", () => {
    for (const value of [undefined, null, 5, "transport"]) {
      assert.throws(
        () => Transport.withFastPath(wrong<Transport.TransportService>(value), { each, tryWrite }),
        MuxadoError.InvalidOptions
      )
    }
  })

  const faults: ReadonlyArray<readonly [string, unknown, string]> = [
    [
      "throws",
      () => {
        throw new Error("each is broken")
      },
      "each is broken"
    ],
    ["gives no effect", () => Promise.resolve(), "what each of a transport's fastPath gives must be an Effect"],
    ["dies", () => Effect.die(new Error("each is broken")), "each is broken"],
    ["interrupts itself", () => Effect.interrupt, "the session's reader interrupted itself"],
    ["completes although nothing asked it to", () => Effect.void, "completed before it had failed"],
    [
      "hands over a string",
      (take: (chunk: unknown) => boolean) =>
        Effect.zipRight(
          Effect.sync(() => take("a chunk")),
          Effect.never
        ),
      "a chunk must be a Uint8Array, not a string of 7 characters"
    ],
    [
      "hands over a string, and pauses when it is asked to",
      (take: (chunk: unknown) => boolean) => Effect.suspend(() => (take("a chunk") ? Effect.never : Effect.void)),
      "a chunk must be a Uint8Array, not a string of 7 characters"
    ]
  ]
  it.effect.each(faults)("its each %s: the session ends with that cause", ([, each, message]) =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const end = yield* endOf(offer(link.client, { each: wrong<Parts["each"]>(each) }))
      assert.strictEqual(end.reason, "Read")
      assert.include(end.message, message)
    }).pipe(scenario)
  )

  /** A session over a reader or a writer that offers a fast path of its own. */
  const sessionWith = (
    change: (parts: {
      readonly reader: FrameReader.FrameReaderService
      readonly writer: FrameWriter.FrameWriterService
    }) => { readonly reader?: FrameReader.FrameReaderService; readonly writer?: FrameWriter.FrameWriterService }
  ) =>
    Effect.gen(function* () {
      const { client } = yield* SimulatedTransport.makePair()
      const parts = { reader: FrameReader.make(client), writer: FrameWriter.make(client) }
      const { reader, writer } = { ...parts, ...change(parts) }
      return yield* Session.make({ role: "client", heartbeat: false }).pipe(
        Effect.provideService(Transport.Transport, client),
        Effect.provideService(FrameReader.FrameReader, reader),
        Effect.provideService(FrameWriter.FrameWriter, writer)
      )
    })

  it.effect("of a reader or a writer, with a part that is not a function, fails the session with InvalidOptions", () =>
    Effect.gen(function* () {
      const read = yield* Effect.flip(
        sessionWith(({ reader }) => ({ reader: FrameReader.withFastPath(reader, { each: wrong(5) }) }))
      )
      assert.include(read.message, "each of a reader's fastPath must be a function, not 5")
      const written = yield* Effect.flip(
        sessionWith(({ writer }) => ({ writer: FrameWriter.withFastPath(writer, wrong({})) }))
      )
      assert.include(written.message, "tryWrite of a writer's fastPath must be a function, not undefined")
    }).pipe(scenario)
  )

  it.effect("of a reader, whose each passes a value that is not a batch: the session ends with that cause", () =>
    Effect.gen(function* () {
      const session = yield* sessionWith(({ reader }) => ({
        reader: FrameReader.withFastPath(reader, {
          each: (take) => Effect.suspend(() => (take(wrong("frames")) ? Effect.never : Effect.void))
        })
      }))
      const closed = yield* session.closed
      assert(closed._tag === "TransportFailed")
      assert.include(closed.message, "a FrameReader must return { frames, midFrame }")
    }).pipe(scenario)
  )

  it.effect("calls take after the end: the bytes are ignored", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      let late: (chunk: Uint8Array) => boolean = () => assert.fail("each was not called")
      const transport = offer(link.client, {
        each: (take) => {
          late = take
          return Effect.fail(
            new MuxadoError.TransportFailed({ reason: "Ended", initiator: "Remote", processed: "maybe" })
          )
        }
      })
      const session = yield* sessionOver("client", transport, { heartbeat: false, typed: false })
      yield* settle
      assert.isFalse(late(Buffer.concat(encode([data(2, Uint8Array.of(1), { syn: true })]))))
      assert.isFalse(late(wrong("no chunk")))
      yield* settle
      assert.strictEqual((yield* session.stats).accepted, 0)
      assert.strictEqual((yield* session.closed)._tag, "TransportFailed")
    }).pipe(scenario)
  )
})

describe("turns on both paths", () => {
  const COUNT = 100
  const chunk = Buffer.concat(
    encode(Array.from({ length: COUNT }, (_, n) => data(2 * n + 2, Uint8Array.of(n), { syn: true, fin: true })))
  )
  const ended = new MuxadoError.TransportFailed({ reason: "Ended", initiator: "Remote", processed: "maybe" })

  /** What a session does with a chunk of many frames: each read, accept, handler and write, in order. */
  const events = (path: "read" | "callbacks") =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const log: Array<string> = []
      const chunks = [chunk]
      const read = Effect.suspend(() => {
        const next = chunks.shift()
        log.push(next === undefined ? "waits for the next chunk" : "reads a chunk")
        return next === undefined ? Effect.never : Effect.succeed(next)
      })
      const pulled: Transport.TransportService = {
        ...link.client,
        read,
        write: (written) => {
          log.push(`writes ${written.reduce((size, { length }) => size + length, 0)} bytes`)
          return link.client.write(written)
        }
      }
      const transport = path === "read" ? pulled : offer(pulled, {})
      const client = yield* sessionOver("client", transport, { heartbeat: false, typed: false, acceptBacklog: COUNT })
      yield* Effect.forkScoped(
        client.serve((stream) =>
          Effect.zipRight(
            Effect.sync(() => log.push(`stream ${stream.id}`)),
            MuxStream.write(stream, Uint8Array.of(1))
          )
        )
      )
      yield* settle
      return log
    }).pipe(scenario)

  it.effect("a chunk of many frames has the same events in the same order: 16 frames, answers, 16 frames", () =>
    Effect.gen(function* () {
      const [byRead, byCallbacks] = [yield* events("read"), yield* events("callbacks")]
      const streams = (log: ReadonlyArray<string>) => log.filter((entry) => entry.startsWith("stream"))
      assert.deepStrictEqual(streams(byCallbacks), streams(byRead))
      assert.lengthOf(streams(byRead), COUNT)
      for (const log of [byRead, byCallbacks]) {
        const runs = log
          .join()
          .split("writes")
          .map((run) => run.split("stream").length - 1)
        // a writer that is busy takes the answers of two turns as one
        assert.isAtMost(Math.max(...runs), 32)
      }
    })
  )

  it.effect("the next chunk is not read before all frames of the last were received", () =>
    Effect.gen(function* () {
      const log = yield* events("read")
      const waits = log.indexOf("waits for the next chunk")
      const last = log.indexOf(`stream ${2 * COUNT}`)
      assert.isAbove(waits, 0)
      assert.isAtLeast(
        log.slice(0, waits).filter((entry) => entry.startsWith("stream")).length,
        COUNT - 16,
        `it waits at ${waits}, the last stream is at ${last}`
      )
    })
  )

  for (const [path, give] of [
    ["read", (transport: Transport.TransportService) => transport],
    ["callbacks", (transport: Transport.TransportService) => offer(transport, {})],
    [
      "callbacks that do not pause",
      (transport: Transport.TransportService) =>
        offer(transport, {
          each: (take) => Effect.forever(Effect.map(transport.read, (bytes) => take(bytes)))
        })
    ]
  ] as const) {
    it.effect(`frames that came before the end of the transport are received, by ${path}`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const chunks = [chunk.subarray(0, 500), chunk.subarray(500)]
        const read = Effect.suspend(() => {
          const next = chunks.shift()
          return next === undefined ? Effect.fail(ended) : Effect.succeed(next)
        })
        const transport = give({ ...link.client, read })
        const client = yield* sessionOver("client", transport, { heartbeat: false, typed: false, acceptBacklog: COUNT })
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
        assert.strictEqual((yield* client.stats).accepted, COUNT)
      }).pipe(scenario)
    )
  }

  for (const path of ["read", "callbacks"] as const) {
    it.effect(`on a scheduler that runs each task at once, every byte is there in order, by ${path}`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const transport = path === "read" ? link.client : offer(link.client, {})
        const client = yield* sessionOver("client", transport, { heartbeat: false })
        const server = yield* sessionOver("server", link.server, { heartbeat: false })
        yield* Effect.forkScoped(server.serve(echo))
        const calls = yield* Effect.fork(
          Effect.forEach(
            Array.from({ length: 50 }, (_, n) => noise(n * 97, n)),
            (bytes) =>
              Effect.map(
                client.withStream((stream) => exchange(stream, bytes)),
                (answer) => assert.deepStrictEqual(answer, bytes)
              ),
            { concurrency: "unbounded" }
          )
        )
        yield* passTimeUntil(calls)
        yield* Fiber.join(calls)
      }).pipe(eagerly, scenario)
    )
  }
})
