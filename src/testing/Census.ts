/**
 * What a program leaves behind: the fibers it began, their sleeps (in virtual time too), and, in Node, what keeps the
 * event loop alive.
 *
 * @module
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as internal from "./internal/census.js"
import { makeFibers } from "./internal/fibers.js"

/**
 * What is looked for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Sockets, servers and timers too. Only in Node, and only while nothing else in the process begins any: Node counts
   * them for all. Default: false.
   */
  readonly resources?: boolean | undefined
}

/**
 * What is there still, in words: `"#12, suspended"`, `"until 5000 ms"`, `"1 x TCPSocketWrap"`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Left {
  /** The fibers that have not ended, with what they do. */
  readonly fibers: ReadonlyArray<string>
  /**
   * The sleeps that are not over, and when they would be, in milliseconds of the clock.
   */
  readonly sleeps: ReadonlyArray<string>
  /** What keeps the event loop of Node alive; empty unless `resources` was set. */
  readonly resources: ReadonlyArray<string>
}

/**
 * A count of what was begun while it watched, and has not ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Census {
  /**
   * Runs the effect, and counts what it begins, daemons included. What is begun by `Effect.runFork` is not seen.
   */
  readonly watch: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /**
   * What is there at this moment; a few milliseconds of real time later where resources are counted.
   */
  readonly left: Effect.Effect<Left>
  /**
   * The same, after up to a second of real time in which what was told to end may do so.
   */
  readonly settled: Effect.Effect<Left>
}

/**
 * Something was left behind.
 *
 * @since 0.1.0
 * @category errors
 */
export class LeftBehind extends Data.TaggedError("LeftBehind")<{
  /** What was left. */
  readonly left: Left
}> {
  override get message(): string {
    const { fibers, resources, sleeps } = this.left
    const list = (what: string, items: ReadonlyArray<string>) =>
      items.length === 0 ? [] : [`${what}: ${items.join("; ")}`]
    return ["Left behind", ...list("fibers", fibers), ...list("sleeps", sleeps), ...list("resources", resources)].join(
      "\n  "
    )
  }
}

/**
 * Begins a census; resources that are there already do not count.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Census } from "effect-muxado/testing"
 *
 * const program = Effect.gen(function* () {
 *   const census = yield* Census.make()
 *   yield* census.watch(Effect.forkDaemon(Effect.never))
 *   return (yield* census.left).fibers // ["#3, suspended"]
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Census> =>
  Effect.gen(function* () {
    const fibers = makeFibers()
    const sleeps = internal.makeSleeps()
    const resources = options.resources === true ? internal.resources : Effect.succeed(new Map<string, number>())
    const before = yield* resources
    const left = Effect.map(Effect.all([resources, fibers.left]), ([after, alive]): Left => ({
      fibers: alive,
      sleeps: sleeps.pending(),
      resources: internal.excess(before, after)
    }))
    return {
      watch: (effect) => sleeps.counted(fibers.watch(effect)),
      left,
      // of a second: counting resources takes a turn of its own
      settled: internal.untilEmpty(left, isEmpty, options.resources === true ? 100 : 200)
    }
  })

/**
 * Nothing is left.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEmpty = (left: Left): boolean => left.fibers.length + left.sleeps.length + left.resources.length === 0

/**
 * Runs the effect, and dies with `LeftBehind` when it succeeds while something that it began has not ended, nor does
 * within a second of real time.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Census, SimulatedSessions } from "effect-muxado/testing"
 *
 * const program = Effect.gen(function* () {
 *   const { client } = yield* SimulatedSessions.make()
 *   yield* client.ping
 * }).pipe(Effect.scoped, Census.leavesNothing)
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const leavesNothing = <A, E, R>(self: Effect.Effect<A, E, R>, options?: Options): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const census = yield* make(options)
    const result = yield* census.watch(self)
    const left = yield* census.settled
    return isEmpty(left) ? result : yield* Effect.die(new LeftBehind({ left }))
  })
