/**
 * Finds what a program leaves behind: fibers that it started, their sleeps (in virtual time too), and in Node the
 * sockets, servers and timers that keep the process alive.
 *
 * @module
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as internal from "./internal/census.js"
import { makeFibers } from "./internal/fibers.js"

/**
 * What a census counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Whether to count sockets, servers and timers too. This works only in Node, and only while no other code opens any:
   * Node counts those of the whole process. Default: false.
   */
  readonly resources?: boolean | undefined
}

/**
 * Descriptions of what has not ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Left {
  /**
   * Each fiber: its name, what it does, and its span if it has one, as in `"#12, suspended, in a span"`.
   */
  readonly fibers: ReadonlyArray<string>
  /**
   * When each sleep ends, in milliseconds of the clock, the earliest first, as in `"until 5000 ms"`.
   */
  readonly sleeps: ReadonlyArray<string>
  /**
   * How many resources of each kind there are, by Node's names, as in `"1 x TCPSocketWrap"`. Always empty without the
   * option `resources`.
   */
  readonly resources: ReadonlyArray<string>
}

/**
 * Counts what a watched effect has started and what has not ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Census {
  /**
   * Runs the effect, and counts what it starts, including daemons. It does not see fibers that `Effect.runFork` starts,
   * or fibers that get another scheduler (`Effect.withScheduler`).
   */
  readonly watch: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /**
   * What has not ended at this moment. With the option `resources` it takes about 5 ms of real time.
   */
  readonly left: Effect.Effect<Left>
  /**
   * Waits until nothing is left, for 1 second of real time at most, and then returns what is left.
   */
  readonly settled: Effect.Effect<Left>
}

/**
 * A program has ended, and something that it started has not.
 *
 * @since 0.1.0
 * @category errors
 */
export class LeftBehind extends Data.TaggedError("LeftBehind")<{
  /**
   * What has not ended.
   */
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
 * Makes a census. Resources that exist already do not count.
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
      // turns of 5 ms, so 1 second in both cases: counting resources takes one more turn each time
      settled: internal.untilEmpty(left, isEmpty, options.resources === true ? 100 : 200)
    }
  })

/**
 * Whether nothing is left.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEmpty = (left: Left): boolean => left.fibers.length + left.sleeps.length + left.resources.length === 0

/**
 * Runs the effect, and dies with `LeftBehind` if it succeeds and something that it started does not end within 1 second
 * of real time.
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
