/**
 * Calls `tick` when the next deadline of a session is due. Has one fiber while there is a deadline, and otherwise
 * none.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { nonce } from "../support/nonce.js"
import type { Runner } from "../support/run.js"
import { interruptNow } from "../support/run.js"

interface Timed {
  /** Milliseconds of the clock; `Infinity` for no deadline. */
  readonly nextDeadline: () => number
  readonly now: () => number
  /** `nonce` is a random uint32. */
  readonly tick: (nonce: number) => void
  readonly failed: (cause: Cause.Cause<never>) => void
}

/**
 * In a process that was busy, timers run before bytes that have arrived are read. With this turn, the session reads
 * them before it checks whether the peer is silent.
 */
const oneTurn = Effect.sleep(Duration.zero)

export class SessionTimer {
  private fiber: Fiber.RuntimeFiber<void> | undefined = undefined
  /** The deadline until which the fiber sleeps. */
  private armedFor = Infinity
  private readonly sleeping: Effect.Effect<void>

  constructor(
    private readonly timed: Timed,
    private readonly runner: Runner
  ) {
    const loop: Effect.Effect<void> = Effect.suspend(() => {
      this.armedFor = timed.nextDeadline()
      if (this.armedFor === Infinity) {
        this.fiber = undefined
        return Effect.void
      }
      const delay = Duration.millis(Math.max(0, Math.ceil(this.armedFor - timed.now())))
      return Effect.zipRight(Effect.sleep(delay), Effect.zipRight(oneTurn, Effect.zipRight(tick, loop)))
    })
    const tick = Effect.map(nonce, timed.tick)
    this.sleeping = Effect.catchAllCause(loop, (cause) => Effect.sync(() => timed.failed(cause)))
  }

  /** Restarts the sleep if the next deadline is earlier than the one for which the fiber sleeps. */
  arm(): void {
    const next = this.timed.nextDeadline()
    if (next >= this.armedFor) return
    this.armedFor = next
    if (this.fiber !== undefined) interruptNow(this.fiber)
    this.fiber = this.runner.fork(this.sleeping)
  }

  /** Stops the timer. It cannot be started again. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.armedFor = -Infinity
      return this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)
    })
  }
}
