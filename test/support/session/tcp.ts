/** Sessions over TCP, and transports that carry one session. */
import { assert } from "@effect/vitest"
import { type MuxadoError, Session, type Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { quietly } from "../logs.js"
import { call, ending, quick } from "./sessionTest.js"

/** The port of a server that gives each session to `handler`. */
export const listening = (handler: (session: Session.SessionService) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
    yield* Effect.forkScoped(server.run(handler))
    return server.address._tag === "TcpAddress" ? server.address.port : 0
  })

/** A client over TCP. */
export const dial = (port: number) =>
  Effect.map(
    Layer.build(Session.layerClient(quick).pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })))),
    (context) => Context.get(context, Session.Session)
  )

/** A second session over the transport is refused or fails, and the first goes on. */
export const assertCarriesOneSession = (
  transport: Effect.Effect<Transport.TransportService, MuxadoError.TransportFailed, never>
) =>
  Effect.gen(function* () {
    const start = Effect.flatMap(transport, (transport) =>
      Session.fromTransport(transport, { ...quick, role: "client" })
    )
    const first = yield* start
    const exit = yield* Effect.exit(start)
    if (Exit.isSuccess(exit)) yield* ending(Effect.timeout(call(exit.value), 200))
    assert.strictEqual(yield* Effect.timeout(call(first), 500), "hello")
  }).pipe(quietly)
