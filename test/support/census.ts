/** What a scenario leaves behind, sockets, servers and timers of Node included. */
import { Census } from "effect-muxado/testing"
import type * as Effect from "effect/Effect"

/** Runs the scenario, and fails unless every fiber, socket, server and timer that it began has ended with it. */
export const leavesNothing = <A, E, R>(scenario: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Census.leavesNothing(scenario, { resources: true })
