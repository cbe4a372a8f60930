/** What an application hands to `write`, and what becomes of it later. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxStream, type Session } from "effect-muxado"
import { SimulatedSessions } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as vm from "node:vm"
import { detach } from "../support/bytes.js"
import { logged, quietly } from "../support/logs.js"
import { overDuplexes, overSimulated, overTcp, overTls, overUnix, overWebSocket } from "../support/session/media.js"
import { echoWhole, ending, quick, sessionTest } from "../support/session/sessionTest.js"
import {
  assertAtRest,
  decoded,
  echo,
  encoded,
  exchange,
  makePair,
  scenario,
  settle
} from "../support/session/sessions.js"

/** The lines that are logged as warnings while the effect runs. */
const warnings = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      if (logLevel._tag === "Warning") lines.push(String(message))
    })
    return Effect.map(
      Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)),
      (result) => [result, lines] as const
    )
  })

const silent = Logger.remove(Logger.defaultLogger)

const stillServes = (session: Session.SessionService) =>
  Effect.map(
    session.withStream((stream) => exchange(stream, encoded("alive"))),
    (answer) => assert.strictEqual(decoded(answer), "alive")
  )

describe("a value that is not bytes", () => {
  const values: ReadonlyArray<readonly [unknown, string]> = [
    [new ArrayBuffer(5), "an ArrayBuffer of 5 bytes"],
    [Uint16Array.of(500), "a Uint16Array of 2 bytes"],
    [new Uint16Array(20_000).fill(258), "a Uint16Array of 40000 bytes"],
    [new DataView(new ArrayBuffer(3)), "a DataView of 3 bytes"],
    [[1, 2, 3], "an array"],
    [null, "null"],
    [undefined, "undefined"],
    [7, "7"],
    [{ length: 3 }, "an object"],
    [new Proxy({}, { get: () => assert.fail("not looked into") }), "an object"]
  ]
  for (const [value, name] of values) {
    it.effect(`${name} fails its write with InvalidOptions, and harms nothing else`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        yield* Effect.fork(server.serve(echo))
        const answer = yield* client.withStream((stream) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(MuxStream.write(stream, value as Uint8Array))
            assert.strictEqual(error._tag, "InvalidOptions")
            assert.strictEqual(
              error.message,
              `Invalid options: write: the data must be a Uint8Array or a string, not ${name}`
            )
            return yield* exchange(stream, encoded("the same stream goes on"))
          })
        )
        assert.strictEqual(decoded(answer), "the same stream goes on")
        yield* stillServes(client)
      }).pipe(scenario)
    )
  }

  it.effect("a Uint8Array of another realm is accepted", () =>
    Effect.gen(function* () {
      const foreign = vm.runInNewContext("Uint8Array.of(104, 105)") as Uint8Array
      assert.isFalse(foreign instanceof Uint8Array)
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(echo))
      assert.strictEqual(decoded(yield* client.withStream((stream) => exchange(stream, foreign))), "hi")
    }).pipe(scenario)
  )
})

describe("a string", () => {
  for (const value of ["", "h\u00e9llo", "\u00e9".repeat(200_000), "\ud83d\ude00"]) {
    it.effect(`of ${value.length} characters is written as UTF-8`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        yield* Effect.fork(server.serve(echo))
        const answer = yield* client.withStream((stream) =>
          Effect.map(
            Effect.all([MuxStream.readAll(stream), Effect.zipRight(MuxStream.write(stream, value), stream.finish)], {
              concurrency: 2
            }),
            ([all]) => all
          )
        )
        assert.isTrue(decoded(answer) === value)
      }).pipe(scenario)
    )
  }
})

describe("memory that is detached after it was written", () => {
  const media = {
    "a simulated link": overSimulated({}),
    Duplexes: overDuplexes,
    TCP: overTcp,
    TLS: overTls,
    "a unix socket": overUnix,
    WebSocket: overWebSocket
  }
  for (const [name, medium] of Object.entries(media)) {
    for (const size of [1000, 50_000, 200_000]) {
      it.live(`${size} bytes over ${name} reset their stream with InternalError; the session goes on`, () =>
        Effect.gen(function* () {
          const { client, server } = yield* medium
          yield* Effect.scoped(
            Effect.gen(function* () {
              const near = yield* client.open()
              yield* MuxStream.write(near, new Uint8Array(3))
              const far = yield* server.accept
              yield* MuxStream.read(far)
              const bytes = new Uint8Array(size)
              yield* MuxStream.write(near, bytes)
              detach(bytes)
              const errors = [yield* Effect.flip(MuxStream.readAll(near)), yield* Effect.flip(MuxStream.readAll(far))]
              assert.deepStrictEqual(
                errors.map((error) => error._tag === "StreamReset" && [error.code, error.initiator]),
                [
                  [ErrorCode.InternalError, "Local"],
                  [ErrorCode.InternalError, "Remote"]
                ]
              )
            })
          )
          yield* Effect.forkScoped(server.serve(echo))
          yield* stillServes(client)
        }).pipe(Effect.scoped, Effect.provide(silent), Effect.timeout("10 seconds"))
      )
    }
  }

  it.effect("is logged as one warning by the session, which says what happened", () =>
    Effect.gen(function* () {
      const [, lines] = yield* Effect.gen(function* () {
        const { client } = yield* makePair()
        const stream = yield* client.open()
        const bytes = new Uint8Array(1000)
        yield* MuxStream.write(stream, bytes)
        detach(bytes)
        yield* settle
        yield* assertAtRest(client)
      }).pipe(Effect.scoped, warnings)
      assert.deepStrictEqual(lines, [
        "Stream 3 is reset: the memory of its bytes was detached before they were sent or read " +
          "(a transfer of the ArrayBuffer, or WebAssembly memory that grew)"
      ])
    }).pipe(scenario)
  )

  it.effect("bytes of WebAssembly memory that grows are lost in the same way", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair()
      const memory = new WebAssembly.Memory({ initial: 2 })
      const stream = yield* client.open()
      yield* MuxStream.write(stream, new Uint8Array(memory.buffer, 0, 50_000))
      memory.grow(1)
      const error = yield* Effect.flip(MuxStream.read(stream))
      assert(error._tag === "StreamReset")
      assert.strictEqual(error.code, ErrorCode.InternalError)
    }).pipe(scenario)
  )

  it.effect("while the write waits for the peer's window: this write and all later ones fail", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { window: 1000, maxWindow: 1000 } })
      yield* Effect.fork(server.serve(echo))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const stream = yield* client.open()
          const bytes = new Uint8Array(100_000)
          const first = yield* Effect.fork(Effect.flip(MuxStream.write(stream, bytes)))
          const second = yield* Effect.fork(Effect.flip(MuxStream.write(stream, "behind it")))
          yield* Effect.yieldNow()
          detach(bytes)
          for (const fiber of [first, second]) {
            const error = yield* Fiber.join(fiber)
            assert(error._tag === "StreamReset")
            assert.strictEqual(error.code, ErrorCode.InternalError)
          }
        })
      )
      yield* stillServes(client)
      yield* settle
      yield* assertAtRest(client)
    }).pipe(scenario)
  )

  it.effect("before the write has begun: that write fails with InvalidOptions, and the stream goes on", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(echo))
      const answer = yield* client.withStream((stream) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(1000)
          const write = MuxStream.write(stream, bytes)
          detach(bytes)
          const error = yield* Effect.flip(write)
          assert.strictEqual(
            error.message,
            "Invalid options: write: the memory of the 1000 bytes was detached before the write ran"
          )
          return yield* exchange(stream, encoded("goes on"))
        })
      )
      assert.strictEqual(decoded(answer), "goes on")
    }).pipe(scenario)
  )

  it.effect("a write that is interrupted after its memory was detached resets the stream instead of hanging", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair({ both: { window: 1000, maxWindow: 1000 } })
      const stream = yield* client.open()
      const bytes = new Uint8Array(100_000)
      const write = yield* Effect.fork(MuxStream.write(stream, bytes))
      yield* Effect.yieldNow()
      detach(bytes)
      yield* Fiber.interrupt(write)
      assert.strictEqual((yield* Effect.flip(MuxStream.read(stream)))._tag, "StreamReset")
    }).pipe(scenario)
  )
})

describe("memory that can change its length", () => {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { readonly maxByteLength: number }
  ) => ArrayBuffer & { readonly resize: (length: number) => void }

  for (const size of [40, 4000, 40_000]) {
    it.effect(`${size} bytes of a resizable ArrayBuffer are sent as they were`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        yield* Effect.fork(server.serve(echo))
        const buffer = new Resizable(size, { maxByteLength: 2 * size })
        const bytes = new Uint8Array(buffer).fill(7)
        const answer = yield* client.withStream((stream) =>
          Effect.gen(function* () {
            yield* MuxStream.write(stream, bytes)
            buffer.resize(1)
            yield* MuxStream.finish(stream)
            return yield* MuxStream.readAll(stream)
          })
        )
        assert.isTrue(answer.length === size && answer.every((byte) => byte === 7))
      }).pipe(scenario)
    )

    it.effect(`${size} bytes of a SharedArrayBuffer are sent as they were`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        yield* Effect.fork(server.serve(echo))
        const bytes = new Uint8Array(new SharedArrayBuffer(size)).fill(7)
        const answer = yield* client.withStream((stream) =>
          Effect.gen(function* () {
            yield* MuxStream.write(stream, bytes)
            bytes.fill(8)
            yield* MuxStream.finish(stream)
            return yield* MuxStream.readAll(stream)
          })
        )
        assert.isTrue(answer.length === size && answer.every((byte) => byte === 7))
      }).pipe(scenario)
    )
  }
})

describe("a code that is not a uint32", () => {
  for (const code of [-1, 2 ** 32, 1.5, Number.NaN, "6", undefined]) {
    it.effect(`${String(code)} is a defect of reset, goAway and closeWith`, () =>
      Effect.gen(function* () {
        const { client } = yield* makePair()
        const stream = yield* client.open()
        const wrong = code as number
        const exits = [yield* Effect.exit(MuxStream.reset(stream, wrong))]
        if (code !== undefined) {
          exits.push(yield* Effect.exit(client.goAway({ code: wrong })))
          exits.push(yield* Effect.exit(client.closeWith({ code: wrong })))
        }
        for (const exit of exits) assert.include(String(exit), "the code must be an integer from 0 to 4294967295")
        yield* MuxStream.write(stream, "still open")
      }).pipe(scenario)
    )
  }
})

describe("memory that changes after it was handed over", () => {
  const echoed = (client: SimulatedSessions.SimulatedSessionsService["client"], bytes: Uint8Array, spoil: () => void) =>
    client.withStream((stream) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(MuxStream.write(stream, bytes))
        yield* Effect.yieldNow()
        spoil()
        yield* Fiber.join(writing)
        yield* MuxStream.finish(stream)
        return yield* MuxStream.readAll(stream)
      })
    )
  const echo = (stream: MuxStream.MuxStream) =>
    Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes))

  sessionTest("resets its stream if it was transferred, one warning says why, and the session goes on", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedSessions.make({ both: quick })
        yield* Effect.forkScoped(server.serve(echo))
        const other = yield* client.open()
        const bytes = new Uint8Array(800_000)
        const transfer = () => structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
        assert.match(yield* ending(echoed(client, bytes, transfer)), /^fails StreamReset: .*InternalError \(2\)/)
        assert.strictEqual(lines.length, 1)
        assert.match(lines[0]?.message ?? "", /^Stream 5 is reset: the memory of its bytes was detached/)
        yield* MuxStream.write(other, "lives")
        yield* MuxStream.finish(other)
        assert.strictEqual(decoded(yield* MuxStream.readAll(other)), "lives")
      })
    )
  )

  sessionTest("resets its stream if WebAssembly memory grew, and the session goes on", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const memory = new WebAssembly.Memory({ initial: 20 })
      const bytes = new Uint8Array(memory.buffer, 0, 800_000)
      assert.match(
        yield* ending(echoed(client, bytes, () => memory.grow(1))),
        /^fails StreamReset: .*InternalError \(2\)/
      )
      yield* client.ping
    }).pipe(quietly)
  )

  sessionTest("arrives as it was written if another thread changes shared memory", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const bytes = new Uint8Array(new SharedArrayBuffer(200_000)).fill(65)
      const back = yield* echoed(client, bytes, () => void bytes.fill(66))
      assert.isTrue(back.length === 200_000 && back.every((byte) => byte === 65))
    })
  )
})

sessionTest("a write of bytes whose memory was detached before fails with InvalidOptions", ({ client, server }) =>
  Effect.gen(function* () {
    yield* Effect.forkScoped(server.serve(echoWhole))
    const bytes = new Uint8Array(10)
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
    const stream = yield* client.open()
    assert.match(yield* ending(MuxStream.write(stream, bytes)), /^fails InvalidOptions: .*detached/)
  })
)
