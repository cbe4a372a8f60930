/** Tests of managed sessions run in virtual time, and leave no fiber and no timer. */
import { it } from "@effect/vitest"
import { Census, VirtualTime } from "effect-muxado/testing"
import { Effect, type Scope } from "effect"

/** A test in virtual time, which passes by itself. It fails if the program hangs, or leaves a fiber or a timer. */
export const virtually = <A, E>(name: string, test: () => Effect.Effect<A, E, Scope.Scope>): void =>
  it.effect(name, () => Effect.suspend(test).pipe(Effect.scoped, Census.leavesNothing, VirtualTime.run))
