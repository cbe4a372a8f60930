/** Why a session ends, as both sides see it, and where a call may be made again. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxadoError, MuxStream, type Session } from "effect-muxado"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type * as Tracer from "effect/Tracer"
import { makePair, makeRawPair, passTimeUntil, scenario, settle, text } from "./utils/sessions.js"

const TEXT = "Wartung bis 17:00 \u2013 gr\u00f6\u00dfere"

describe("the code and the text of a GOAWAY", () => {
  const ways: Readonly<Record<string, (session: Session.SessionService) => Effect.Effect<void>>> = {
    "goAway, and close a while later": (session) =>
      session
        .goAway({ code: 99, debug: TEXT })
        .pipe(Effect.zipRight(Effect.sleep(200)), Effect.zipRight(session.close)),
    "goAway, and close in one breath": (session) =>
      Effect.zipRight(session.goAway({ code: 99, debug: TEXT }), session.close),
    "goAway, and drain": (session) => Effect.zipRight(session.goAway({ code: 99, debug: TEXT }), session.drain()),
    closeWith: (session) => session.closeWith({ code: 99, debug: TEXT }),
    "goAway without a word, then closeWith": (session) =>
      Effect.zipRight(session.goAway(), session.closeWith({ code: 99, debug: TEXT })),
    "goAway, then closeWith another reason": (session) =>
      Effect.zipRight(session.goAway({ code: 99, debug: TEXT }), session.closeWith({ code: 1000, debug: "later" }))
  }
  for (const [way, leave] of Object.entries(ways)) {
    it.effect(`${way}: both sides see them in draining, open and closed`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        const draining = yield* Effect.fork(Effect.all([client.draining, server.draining], { concurrency: 2 }))
        const leaving = yield* Effect.fork(leave(server))
        const open = yield* Effect.fork(
          Effect.zipRight(client.draining, Effect.flip(client.withStream(() => Effect.void)))
        )
        yield* passTimeUntil(leaving)
        const [far, near] = yield* Fiber.join(draining)
        const first = [far, yield* Fiber.join(open)]
        // that the peer leaves may be known before it says why
        const early = way === "goAway without a word, then closeWith" ? [] : first
        for (const error of [...early, yield* client.closed]) {
          assert(error._tag === "RemoteGoneAway" || error._tag === "SessionClosed", error._tag)
          assert.deepStrictEqual([error.code, error.debug], [99, TEXT])
          assert.include(error.message, `0x63 (99)`)
          assert.include(error.message, TEXT)
        }
        for (const error of [near, yield* server.closed, yield* Effect.flip(server.withStream(() => Effect.void))]) {
          assert(error._tag === "SessionClosed")
          if (way !== "closeWith" || error !== near) assert.deepStrictEqual([error.code, error.debug], [99, TEXT])
        }
      }).pipe(scenario)
    )
  }

  it.effect("that the peer broke the rules replaces a reason that was given before", () =>
    Effect.gen(function* () {
      const { client, send } = yield* makeRawPair({ heartbeat: false })
      const goAway = (code: number, debug: string) => ({
        _tag: "GoAway" as const,
        lastStreamId: 0,
        code,
        debug: text(debug)
      })
      yield* send([goAway(99, "maintenance"), goAway(ErrorCode.ProtocolError, "DATA on stream 0"), goAway(0, "")])
      yield* settle
      const error = yield* Effect.flip(client.withStream(() => Effect.void))
      assert(error._tag === "RemoteGoneAway" || error._tag === "ProtocolViolation")
      assert.strictEqual(error.code, ErrorCode.ProtocolError)
    }).pipe(scenario)
  )

  it.effect("a text with control characters is one line of a message", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* server.closeWith({ code: 7, debug: "one\r\nlevel=ERROR two\u001b[31m\u2028" })
      const { message } = yield* client.closed
      assert.include(message, "one\\r\\nlevel=ERROR two\\u001b[31m\\u2028")
      // eslint-disable-next-line no-control-regex -- they are what must not be there
      assert.notMatch(message, /[\u0000-\u001f\u2028]/)
    }).pipe(scenario)
  )
})

class Foreign extends Data.TaggedError("StreamReset")<{ readonly processed: "no" }> {}

describe("retry", () => {
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
  it("says where a call may be made again, for each error and for values of others", () => {
    for (const [error, expected] of cases) assert.strictEqual(MuxadoError.retry(error), expected, String(error))
  })

  it("isMuxadoError knows each of them, and no other value", () => {
    for (const [error] of cases.slice(0, 13)) assert.isTrue(MuxadoError.isMuxadoError(error), String(error))
    for (const [error] of cases.slice(13)) assert.isFalse(MuxadoError.isMuxadoError(error), String(error))
  })

  it.effect("the recipe stands beside other errors, and recovers where the peer was full", () =>
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

describe("hints at a wrong setting", () => {
  it.effect("FlowControlError asks whether the windows are configured alike", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({
        client: { peerWindow: 100_000 },
        server: { window: 1000, maxWindow: 1000 }
      })
      const stream = yield* client.open()
      yield* MuxStream.write(stream, new Uint8Array(50_000))
      const error = yield* Effect.flip(MuxStream.read(stream))
      assert.include(error.message, "FlowControlError (3) (are the windows of both sides configured alike?)")
      yield* server.close
    }).pipe(scenario)
  )

  for (const [name, bytes] of [
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["HTTP", "GET / HTTP/1.1\r\n\r\n"],
    ["HTTP", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["SSH", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003"],
    ["TLS", "\u0015\u0003\u0001\u0000\u0002\u0002\u0046"]
  ] as const) {
    for (const size of [1, 1000]) {
      it.effect(
        `a peer that begins with ${JSON.stringify(bytes.slice(0, 8))} in pieces of ${size} speaks ${name}`,
        () =>
          Effect.gen(function* () {
            const { client, transport } = yield* makeRawPair(
              { heartbeat: false },
              { chunking: { min: size, max: size } }
            )
            yield* transport.write([Uint8Array.from(bytes, (character) => character.charCodeAt(0))])
            const { message } = yield* client.closed
            assert.strictEqual(
              message,
              `The peer broke the protocol (ProtocolError (1)): the first bytes are ${name}, not muxado`
            )
          }).pipe(scenario)
      )
    }
  }

  it.effect("one side typed and the other not is said by the side that can tell", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
        if (logLevel._tag === "Warning") lines.push(String(message))
      })
      yield* Effect.gen(function* () {
        const { client, server } = yield* makePair({
          client: { typed: false, heartbeat: false },
          server: { heartbeat: { interval: "1 second", tolerance: "1 second" } }
        })
        // the typed side hears a stream that ends before its type
        yield* client.withStream((stream) => MuxStream.write(stream, "hi"))
        yield* settle
        const error = yield* passTimeUntil(yield* Effect.fork(server.closed))
        assert.include(error.message, "(the peer has answered none: is its session typed, as this one is?)")
      }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.deepStrictEqual(lines.sort(), [
        "Are both sides of the session typed? stream 2 begins as heartbeats do: the peer's session seems to be typed, this one is untyped",
        "Are both sides of the session typed? stream 3 ended before its 4-byte type: the peer's session may be untyped, this one is typed"
      ])
    }).pipe(scenario)
  )
})

it.effect("a handler begins a trace of its own, with a link to the span in which it is served", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair()
    const spans: Array<Tracer.Span> = []
    yield* Effect.fork(
      server
        .serve((stream) =>
          Effect.currentSpan.pipe(
            Effect.tap((span) => Effect.sync(() => spans.push(span))),
            Effect.zipRight(MuxStream.write(stream, "done")),
            Effect.withSpan("request")
          )
        )
        .pipe(Effect.withSpan("connection"))
    )
    for (let i = 0; i < 2; i++) yield* client.withStream(MuxStream.readAll)
    const [first, second] = spans
    assert(first !== undefined && second !== undefined)
    assert.notStrictEqual(first.traceId, second.traceId)
    for (const span of [first, second]) {
      assert.strictEqual(span.parent._tag, "None")
      const linked = span.links.map(({ span: other }) => (other._tag === "Span" ? other.name : "external"))
      assert.deepStrictEqual(linked, ["connection"])
    }
  }).pipe(scenario)
)

it.effect("a handler's own failure is one warning, with its stream's id and type, and its cause", () =>
  Effect.gen(function* () {
    const lines: Array<readonly [string, string, boolean]> = []
    const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
      lines.push([logLevel._tag, String(message), cause._tag !== "Empty"])
    })
    const { client, server } = yield* makePair()
    yield* Effect.fork(
      Effect.provide(
        server.serve(({ type }) => Effect.fail(new Error(`no service ${type}`)), { resetCode: () => 404 }),
        Logger.replace(Logger.defaultLogger, logger)
      )
    )
    const error = yield* Effect.flip(client.withStream(MuxStream.readAll, { type: 9 }))
    assert.deepInclude(error, { _tag: "StreamReset", code: 404, initiator: "Remote" })
    assert.deepStrictEqual(lines, [["Warning", "The handler of stream 3 (type 9) failed", true]])
  }).pipe(scenario)
)
