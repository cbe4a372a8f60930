import { assert, describe, it } from "@effect/vitest"
import type { MuxadoError } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type { Dial } from "../../examples/echo/arguments.js"
import { parse } from "../../examples/echo/arguments.js"
import { dial } from "../../examples/echo/dial.js"

describe("echo's arguments", () => {
  const wrong: ReadonlyArray<readonly [line: string, says: RegExp]> = [
    ["", /command is missing/],
    ["listen --port 1", /no command "listen"/],
    ["serve", /--port is required/],
    ["serve --port", /port.*argument missing/],
    ["serve --port 65536", /--port must be a whole number from 0 to 65535/],
    ["serve --port 1e3", /--port must be/],
    ["serve --port=-1", /--port must be/],
    ["serve --port 0 extra", /extra/],
    ["serve --port 0 --streams 3", /--streams/],
    ["serve --port 0 --host=", /--host must not be empty/],
    ["serve --port 0 --untyped=no", /untyped/],
    ["serve --port 0 --window 3 --accept-backlog 0", /--accept-backlog must.*--window must/],
    ["serve --port 0 --heartbeat-interval 0", /--heartbeat-interval must/],
    ["dial --port 0", /--port must be a whole number from 1/],
    ["dial --port 1 --hold", /--hold/],
    ["dial --port 1 --streams 0", /--streams must/],
    ["dial --port 1 --bytes -1", /--bytes/],
    ["dial --port 1 --concurrency many", /--concurrency must/]
  ]

  for (const [line, says] of wrong) {
    it(`refuses "${line}"`, () => {
      const result = parse(line.split(" ").filter((word) => word !== ""))
      assert.match(Either.isLeft(result) ? result.left : "accepted", says)
    })
  }

  it("--untyped turns off heartbeats, even if other options set them", () => {
    const result = parse(["serve", "--port", "0", "--heartbeat-interval", "5", "--untyped"])
    assert(Either.isRight(result) && result.right._tag === "Serve")
    assert.containSubset(result.right.session, { typed: false, heartbeat: false })
  })

  it("an option that is left out is the session's own default", () => {
    const result = parse(["dial", "--port", "7", "--heartbeat-interval", "5"])
    assert(Either.isRight(result) && result.right._tag === "Dial")
    assert.containSubset(result.right, { host: "127.0.0.1", port: 7, streams: 1, concurrency: 16, tls: false })
    assert.strictEqual(result.right.session.window, undefined)
    assert.deepStrictEqual(result.right.session.heartbeat, { interval: 5, tolerance: undefined })
  })
})

describe("echo's dial", () => {
  const command = (port: number, more: Partial<Dial>): Dial => {
    const common = { host: "127.0.0.1", port, tls: false, session: { drainTimeout: 5000 } }
    return { _tag: "Dial", ...common, streams: 2, bytes: 150_000, concurrency: 1, ...more }
  }

  type Spoil = (stream: MuxStream.MuxStream, bytes: Uint8Array) => Effect.Effect<void, MuxadoError.StreamError>
  const spoilt: ReadonlyArray<readonly [how: string, spoil: Spoil, error: object]> = [
    ["one byte differs", (stream, bytes) => MuxStream.write(stream, flip(bytes, 100_003)), ["Byte", 100_003]],
    ["the last byte is missing", (stream, bytes) => MuxStream.write(stream, bytes.subarray(1)), ["Byte", 0]],
    ["it ends early", (stream, bytes) => MuxStream.write(stream, bytes.subarray(0, 70_000)), ["EndedEarly", 70_000]],
    [
      "it goes on",
      (stream, bytes) => Effect.zipRight(MuxStream.write(stream, bytes), MuxStream.write(stream, bytes)),
      ["TooLong", 150_000]
    ]
  ]

  for (const [how, spoil, error] of spoilt) {
    it.scopedLive(`an echo of which ${how} is detected, with its offset`, () =>
      Effect.gen(function* () {
        const handle = (stream: MuxStream.MuxStream) =>
          Effect.flatMap(MuxStream.readAll(stream), (bytes) => spoil(stream, bytes))
        const port = yield* serving(handle)
        const found = yield* Effect.flip(dial(command(port, {}), Effect.never))
        assert(found._tag === "EchoDiffers")
        assert.deepStrictEqual([found.reason, found.offset], error)
      })
    )
  }

  it.scopedLive("a stream that is reset is reported as an error with its code", () =>
    Effect.gen(function* () {
      const port = yield* serving((stream) => MuxStream.reset(stream, 77))
      const error = yield* Effect.flip(dial(command(port, {}), Effect.never))
      assert.containSubset(error, { _tag: "StreamReset", code: 77, initiator: "Remote" })
    })
  )

  it.scopedLive("when it is stopped, it opens no more streams, and prints that it is not complete", () =>
    Effect.gen(function* () {
      const stop = yield* Deferred.make<void>()
      let streams = 0
      const port = yield* serving((stream) =>
        Effect.zipRight(
          Effect.suspend(() => (++streams === 5 ? Deferred.succeed(stop, undefined) : Effect.void)),
          Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes))
        )
      )
      const summary = yield* dial(command(port, { streams: 100_000_000, bytes: 9 }), Deferred.await(stop))
      assert.isTrue(summary.interrupted)
      assert.isAtLeast(summary.streams, 5)
      assert.strictEqual(summary.streams, streams)
      assert.strictEqual(summary.bytes, 9 * streams)
    })
  )
})

// --- helpers

const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))

const serving = (
  handler: (stream: MuxStream.MuxStream) => Effect.Effect<void, MuxadoError.StreamError>
): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* Effect.orDie(NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }))
    yield* Effect.forkScoped(server.run((session) => session.serve(handler)))
    assert(server.address._tag === "TcpAddress")
    return server.address.port
  })
