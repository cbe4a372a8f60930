/**
 * What two sessions must do over any transport, checked in real time.
 */
import { assert, describe, it } from "@effect/vitest"
import type { MuxadoError, Session } from "effect-muxado"
import { ErrorCode, MuxStream } from "effect-muxado"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { noise } from "../bytes.js"
import { leavesNothing } from "../census.js"
import { assertAtRest, decoded, digest, echo, encoded, eventually, exchange } from "./sessions.js"

/** Two sessions that are connected. */
export interface Sessions {
  readonly client: Session.SessionService
  readonly server: Session.SessionService
  /** Drops the client's transport. */
  readonly destroy: Effect.Effect<void>
}

/**
 * Checks what sessions promise. `makeSessions` is scoped; the end of its scope is part of what is checked, since no
 * fiber, timer or socket may be left after any test. `run` wraps each whole test.
 */
export const sessionSuite = <E>(
  name: string,
  makeSessions: Effect.Effect<Sessions, E, Scope.Scope>,
  run: <A, F>(test: Effect.Effect<A, F>) => Effect.Effect<A, F> = identity
): void => {
  const test = (title: string, body: (sessions: Sessions) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(
      title,
      () =>
        Effect.gen(function* () {
          const sessions = yield* makeSessions
          yield* Effect.scoped(body(sessions))
          yield* Effect.all([sessions.client.drain("10 seconds"), sessions.server.drain("10 seconds")], {
            concurrency: "unbounded"
          })
          yield* assertAtRest(sessions.client)
          yield* assertAtRest(sessions.server)
        }).pipe(Effect.scoped, leavesNothing, run),
      30_000
    )

  describe(`sessions over ${name}`, () => {
    describe("streams", () => {
      test("carry bytes there and back, opened from either side", ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forEach([client, server], (session) => Effect.forkScoped(session.serve(echo)))
          for (const session of [client, server]) {
            const answer = yield* session.withStream((stream) => exchange(stream, encoded("hello")), { type: 7 })
            assert.strictEqual(decoded(answer), "hello")
          }
        }))

      test("have a type and an initiator", ({ client, server }) =>
        Effect.gen(function* () {
          const ours = yield* client.open({ type: 0xfffffffe })
          const theirs = yield* server.accept
          assert.deepStrictEqual([ours.id, ours.type, ours.initiator], [3, 0xfffffffe, "Local"])
          assert.deepStrictEqual([theirs.id, theirs.type, theirs.initiator], [3, 0xfffffffe, "Remote"])
          const back = yield* server.open()
          assert.deepStrictEqual([back.id, back.type], [2, 0])
          assert.deepStrictEqual([(yield* client.accept).id], [2])
        }))

      test("are announced at once: the side that accepts may write first", ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve((stream) => MuxStream.write(stream, encoded("welcome"))))
          const stream = yield* client.open()
          assert.strictEqual(decoded(yield* MuxStream.readAll(stream)), "welcome")
        }))

      test("end one direction at a time", ({ client, server }) =>
        Effect.gen(function* () {
          const near = yield* client.open()
          const far = yield* server.accept
          yield* MuxStream.write(near, encoded("question"))
          yield* MuxStream.finish(near)
          assert.strictEqual(decoded(yield* MuxStream.readAll(far)), "question")
          const late = yield* Effect.flip(MuxStream.write(near, encoded("more")))
          assert.deepStrictEqual([late._tag, late.initiator], ["StreamClosed", "Local"])
          yield* MuxStream.write(far, encoded("answer"))
          assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(near))), "answer")
          yield* MuxStream.finish(far)
          yield* MuxStream.finish(far)
          for (const stream of [near, near, far]) assert.isTrue(Option.isNone(yield* MuxStream.read(stream)))
        }))

      test("are 1,000 in one session, 64 at a time", ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(echo))
          yield* Effect.forEach(
            Array.from({ length: 1000 }, (_, n) => noise((n * 37) % 9000, n)),
            (bytes) =>
              Effect.map(
                client.withStream((stream) => exchange(stream, bytes)),
                (answer) => assert.strictEqual(digest(answer), digest(bytes))
              ),
            { concurrency: 64, discard: true }
          )
          const { peakStreams, opened } = yield* client.stats
          assert.strictEqual(opened, 1000)
          assert.isAtMost(peakStreams, 64)
          assert.strictEqual((yield* server.stats).accepted, 1000)
        }))

      test("carry 8 MiB both ways at once", ({ client, server }) =>
        Effect.gen(function* () {
          const [there, back] = [noise(8 * 1024 * 1024, 1), noise(8 * 1024 * 1024, 2)]
          const received = yield* Deferred.make<string>()
          yield* Effect.forkScoped(
            server.serve((stream) =>
              Effect.flatMap(exchange(stream, back), (bytes) => Deferred.succeed(received, digest(bytes)))
            )
          )
          const answer = yield* client.withStream((stream) => exchange(stream, there))
          assert.strictEqual(digest(answer), digest(back))
          assert.strictEqual(yield* Deferred.await(received), digest(there))
        }))

      test("hold their writer back while their reader waits, and no other stream", ({ client, server }) =>
        Effect.gen(function* () {
          const slow = yield* client.open()
          const unread = yield* server.accept
          const bytes = noise(4_000_000, 4)
          const writing = yield* Effect.forkScoped(MuxStream.write(slow, bytes))
          yield* Effect.forkScoped(server.serve(echo))
          for (let n = 0; n < 20; n++) {
            const answer = yield* client.withStream((stream) => exchange(stream, noise(50_000, n)))
            assert.strictEqual(digest(answer), digest(noise(50_000, n)))
          }
          assert.isTrue(Option.isNone(yield* Fiber.poll(writing)))
          assert.isAtMost((yield* server.stats).bufferedBytes, 256 * 1024)
          const finishing = yield* Effect.forkScoped(Effect.zipRight(Fiber.join(writing), MuxStream.finish(slow)))
          assert.strictEqual(digest(yield* MuxStream.readAll(unread)), digest(bytes))
          yield* Fiber.join(finishing)
        }))
    })

    describe("a reset", () => {
      for (const who of ["opener", "acceptor"] as const) {
        test(`by the ${who} gives its code to both reading and writing, whatever uint32 it is`, ({ client, server }) =>
          Effect.gen(function* () {
            for (const code of [0, 6, 0xdeadbeef, 0xffffffff]) {
              const opened = yield* client.open()
              const accepted = yield* server.accept
              const [here, there] = who === "opener" ? [opened, accepted] : [accepted, opened]
              const reading = yield* Effect.fork(Effect.flip(MuxStream.read(there)))
              const writing = yield* Effect.fork(Effect.flip(MuxStream.write(there, noise(2_000_000, 1))))
              yield* MuxStream.reset(here, code)
              for (const error of [yield* Fiber.join(reading), yield* Fiber.join(writing)]) {
                assert(error._tag === "StreamReset", error._tag)
                assert.deepStrictEqual(
                  [error.code, error.initiator, error.streamId],
                  [code, "Remote", opened.id],
                  "as the other side sees it"
                )
              }
              const own = yield* Effect.flip(MuxStream.read(here))
              assert(own._tag === "StreamReset")
              assert.deepStrictEqual([own.code, own.initiator], [code, "Local"])
            }
          }))
      }

      test("leaves the bytes that arrived before it readable", ({ client, server }) =>
        Effect.gen(function* () {
          const near = yield* client.open()
          const far = yield* server.accept
          yield* MuxStream.write(near, encoded("before"))
          yield* eventually(
            "the bytes arrive",
            Effect.map(server.stats, (stats) => stats.bufferedBytes === 6)
          )
          yield* MuxStream.reset(near, ErrorCode.InternalError)
          yield* eventually(
            "the reset arrives",
            Effect.map(server.stats, (stats) => stats.inboundStreams === 0)
          )
          assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(far))), "before")
          assert.strictEqual((yield* Effect.flip(MuxStream.read(far)))._tag, "StreamReset")
        }))

      test("interrupts the peer's handler when the fiber that uses the stream is interrupted", ({ client, server }) =>
        Effect.gen(function* () {
          const began = yield* Deferred.make<void>()
          const interrupted = yield* Deferred.make<void>()
          yield* Effect.forkScoped(
            server.serve(() =>
              Effect.zipRight(Deferred.succeed(began, undefined), Effect.never).pipe(
                Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
              )
            )
          )
          const using = yield* Effect.fork(client.withStream(() => Effect.never))
          yield* Deferred.await(began)
          yield* Fiber.interrupt(using)
          yield* Deferred.await(interrupted)
        }))
    })

    describe("the end", () => {
      test("write, close the stream, close the session: every byte and the FIN arrive", ({ client, server }) =>
        Effect.gen(function* () {
          const bytes = noise(200_000, 3)
          const arrived = yield* Effect.forkScoped(
            Effect.scoped(Effect.flatMap(server.accept, (stream) => MuxStream.readAll(stream)))
          )
          const stream = yield* client.open()
          yield* MuxStream.write(stream, bytes)
          yield* MuxStream.close(stream)
          yield* client.close
          assert.strictEqual(digest(yield* Fiber.join(arrived)), digest(bytes))
        }))

      test("close ends both sides, each with its own reason", ({ client, server }) =>
        Effect.gen(function* () {
          const stream = yield* client.open()
          const reading = yield* Effect.fork(Effect.flip(MuxStream.read(stream)))
          const far = yield* server.accept
          yield* client.close
          const [here, there] = [yield* client.closed, yield* server.closed]
          assert.deepStrictEqual([here._tag, here.initiator], ["SessionClosed", "Local"])
          assert.deepStrictEqual([there._tag, there.initiator], ["RemoteGoneAway", "Remote"])
          assert.strictEqual((yield* Fiber.join(reading))._tag, "SessionClosed")
          assert.strictEqual((yield* Effect.flip(MuxStream.read(far)))._tag, "RemoteGoneAway")
          const late: ReadonlyArray<Effect.Effect<MuxadoError.OpenError, unknown, Scope.Scope>> = [
            Effect.flip(client.open()),
            Effect.flip(server.open())
          ]
          const errors = yield* Effect.all(late)
          assert.deepStrictEqual(
            errors.map((error) => [error._tag, error.processed]),
            [
              ["SessionClosed", "no"],
              ["RemoteGoneAway", "no"]
            ]
          )
        }))

      test("a drain with open streams loses no bytes", ({ client, server }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve((stream) => Effect.zipRight(server.draining, echo(stream))))
          const answers = yield* Effect.fork(
            Effect.forEach(
              Array.from({ length: 20 }, (_, n) => noise(300_000, n)),
              (bytes) =>
                client.withStream((stream) =>
                  Effect.map(exchange(stream, bytes), (answer) => assert.strictEqual(digest(answer), digest(bytes)))
                ),
              { concurrency: "unbounded" }
            )
          )
          yield* eventually(
            "the streams are in flight",
            Effect.map(server.stats, (stats) => stats.inboundStreams === 20)
          )
          yield* Effect.all([server.drain("15 seconds"), Fiber.join(answers)], { concurrency: "unbounded" })
          assert.strictEqual((yield* client.closed)._tag, "RemoteGoneAway")
        }))

      test("a transport that is dropped fails everything with TransportFailed on both sides", (sessions) =>
        Effect.gen(function* () {
          const { client, destroy, server } = sessions
          const near = yield* client.open()
          const far = yield* server.accept
          const pending = yield* Effect.forEach(
            [MuxStream.read(near), MuxStream.read(far), Effect.scoped(client.accept), Effect.scoped(server.accept)],
            (effect: Effect.Effect<unknown, MuxadoError.StreamError>) => Effect.fork(Effect.flip(effect))
          )
          const serving = yield* Effect.fork(server.serve(() => Effect.never))
          yield* destroy
          for (const error of yield* Fiber.join(Fiber.all(pending))) assert.strictEqual(error._tag, "TransportFailed")
          yield* Fiber.join(serving)
          assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
          assert.strictEqual((yield* server.closed)._tag, "TransportFailed")
        }))
    })

    test("heartbeats are answered, and streams are `Stream`s", ({ client, server }) =>
      Effect.gen(function* () {
        yield* client.ping
        yield* server.ping
        assert.isDefined((yield* client.stats).roundTrip)
        yield* Effect.forkScoped(server.serve(echo))
        const collected = yield* client.withStream((stream) =>
          Effect.zipRight(
            Stream.run(Stream.make(encoded("a"), encoded("b"), encoded("c")), MuxStream.toSink(stream)),
            Stream.runFold(MuxStream.toStream(stream), "", (all, bytes) => all + decoded(bytes))
          )
        )
        assert.strictEqual(collected, "abc")
      }))
  })
}
