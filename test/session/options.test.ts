import { assert, describe, it } from "@effect/vitest"
import type { SessionOptions } from "effect-muxado"
import { Frame, FrameLog, FrameReader, FrameWriter, MuxStream, Session, Transport } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { resolve, toConnectionOptions } from "../../src/SessionOptions.js"
import { echo, exchange, makePair, scenario, sessionOver, settle, string, text } from "./utils/sessions.js"

describe("SessionOptions", () => {
  it.effect("every option has its default", () =>
    Effect.gen(function* () {
      const plain = yield* resolve({})
      assert.deepStrictEqual(
        yield* resolve({ window: undefined, heartbeat: undefined, closeTimeout: undefined }),
        plain
      )
      assert.deepStrictEqual(plain, {
        typed: true,
        heartbeat: { interval: Duration.seconds(10), tolerance: Duration.seconds(15) },
        window: 262_144,
        maxWindow: 16_777_216,
        growthLimit: 67_108_864,
        outboundLimit: 1_048_576,
        acceptBacklog: 128,
        maxInboundStreams: 1024,
        maxOutboundStreams: 1024,
        maxSkippedIntervals: 1024,
        resetBudget: { burst: 2048, perSecond: 1000 },
        refusalBudget: { burst: 4096, perSecond: 1000 },
        strayBudget: { burst: 4096, perSecond: 1000 },
        spareIncrements: 1024,
        typeTimeout: Duration.seconds(10),
        writeTimeout: Duration.seconds(30),
        partialFrameTimeout: Duration.seconds(30),
        drainTimeout: Duration.seconds(5),
        closeTimeout: Duration.seconds(2)
      })
      assert.strictEqual(toConnectionOptions("client", plain).receiveLimit, 1024 * 262_144)
      const half = yield* resolve({ heartbeat: { interval: 500 } })
      assert.deepStrictEqual(half.heartbeat, { interval: Duration.millis(500), tolerance: Duration.seconds(15) })
    })
  )

  const counts = ["window", "peerWindow", "outboundLimit", "acceptBacklog", "maxInboundStreams", "maxOutboundStreams"]
  const times = ["typeTimeout", "writeTimeout", "partialFrameTimeout", "drainTimeout", "closeTimeout"]
  const invalid: ReadonlyArray<readonly [string, unknown]> = [
    ...counts.flatMap((name) => [0, -1, 1.5, Number.NaN, Infinity, "12"].map((value) => [name, value] as const)),
    ...times.flatMap((name) =>
      [0, -1, Number.NaN, Infinity, "soon", "0 seconds", {}].map((value) => [name, value] as const)
    ),
    ["typed", "yes"],
    ["heartbeat", true],
    ["window", 2 ** 31],
    ["receiveLimit", 1023],
    ["maxSkippedIntervals", 0],
    ["resetBudget", { burst: 0 }],
    ["strayBudget", { perSecond: -1 }]
  ]
  for (const [name, value] of invalid) {
    it.effect(`${name}: ${String(value)} is refused by name`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(resolve({ [name]: value }))
        assert.strictEqual(error._tag, "InvalidOptions")
        assert.include(error.message, `"${name}"`)
        assert.deepStrictEqual([error.initiator, error.processed], ["Local", "no"])
      })
    )
  }

  it.effect("what is wrong is named, all of it", () =>
    Effect.gen(function* () {
      const nested: SessionOptions = { heartbeat: { interval: 0, tolerance: -1 }, window: 0 }
      const { message } = yield* Effect.flip(resolve(nested))
      for (const name of ["heartbeat", "interval", "tolerance", "window"]) assert.include(message, `"${name}"`)
      const misspelt = yield* Effect.flip(resolve({ ...(JSON.parse('{ "widnow": 3 }') as object) }))
      assert.include(misspelt.message, "widnow")
      const bare = yield* Effect.flip(resolve({ typed: false }))
      assert.include(bare.message, "heartbeat: false")
    })
  )

  it.effect("are checked before anything is started, by sessions and servers alike", () =>
    Effect.gen(function* () {
      const wrong = { window: -1 }
      const { client } = yield* SimulatedTransport.makePair()
      assert.strictEqual((yield* Effect.flip(sessionOver("client", client, wrong)))._tag, "InvalidOptions")
      const layer = Layer.provide(Session.layerServer(wrong), Layer.succeed(Transport.Transport, client))
      assert.strictEqual((yield* Effect.flip(Layer.build(layer)))._tag, "InvalidOptions")
      const listening = yield* Effect.flip(NodeSessionServer.makeTcp({ port: 0 }, wrong))
      assert.strictEqual(listening._tag, "InvalidOptions")
    }).pipe(scenario)
  )
})

describe("FrameLog", () => {
  it.effect("logs the frames of a session, of which reader and writer know nothing", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
        lines.push(`${logLevel.label} ${String(message)}`)
      })
      const logged = Session.layer({ role: "client", heartbeat: false }).pipe(
        Layer.provide(FrameLog.layer({ level: LogLevel.Info })),
        Layer.provide(Layer.merge(FrameReader.layer, FrameWriter.layer)),
        Layer.provide(Layer.succeed(Transport.Transport, link.client)),
        Layer.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      const server = yield* sessionOver("server", link.server, { heartbeat: false })
      yield* Effect.fork(server.serve(echo))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const client = Context.get(yield* Layer.build(logged), Session.Session)
          const answer = yield* client.withStream((stream) =>
            MuxStream.write(stream, text("hello")).pipe(
              Effect.zipRight(MuxStream.finish(stream)),
              Effect.zipRight(MuxStream.readAll(stream))
            )
          )
          assert.strictEqual(string(answer), "hello")
          yield* settle
        })
      )
      assert.deepStrictEqual(lines, [
        "INFO sent DATA 3 SYN 9 bytes",
        "INFO sent DATA 3 FIN 0 bytes",
        "INFO received DATA 3 FIN 5 bytes",
        "INFO sent GOAWAY last 0 NoError",
        "INFO sent UNKNOWN type 15 on 0, 0 bytes"
      ])
    }).pipe(scenario)
  )

  it("renders every frame in one line", () => {
    const rendered = [
      Frame.data(3, text("abc"), { syn: true }),
      { ...Frame.data(3, text("abc"), { fin: true }), length: 10, last: false },
      { ...Frame.data(3, text("abc"), { syn: true, fin: true }), length: 10, first: false },
      Frame.rst(3, 6),
      Frame.windowIncrement(3, 100),
      Frame.goAway(3, 0, text('say "x"\n')),
      Frame.goAwayFiller,
      { _tag: "Malformed" as const, code: 8, type: 0, streamId: 3, length: 5, message: "too long" }
    ].map(FrameLog.render)
    assert.deepStrictEqual(rendered, [
      "DATA 3 SYN 3 bytes",
      "DATA 3 3 of 10 bytes",
      "DATA 3 FIN 3 of 10 bytes",
      "RST 3 StreamCancelled",
      "WNDINC 3 +100",
      'GOAWAY last 3 NoError "say \\"x\\"\\n"',
      "UNKNOWN type 15 on 0, 0 bytes",
      "MALFORMED FrameSizeError: too long"
    ])
  })
})

describe("a FrameReader or FrameWriter of one's own", () => {
  it.effect("that dies ends the session, instead of leaving it to hang", () =>
    Effect.gen(function* () {
      for (const broken of ["reader", "writer"] as const) {
        const link = yield* SimulatedTransport.makePair()
        const defect = new Error("a bug")
        const session = yield* Session.make("client", { heartbeat: false }).pipe(
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

describe("layers", () => {
  it.effect("a client and a server talk over what the context gives them", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const over = (transport: Transport.TransportService) => Layer.succeed(Transport.Transport, transport)
      const client = Context.get(
        yield* Layer.build(Layer.provide(Session.layerClient(), over(link.client))),
        Session.Session
      )
      const server = Context.get(
        yield* Layer.build(Layer.provide(Session.layerServer(), over(link.server))),
        Session.Session
      )
      assert.deepStrictEqual([client.role, server.role], ["client", "server"])
      yield* Effect.fork(server.serve(echo))
      assert.strictEqual(string(yield* client.withStream((stream) => exchange(stream, text("hi")))), "hi")
    }).pipe(scenario)
  )

  it.effect("the data-last forms do the same", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const near = yield* client.open()
      const far = yield* server.accept
      yield* MuxStream.write(text("x"))(near)
      yield* settle
      yield* MuxStream.reset(3)(near)
      yield* settle
      assert.deepStrictEqual(yield* MuxStream.read(far), Option.some(text("x")))
    }).pipe(scenario)
  )
})
