import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, Frame, MuxStream, Session, Transport } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { noise } from "../support/bytes.js"
import { sessionTest } from "../support/session/sessionTest.js"
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

describe("closing a session", () => {
  it.effect("completes within 2 × closeTimeout if the peer reads nothing and the transport never ends", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false, closeTimeout: "2 seconds" } })
      const stream = yield* client.open()
      yield* settle
      yield* link.stallWrites
      yield* link.neverEnd
      yield* MuxStream.write(stream, encoded("never sent"))
      const closing = yield* Effect.fork(client.close)
      yield* TestClock.adjust("1999 millis")
      assert.isFalse(yield* isDone(closing))
      yield* TestClock.adjust("2001 millis")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
      assert.strictEqual((yield* Effect.flip(link.client.read)).initiator, "Local")
    }).pipe(scenario)
  )

  it.effect("completes within closeTimeout if only the transport's end never completes", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false, closeTimeout: "2 seconds" } })
      yield* settle
      yield* link.neverEnd
      const closing = yield* Effect.fork(client.close)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
    }).pipe(scenario)
  )

  it.effect("completes even if destroy of the transport never does", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false, closeTimeout: "2 seconds" } })
      yield* settle
      yield* link.inject({ client: { neverWrite: true, neverEnd: true, neverDestroy: true } })
      const closing = yield* Effect.fork(client.close)
      yield* TestClock.adjust("6 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
    }).pipe(scenario)
  )

  it.effect("completes in time even if no operation of the transport does", () =>
    Effect.gen(function* () {
      let destroyed = 0
      const session = yield* sessionOver(
        "client",
        { read: Effect.never, write: () => Effect.never, end: Effect.never, destroy: Effect.sync(() => destroyed++) },
        { heartbeat: false, closeTimeout: "2 seconds" }
      )
      const stream = yield* session.open()
      yield* MuxStream.write(stream, encoded("never sent"))
      const closing = yield* Effect.fork(session.close)
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(closing)
      assert.isAtLeast(destroyed, 1)
    }).pipe(scenario)
  )

  it.effect("fails pending calls at once: here with SessionClosed, at the peer with RemoteGoneAway", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { heartbeat: false } })
      const here = yield* client.open()
      const there = yield* server.accept
      const reads = yield* Effect.forEach([here, there], (stream) => Effect.fork(Effect.flip(MuxStream.read(stream))))
      yield* settle
      yield* Effect.flatMap(Effect.fork(client.close), passTimeUntil)
      const [a, b] = yield* Fiber.join(Fiber.all(reads))
      assert.deepStrictEqual([a?._tag, a?.initiator], ["SessionClosed", "Local"])
      assert.deepStrictEqual([b?._tag, b?.initiator], ["RemoteGoneAway", "Remote"])
      assert.strictEqual((yield* server.closed)._tag, "RemoteGoneAway")
      yield* assertAtRest(client)
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("continues if its caller is interrupted", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false } })
      yield* settle
      yield* link.neverEnd
      const closing = yield* Effect.fork(client.close)
      yield* settle
      yield* Fiber.interruptFork(closing)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Effect.flip(link.client.read)).initiator, "Local")
    }).pipe(scenario)
  )

  it.effect("twice, at once or later, is the same as once", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair({ both: { heartbeat: false } })
      yield* Effect.flatMap(
        Effect.fork(Effect.all([client.close, client.close, client.drain()], { concurrency: "unbounded" })),
        passTimeUntil
      )
      yield* client.close
      yield* client.drain()
      yield* client.goAway()
      const refused = yield* Effect.flip(Effect.scoped(client.open()))
      assert.deepStrictEqual([refused._tag, refused.processed], ["SessionClosed", "no"])
    }).pipe(scenario)
  )
})

describe("after the session's scope has closed", () => {
  it.effect("close and drain complete, and do not interrupt their caller", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const scope = yield* Scope.make()
      const session = yield* Scope.extend(sessionOver("client", link.client), scope)
      yield* Effect.flatMap(Effect.fork(Scope.close(scope, Exit.void)), passTimeUntil)
      assert.deepStrictEqual(yield* Effect.exit(session.close), Exit.void)
      assert.deepStrictEqual(yield* Effect.exit(session.drain()), Exit.void)
      assert.strictEqual((yield* session.closed)._tag, "SessionClosed")
      assert.strictEqual((yield* Effect.flip(Effect.scoped(session.open())))._tag, "SessionClosed")
    }).pipe(scenario)
  )
})

describe("draining a session", () => {
  it.effect("completes open streams, notifies the handlers, and refuses new streams", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { heartbeat: false } })
      const told = yield* Deferred.make<void>()
      yield* Effect.fork(
        server.serve((stream) =>
          Effect.gen(function* () {
            yield* server.draining
            yield* Deferred.succeed(told, undefined)
            yield* echo(stream)
          })
        )
      )
      const answer = yield* Effect.fork(client.withStream((stream) => exchange(stream, noise(700_000, 3))))
      yield* settle
      const draining = yield* Effect.fork(server.drain("1 minute"))
      const refused = yield* client.open()
      const error = yield* Effect.flip(MuxStream.readAll(refused))
      assert(error._tag === "StreamReset", error._tag)
      assert.deepStrictEqual([error.code, error.processed], [ErrorCode.StreamRefused, "no"])
      const own = yield* Effect.flip(Effect.scoped(server.open()))
      assert.deepStrictEqual([own._tag, own.processed], ["SessionClosed", "no"])
      assert.deepStrictEqual(yield* Fiber.join(answer), noise(700_000, 3))
      assert.isTrue(yield* Deferred.isDone(told))
      yield* passTimeUntil(draining)
      assert.strictEqual((yield* client.closed)._tag, "RemoteGoneAway")
    }).pipe(scenario)
  )

  it.effect("resets streams that are open after its grace with StreamCancelled", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { heartbeat: false } })
      const stream = yield* client.open()
      yield* Effect.fork(server.serve(() => Effect.never))
      yield* settle
      const draining = yield* Effect.fork(server.drain("7 seconds"))
      const reading = yield* Effect.fork(Effect.flip(MuxStream.read(stream)))
      yield* TestClock.adjust("6999 millis")
      assert.isFalse(yield* isDone(reading))
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(reading)
      assert(error._tag === "StreamReset", error._tag)
      assert.deepStrictEqual([error.code, error.initiator], [ErrorCode.StreamCancelled, "Remote"])
      yield* passTimeUntil(draining)
    }).pipe(scenario)
  )

  it.effect("completes within grace + 2 × closeTimeout if the peer is stuck and the transport never ends", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false, closeTimeout: "2 seconds" } })
      const stream = yield* client.open()
      yield* settle
      yield* link.stallWrites
      yield* link.neverEnd
      yield* MuxStream.write(stream, encoded("never sent"))
      const draining = yield* Effect.fork(client.drain("3 seconds"))
      yield* TestClock.adjust("7 seconds")
      yield* Fiber.join(draining)
    }).pipe(scenario)
  )

  it.effect("closing the layer's scope drains: open streams complete", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const server = yield* sessionOver("server", link.server, { heartbeat: false })
      yield* Effect.fork(server.serve((stream) => Effect.zipRight(Effect.sleep("3 seconds"), echo(stream))))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Session.layerClient({ heartbeat: false, drainTimeout: "1 minute" }).pipe(
          Layer.provide(Layer.succeed(Transport.Transport, link.client))
        ),
        scope
      )
      const client = Context.get(context, Session.Session)
      const answer = yield* Effect.fork(client.withStream((stream) => exchange(stream, encoded("slow"))))
      yield* settle
      const began = yield* Clock.currentTimeMillis
      yield* Effect.flatMap(Effect.fork(Scope.close(scope, Exit.void)), passTimeUntil)
      assert.strictEqual(decoded(yield* Fiber.join(answer)), "slow")
      assert.isAtMost((yield* Clock.currentTimeMillis) - began, 5000)
      assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
    }).pipe(scenario)
  )

  it.effect("sends GOAWAY last, after every byte and FIN", () =>
    Effect.gen(function* () {
      const { client, receive } = yield* makeRawPair({ heartbeat: false })
      yield* client.withStream((stream) => MuxStream.write(stream, encoded("all of it")))
      const draining = yield* Effect.fork(client.drain())
      const frames: Array<Frame.InboundFrame> = []
      while (!frames.some((frame) => frame._tag === "Unknown")) frames.push(...(yield* receive).frames)
      yield* passTimeUntil(draining)
      assert.deepStrictEqual(
        frames.map((frame) => `${frame._tag}${frame._tag === "Data" && frame.fin ? " FIN" : ""}`),
        ["Data", "Data FIN", "GoAway", "Unknown"]
      )
    }).pipe(scenario)
  )

  it.effect("loses nothing when both sides drain at once", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ link: { latency: "50 millis" }, both: { heartbeat: false } })
      yield* Effect.forEach([client, server], (session) => Effect.fork(session.serve(echo)))
      const answers = yield* Effect.forEach([client, server], (session) =>
        Effect.fork(session.withStream((stream) => exchange(stream, noise(100_000, 9))))
      )
      yield* TestClock.adjust("60 millis")
      const draining = yield* Effect.forEach([client, server], (session) => Effect.fork(session.drain("1 minute")))
      yield* Effect.forEach(draining, passTimeUntil)
      for (const answer of yield* Fiber.join(Fiber.all(answers))) assert.deepStrictEqual(answer, noise(100_000, 9))
    }).pipe(scenario)
  )

  it.effect("with a long grace allows this time for the last bytes on a slow link", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ link: { bandwidth: 20_000, bufferSize: 16_384 } })
      const received = yield* Deferred.make<Uint8Array>()
      yield* Effect.forkScoped(
        server.serve((stream) =>
          Effect.flatMap(MuxStream.readAll(stream), (bytes) => Deferred.succeed(received, bytes))
        )
      )
      const bytes = noise(120_000, 5)
      yield* client.withStream((stream) => MuxStream.write(stream, bytes))
      yield* Effect.flatMap(Effect.fork(client.drain("60 seconds")), passTimeUntil)
      assert.deepStrictEqual(yield* Deferred.await(received), bytes)
    }).pipe(scenario)
  )
})

describe("a session that ends without GOAWAY", () => {
  it.effect("a cut stream never looks complete, a finished one always does", () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* makePair({ both: { heartbeat: false } })
      const cut = yield* client.open()
      const whole = yield* client.open()
      yield* MuxStream.write(cut, encoded("half"))
      yield* MuxStream.write(whole, encoded("whole"))
      yield* MuxStream.finish(whole)
      const first = yield* server.accept
      const second = yield* server.accept
      yield* settle
      yield* link.cut
      assert.strictEqual((yield* server.closed)._tag, "TransportFailed")
      assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(first))), "half")
      assert.strictEqual((yield* Effect.flip(MuxStream.read(first)))._tag, "TransportFailed")
      assert.strictEqual(decoded(yield* MuxStream.readAll(second)), "whole")
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("leaves the stats at zero for streams that were accepted too late or not at all", () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* makePair({ both: { heartbeat: false } })
      yield* client.open()
      yield* client.open()
      yield* settle
      yield* link.cut
      yield* server.closed
      yield* assertAtRest(server)
      yield* server.serve(() => Effect.void)
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("sends the peer a GOAWAY for its violation before the transport ends", () =>
    Effect.gen(function* () {
      const { client, receive, send } = yield* makeRawPair({ heartbeat: false })
      yield* send([Frame.data(3, encoded("wrong parity"), { syn: true })])
      const [frame] = (yield* receive).frames
      assert(frame?._tag === "GoAway")
      assert.strictEqual(frame.code, ErrorCode.ProtocolError)
      const error = yield* client.closed
      assert(error._tag === "ProtocolViolation")
      assert.deepStrictEqual([error.initiator, error.code], ["Local", ErrorCode.ProtocolError])
    }).pipe(scenario)
  )

  it.effect("is ours if the peer reports the violation", () =>
    Effect.gen(function* () {
      const { client, send, transport } = yield* makeRawPair({ heartbeat: false })
      yield* send([Frame.goAway(0, ErrorCode.ProtocolError, encoded("bad frame")), Frame.goAwayFiller])
      yield* transport.end
      const error = yield* client.closed
      assert(error._tag === "ProtocolViolation")
      assert.deepStrictEqual([error.initiator, error.detail], ["Remote", "bad frame"])
    }).pipe(scenario)
  )
})

for (const name of ["drain", "close"] as const) {
  sessionTest(`${name} goes on when its caller is interrupted`, ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "held")
      const leaving = yield* Effect.fork(name === "drain" ? client.drain(50) : client.close)
      yield* Effect.yieldNow()
      yield* Fiber.interruptFork(leaving)
      assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
    })
  )
}
