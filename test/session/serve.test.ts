import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, Frame, MuxStream } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { boom } from "../support/failing.js"
import { logged, quietly } from "../support/logs.js"
import { call, echoWhole, ending, sessionTest } from "../support/session/sessionTest.js"
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
  sessionOver,
  settle
} from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

/** A handler that reports its beginning and its end, and lasts until it is interrupted or released. */
const makeProbe = Effect.gen(function* () {
  const release = yield* Deferred.make<void>()
  const log: Array<string> = []
  const handler = (stream: MuxStream.MuxStream) =>
    Effect.gen(function* () {
      log.push(`begin ${stream.id}`)
      yield* Deferred.await(release)
    }).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          log.push(`${Exit.isInterrupted(exit) ? "interrupted" : "end"} ${stream.id}`)
        })
      )
    )
  return { handler, log, release: Deferred.succeed(release, undefined) }
})

describe("serve", () => {
  it.effect("a handler is interrupted when the peer resets its stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const probe = yield* makeProbe
      yield* Effect.fork(server.serve(probe.handler))
      const use = yield* Effect.fork(client.withStream(() => Effect.never))
      yield* settle
      assert.deepStrictEqual(probe.log, ["begin 3"])
      yield* Fiber.interrupt(use)
      yield* settle
      assert.deepStrictEqual(probe.log, ["begin 3", "interrupted 3"])
      yield* assertAtRest(client)
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("a handler is interrupted when its stream is lost with the session", () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* makePair()
      const probe = yield* makeProbe
      const serving = yield* Effect.fork(server.serve(probe.handler))
      yield* client.open()
      yield* settle
      yield* link.cut
      yield* Fiber.join(serving)
      assert.deepStrictEqual(probe.log, ["begin 3", "interrupted 3"])
    }).pipe(scenario)
  )

  it.effect("interrupting serve interrupts every handler and resets its stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const probe = yield* makeProbe
      const serving = yield* Effect.fork(server.serve(probe.handler))
      const streams = yield* Effect.all([client.open(), client.open(), client.open()])
      yield* settle
      yield* Fiber.interrupt(serving)
      assert.deepStrictEqual(probe.log.filter((line) => line.startsWith("interrupted")).sort(), [
        "interrupted 3",
        "interrupted 5",
        "interrupted 7"
      ])
      for (const stream of streams) {
        const error = yield* Effect.flip(MuxStream.read(stream))
        assert(error._tag === "StreamReset")
        assert.strictEqual(error.code, ErrorCode.StreamCancelled)
      }
      yield* assertAtRest(client)
    }).pipe(scenario)
  )

  it.effect("runs at most `concurrency` handlers at once; the other streams wait in the backlog", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const probe = yield* makeProbe
      yield* Effect.fork(server.serve(probe.handler, { concurrency: 2 }))
      for (let i = 0; i < 5; i++) yield* client.open()
      yield* settle
      assert.deepStrictEqual(probe.log, ["begin 3", "begin 5"])
      assert.strictEqual((yield* server.stats).backlog, 3)
      yield* probe.release
      yield* settle
      assert.strictEqual(probe.log.filter((line) => line.startsWith("end")).length, 5)
      assert.strictEqual((yield* server.stats).backlog, 0)
    }).pipe(scenario)
  )

  it.effect("a handler frees its place on success, failure and interruption", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const ends = [Effect.void, Effect.fail("no"), Effect.interrupt, Effect.die("broken")]
      let handled = 0
      yield* Effect.fork(
        server
          .serve(
            () => Effect.suspend((): Effect.Effect<void, string> => ends[handled++ % ends.length] ?? Effect.void),
            {
              concurrency: 1
            }
          )
          .pipe(Logger.withMinimumLogLevel(LogLevel.None))
      )
      for (let i = 0; i < 12; i++) yield* client.open()
      yield* settle
      assert.strictEqual(handled, 12)
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("more streams than the backlog holds are refused with AcceptQueueFull, safe to retry", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ server: { acceptBacklog: 2 } })
      const streams = yield* Effect.all([client.open(), client.open(), client.open()])
      yield* settle
      const refused = yield* Effect.flip(MuxStream.read(streams[2]))
      assert(refused._tag === "StreamReset")
      assert.deepStrictEqual(
        [refused.code, refused.initiator, refused.processed],
        [ErrorCode.AcceptQueueFull, "Remote", "no"]
      )
      // the two that waited are served, and there is room again
      yield* Effect.fork(server.serve(echo))
      assert.strictEqual(decoded(yield* exchange(streams[0], encoded("one"))), "one")
      assert.strictEqual(decoded(yield* exchange(streams[1], encoded("two"))), "two")
      assert.strictEqual(decoded(yield* client.withStream((stream) => exchange(stream, encoded("four")))), "four")
    }).pipe(scenario)
  )

  it.effect("more live streams than `maxInboundStreams` are refused with StreamRefused, safe to retry", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ server: { maxInboundStreams: 1 } })
      yield* Effect.fork(server.serve(echo))
      yield* client.open()
      yield* settle
      const second = yield* client.open()
      const refused = yield* Effect.flip(MuxStream.readAll(second))
      assert(refused._tag === "StreamReset")
      assert.deepStrictEqual([refused.code, refused.processed], [ErrorCode.StreamRefused, "no"])
    }).pipe(scenario)
  )

  it.effect("open waits while `maxOutboundStreams` are open, first come first served", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ client: { maxOutboundStreams: 1 } })
      yield* Effect.fork(server.serve(echo))
      const release = yield* Deferred.make<void>()
      const order: Array<string> = []
      const use = (name: string, effect: Effect.Effect<void>) =>
        Effect.fork(
          client.withStream(() =>
            Effect.zipRight(
              Effect.sync(() => order.push(name)),
              effect
            )
          )
        )
      const first = yield* use("first", Deferred.await(release))
      const second = yield* use("second", Effect.void)
      const third = yield* use("third", Effect.void)
      yield* settle
      assert.deepStrictEqual(order, ["first"])
      yield* Deferred.succeed(release, undefined)
      yield* settle
      yield* Fiber.joinAll([first, second, third])
      assert.deepStrictEqual(order, ["first", "second", "third"])
      assert.strictEqual((yield* client.stats).peakStreams, 1)
    }).pipe(scenario)
  )

  it.effect("completes when the session drains and the handlers are done", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const probe = yield* makeProbe
      const serving = yield* Effect.fork(server.serve(probe.handler))
      yield* client.open()
      yield* settle
      const draining = yield* Effect.fork(server.drain("1 minute"))
      yield* TestClock.adjust("10 seconds")
      assert.isFalse(yield* isDone(serving))
      assert.isFalse(yield* isDone(draining))
      yield* probe.release
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(serving)
      yield* Fiber.join(draining)
      assert.deepStrictEqual(probe.log, ["begin 3", "end 3"])
    }).pipe(scenario)
  )

  it.effect("streams that waited in the backlog when the drain began are still served", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const answers = yield* Effect.fork(
        Effect.forEach([1, 2, 3], (n) => client.withStream((stream) => exchange(stream, encoded(`number ${n}`))), {
          concurrency: "unbounded"
        })
      )
      yield* settle
      const draining = yield* Effect.fork(server.drain("1 minute"))
      yield* settle
      yield* server.serve(echo, { concurrency: 1 })
      assert.deepStrictEqual((yield* Fiber.join(answers)).map(decoded), ["number 1", "number 2", "number 3"])
      yield* Fiber.join(draining)
    }).pipe(scenario)
  )

  it.effect("a handler whose stream has finished is not interrupted by the end of the session", () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* makePair()
      const result = yield* Deferred.make<string>()
      const serving = yield* Effect.fork(
        server.serve((stream) =>
          Effect.gen(function* () {
            const bytes = yield* MuxStream.readAll(stream)
            yield* MuxStream.finish(stream)
            yield* Effect.sleep("1 second")
            yield* Deferred.succeed(result, decoded(bytes))
          })
        )
      )
      yield* client.withStream((stream) => exchange(stream, encoded("keep")))
      yield* settle
      yield* link.cut
      assert.strictEqual((yield* server.closed)._tag, "TransportFailed")
      assert.isFalse(yield* isDone(serving))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(serving)
      assert.strictEqual(yield* Deferred.await(result), "keep")
    }).pipe(scenario)
  )

  it.effect("a handler that dies resets its stream with InternalError, and one line is logged", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
        if (logLevel._tag === "Error") lines.push(`${String(message)}${HashMap.size(annotations) > 0 ? "!" : ""}`)
      })
      yield* Effect.fork(
        Effect.provide(
          server.serve((stream) => (stream.type === 1 ? Effect.die(new Error("broken")) : echo(stream))),
          Logger.replace(Logger.defaultLogger, logger)
        )
      )
      const broken = yield* client.open({ type: 1 })
      const error = yield* Effect.flip(MuxStream.readAll(broken))
      assert(error._tag === "StreamReset")
      assert.strictEqual(error.code, ErrorCode.InternalError)
      assert.deepStrictEqual(lines, [`The handler of stream ${broken.id} died`])
      assert.strictEqual(decoded(yield* client.withStream((stream) => exchange(stream, encoded("alive")))), "alive")
    }).pipe(scenario)
  )

  it.effect("a handler that fails resets its stream with StreamCancelled", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(() => Effect.fail("no")))
      const stream = yield* client.open()
      const error = yield* Effect.flip(MuxStream.readAll(stream))
      assert(error._tag === "StreamReset")
      assert.strictEqual(error.code, ErrorCode.StreamCancelled)
    }).pipe(scenario)
  )

  it.effect("a concurrency below 1 is a defect", () =>
    Effect.gen(function* () {
      const { server } = yield* makePair()
      for (const concurrency of [0, -1, Number.NaN]) {
        const exit = yield* Effect.exit(server.serve(echo, { concurrency }))
        assert(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      }
    }).pipe(scenario)
  )

  it.effect("a handler's own finalizers run before its stream ends", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(
        server.serve((stream) => Effect.addFinalizer(() => Effect.ignore(MuxStream.write(stream, encoded("bye")))))
      )
      assert.strictEqual(decoded(yield* client.withStream((stream) => exchange(stream, encoded("hi")))), "bye")
    }).pipe(scenario)
  )

  sessionTest(
    "interrupting serve interrupts its handlers, and a serve after it takes what comes",
    ({ client, server }) =>
      Effect.gen(function* () {
        const serving = yield* Effect.fork(server.serve(() => Effect.never))
        const calling = yield* Effect.fork(ending(call(client)))
        yield* Effect.sleep(10)
        yield* Fiber.interrupt(serving)
        assert.match(yield* Fiber.join(calling), /^fails StreamReset: .*StreamCancelled/)
        yield* Effect.forkScoped(server.serve(echoWhole))
        assert.strictEqual(yield* call(client), "hello")
      })
  )

  it.effect("a burst of streams in one chunk does not overflow the backlog while handlers are free", () =>
    Effect.gen(function* () {
      const { client, receive, send } = yield* makeRawPair({ typed: false, heartbeat: false, acceptBacklog: 8 })
      const serving = yield* Effect.fork(client.serve((stream) => MuxStream.readAll(stream)))
      yield* settle
      const ids = Array.from({ length: 300 }, (_, index) => 2 * index + 2)
      yield* send(ids.map((id) => Frame.data(id, Uint8Array.of(1), { syn: true })))
      yield* send(ids.map((id) => Frame.data(id, undefined, { fin: true })))
      const finished = new Set<number>()
      while (finished.size < ids.length) {
        for (const frame of (yield* receive).frames) {
          assert.notStrictEqual(frame._tag, "Rst")
          if (frame._tag === "Data" && frame.fin) finished.add(frame.streamId)
        }
      }
      yield* Fiber.interrupt(serving)
    }).pipe(scenario)
  )

  it.effect("a handler that is interrupted before its first operation gives its place back", () =>
    Effect.gen(function* () {
      const { client, receive, send } = yield* makeRawPair({ typed: false, heartbeat: false })
      const begun = new Set<unknown>()
      const scheduler = Scheduler.make(
        (task) => void Promise.resolve().then(task),
        (fiber) => {
          if (begun.has(fiber)) return false
          begun.add(fiber)
          return 0
        }
      )
      yield* Effect.forkScoped(Effect.withScheduler(client.serve(echo, { concurrency: 1 }), scheduler))
      yield* settle
      // reset in the very chunk that opens it
      yield* send([Frame.data(2, Uint8Array.of(1), { syn: true }), Frame.rst(2, 1)])
      yield* send([Frame.data(4, Uint8Array.of(7), { syn: true }), Frame.data(4, undefined, { fin: true })])
      yield* settle
      const { frames } = yield* receive
      assert.deepStrictEqual(
        frames.flatMap((frame) => (frame._tag === "Data" ? [[frame.streamId, ...frame.payload]] : [])),
        [[4, 7]]
      )
    }).pipe(scenario)
  )
})

describe("accept", () => {
  it.effect("streams that wait when the session's scope closes are refused at once, safe to retry", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* sessionOver("client", link.client, { heartbeat: false })
      const scope = yield* Scope.make()
      yield* Scope.extend(sessionOver("server", link.server, { heartbeat: false, drainTimeout: "1 hour" }), scope)
      const stream = yield* client.open()
      const reading = yield* Effect.fork(Effect.flip(MuxStream.read(stream)))
      yield* settle
      yield* Effect.flatMap(Effect.fork(Scope.close(scope, Exit.void)), passTimeUntil)
      const error = yield* Fiber.join(reading)
      assert(error._tag === "StreamReset", error._tag)
      assert.deepStrictEqual([error.code, error.processed], [ErrorCode.StreamRefused, "no"])
    }).pipe(scenario)
  )

  it.effect("a stream accepted into a scope ends with it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const stream = yield* client.open()
      yield* MuxStream.write(stream, encoded("x"))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const accepted = yield* server.accept
          assert.deepStrictEqual([accepted.id, accepted.initiator, accepted.type], [3, "Remote", 0])
          assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(accepted))), "x")
        })
      )
      assert.isTrue(Option.isNone(yield* MuxStream.read(stream)))
    }).pipe(scenario)
  )

  it.effect("fails when the session drains, and with the reason when it ends", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const accepting = yield* Effect.fork(Effect.scoped(server.accept))
      const other = yield* Effect.fork(Effect.scoped(client.accept))
      yield* settle
      yield* Effect.fork(server.drain())
      const error = yield* Effect.flip(Fiber.join(accepting))
      assert.strictEqual(error._tag, "SessionClosed")
      yield* settle
      const there = yield* Effect.flip(Fiber.join(other))
      assert.strictEqual(there._tag, "RemoteGoneAway")
    }).pipe(scenario)
  )

  sessionTest("two accepts at once take a stream each, in order", ({ client, server }) =>
    Effect.gen(function* () {
      const accepting = yield* Effect.fork(Effect.all([server.accept, server.accept], { concurrency: 2 }))
      yield* Effect.yieldNow()
      for (const data of ["one", "two"]) yield* MuxStream.write(yield* client.open(), data)
      const [first, second] = yield* Fiber.join(accepting)
      assert.deepStrictEqual([first.id, second.id], [3, 5])
    })
  )
})

describe("a handler of serve", () => {
  const ways: Record<string, readonly [() => Effect.Effect<void, unknown>, RegExp]> = {
    throws: [
      () => {
        throw boom
      },
      /InternalError \(2\)/
    ],
    dies: [() => Effect.die(boom), /InternalError \(2\)/],
    fails: [() => Effect.fail(boom), /StreamCancelled \(6\)/],
    "fails with undefined": [() => Effect.fail(undefined), /StreamCancelled \(6\)/],
    "interrupts itself": [() => Effect.interrupt, /StreamCancelled \(6\)/]
  }
  for (const [way, [handler, code]] of Object.entries(ways)) {
    sessionTest(`that ${way} resets its stream; the others, and later ones, are served`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(
          server.serve((stream) => (stream.id === 5 ? handler() : echoWhole(stream)), { concurrency: 1 })
        )
        const ends = yield* Effect.forEach([1, 2, 3], () => ending(call(client)), { concurrency: 3 })
        assert.strictEqual(ends[0], "ok")
        assert.match(ends[1] ?? "", code)
        assert.strictEqual(ends[2], "ok")
        assert.strictEqual(yield* call(client), "hello")
      }).pipe(quietly)
    )
  }

  const codes: Record<string, () => unknown> = {
    throws: () => {
      throw boom
    },
    "gives a string": () => "77",
    "gives -1": () => -1,
    "gives 2^32": () => 2 ** 32,
    "gives NaN": () => NaN,
    "gives nothing": () => undefined,
    "gives an effect": () => Effect.succeed(7)
  }
  for (const [way, resetCode] of Object.entries(codes)) {
    sessionTest(
      `whose resetCode ${way} resets its stream with InternalError, and serve goes on`,
      ({ client, server }) =>
        logged((lines) =>
          Effect.gen(function* () {
            yield* Effect.forkScoped(server.serve(() => Effect.fail("x"), { resetCode: wrong(resetCode) }))
            for (let i = 0; i < 2; i++)
              assert.match(yield* ending(call(client)), /^fails StreamReset: .*InternalError \(2\)/)
            assert.deepStrictEqual(
              lines.map(({ level }) => level._tag),
              ["Error", "Error"]
            )
          })
        )
    )
  }

  sessionTest("whose resetCode gives a code of the application's has the peer see it", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.fail("x"), { resetCode: () => 4_000_000_000 }))
      const error = yield* Effect.flip(call(client))
      assert.strictEqual(error._tag === "StreamReset" ? error.code : undefined, 4_000_000_000)
    }).pipe(quietly)
  )
})

const reason = new Error("the port is closed")

describe("a handler or resetCode that throws", () => {
  it.effect("a resetCode that throws or returns no code resets with InternalError, and the session continues", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* sessionOver("client", link.client)
      const server = yield* sessionOver("server", link.server)
      const codes: Array<unknown> = [3, () => "never", -1, "6"]
      yield* Effect.fork(
        server.serve(({ type }) => Effect.fail(type ?? 0), {
          resetCode: (type) => {
            if (type === 4) throw reason
            return codes[type] as number
          }
        })
      )
      const seen: Array<number> = []
      for (const type of [0, 1, 2, 3, 4]) {
        const error = yield* Effect.flip(client.withStream(MuxStream.readAll, { type }))
        assert(error._tag === "StreamReset")
        seen.push(error.code)
      }
      assert.deepStrictEqual(seen, [3, 2, 2, 2, 2])
    }).pipe(scenario)
  )

  it.effect("a handler of a serve in an uninterruptible region is interrupted when the peer resets its stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const probe = yield* makeProbe
      yield* Effect.fork(Effect.uninterruptible(server.serve(probe.handler)))
      const use = yield* Effect.fork(client.withStream(() => Effect.never))
      yield* settle
      yield* Fiber.interrupt(use)
      yield* settle
      assert.deepStrictEqual(probe.log, ["begin 3", "interrupted 3"])
      yield* client.close
    }).pipe(scenario)
  )

  it.effect("a handler that throws when it is called resets its stream, and the session continues", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* sessionOver("client", link.client)
      const server = yield* sessionOver("server", link.server)
      const handled = yield* Deferred.make<void>()
      yield* Effect.fork(
        server.serve((stream) => {
          if (stream.type === 1) throw reason
          return Effect.zipRight(Deferred.succeed(handled, undefined), echo(stream))
        })
      )
      const error = yield* Effect.flip(client.withStream(MuxStream.readAll, { type: 1 }))
      assert.deepInclude(error, { _tag: "StreamReset", code: 2 })
      yield* client.withStream((stream) => exchange(stream, encoded("still here")))
      yield* Deferred.await(handled)
    }).pipe(scenario)
  )
})
