import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, Frame, MuxadoError, MuxStream } from "effect-muxado"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { encoded, makePair, makeRawPair, passTimeUntil, scenario, settle } from "../support/session/sessions.js"

/** Tag, initiator and processed of a failure. */
const blame = <A>(
  effect: Effect.Effect<A, { readonly _tag: string; readonly initiator: string; readonly processed: string }>
) => Effect.map(Effect.flip(effect), (error) => `${error._tag} ${error.initiator} ${error.processed}`)

describe("the field processed of a failed call", () => {
  it.effect("no: the SYN was never written", () =>
    Effect.gen(function* () {
      const peer = yield* makeRawPair({ heartbeat: false })
      // before the writer had a chance
      const stream = yield* peer.client.open()
      yield* peer.link.cut
      assert.strictEqual(yield* blame(MuxStream.read(stream)), "TransportFailed Remote no")

      const other = yield* makeRawPair({ heartbeat: false })
      const unsent = yield* other.client.open()
      yield* MuxStream.reset(unsent, ErrorCode.StreamCancelled)
      assert.strictEqual(yield* blame(MuxStream.read(unsent)), "StreamReset Local no")
    }).pipe(scenario)
  )

  it.effect("no: refused with StreamRefused or AcceptQueueFull; maybe: reset with anything else", () =>
    Effect.gen(function* () {
      const { client, send } = yield* makeRawPair({ heartbeat: false })
      const codes = [
        ErrorCode.StreamRefused,
        ErrorCode.AcceptQueueFull,
        ErrorCode.StreamCancelled,
        ErrorCode.InternalError
      ]
      const streams = yield* Effect.forEach(codes, () => client.open())
      yield* settle
      yield* send(streams.map((stream, n) => Frame.rst(stream.id, codes[n] ?? 0)))
      yield* settle
      const seen = yield* Effect.forEach(streams, (stream) => blame(MuxStream.read(stream)))
      assert.deepStrictEqual(seen, [
        "StreamReset Remote no",
        "StreamReset Remote no",
        "StreamReset Remote maybe",
        "StreamReset Remote maybe"
      ])
    }).pipe(scenario)
  )

  it.effect("no: above the last id of a GOAWAY, whose other streams go on", () =>
    Effect.gen(function* () {
      const { client, send } = yield* makeRawPair({ heartbeat: false })
      const below = yield* client.open()
      const above = yield* client.open()
      yield* settle
      const waiting = yield* Effect.fork(blame(MuxStream.read(above)))
      yield* send([Frame.goAway(below.id, ErrorCode.NoError, encoded("bye")), Frame.goAwayFiller])
      assert.strictEqual(yield* Fiber.join(waiting), "RemoteGoneAway Remote no")
      yield* client.draining
      const refused = yield* Effect.flip(Effect.scoped(client.open()))
      assert(refused._tag === "RemoteGoneAway")
      assert.deepStrictEqual(
        [refused.processed, refused.lastStreamId, refused.debug, refused.code],
        ["no", below.id, "bye", ErrorCode.NoError]
      )
      yield* send([Frame.data(below.id, encoded("on"), { fin: true })])
      assert.deepStrictEqual(yield* MuxStream.readAll(below), encoded("on"))
    }).pipe(scenario)
  )

  it.effect("maybe: the session was lost with the stream open", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false } })
      const stream = yield* client.open()
      yield* settle
      yield* link.cut
      assert.strictEqual(yield* blame(MuxStream.read(stream)), "TransportFailed Remote maybe")
      assert.strictEqual(yield* blame(Effect.scoped(client.open())), "TransportFailed Remote no")
      assert.strictEqual(yield* blame(client.ping), "TransportFailed Remote no")
    }).pipe(scenario)
  )

  it.effect("no: an open that waited when the session ended", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false, maxOutboundStreams: 1 } })
      yield* client.open()
      const opening = yield* Effect.fork(blame(Effect.scoped(client.open())))
      yield* settle
      yield* link.cut
      assert.strictEqual(yield* Fiber.join(opening), "TransportFailed Remote no")
    }).pipe(scenario)
  )

  it.effect("goAway reaches the peer at once, and open streams continue", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { heartbeat: false } })
      const stream = yield* client.open()
      const far = yield* server.accept
      yield* server.goAway({ code: ErrorCode.EnhanceYourCalm, debug: "too much" })
      yield* client.draining
      const refused = yield* Effect.flip(Effect.scoped(client.open()))
      assert(refused._tag === "RemoteGoneAway")
      assert.deepStrictEqual(
        [refused.code, refused.debug, refused.processed],
        [ErrorCode.EnhanceYourCalm, "too much", "no"]
      )
      yield* MuxStream.write(far, encoded("on"))
      yield* MuxStream.finish(far)
      assert.deepStrictEqual(yield* MuxStream.readAll(stream), encoded("on"))
    }).pipe(scenario)
  )
})

describe("a stream type", () => {
  it.effect("that is not a uint32, or is the type of heartbeats, fails with InvalidOptions", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair({ both: { heartbeat: false } })
      for (const type of [-1, 1.5, Number.NaN, 0xffffffff, 2 ** 32]) {
        const error = yield* Effect.flip(Effect.scoped(client.open({ type })))
        assert(error._tag === "InvalidOptions")
        assert.include(error.message, String(type))
      }
      assert.strictEqual((yield* client.stats).opened, 0)
    }).pipe(scenario)
  )

  it.effect("fails with InvalidOptions on an untyped session", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { typed: false, heartbeat: false } })
      const error = yield* Effect.flip(Effect.scoped(client.open({ type: 1 })))
      assert.strictEqual(error._tag, "InvalidOptions")
      yield* client.open()
      assert.strictEqual((yield* server.accept).type, undefined)
    }).pipe(scenario)
  )
})

describe("the messages of errors", () => {
  it.effect("say what happened, in one line", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false } })
      const stream = yield* client.open()
      yield* MuxStream.reset(stream, ErrorCode.EnhanceYourCalm)
      const reset = yield* Effect.flip(MuxStream.read(stream))
      assert.strictEqual(reset.message, `Stream ${stream.id} was reset by this side: EnhanceYourCalm (10)`)
      yield* link.cut
      assert.strictEqual((yield* client.closed).message, "The transport failed while reading: reset by the peer")
    }).pipe(scenario)
  )
})

const values: ReadonlyArray<unknown> = [undefined, null, -1, 1.5, NaN, "x", {}, [], Symbol("s"), 10n, () => 1]

it.effect("an object whose traps throw is not a MuxadoError, and is never retried", () =>
  Effect.sync(() => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error("get")
        },
        has: () => {
          throw new Error("has")
        }
      }
    )
    assert.isFalse(MuxadoError.isMuxadoError(hostile))
    assert.strictEqual(MuxadoError.retry(hostile), "Never")
  })
)

it("a value of another library is not a MuxadoError, and is never retried", () => {
  for (const value of [...values, { _tag: "StreamReset", processed: "no" }, new Error("x")]) {
    assert.isFalse(MuxadoError.isMuxadoError(value))
    assert.strictEqual(MuxadoError.retry(value), "Never")
  }
})

class Foreign extends Data.TaggedError("StreamReset")<{ readonly processed: "no" }> {}

describe("whether a call may be retried", () => {
  const about = { streamId: 3, code: ErrorCode.StreamRefused } as const
  const local = { initiator: "Local", processed: "no" } as const
  const remote = { initiator: "Remote", processed: "no" } as const
  const cases: ReadonlyArray<readonly [unknown, ReturnType<typeof MuxadoError.retry>]> = [
    [new MuxadoError.StreamReset({ ...about, ...remote }), "SameSession"],
    [new MuxadoError.StreamReset({ ...about, ...remote, processed: "maybe" }), "Never"],
    [new MuxadoError.StreamReset({ ...about, ...local }), "Never"],
    [new MuxadoError.StreamsExhausted(local), "NewSession"],
    [new MuxadoError.InvalidOptions({ detail: "no" }), "Never"],
    [new MuxadoError.ReadLimitExceeded({ streamId: 3, maxBytes: 1 }), "Never"],
    [new MuxadoError.StreamClosed({ streamId: 3, operation: "read", initiator: "Local", processed: "maybe" }), "Never"],
    [new MuxadoError.RemoteGoneAway({ lastStreamId: 3, code: 0, debug: "", ...remote }), "NewSession"],
    [new MuxadoError.RemoteGoneAway({ lastStreamId: 3, code: 0, debug: "", ...remote, processed: "maybe" }), "Never"],
    [new MuxadoError.SessionClosed(local), "NewSession"],
    [new MuxadoError.TransportFailed({ reason: "Open", ...local }), "NewSession"],
    [new MuxadoError.SessionDead({ reason: "Heartbeat", silentFor: 1, since: 0, ...remote }), "NewSession"],
    [new MuxadoError.ProtocolViolation({ code: 1, detail: "", ...local }), "NewSession"],
    [new Foreign({ processed: "no" }), "Never"],
    [new Error("no"), "Never"],
    [{ _tag: "TimeoutException" }, "Never"],
    [null, "Never"],
    ["StreamReset", "Never"],
    [undefined, "Never"]
  ]
  it("is known for each error and for values of other libraries", () => {
    for (const [error, expected] of cases) assert.strictEqual(MuxadoError.retry(error), expected, String(error))
  })

  it("isMuxadoError holds for each error of this library, and for no other value", () => {
    for (const [error] of cases.slice(0, 13)) assert.isTrue(MuxadoError.isMuxadoError(error), String(error))
    for (const [error] of cases.slice(13)) assert.isFalse(MuxadoError.isMuxadoError(error), String(error))
  })

  it.effect("the retry recipe of the documents keeps other errors, and recovers if the peer was full", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ server: { maxInboundStreams: 1 } })
      yield* Effect.fork(server.serve((stream) => Effect.zipRight(Effect.sleep(50), MuxStream.write(stream, "done"))))
      const attempts = yield* Ref.make(0)
      const call = Ref.update(attempts, (n) => n + 1).pipe(
        Effect.zipRight(client.withStream(MuxStream.readAll)),
        Effect.timeout("5 seconds"),
        Effect.retry({
          while: (error) => MuxadoError.retry(error) === "SameSession",
          schedule: Schedule.exponential("10 millis").pipe(Schedule.compose(Schedule.recurs(5)))
        })
      )
      const calls = yield* Effect.fork(Effect.all([call, call], { concurrency: 2 }))
      assert.lengthOf(yield* passTimeUntil(calls), 2)
      assert.isAbove(yield* Ref.get(attempts), 2)
    }).pipe(scenario)
  )
})
