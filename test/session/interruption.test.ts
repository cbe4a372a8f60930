import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, Frame, MuxStream, Session } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/TestClock"
import { noise } from "../support/bytes.js"
import { call, echoWhole, ending, quick, sessionTest } from "../support/session/sessionTest.js"
import {
  assertAtRest,
  decoded,
  echo,
  encoded,
  exchange,
  isDone,
  makePair,
  makeRawPair,
  passTimeUntil,
  scenario,
  settle,
  yields
} from "../support/session/sessions.js"

/** What a typed stream may send at first: the type is paid from the window. */
const CREDIT = 256 * 1024 - 4

/** Everything that a raw peer has received once no more comes. */
const received = (peer: { readonly receive: Effect.Effect<{ frames: ReadonlyArray<Frame.InboundFrame> }, unknown> }) =>
  Effect.gen(function* () {
    const frames: Array<Frame.InboundFrame> = []
    const reading = yield* Effect.fork(
      Effect.forever(Effect.map(peer.receive, (batch) => void frames.push(...batch.frames)))
    )
    yield* TestClock.adjust("1 second")
    yield* Fiber.interrupt(reading)
    return frames
  })

const payload = (frames: ReadonlyArray<Frame.InboundFrame>): string =>
  decoded(Buffer.concat(frames.flatMap((frame) => (frame._tag === "Data" && !frame.syn ? [frame.payload] : []))))

const resets = (frames: ReadonlyArray<Frame.InboundFrame>) =>
  frames.flatMap((frame) => (frame._tag === "Rst" ? [[frame.streamId, frame.code]] : []))

describe("an interrupted read", () => {
  it.effect("loses no bytes, at any step of the interruption", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ link: { chunking: { min: 1, max: 3000 } } })
      const stream = yield* client.open()
      const sent = noise(120_000, 5)
      yield* Effect.fork(Effect.zipRight(MuxStream.write(stream, sent), MuxStream.finish(stream)))
      const there = yield* server.accept
      const got: Array<Uint8Array> = []
      for (let step = 0, over = false; !over; step++) {
        const reading = yield* Effect.fork(
          Effect.map(MuxStream.read(there), (chunk) => {
            if (chunk._tag === "Some") got.push(chunk.value)
            else over = true
          })
        )
        yield* yields(step % 12)
        yield* Fiber.interrupt(reading)
        if (step % 12 === 11) yield* settle
      }
      assert.deepStrictEqual(Uint8Array.from(Buffer.concat(got)), sent)
    }).pipe(scenario)
  )

  it.effect("does not lose the wake-up of another reader", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const stream = yield* client.open()
      const there = yield* server.accept
      const readers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(MuxStream.read(there)))
      yield* settle
      yield* MuxStream.write(stream, encoded("x"))
      const [first, ...others] = readers
      yield* Fiber.interrupt(first ?? assert.fail())
      yield* settle
      const done = yield* Effect.filter(others, isDone)
      assert.strictEqual(done.length, 1)
      yield* Fiber.interruptAll(readers)
    }).pipe(scenario)
  )

  it.effect("loses no bytes, at any operation of its fiber", () =>
    Effect.gen(function* () {
      for (let step = 1; step < 30; step++) {
        const { client, server } = yield* makePair()
        const written = yield* client.open()
        yield* MuxStream.write(written, Uint8Array.of(1, 2, 3))
        const stream = yield* server.accept
        const reading: { fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined } = { fiber: undefined }
        let operations = 0
        const scheduler = Scheduler.make(
          (task) => void Promise.resolve().then(task),
          () => {
            if (++operations !== step) return false
            const { fiber } = reading
            if (fiber !== undefined) fiber.unsafeInterruptAsFork(fiber.id())
            return 0
          }
        )
        let got: Option.Option<Uint8Array> | undefined
        const read = Effect.withFiberRuntime<void, unknown>((fiber) => {
          reading.fiber = fiber
          // not `map`: that would take the bytes one operation after they were given
          return Effect.flatMap(MuxStream.read(stream), (bytes) => {
            got = bytes
            return Effect.void
          })
        })
        yield* Effect.fork(Effect.withScheduler(read, scheduler)).pipe(Effect.flatMap(Fiber.await))
        got ??= yield* MuxStream.read(stream)
        assert.deepStrictEqual(Option.map(got, Array.from), Option.some([1, 2, 3]), `step ${step}`)
      }
    }).pipe(scenario)
  )
})

describe("an interrupted write", () => {
  it.effect("of which nothing was taken leaves the stream as it was", () =>
    Effect.gen(function* () {
      const peer = yield* makeRawPair({ heartbeat: false })
      const stream = yield* peer.client.open()
      yield* MuxStream.write(stream, new Uint8Array(CREDIT))
      const writing = yield* Effect.fork(MuxStream.write(stream, encoded("never")))
      yield* received(peer)
      yield* Fiber.interrupt(writing)
      yield* peer.send([Frame.windowIncrement(3, 2000)])
      yield* settle
      yield* MuxStream.write(stream, encoded("later"))
      const frames = yield* received(peer)
      assert.strictEqual(payload(frames), "later")
      assert.deepStrictEqual(resets(frames), [])
    }).pipe(scenario)
  )

  it.effect("of which nothing was sent is withdrawn, and its credit is restored", () =>
    Effect.gen(function* () {
      // the first write is on its way, and the link takes no more of it while the peer does not read
      const peer = yield* makeRawPair({ heartbeat: false }, { bufferSize: 16_384 })
      const stream = yield* peer.client.open()
      yield* MuxStream.write(stream, new Uint8Array(20_000).fill(32))
      yield* settle
      const writing = yield* Effect.fork(MuxStream.write(stream, new Uint8Array(CREDIT).fill(33)))
      yield* settle
      assert.strictEqual((yield* peer.client.stats).queuedBytes, CREDIT - 20_000)
      yield* Fiber.interrupt(writing)
      assert.strictEqual((yield* peer.client.stats).queuedBytes, 0)
      // the whole rest of the window can be used at once
      yield* MuxStream.write(stream, new Uint8Array(CREDIT - 20_000).fill(34))
      const frames = yield* received(peer)
      assert.deepStrictEqual(resets(frames), [])
      assert.strictEqual(payload(frames), " ".repeat(20_000) + '"'.repeat(CREDIT - 20_000))
    }).pipe(scenario)
  )

  it.effect("of which some was sent resets the stream, so that the peer sees it", () =>
    Effect.gen(function* () {
      const peer = yield* makeRawPair({ heartbeat: false })
      const stream = yield* peer.client.open()
      const writing = yield* Effect.fork(MuxStream.write(stream, new Uint8Array(CREDIT + 1)))
      const next = yield* Effect.fork(Effect.flip(MuxStream.write(stream, encoded("next"))))
      assert.strictEqual(payload(yield* received(peer)).length, CREDIT)
      yield* Fiber.interrupt(writing)
      assert.deepStrictEqual(resets(yield* received(peer)), [[3, ErrorCode.StreamCancelled]])
      for (const error of [yield* Fiber.join(next), yield* Effect.flip(MuxStream.read(stream))]) {
        assert(error._tag === "StreamReset")
        assert.deepStrictEqual([error.code, error.initiator], [ErrorCode.StreamCancelled, "Local"])
      }
      yield* assertAtRest(peer.client)
    }).pipe(scenario)
  )

  it.effect("lets the next write continue", () =>
    Effect.gen(function* () {
      const peer = yield* makeRawPair({ heartbeat: false })
      const stream = yield* peer.client.open()
      yield* MuxStream.write(stream, new Uint8Array(CREDIT))
      const first = yield* Effect.fork(MuxStream.write(stream, encoded("first")))
      const second = yield* Effect.fork(MuxStream.write(stream, encoded("second")))
      const finish = yield* Effect.fork(MuxStream.finish(stream))
      yield* received(peer)
      yield* Fiber.interrupt(first)
      yield* peer.send([Frame.windowIncrement(3, 2000)])
      yield* settle
      yield* Fiber.joinAll([second, finish])
      const frames = yield* received(peer)
      assert.strictEqual(payload(frames), "second")
      assert.isTrue(frames.some((frame) => frame._tag === "Data" && frame.fin))
    }).pipe(scenario)
  )

  it.effect("never lets two writes of a stream mix", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { window: 5000, maxSendBuffer: 4096 } })
      const stream = yield* client.open()
      yield* Effect.forEach([65, 66, 67, 68], (byte) =>
        Effect.fork(MuxStream.write(stream, new Uint8Array(20_000).fill(byte)))
      )
      yield* settle
      yield* Effect.fork(MuxStream.finish(stream))
      const there = yield* server.accept
      const bytes = yield* Effect.flatMap(Effect.fork(MuxStream.readAll(there)), passTimeUntil)
      assert.strictEqual(decoded(bytes).replace(/(.)\1*/g, "$1"), "ABCD")
      assert.strictEqual(bytes.length, 80_000)
    }).pipe(scenario)
  )
})

describe("an interrupted finish", () => {
  it.effect("behind a write leaves the stream open", () =>
    Effect.gen(function* () {
      const peer = yield* makeRawPair({ heartbeat: false })
      const stream = yield* peer.client.open()
      yield* MuxStream.write(stream, new Uint8Array(CREDIT))
      const writing = yield* Effect.fork(MuxStream.write(stream, encoded("more")))
      const finishing = yield* Effect.fork(MuxStream.finish(stream))
      yield* received(peer)
      yield* Fiber.interrupt(finishing)
      yield* peer.send([Frame.windowIncrement(3, 2000)])
      yield* settle
      yield* Fiber.join(writing)
      yield* MuxStream.write(stream, encoded(", and more"))
      const frames = yield* received(peer)
      assert.strictEqual(payload(frames), "more, and more")
      assert.isFalse(frames.some((frame) => frame._tag === "Data" && frame.fin))
    }).pipe(scenario)
  )
})

describe("an interrupted open", () => {
  it.effect("gives back its place, also 10,000 times", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ client: { maxOutboundStreams: 1 } })
      yield* Effect.fork(server.serve(echo))
      const release = yield* Deferred.make<void>()
      const holding = yield* Effect.fork(client.withStream(() => Deferred.await(release)))
      yield* settle
      for (let i = 0; i < 10_000; i++) {
        const opening = yield* Effect.fork(client.withStream(() => Effect.never))
        yield* yields(i % 3)
        yield* Fiber.interrupt(opening)
      }
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(holding)
      yield* settle
      assert.strictEqual(decoded(yield* client.withStream((stream) => exchange(stream, encoded("free")))), "free")
      yield* settle
      assert.deepStrictEqual([(yield* client.stats).opened, (yield* server.stats).accepted], [2, 2])
      yield* assertAtRest(client)
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("does not lose the place of the next waiting open, at any step of the interruption", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { heartbeat: false }, client: { maxOutboundStreams: 1 } })
      yield* Effect.fork(server.serve(echo))
      for (let step = 0; step < 15; step++) {
        const release = yield* Deferred.make<void>()
        const holding = yield* Effect.fork(client.withStream(() => Deferred.await(release)))
        yield* settle
        const second = yield* Effect.fork(client.withStream(() => Effect.never))
        const third = yield* Effect.fork(client.withStream((stream) => exchange(stream, encoded("third"))))
        yield* settle
        yield* Deferred.succeed(release, undefined)
        yield* yields(step)
        yield* Fiber.interrupt(second)
        assert.strictEqual(decoded(yield* passTimeUntil(third)), "third")
        yield* Fiber.join(holding)
      }
      yield* settle
      yield* assertAtRest(client)
      yield* assertAtRest(server)
    }).pipe(scenario)
  )
})

describe("an interrupted accept", () => {
  it.effect("neither loses nor leaks a stream, at any step of the interruption", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { heartbeat: false } })
      const total = 40
      const ids: Array<number> = []
      const accept = Effect.scoped(Effect.map(server.accept, (stream) => void ids.push(stream.id)))
      for (let step = 0; step < total; step++) {
        const accepting = yield* Effect.forEach([1, 2], () => Effect.fork(accept))
        yield* Effect.scoped(client.open())
        yield* yields(step % 14)
        yield* Fiber.interruptAll(accepting)
      }
      yield* settle
      const rest = yield* Effect.fork(Effect.forever(accept))
      yield* settle
      yield* Fiber.interrupt(rest)
      assert.strictEqual((yield* server.stats).accepted, total)
      // a stream may come up again only if its accept was interrupted before it got it
      assert.deepStrictEqual([...new Set(ids)], ids)
      yield* settle
      yield* assertAtRest(server)
      yield* assertAtRest(client)
    }).pipe(scenario)
  )
})

describe("an interrupted ping", () => {
  it.effect("does not prevent the answer to the next ping", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair({ link: { latency: "10 millis" }, both: { heartbeat: false } })
      for (let i = 0; i < 100; i++) yield* Effect.flatMap(Effect.fork(client.ping), Fiber.interrupt)
      yield* Effect.flatMap(Effect.fork(client.ping), passTimeUntil)
      // what is left is the stream of the heartbeats themselves
      assert.strictEqual((yield* client.stats).tableSize, 1)
      assert.strictEqual((yield* client.stats).queuedBytes, 0)
    }).pipe(scenario)
  )
})

describe("the end of withStream and of an open's scope", () => {
  const ends: ReadonlyArray<readonly [string, Effect.Effect<void, string>, string]> = [
    ["success is a FIN", Effect.void, "FIN"],
    ["failure is RST StreamCancelled", Effect.fail("no"), "RST 6"],
    ["interruption is RST StreamCancelled", Effect.interrupt, "RST 6"],
    ["a defect is RST InternalError", Effect.die("broken"), "RST 2"]
  ]
  const seen = (frames: ReadonlyArray<Frame.InboundFrame>) =>
    frames.flatMap((frame) =>
      frame._tag === "Rst" ? [`RST ${frame.code}`] : frame._tag === "Data" && frame.fin ? ["FIN"] : []
    )
  for (const [name, end, expected] of ends) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const peer = yield* makeRawPair({ heartbeat: false })
        const uses = [
          peer.client.withStream((stream) => Effect.zipRight(MuxStream.write(stream, encoded("x")), end)),
          Effect.scoped(
            Effect.flatMap(peer.client.open(), (stream) => Effect.zipRight(MuxStream.write(stream, encoded("x")), end))
          )
        ]
        for (const use of uses) {
          // long enough for the SYN to leave
          const exit = yield* Effect.exit(Effect.zipLeft(use, Effect.void))
          assert.strictEqual(Exit.isSuccess(exit), expected === "FIN")
        }
        yield* settle
        const frames = seen(yield* received(peer))
        // a stream that ends before its SYN has left is never heard of, unless it ended well
        assert.deepStrictEqual(frames, expected === "FIN" ? ["FIN", "FIN"] : [])
        const later = yield* Effect.exit(
          peer.client.withStream((stream) =>
            MuxStream.write(stream, encoded("x")).pipe(
              Effect.zipRight(TestClock.adjust("1 second")),
              Effect.zipRight(end)
            )
          )
        )
        assert.strictEqual(Exit.isSuccess(later), expected === "FIN")
        assert.deepStrictEqual(seen(yield* received(peer)), [expected])
      }).pipe(scenario, Logger.withMinimumLogLevel(LogLevel.None))
    )
  }
})

type Operation = (stream: MuxStream.MuxStream) => Effect.Effect<unknown, unknown>

const reads: Record<string, Operation> = {
  read: MuxStream.read,
  readAll: (stream) => MuxStream.readAll(stream),
  "toSocket.run": (stream) => MuxStream.toSocket(stream).run(() => undefined)
}

for (const [name, read] of Object.entries(reads)) {
  sessionTest(`an interrupted ${name} that waits loses no byte`, ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(
        server.serve((stream) => Effect.zipRight(Effect.sleep(50), MuxStream.write(stream, "all of it")))
      )
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "go")
      const reading = yield* Effect.fork(read(stream))
      yield* Effect.sleep(20)
      yield* Fiber.interrupt(reading)
      assert.strictEqual(decoded(yield* MuxStream.readAll(stream)), "all of it")
    })
  )
}

const waits: Record<string, (session: Session.SessionService) => Effect.Effect<unknown, unknown>> = {
  accept: (session) => Effect.scoped(session.accept),
  serve: (session) => session.serve(echoWhole),
  draining: (session) => session.draining,
  closed: (session) => session.closed,
  "open at the limit": (session) =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* session.open()
        yield* session.open()
      })
    ),
  withStream: (session) => session.withStream(() => Effect.never)
}

for (const [name, wait] of Object.entries(waits)) {
  sessionTest(
    `an interrupted ${name} leaves nothing open, and what comes next works`,
    ({ client, server }) =>
      Effect.gen(function* () {
        for (const session of [client, server]) {
          const waiting = yield* Effect.fork(wait(session))
          yield* Effect.sleep(10)
          assert.isNull(waiting.unsafePoll())
          yield* Fiber.interrupt(waiting)
          assert.strictEqual((yield* session.stats).outboundStreams, 0)
        }
        yield* Effect.forkScoped(server.serve(echoWhole))
        assert.strictEqual(yield* call(client), "hello")
      }),
    { both: { ...quick, maxOutboundStreams: 1 } }
  )
}

sessionTest("a ping that is interrupted leaves the next its answer", ({ client }) =>
  Effect.gen(function* () {
    const pinging = yield* Effect.fork(client.ping)
    yield* Fiber.interrupt(pinging)
    yield* client.ping
    assert.strictEqual((yield* client.stats).outboundStreams, 0)
  })
)

sessionTest("a write that is interrupted while it waits sends nothing, or resets the stream", ({ client, server }) =>
  Effect.gen(function* () {
    yield* Effect.forkScoped(server.serve(() => Effect.never))
    const stream = yield* client.open()
    const writing = yield* Effect.fork(MuxStream.write(stream, new Uint8Array(2_000_000)))
    yield* Effect.sleep(10)
    yield* Fiber.interrupt(writing)
    assert.match(yield* ending(MuxStream.write(stream, "more")), /^fails StreamReset: .*StreamCancelled/)
  })
)

sessionTest("a session whose making is interrupted leaves nothing", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair()
    const making = yield* Effect.fork(
      Effect.scoped(Effect.zipRight(Session.fromTransport(link.client, { ...quick, role: "client" }), Effect.never))
    )
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(making)
    assert.match(yield* ending(link.server.read), /^(ok|fails TransportFailed)/)
  })
)
