/** Wrong arguments of a session and its streams. */
import { assert, describe } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import { quietly } from "../support/logs.js"
import { call, echoWhole, ending, sessionTest } from "../support/session/sessionTest.js"
import { wrong } from "../support/wrong.js"

const values: ReadonlyArray<unknown> = [undefined, null, -1, 1.5, NaN, "x", {}, [], Symbol("s"), 10n, () => 1]

const nameOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value)

describe("a wrong argument of a stream", () => {
  for (const value of [null, undefined, 0, true, {}, [1], new ArrayBuffer(4), Uint16Array.of(1), new Date(0), 1n]) {
    sessionTest(
      `write(${nameOf(value)}) fails with InvalidOptions, and the next write of the stream is sent`,
      ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(echoWhole))
          const stream = yield* client.open()
          const error = yield* Effect.flip(MuxStream.write(stream, wrong(value)))
          assert.strictEqual(error._tag, "InvalidOptions")
          assert.match(error.message, /^Invalid options: write: the data must be a Uint8Array or a string, not /)
          yield* MuxStream.write(stream, "good")
          yield* MuxStream.finish(stream)
          assert.strictEqual(new TextDecoder().decode(yield* MuxStream.readAll(stream)), "good")
        })
    )
  }

  for (const value of values) {
    sessionTest(
      `reset(${nameOf(value)}) dies with a text that names the value, and the session goes on`,
      ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(echoWhole))
          const end = yield* ending(client.withStream((stream) => MuxStream.reset(stream, wrong(value))))
          assert.match(end, /^dies InvalidOptions: .*reset: the code must be an integer from 0 to 4294967295, not /)
          assert.strictEqual(yield* call(client), "hello")
        })
    )
  }

  for (const value of values.filter((value) => value !== undefined && value !== 1.5)) {
    sessionTest(
      `readAll with maxBytes ${nameOf(value)} fails with InvalidOptions and takes nothing`,
      ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(echoWhole))
          const answer = yield* client.withStream((stream) =>
            Effect.gen(function* () {
              yield* MuxStream.write(stream, "kept")
              yield* MuxStream.finish(stream)
              const end = yield* ending(MuxStream.readAll(stream, wrong({ maxBytes: value })))
              assert.match(end, /^fails InvalidOptions: .*maxBytes must be a number of bytes, 0 or more, not /)
              return yield* MuxStream.readAll(stream)
            })
          )
          assert.strictEqual(new TextDecoder().decode(answer), "kept")
        })
    )
  }
})

describe("a wrong argument of a session", () => {
  for (const value of [null, -1, 1.5, NaN, "x", [], 10n, 2 ** 32, 0xffffffff]) {
    sessionTest(
      `open with type ${nameOf(value)} fails with InvalidOptions and uses no stream id`,
      ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(echoWhole))
          const end = yield* ending(client.open(wrong({ type: value })))
          assert.match(end, /^fails InvalidOptions: .*the stream type must be a uint32 below 0xFFFFFFFF/)
          assert.strictEqual((yield* client.stats).opened, 0)
          assert.strictEqual(yield* call(client), "hello")
        })
    )
  }

  for (const method of ["goAway", "closeWith"] as const) {
    for (const value of values.filter((value) => value !== undefined)) {
      sessionTest(
        `${method} with code ${nameOf(value)} dies with a text, and says nothing to the peer`,
        ({ client, server }) =>
          Effect.gen(function* () {
            yield* Effect.forkScoped(server.serve(echoWhole))
            const end = yield* ending(client[method](wrong({ code: value })))
            assert.match(end, new RegExp(`^dies InvalidOptions: .*${method}: the code must be an integer`))
            assert.strictEqual(yield* call(client), "hello")
            assert.strictEqual(yield* ending(server.draining), "waits")
          })
      )
    }

    sessionTest(
      `${method} with a text that is no string dies with a text, and says nothing to the peer`,
      ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(echoWhole))
          for (const value of [null, 3, {}, Symbol("s")]) {
            const end = yield* ending(client[method](wrong({ debug: value })))
            assert.match(end, new RegExp(`^dies InvalidOptions: .*${method}: the debug text must be a string, not `))
          }
          assert.strictEqual(yield* call(client), "hello")
          assert.strictEqual(yield* ending(server.draining), "waits")
        })
    )
  }

  sessionTest("a drain with no duration dies, and the session goes on", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echoWhole))
      for (const value of [null, "soon", {}, Symbol("s")]) {
        assert.match(yield* ending(client.drain(wrong(value))), /^dies /)
      }
      assert.strictEqual(yield* call(client), "hello")
    })
  )

  for (const value of [0, -1, NaN, "x", "inherit", {}, 10n]) {
    sessionTest(`serve with concurrency ${nameOf(value)} dies before it takes a stream`, ({ client, server }) =>
      Effect.gen(function* () {
        const end = yield* ending(server.serve(echoWhole, wrong({ concurrency: value })))
        assert.match(end, /^dies InvalidOptions: .*serve: the concurrency must be at least 1 or "unbounded", not /)
        yield* Effect.forkScoped(server.serve(echoWhole))
        assert.strictEqual(yield* call(client), "hello")
      })
    )
  }

  for (const handler of [undefined, "x", null, 7]) {
    sessionTest(`serve with a handler that is ${String(handler)} dies before it takes a stream`, ({ server }) =>
      Effect.gen(function* () {
        assert.match(
          yield* ending(server.serve(wrong<typeof echoWhole>(handler))),
          /^dies InvalidOptions: .*serve: the handler must be a function, not /
        )
      })
    )
  }

  for (const handler of [() => 3, () => undefined]) {
    sessionTest(
      `a handler of serve that is ${String(handler)} resets its stream, and serve goes on`,
      ({ client, server }) =>
        Effect.gen(function* () {
          const serving = yield* Effect.forkScoped(server.serve(wrong<typeof echoWhole>(handler)))
          for (let i = 0; i < 2; i++) {
            assert.match(yield* ending(call(client)), /^fails StreamReset: .*InternalError \(2\)/)
          }
          assert.isNull(serving.unsafePoll())
          yield* client.ping
        }).pipe(quietly)
    )
  }

  sessionTest(
    "a use of withStream that is no function fails, one that gives no effect dies, and no stream stays open",
    ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echoWhole))
        for (const use of [undefined, 3, { type: 1 }]) {
          const end = yield* ending(client.withStream(wrong<typeof echoWhole>(use), wrong(echoWhole)))
          assert.match(end, /^fails InvalidOptions: .*withStream: the first argument must be a function/)
        }
        assert.match(yield* ending(client.withStream(wrong<typeof echoWhole>(() => 3))), /^dies /)
        assert.strictEqual((yield* client.stats).outboundStreams, 0)
        assert.strictEqual(yield* call(client), "hello")
      })
  )

  for (const value of [Symbol("s"), Object.create(null) as unknown]) {
    sessionTest(`open with a type that has no text (${typeof value}) fails with InvalidOptions`, ({ client }) =>
      Effect.gen(function* () {
        assert.match(yield* ending(client.open(wrong({ type: value }))), /^fails InvalidOptions: /)
      })
    )
  }

  sessionTest("a limit or a type that is not in an object fails with InvalidOptions", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echoWhole))
      const read = client.withStream((stream) =>
        Effect.gen(function* () {
          yield* MuxStream.write(stream, "more than 3")
          yield* MuxStream.finish(stream)
          return yield* MuxStream.readAll(stream, wrong(3))
        })
      )
      assert.match(yield* ending(read), /^fails (InvalidOptions|ReadLimitExceeded): /)
      assert.match(yield* ending(client.open(wrong(7))), /^fails InvalidOptions: /)
    })
  )

  sessionTest(
    "goAway(null) and a text alone are defects that say what they take; closeWith() may have no argument",
    ({ client }) =>
      Effect.gen(function* () {
        assert.match(yield* ending(client.goAway(wrong(null))), /^dies InvalidOptions: /)
        assert.match(yield* ending(client.closeWith(wrong(undefined))), /^(ok|dies InvalidOptions: )/)
        assert.match(yield* ending(client.goAway(wrong("maintenance"))), /^dies InvalidOptions: /)
      })
  )

  sessionTest("a drain for 'soon' is a defect that names drain and the value", ({ client }) =>
    Effect.gen(function* () {
      assert.match(yield* ending(client.drain(wrong("soon"))), /^dies InvalidOptions: .*drain.*soon/)
    })
  )
})
