/**
 * A worked example: an RPC server over a muxado session, and a partition of the network in the middle of a call. Time is
 * virtual, so the test takes no more than a moment and is the same each time.
 */
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "@effect/rpc"
import { RpcClientError } from "@effect/rpc/RpcClientError"
import { SocketServer } from "@effect/platform"
import { Socket } from "@effect/platform/Socket"
import { assert, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import { Census, SimulatedSessions, VirtualTime } from "effect-muxado/testing"
import { Clock, Deferred, Effect, Exit, Fiber, Layer, Schema } from "effect"

class Reports extends RpcGroup.make(Rpc.make("Report", { payload: { name: Schema.String }, success: Schema.String })) {}

const interval = 2_000
const tolerance = 3_000

/** Both sessions, 20 ms apart, over a network that delivers bytes in chunks of 1 to 99 bytes. */
const Sessions = SimulatedSessions.layer({
  link: { latency: "20 millis", jitter: "10 millis", chunking: { min: 1, max: 99 }, seed: 7 },
  both: { heartbeat: { interval, tolerance } }
})

/** The server's side: every stream of the session is a connection. */
const Connections = Layer.effect(
  SocketServer.SocketServer,
  Effect.map(SimulatedSessions.SimulatedSessions, ({ server }) => ({
    address: { _tag: "TcpAddress", hostname: "simulated", port: 0 } as const,
    run: (handler) =>
      Effect.zipRight(
        server.serve((stream) => handler(MuxStream.toSocket(stream))),
        Effect.never
      )
  }))
)

/** The client's side: one stream of the session is its connection. */
const Connection = Layer.scoped(
  Socket,
  Effect.flatMap(SimulatedSessions.SimulatedSessions, ({ client }) => Effect.map(client.open(), MuxStream.toSocket))
)

/** The program under test: the RPC server with its handler, and the protocol of the client. */
const program = (report: (name: string) => Effect.Effect<string>) =>
  Layer.merge(
    RpcServer.layer(Reports).pipe(
      Layer.provide(Reports.toLayer({ Report: ({ name }) => report(name) })),
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(Connections)
    ),
    RpcClient.layerProtocolSocket().pipe(Layer.provide(Connection))
  ).pipe(Layer.provide(RpcSerialization.layerMsgPack), Layer.provideMerge(Sessions))

it.effect("a call goes through", () =>
  Effect.gen(function* () {
    const client = yield* RpcClient.make(Reports)
    assert.strictEqual(yield* client.Report({ name: "June" }), "the report of June")
  }).pipe(
    Effect.scoped,
    Effect.provide(program((name) => Effect.succeed(`the report of ${name}`))),
    VirtualTime.run,
    Census.leavesNothing
  )
)

it.effect("a partition in the middle of a call ends the call on both sides, and leaves no fiber", () =>
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    const handled = yield* Deferred.make<Exit.Exit<never>>()
    const slow = Deferred.succeed(begun, undefined).pipe(
      Effect.zipRight(Effect.never),
      Effect.onExit((exit) => Deferred.succeed(handled, exit))
    )

    yield* Effect.gen(function* () {
      const { link } = yield* SimulatedSessions.SimulatedSessions
      const client = yield* RpcClient.make(Reports)
      const call = yield* Effect.fork(Effect.flip(client.Report({ name: "June" })))
      yield* Deferred.await(begun)

      yield* link.blackHole
      const lostAt = yield* Clock.currentTimeMillis

      // the client's call fails with a typed error when the session detects the partition
      const error = yield* Fiber.join(call)
      assert.instanceOf(error, RpcClientError)
      const failedAfter = (yield* Clock.currentTimeMillis) - lostAt
      assert.isAtMost(failedAfter, interval + tolerance)
      assert.isAbove(failedAfter, tolerance)

      // the server interrupts the handler
      const exit = yield* Deferred.await(handled)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.isAtMost((yield* Clock.currentTimeMillis) - lostAt, interval + tolerance)
    }).pipe(Effect.scoped, Effect.provide(program(() => slow)))
  }).pipe(VirtualTime.run, Census.leavesNothing)
)
