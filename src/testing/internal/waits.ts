/** Describes what the operations of simulated links wait for. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as TestClock from "effect/TestClock"
import type { Runner } from "../../internal/support/run.js"
import type { CarriedSession } from "../../internal/transport/simulated.js"
import type { Role } from "../../protocol/options.js"
import { isPassing, rootOf } from "./clocks.js"
import { isTestClock, sleepsOf } from "./testClock.js"
import { warn } from "./warn.js"

/** An operation that waits. */
export interface Wait {
  readonly operation: "read" | "write" | "end" | "destroy"
  /** When it continues by itself, in milliseconds since the pair was made; `Infinity` for never. */
  readonly until: number
  /** Whether a fault keeps it waiting. */
  readonly faulty: () => boolean
  readonly why: () => string
}

/** The waits of one side. */
export interface Waits {
  /** Runs the effect, and counts as waiting meanwhile. */
  readonly during: <A, E>(wait: Wait, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

interface Links {
  readonly describe: (name: string) => ReadonlyArray<string>
}

const linksOf = new WeakMap<Clock.Clock, Set<Links>>()

/** Describes the waits of all links on the clock, and the state of their sessions, one line for each. */
export const describeLinks = (clock: Clock.Clock): Effect.Effect<ReadonlyArray<string>> =>
  Effect.sync(() => {
    const links = [...(linksOf.get(rootOf(clock)) ?? [])]
    return links.flatMap((one, index) => one.describe(links.length === 1 ? "" : `link ${index + 1}, `))
  })

/** Makes the list of a link's waits. Until it is closed, it warns once if the `TestClock` does not move. */
export const makeWaits = (clock: Clock.Clock, runner: Runner) => {
  const root = rootOf(clock)
  const origin = clock.unsafeCurrentTimeMillis()
  const waits: { readonly [S in Role]: Set<Wait> } = { client: new Set(), server: new Set() }
  const sessions: { [S in Role]?: CarriedSession } = {}

  const describeWait = (side: Role, wait: Wait): string => {
    const until = wait.until === Infinity ? "" : ` until ${round(origin + wait.until)} ms`
    return `${side}: its ${wait.operation} waits${until}: ${wait.why()}`
  }

  const describe = (name: string): ReadonlyArray<string> =>
    SIDES.flatMap((side) => {
      const session = sessions[side]
      return [
        ...[...waits[side]].map((wait) => `${name}${describeWait(side, wait)}`),
        ...(session === undefined ? [] : [`${name}${side}'s session: ${describeSession(session)}`])
      ]
    })

  const links: Links = { describe }
  const all = linksOf.get(root) ?? new Set<Links>()
  linksOf.set(root, all.add(links))

  const watcher = isTestClock(root)
    ? watchClock(
        root,
        () => isPassing(clock),
        () => {
          const stuck = SIDES.flatMap((side) =>
            [...waits[side]]
              .filter((wait) => wait.until !== Infinity || wait.faulty())
              .map((wait) => describeWait(side, wait))
          )
          if (stuck.length === 0) return false
          runner.fork(warn([standsStill(root), ...stuck, WHAT_TO_DO]))
          return true
        }
      )
    : undefined

  return {
    of: (side: Role): Waits => ({
      during: (wait, effect) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            waits[side].add(wait)
            watcher?.start()
          }),
          () => effect,
          () => Effect.sync(() => waits[side].delete(wait))
        )
    }),
    carries: (side: Role, session: CarriedSession): void => {
      sessions[side] = session
    },
    close: (): void => {
      watcher?.stop()
      all.delete(links)
    }
  }
}

const standsStill = (clock: Clock.Clock): string =>
  `A simulated link waits for time, but the TestClock does not move (it is at ${round(clock.unsafeCurrentTimeMillis())} ms)`

const WHAT_TO_DO =
  "Advance the clock: fork the program and call TestClock.adjust, or run the program with VirtualTime.run"

/** Calls `onStill` each time the clock has not moved for 1 second, until `onStill` returns true. */
const watchClock = (clock: TestClock.TestClock, isPassing: () => boolean, onStill: () => boolean) => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let done = false
  let seen = ""
  let still = 0

  const tick = (): void => {
    // an `adjust` that wakes thousands of fibers takes seconds, in which only the number of sleeps changes
    const now = `${clock.unsafeCurrentTimeMillis()} ${sleepsOf(clock).length}`
    still = now === seen && !isPassing() ? still + 1 : 0
    seen = now
    if (still >= STILL_TICKS) {
      still = 0
      done = onStill()
    }
    timer = undefined
    start()
  }

  const start = (): void => {
    if (done || timer !== undefined) return
    timer = setTimeout(tick, TICK)
    // the timer must not keep the process alive; a browser has no `unref`
    const handle: unknown = timer
    if (typeof handle === "object" && handle !== null && "unref" in handle) timer.unref()
  }

  const stop = (): void => {
    done = true
    clearTimeout(timer)
  }

  return { start, stop }
}

/**
 * In milliseconds of real time. Ticks are counted, so that a busy process does not look like a clock that stands still.
 */
const TICK = 125
const STILL_TICKS = 8

const describeSession = (session: CarriedSession): string => {
  const stats = Effect.runSync(session.stats)
  const streams = stats.outboundStreams + stats.inboundStreams
  return [
    `${count(streams, "stream")} open`,
    ...(stats.backlog === 0 ? [] : [`${count(stats.backlog, "stream")} not accepted`]),
    ...(stats.queuedBytes === 0 ? [] : [`${count(stats.queuedBytes, "byte")} not sent`]),
    ...(stats.bufferedBytes === 0 ? [] : [`${count(stats.bufferedBytes, "byte")} received and not read`])
  ].join(", ")
}

const SIDES: ReadonlyArray<Role> = ["client", "server"]

export const count = (amount: number, what: string): string => `${amount} ${what}${amount === 1 ? "" : "s"}`

const round = (millis: number): number => Math.round(millis * 1000) / 1000
