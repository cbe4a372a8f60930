/** The log of frames. */
import { assert, describe, it } from "@effect/vitest"
import { Frame, FrameLog, FrameReader, FrameWriter, MuxStream, Session, Transport } from "effect-muxado"
import { SimulatedSessions, SimulatedTransport } from "effect-muxado/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import { logged } from "../support/logs.js"
import { call, echoWhole, quick } from "../support/session/sessionTest.js"
import { decoded, echo, encoded, exchange, scenario, sessionOver, settle } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

describe("the log of frames", () => {
  for (const frameLog of [null, 3, "x", { level: "Debug" }, { session: 3 }, { types: 3 }, { nope: 1 }]) {
    it.scoped(`an option that is ${JSON.stringify(frameLog)} is refused by name`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(SimulatedSessions.make({ both: wrong({ frameLog }) }))
        assert.match(error.message, /frameLog/)
      })
    )
  }

  it.scopedLive("two sessions with a log of their own say which is which", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const named = (session: string) => ({ ...quick, frameLog: { level: LogLevel.Info, session } })
        const { client, server } = yield* SimulatedSessions.make({ client: named("ours"), server: named("theirs") })
        yield* Effect.forkScoped(server.serve(echoWhole))
        yield* call(client)
        for (const name of ["ours", "theirs"]) assert.isTrue(lines.some(({ message }) => message.startsWith(name)))
      })
    )
  )

  it("renders every kind of frame in one line, whatever a GOAWAY's text holds", () => {
    const frames: ReadonlyArray<Parameters<typeof FrameLog.render>[0]> = [
      { _tag: "Rst", streamId: 3, code: 2 },
      { _tag: "GoAway", lastStreamId: 0, code: 99, debug: new TextEncoder().encode("a\nb") }
    ]
    for (const frame of frames) assert.notInclude(FrameLog.render(frame), "\n")
  })
})

describe("a FrameLog layer", () => {
  it.effect("logs the frames of a session without changes to its reader and writer", () =>
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
            MuxStream.write(stream, encoded("hello")).pipe(
              Effect.zipRight(MuxStream.finish(stream)),
              Effect.zipRight(MuxStream.readAll(stream))
            )
          )
          assert.strictEqual(decoded(answer), "hello")
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

  it.effect(
    "is an option of every session: with its name, stream types by name, and frames as they are on the wire",
    () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair({ chunking: { min: 5000, max: 5000 } })
        const lines: Array<string> = []
        const logger = Logger.make<unknown, void>(({ message }) => {
          if (!String(message).includes("WNDINC")) lines.push(String(message))
        })
        const server = yield* sessionOver("server", link.server, { heartbeat: false })
        yield* Effect.fork(server.serve(MuxStream.readAll))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Session.fromTransport(link.client, {
              role: "client",
              heartbeat: false,
              frameLog: { session: "users", types: { 7: "upload" }, level: LogLevel.Info }
            })
            yield* client.withStream(
              (stream) =>
                MuxStream.write(stream, new Uint8Array(100_000)).pipe(Effect.zipRight(MuxStream.finish(stream))),
              { type: 7 }
            )
            yield* settle
            yield* client.withStream((stream) => MuxStream.reset(stream, 6))
          })
        ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
        assert.deepStrictEqual(lines, [
          "users: sent DATA 3 SYN 4 bytes (upload)",
          "users: sent DATA 3 FIN 100000 bytes (upload)",
          "users: received DATA 3 FIN 0 bytes (upload)",
          "users: sent GOAWAY last 0 NoError",
          "users: sent UNKNOWN type 15 on 0, 0 bytes"
        ])
      }).pipe(scenario)
  )

  it.effect("a logger that dies harms no session", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const logger = Logger.make<unknown, void>(() => {
        throw new Error("the log is full")
      })
      const server = yield* sessionOver("server", link.server, { heartbeat: false })
      yield* Effect.fork(server.serve(echo))
      const answer = yield* Session.fromTransport(link.client, {
        role: "client",
        heartbeat: false,
        frameLog: { level: LogLevel.Info }
      }).pipe(
        Effect.flatMap((client) => client.withStream((stream) => exchange(stream, encoded("hello")))),
        Effect.scoped,
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      assert.strictEqual(decoded(answer), "hello")
    }).pipe(scenario)
  )

  it("renders every frame in one line", () => {
    const rendered = [
      Frame.data(3, encoded("abc"), { syn: true }),
      { ...Frame.data(3, encoded("abc"), { fin: true }), length: 10, last: false },
      { ...Frame.data(3, encoded("abc"), { syn: true, fin: true }), length: 10, first: false },
      Frame.rst(3, 6),
      Frame.windowIncrement(3, 100),
      Frame.goAway(3, 0, encoded('say "x"\n')),
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
