/** What a program logs at the default level, and a logger that throws. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import { SimulatedSessions } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import { boom } from "../support/failing.js"
import { logged } from "../support/logs.js"
import { call, echoWhole, ending, quick, sessionTest } from "../support/session/sessionTest.js"
import { makePair, scenario } from "../support/session/sessions.js"
import { dial, listening } from "../support/session/tcp.js"

describe("what a program logs at the default level", () => {
  it.scopedLive("is nothing for calls, a cancelled one, a peer that leaves, one that is killed, and a probe", () =>
    logged((lines) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const port = yield* listening((session) =>
              session.serve((stream) => (stream.id === 5 ? Effect.never : echoWhole(stream)))
            )
            const client = yield* dial(port)
            yield* call(client)
            yield* Effect.exit(Effect.timeout(call(client), 20))
            yield* client.close
            const killed = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
            yield* killed.destroy
            const probe = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
            yield* probe.end
            yield* Effect.sleep(20)
          })
        )
        assert.deepStrictEqual(
          lines.filter(({ level }) => LogLevel.greaterThanEqual(level, LogLevel.Info)),
          []
        )
      })
    )
  )

  it.scopedLive("is one warning that says which other protocol a peer speaks", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const port = yield* listening((session) => session.serve(echoWhole))
        const stranger = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
        yield* stranger.write([new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")])
        yield* Effect.exit(Effect.forever(stranger.read))
        while (lines.length === 0) yield* Effect.sleep(5)
        assert.strictEqual(lines.length, 1)
        assert.match(
          lines[0]?.message ?? "",
          /^A session with 127\.0\.0\.1:\d+ ended .*the first bytes are HTTP, not muxado/
        )
      })
    )
  )

  sessionTest("is one warning for a handler's failure, with the stream's id and type", ({ client, server }) =>
    logged((lines) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(() => Effect.fail("no such user")))
        yield* ending(client.withStream(MuxStream.readAll, { type: 7 }).pipe(Effect.timeout(10)))
        yield* ending(
          client.withStream((stream) => Effect.zipRight(MuxStream.write(stream, "x"), MuxStream.readAll(stream)), {
            type: 7
          })
        )
        assert.isAtLeast(lines.length, 1)
        for (const line of lines) {
          assert.strictEqual(line.level._tag, "Warning")
          assert.match(line.message, /^The handler of stream \d+ \(type 7\) failed/)
        }
      })
    )
  )
})

describe("a logger that throws", () => {
  const throwing = Logger.replace(
    Logger.defaultLogger,
    Logger.make(() => {
      throw boom
    })
  )

  it.scopedLive("harms no session whose frames it logs", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedSessions.make({
        both: { ...quick, frameLog: { level: LogLevel.Error } }
      })
      yield* Effect.forkScoped(server.serve(echoWhole))
      assert.strictEqual(yield* call(client), "hello")
    }).pipe(Effect.provide(throwing))
  )

  it.scopedLive("harms no session whose handlers fail and die", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedSessions.make({ both: quick })
      yield* Effect.forkScoped(server.serve((stream) => (stream.id === 3 ? Effect.fail("x") : Effect.die("y"))))
      assert.match(yield* ending(call(client)), /StreamCancelled/)
      assert.match(yield* ending(call(client)), /InternalError/)
      yield* client.ping
    }).pipe(Effect.provide(throwing))
  )
})

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
