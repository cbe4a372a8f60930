import * as SocketServer from "@effect/platform/SocketServer"
import { assert, describe, it } from "@effect/vitest"
import type { SessionOptions } from "effect-muxado"
import { FrameReader, FrameWriter, MuxadoError, Session, SessionServer, Transport } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { resolve, resolveServer, resolveSession, toConnectionOptions } from "../../src/ResolvedOptions.js"
import { describe as describeValue } from "../../src/internal/support/describe.js"
import { ending, quick, sessionTest } from "../support/session/sessionTest.js"
import { decoded, echo, encoded, exchange, makePair, scenario, sessionOver } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

/** The lines of the error, or none. */
const linesOf = <A>(result: Either.Either<A, MuxadoError.InvalidOptions>): ReadonlyArray<string> =>
  Either.match(result, { onLeft: ({ detail }) => detail.split("\n"), onRight: () => [] })

/** What a program without types may give. */
const untyped = (options: unknown): SessionOptions => options as SessionOptions

const refused = (options: unknown): ReadonlyArray<string> => linesOf(resolve(untyped(options)))

const throwing = (): never => {
  throw new Error("hostile")
}

describe("the options of a session", () => {
  it("every option has its default", () => {
    const plain = Either.getOrThrow(resolve({}))
    assert.deepStrictEqual(
      Either.getOrThrow(resolve({ window: undefined, heartbeat: undefined, closeTimeout: undefined })),
      plain
    )
    assert.deepStrictEqual(Either.getOrThrow(resolve()), plain)
    assert.deepStrictEqual(plain, {
      typed: true,
      heartbeat: { interval: Duration.seconds(10), tolerance: Duration.seconds(15) },
      window: 262_144,
      maxWindow: 16_777_216,
      growthLimit: 67_108_864,
      peerWindow: 262_144,
      maxSendBuffer: 1_048_576,
      maxReceiveBuffer: 1024 * 262_144,
      acceptBacklog: 1024,
      maxInboundStreams: 1024,
      maxOutboundStreams: 1024,
      maxIdGaps: 1024,
      resetBudget: { burst: 2048, perSecond: 1000 },
      refusalBudget: { burst: 4096, perSecond: 1000 },
      uselessFrameBudget: { burst: 4096, perSecond: 1000 },
      spareIncrements: 1024,
      typeTimeout: Duration.seconds(10),
      writeTimeout: Duration.seconds(30),
      partialFrameTimeout: Duration.seconds(30),
      frameLog: false,
      announceDrain: true,
      drainTimeout: Duration.seconds(5),
      closeTimeout: Duration.seconds(2)
    })
  })

  it("a default follows the option that it depends on", () => {
    const options = Either.getOrThrow(
      resolve({ heartbeat: { interval: 500 }, resetBudget: { burst: 7 }, maxInboundStreams: 30, window: 1000 })
    )
    assert.deepStrictEqual(options.heartbeat, { interval: Duration.millis(500), tolerance: Duration.seconds(15) })
    assert.deepStrictEqual(options.resetBudget, { burst: 7, perSecond: 1000 })
    assert.deepStrictEqual([options.acceptBacklog, options.peerWindow, options.maxReceiveBuffer], [30, 1000, 30_000])
    const connection = toConnectionOptions("client", options)
    assert.deepStrictEqual(
      [connection.acceptBacklog, connection.peerWindow, connection.maxReceiveBuffer, connection.heartbeat?.interval],
      [30, 1000, 30_000, 500]
    )
    const few = Either.getOrThrow(resolve({ maxInboundStreams: 30, acceptBacklog: 4, heartbeat: false }))
    assert.deepStrictEqual([few.acceptBacklog, few.heartbeat], [4, false])
  })

  const counts = ["window", "peerWindow", "maxSendBuffer", "acceptBacklog", "maxInboundStreams", "maxOutboundStreams"]
  const times = ["typeTimeout", "writeTimeout", "partialFrameTimeout", "drainTimeout", "closeTimeout"]
  const nothing: ReadonlyArray<unknown> = [null, Symbol("x"), () => 1, [], true]
  const invalid: ReadonlyArray<readonly [string, unknown]> = [
    ...counts.flatMap((name) =>
      [0, -1, 1.5, Number.NaN, Infinity, "12", 12n, {}, ...nothing].map((value) => [name, value] as const)
    ),
    ...times.flatMap((name) =>
      [0, -1, Number.NaN, Infinity, "soon", "0 seconds", {}, Duration.infinity, Duration.zero, 0n, ...nothing].map(
        (value) => [name, value] as const
      )
    ),
    ["typed", "yes"],
    ["heartbeat", true],
    ["heartbeat", null],
    ["heartbeat", []],
    ["window", 2 ** 31],
    ["maxReceiveBuffer", 1023],
    ["maxIdGaps", 0],
    ["resetBudget", 5],
    ["uselessFrameBudget", new Map()]
  ]
  for (const [name, value] of invalid) {
    it(`${name}: ${describeValue(value)} is refused by name, in one line`, () => {
      const error = Either.getOrThrow(Either.flip(resolve(untyped({ [name]: value }))))
      assert.strictEqual(error._tag, "InvalidOptions")
      assert.match(error.message, new RegExp(`^Invalid options: ${name}: must be .*, not [^\n]+$`))
      assert.deepStrictEqual([error.initiator, error.processed], ["Local", "no"])
    })
  }

  it("each line names the option by its path, what is allowed and what was given", () => {
    const lines: ReadonlyArray<readonly [unknown, string]> = [
      [{ window: 3 }, "window: must be an integer from 16 to 2147483647 (bytes), not 3"],
      [{ maxInboundStreams: "12" }, 'maxInboundStreams: must be an integer from 1 to 1000000, not "12"'],
      [{ typed: 0 }, "typed: must be true or false, not 0"],
      [
        { heartbeat: { interval: "soon" } },
        'heartbeat.interval: must be a positive, finite duration such as "10 seconds" or a number of milliseconds, ' +
          'not "soon"'
      ],
      [
        { heartbeat: "10 seconds" },
        'heartbeat: must be false or an object such as { interval: "10 seconds" }, not "10 seconds"'
      ],
      [
        { uselessFrameBudget: { perSecond: -1 } },
        "uselessFrameBudget.perSecond: must be a number from 0 to 1000000000, not -1"
      ],
      [{ resetBudget: [1] }, "resetBudget: must be an object such as { burst: 2048, perSecond: 1000 }, not an array"],
      [{ typed: false }, "heartbeat: must be false where typed is false: heartbeats need typed streams"],
      [
        { maxReceiveBuffer: 2000 },
        "maxReceiveBuffer: must be at least the window of one stream (262144 bytes), not 2000"
      ],
      [null, "the options must be an object, not null"],
      ["window", 'the options must be an object, not "window"'],
      [[], "the options must be an object, not an array"],
      [() => {}, "the options must be an object, not a function"],
      [new Map([["window", 3]]), "the options must be an object, not a Map"],
      [7n, "the options must be an object, not 7n"]
    ]
    for (const [options, line] of lines) assert.deepStrictEqual(refused(options), [line])
  })

  it("all wrong options are reported together, one line each", () => {
    const options = { window: 0, heartbeat: { interval: 0, tolerance: -1, often: 1 }, typed: null, widnow: 3 }
    const error = Either.getOrThrow(Either.flip(resolve(untyped(options))))
    const duration = 'must be a positive, finite duration such as "10 seconds" or a number of milliseconds'
    assert.deepStrictEqual(error.message.split("\n"), [
      "Invalid options:",
      "  window: must be an integer from 16 to 2147483647 (bytes), not 0",
      "  typed: must be true or false, not null",
      `  heartbeat.interval: ${duration}, not 0`,
      `  heartbeat.tolerance: ${duration}, not -1`,
      "  heartbeat.often: there is no such option",
      "  widnow: there is no such option (did you mean window?)"
    ])
    assert.deepStrictEqual(error.detail.split("\n").length, 6)
  })

  it("an unknown option is compared with the known ones", () => {
    const meant: ReadonlyArray<readonly [unknown, string]> = [
      [{ maxStreams: 3 }, "maxStreams: there is no such option (did you mean maxInboundStreams?)"],
      [{ backlog: 3 }, "backlog: there is no such option (did you mean acceptBacklog?)"],
      [{ Window: 3 }, "Window: there is no such option (did you mean window?)"],
      [{ heartbeatInterval: 3 }, "heartbeatInterval: there is no such option (did you mean heartbeat.interval?)"],
      [
        { heartbeat: { intervall: 3 } },
        "heartbeat.intervall: there is no such option (did you mean heartbeat.interval?)"
      ],
      [{ keepAlive: 3 }, "keepAlive: there is no such option"],
      [{ x: undefined }, "x: there is no such option"],
      [{ "heartbeat.interval": 1 }, '"heartbeat.interval": there is no such option (did you mean heartbeat.interval?)'],
      [{ "a\nb": 1 }, '"a\\nb": there is no such option'],
      [{ [Symbol("s")]: 1 }, 'a symbol ("s"): there is no such option']
    ]
    for (const [options, line] of meant) assert.deepStrictEqual(refused(options), [line])
    assert.include(refused({ maxConnections: 3 })[0], "maxConnections: there is no such option")
    const many = refused(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`nonsense${i}`, i])))
    assert.deepStrictEqual([many.length, many.at(-1)], [21, "980 more options do not exist"])
  })

  it("no input value makes the reader throw", () => {
    const hostile = { toString: throwing, valueOf: throwing, toJSON: throwing, [Symbol.toPrimitive]: throwing }
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const TypeId = Symbol.for("effect/Duration")
    const pretender = { [TypeId]: TypeId, value: { _tag: "Millis", millis: "1" } }
    const values = [
      hostile,
      revoked.proxy,
      pretender,
      { [TypeId]: 1 },
      new Proxy({}, { get: throwing, ownKeys: throwing }),
      Object.defineProperty({}, Symbol.toStringTag, { get: throwing, enumerable: true }),
      [Number.NaN, Number.NaN],
      10n ** 400n,
      -(10n ** 400n),
      "x".repeat(1_000_000),
      "\u2028\u202e\ud800\n",
      Symbol("\n".repeat(100)),
      Object.assign(Object.create(null), {}) as unknown
    ]
    const names = ["window", "typed", "closeTimeout", "heartbeat", "resetBudget"]
    for (const value of values) {
      for (const name of names) {
        const lines = refused({ [name]: value, other: value })
        assert.isAtLeast(lines.length, 1)
        for (const line of lines) assert.match(line, /^[\x20-\x7e]{1,250}$/)
      }
      const whole = resolve(untyped(value))
      assert(Either.isRight(whole) ? value === values.at(-1) : whole.left._tag === "InvalidOptions")
    }
    const getter: unknown = Object.defineProperty({ typed: 3 }, "window", { get: throwing, enumerable: true })
    assert.deepStrictEqual(refused(getter), [
      "window: cannot be read: its getter throws",
      "typed: must be true or false, not 3"
    ])
    const secretive = new Proxy({ window: 3 }, { ownKeys: throwing })
    assert.deepStrictEqual(refused(secretive), [
      "window: must be an integer from 16 to 2147483647 (bytes), not 3",
      "the options cannot be read: listing the object's keys throws"
    ])
  })

  it("options can be a class instance or an object without prototype", () => {
    class Ours {
      get window() {
        return 5000
      }
    }
    assert.strictEqual(Either.getOrThrow(resolve(new Ours())).window, 5000)
    const bare: unknown = Object.assign(Object.create(null), { window: 6000 })
    assert.strictEqual(Either.getOrThrow(resolve(untyped(bare))).window, 6000)
  })

  it("later changes by the caller have no effect", () => {
    const interval = Duration.seconds(3)
    const given = { window: 1000, heartbeat: { interval }, resetBudget: { burst: 9 } }
    const resolved = Either.getOrThrow(resolve(given))
    given.window = 3
    given.heartbeat.interval = Duration.zero
    given.resetBudget.burst = 0
    Object.assign(interval, { value: { _tag: "Infinity" } })
    assert.strictEqual(resolved.window, 1000)
    assert.deepStrictEqual(resolved.heartbeat, { interval: Duration.seconds(3), tolerance: Duration.seconds(15) })
    assert.strictEqual(resolved.resetBudget.burst, 9)
    assert.throws(() => Object.assign(resolved, { window: 3 }), TypeError)
    assert.throws(() => Object.assign(resolved.resetBudget, { burst: 3 }), TypeError)
    assert.throws(() => Object.assign(resolved.heartbeat, { interval: 3 }), TypeError)
  })

  it("the sessions of a server share its resolved options, which are not read again", () => {
    let reads = 0
    const counted = Object.defineProperty({}, "window", { get: () => (reads++, 1000), enumerable: true })
    const { resolved, session } = Either.getOrThrow(resolveServer(counted))
    for (let i = 0; i < 10_000; i++) assert.strictEqual(Either.getOrThrow(resolve(session)), resolved)
    assert.strictEqual(reads, 1)
    // a copy is options like any others
    assert.deepStrictEqual(Either.getOrThrow(resolve({ ...session })), resolved)
  })

  it("a server's own options and those of its sessions are checked together", () => {
    assert.strictEqual(Either.getOrThrow(resolveServer()).maxConnections, 10_000)
    assert.strictEqual(Either.getOrThrow(resolveServer({ maxConnections: 3 })).maxConnections, 3)
    assert.deepStrictEqual(linesOf(resolveServer({ maxConnections: 0, window: 3, ...untyped({ maxConnection: 3 }) })), [
      "maxConnections: must be an integer from 1 to 1000000000, not 0",
      "window: must be an integer from 16 to 2147483647 (bytes), not 3",
      "maxConnection: there is no such option (did you mean maxConnections?)"
    ])
    assert.deepStrictEqual(linesOf(resolveServer(untyped(null))), ["the options must be an object, not null"])
  })

  it("the role of a session is one of two words", () => {
    const { resolved, role } = Either.getOrThrow(resolveSession({ role: "server", window: 1000 }))
    assert.deepStrictEqual([role, resolved.window], ["server", 1000])
    const wrong = (options: unknown) => linesOf(resolveSession(options as { readonly role: "client" }))
    assert.deepStrictEqual(wrong({ role: "sever", window: 3 }), [
      'role: must be "client" or "server", not "sever"',
      "window: must be an integer from 16 to 2147483647 (bytes), not 3"
    ])
    assert.deepStrictEqual(wrong({}), ['role: must be "client" or "server", not undefined'])
    assert.deepStrictEqual(wrong(null), ["the options must be an object, not null"])
  })

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

  it.effect("wrong options of any kind end in InvalidOptions in every constructor, never in a defect", () =>
    Effect.gen(function* () {
      const { client } = yield* SimulatedTransport.makePair()
      const over = Layer.succeed(Transport.Transport, client)
      const getter: unknown = Object.defineProperty({}, "window", { get: throwing, enumerable: true })
      for (const value of [null, [], "window", 7, () => {}, new Map(), getter, { window: 10n }, { widnow: 1 }]) {
        const wrong = untyped(value)
        const withRole = value as { readonly role: "client" }
        const parts = Layer.provideMerge(Layer.merge(FrameReader.layer, FrameWriter.layer), over)
        const attempts: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> = [
          Effect.scoped(Effect.provide(Session.make(withRole), parts)),
          Session.fromTransport(client, withRole),
          Layer.build(Layer.provide(Session.layer(withRole), parts)),
          Layer.build(Layer.provide(Session.layerClient(wrong), over)),
          Layer.build(Layer.provide(Session.layerServer(wrong), over)),
          NodeSessionServer.makeTcp({ port: 0 }, wrong),
          NodeSessionServer.makeUnix({ path: "/nowhere/at/all" }, wrong),
          Layer.build(NodeSessionServer.layerTcp({ port: 0 }, wrong)),
          SessionServer.make(wrong).pipe(
            Effect.provideService(
              SocketServer.SocketServer,
              SocketServer.SocketServer.of({
                address: { _tag: "UnixAddress", path: "" },
                run: () => Effect.dieMessage("it ran")
              })
            )
          )
        ]
        for (const attempt of attempts) {
          const error = yield* Effect.flip(attempt)
          assert.instanceOf(error, MuxadoError.InvalidOptions)
          assert.match(error.message, /window|widnow|the options must be an object/)
        }
      }
      const sever = "sever" as "server"
      const error = yield* Effect.flip(sessionOver(sever, client))
      assert.include(error.message, 'role: must be "client" or "server", not "sever"')
    }).pipe(scenario)
  )

  it.effect("are read when a constructor is called: changes before it runs have no effect", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const given = { role: "client" as const, typed: true }
      const starting = Session.fromTransport(link.client, given)
      const served = { window: 1000 }
      const layer = Session.layerServer(served)
      const listening = { window: 1000 }
      const server = NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, listening)
      Object.assign(given, { typed: "no", role: "nobody" })
      served.window = 3
      listening.window = 3
      const client = yield* starting
      yield* Layer.build(Layer.provide(layer, Layer.succeed(Transport.Transport, link.server)))
      assert.strictEqual(client.role, "client")
      assert.strictEqual((yield* server).address._tag, "TcpAddress")
    }).pipe(scenario)
  )

  it.effect("300 calls against a serve with concurrency 10 at default options all succeed", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(echo, { concurrency: 10 }))
      const answers = yield* Effect.forEach(
        Array.from({ length: 300 }, (_, i) => `call ${i}`),
        (call) => Effect.either(client.withStream((stream) => exchange(stream, encoded(call)))),
        { concurrency: "unbounded" }
      )
      const failures = answers.flatMap((answer) => (Either.isLeft(answer) ? [answer.left.message] : []))
      assert.deepStrictEqual(failures, [])
      assert.deepStrictEqual(
        answers.map((answer) => decoded(Either.getOrThrow(answer))),
        Array.from({ length: 300 }, (_, i) => `call ${i}`)
      )
    }).pipe(scenario)
  )
})

const values: ReadonlyArray<unknown> = [undefined, null, -1, 1.5, NaN, "x", {}, [], Symbol("s"), 10n, () => 1]

const nameOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value)

describe("wrong options of a session", () => {
  it.scoped("all of them are reported together, each with the given value", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const error = yield* Effect.flip(
        Session.fromTransport(
          link.client,
          wrong({ role: "clint", window: 3, typed: "yes", heartbeat: { interval: "soon" }, windw: 4, drainTimeout: -5 })
        )
      )
      const lines = error.detail.split("\n").map((line) => line.trim())
      for (const start of ["role:", "window:", "typed:", "heartbeat.interval:", "windw:", "drainTimeout:"]) {
        assert.isTrue(
          lines.some((line) => line.startsWith(start)),
          `${start} is not in ${error.detail}`
        )
      }
    })
  )

  for (const value of values.filter((value) => value !== undefined)) {
    it.scoped(`options that are ${nameOf(value)} fail with InvalidOptions`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const error = yield* Effect.flip(Session.fromTransport(link.client, wrong(value)))
        assert.strictEqual(error._tag, "InvalidOptions")
      })
    )
  }

  for (const key of ["role", "window", "heartbeat", "frameLog", "drainTimeout"]) {
    it.scoped(`a getter of ${key} that throws fails with InvalidOptions that names it`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const options = Object.defineProperty({ role: "client" }, key, {
          enumerable: true,
          get: () => {
            throw new Error("read")
          }
        })
        const error = yield* Effect.flip(Session.fromTransport(link.client, wrong(options)))
        assert.match(error.message, new RegExp(`${key}: cannot be read`))
      })
    )
  }

  sessionTest("a getter is read once, so that what was checked is what is used", () =>
    Effect.gen(function* () {
      let reads = 0
      const link = yield* SimulatedTransport.makePair()
      const options = {
        ...quick,
        role: "client" as const,
        get window() {
          return reads++ === 0 ? 65_536 : 3
        }
      }
      yield* Session.fromTransport(link.client, options)
      yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      assert.strictEqual(reads, 1)
    })
  )

  sessionTest("options that are changed afterwards change nothing", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const options = { ...quick, role: "client" as const, maxOutboundStreams: 1 }
      const client = yield* Session.fromTransport(link.client, options)
      yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      options.maxOutboundStreams = 2
      yield* client.open()
      assert.strictEqual(yield* ending(client.open()), "waits")
    })
  )
})
