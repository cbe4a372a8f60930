/** Attacks on a session over a simulated link. */
import { assert } from "@effect/vitest"
import type { SessionOptions } from "effect-muxado"
import { SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { sessionOver } from "../../test/support/session/sessions.js"
import { leavesNothing } from "../../test/support/census.js"
import { apply } from "./application.js"
import type { Attack } from "./attack.js"
import { carryOut, judge } from "./attack.js"
import { Peer } from "./peer.js"
import { overTransport } from "./transportPeer.js"

/** A session and its attacker. */
export const underAttack = (role: "client" | "server", options?: SessionOptions, link?: SimulatedTransport.Options) =>
  Effect.gen(function* () {
    const pair = yield* SimulatedTransport.makePair({ trace: { limit: 0 }, ...link })
    const session = yield* sessionOver(role, pair.server, options)
    const peer = new Peer(yield* overTransport(pair.client), role === "server" ? 1 : 2)
    return { session, peer, link: pair }
  })

/** In virtual time, and nothing may be left of it. */
export const virtually = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  test.pipe(Effect.scoped, VirtualTime.run, leavesNothing)

export const overSimulated = (attack: Attack): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const { peer, session } = yield* underAttack(attack.role ?? "server", attack.options)
    yield* Effect.forkScoped(apply(attack.app ?? "echo", session))
    yield* carryOut(attack, peer)
    judge(attack, peer)
    attack.stats?.(yield* session.stats)
    yield* peer.end
    const error = yield* session.closed
    switch (attack.outcome._tag) {
      case "Ends":
        return assert.include(["ProtocolViolation", "RemoteGoneAway"], error._tag)
      case "Drops":
        return assert.strictEqual(error._tag, attack.outcome.error)
      case "Lives":
        return assert.include(["TransportFailed", "RemoteGoneAway"], error._tag)
    }
  }).pipe(virtually)
