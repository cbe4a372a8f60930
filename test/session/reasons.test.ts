/** Why a session ends, as both sides see it, and where a call may be made again. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxStream, type Session } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { sessionTest } from "../support/session/sessionTest.js"
import { encoded, makePair, makeRawPair, passTimeUntil, scenario, settle } from "../support/session/sessions.js"

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
        debug: encoded(debug)
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

describe("an error hints at a wrong setting:", () => {
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
        "Are both sides of the session typed? stream 2 starts with the heartbeat type: the peer seems to be typed, and this side is untyped",
        "Are both sides of the session typed? stream 3 ended before its 4-byte type: the peer seems to be untyped, and this side is typed"
      ])
    }).pipe(scenario)
  )
})

describe("the reason of a GOAWAY", () => {
  const texts: Record<string, string> = { ascii: "maintenance", "not ASCII": "größere – 日本語 🎉", empty: "" }
  for (const how of ["goAway, then close", "closeWith", "goAway, then drain"] as const) {
    for (const [name, debug] of Object.entries(texts)) {
      sessionTest(`${how}, ${name}: both sides see the same code and text everywhere`, ({ client, server }) =>
        Effect.gen(function* () {
          const reason = { code: 4_000_000_000, debug }
          if (how === "closeWith") yield* server.closeWith(reason)
          else yield* server.goAway(reason)
          if (how === "goAway, then close") yield* server.close
          if (how === "goAway, then drain") yield* server.drain(10)
          const errors = [
            yield* client.draining,
            yield* Effect.flip(client.open()),
            yield* client.closed,
            yield* server.draining,
            yield* server.closed
          ]
          for (const error of errors) {
            if (error._tag !== "RemoteGoneAway" && error._tag !== "SessionClosed") return assert.fail(error._tag)
            assert.strictEqual(error.code, reason.code)
            assert.strictEqual(error.debug ?? "", debug)
          }
        })
      )
    }
  }

  sessionTest("control characters in the text are escaped in every message", ({ client, server }) =>
    Effect.gen(function* () {
      const debug = "a\nb\r\u001b[31mred\u0000\u007f\u0085\u2028end"
      yield* server.closeWith({ code: 99, debug })
      for (const error of [yield* client.closed, yield* client.draining, yield* server.closed]) {
        assert.include(error.message, "a\\nb\\r\\u001b[31mred\\u0000\\u007f\\u0085\\u2028end")
        // eslint-disable-next-line no-control-regex
        assert.notMatch(error.message, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      }
    })
  )

  sessionTest("a long text is cut between two characters", ({ client, server }) =>
    Effect.gen(function* () {
      yield* server.closeWith({ code: 99, debug: "x" + "é".repeat(1000) })
      const error = yield* client.closed
      if (error._tag !== "RemoteGoneAway") return assert.fail(error._tag)
      assert.match(error.debug, /^xé{100,127}$/)
    })
  )

  sessionTest("the first reason that says something stays, and an empty one does not count", ({ client, server }) =>
    Effect.gen(function* () {
      yield* server.goAway()
      yield* server.goAway({ code: 50, debug: "one" })
      yield* server.closeWith({ code: 51, debug: "two" })
      for (const error of [yield* client.closed, yield* server.closed]) assert.match(error.message, /\(50\).*: one$/)
    })
  )

  sessionTest("two sides that close at once each keep their own reason", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.all([client.closeWith({ code: 50, debug: "c" }), server.closeWith({ code: 51, debug: "s" })], {
        concurrency: 2
      })
      assert.match((yield* client.closed).message, /: c$/)
      assert.match((yield* server.closed).message, /: s$/)
    })
  )
})

sessionTest("ping after the peer's GOAWAY fails with RemoteGoneAway", ({ client, server }) =>
  Effect.gen(function* () {
    yield* server.goAway({ code: 99, debug: "later" })
    yield* Effect.sleep(10)
    const pinging = yield* Effect.exit(client.ping)
    if (Exit.isSuccess(pinging)) return
    assert.strictEqual((yield* Effect.flip(client.ping))._tag, "RemoteGoneAway")
  })
)

sessionTest("a GOAWAY's text cannot turn the direction of a line that shows it", ({ client, server }) =>
  Effect.gen(function* () {
    yield* server.closeWith({ code: 99, debug: "a\u202eb\u2066c\u200bd" })
    assert.notMatch((yield* client.closed).message, /[\u200b\u202e\u2066]/)
  })
)
