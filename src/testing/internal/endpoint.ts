/**
 * One side of a simulated connection: a transport that writes to one link and reads from the other. It starts no fiber
 * of its own; who waits for something to arrive sleeps until then.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describeValue, isBytes } from "../../internal/support/bytes.js"
import { concat } from "../../internal/support/concat.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { TransportService } from "../../Transport.js"
import { rootOf } from "./clocks.js"
import type { Link } from "./link.js"
import type { Record } from "./trace.js"
import type { Wait, Waits } from "./waits.js"
import { count } from "./waits.js"

/** Since when an operation of this side never completes, in milliseconds. */
export interface Hangs {
  write: number
  end: number
  destroy: number
}

export interface Endpoint extends TransportService {
  readonly hangs: Hangs
  /** Wakes an `end` that waits for a line that is gone. */
  readonly release: () => void
  /** What `destroy` does when nothing is wrong with it. */
  readonly drop: Effect.Effect<void>
}

/** Reads the clock, in milliseconds since the pair was made. */
export type WithNow = <A, E>(f: (now: number, clock: Clock.Clock) => Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * The time of a connection that was made on this clock. A fiber with another clock, such as one that only closes the
 * scope, does not bring another time.
 */
export const timeOf = (clock: Clock.Clock): WithNow => {
  const origin = clock.unsafeCurrentTimeMillis()
  return (f) =>
    Effect.clockWith((current) => {
      const own = rootOf(current) === rootOf(clock) ? current : clock
      return f(own.unsafeCurrentTimeMillis() - origin, own)
    })
}

export const makeEndpoint = (
  outbound: Link,
  inbound: Link,
  record: Record,
  withNow: WithNow,
  waits: Waits
): Endpoint => {
  const hangs: Hangs = { write: Infinity, end: Infinity, destroy: Infinity }
  let ended = false
  let destroyed = false
  let refused = false
  const released = Effect.unsafeMakeLatch(false)

  const never = (operation: Wait["operation"], fault: string): Effect.Effect<never> =>
    waits.during(
      { operation, until: Infinity, faulty: () => true, why: () => `a fault (${fault}) lets it never complete` },
      Effect.never
    )

  const read: Effect.Effect<Uint8Array, TransportFailed> = withNow((now, clock) => {
    if (destroyed) return failed("Read", "Local", "destroyed by this side")
    const state = inbound.poll(now)
    switch (state._tag) {
      case "Ready":
        // As the last step, for then no interruption can come between taking the bytes and handing them on.
        return Effect.sync(() => inbound.take(now))
      case "Ended":
        return failed("Ended", "Remote", "ended by the peer")
      case "Reset":
        return failed("Read", "Remote", "reset by the peer")
      case "Wait": {
        inbound.readable.unsafeClose()
        const { until, what } = state
        const wait: Wait = {
          operation: "read",
          until,
          faulty: () => inbound.isFaulty(now),
          why: () => inbound.whyNothing(now, what)
        }
        return Effect.zipRight(waits.during(wait, waitFor(inbound.readable, clock, now, until)), read)
      }
    }
  })

  const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> =>
    Effect.suspend(() => {
      const wrong = wrongChunks(chunks)
      if (wrong !== undefined) return notWritten(wrong)
      const bytes = concat(chunks)
      let offset = 0
      const step: Effect.Effect<void, TransportFailed> = withNow((now, clock) => {
        if (destroyed) return failed("Write", "Local", "destroyed by this side")
        if (ended) return failed("Write", "Local", "ended by this side")
        if (inbound.goneAt() <= now) {
          if (!refused) record(now, "refused")
          refused = true
          return failed("Write", "Remote", "reset by the peer")
        }
        // before the offer, which may wake a reader that makes room at once
        outbound.writable.unsafeClose()
        if (!outbound.isStalled(now)) {
          offset += outbound.offer(now, bytes.subarray(offset))
          if (hangs.write > now && offset === bytes.length) return Effect.void
        }
        if (hangs.write <= now) return never("write", "neverWrite")
        const until = inbound.goneAt()
        const wait: Wait = {
          operation: "write",
          until,
          faulty: () => outbound.isFaulty(now),
          why: () => `${count(bytes.length - offset, "byte")} left to write, and ${outbound.whyNoRoom(now)}`
        }
        return Effect.zipRight(waits.during(wait, waitFor(outbound.writable, clock, now, until)), step)
      })
      return step
    })

  const untilReleased: Effect.Effect<void> = withNow((now, clock) => {
    const until = outbound.cutAt()
    if (destroyed || until <= now) return Effect.void
    released.unsafeClose()
    const wait: Wait = {
      operation: "end",
      until,
      faulty: () => true,
      why: () => "a black hole swallows the end"
    }
    return Effect.zipRight(waits.during(wait, waitFor(released, clock, now, until)), untilReleased)
  })

  const end = withNow((now) => {
    if (destroyed || inbound.goneAt() <= now) return Effect.void
    ended = true
    outbound.writable.unsafeOpen()
    if (hangs.end <= now) return never("end", "neverEnd")
    return outbound.end(now) ? Effect.void : untilReleased
  })

  const drop = withNow((now) =>
    Effect.sync(() => {
      if (destroyed) return
      destroyed = true
      outbound.dropWriter(now)
      // who still waits here is woken by it, and so is the peer's writer, to hear when it will know
      inbound.readable.unsafeOpen()
      inbound.writable.unsafeOpen()
      released.unsafeOpen()
    })
  )

  const destroy = withNow((now) => (hangs.destroy <= now ? never("destroy", "neverDestroy") : drop))

  return { read, write, end, destroy, drop, hangs, release: () => released.unsafeOpen() }
}

export const failed = (
  reason: TransportFailed["reason"],
  initiator: TransportFailed["initiator"],
  why: string
): Effect.Effect<never, TransportFailed> =>
  Effect.fail(new TransportFailed({ reason, cause: new Error(why), initiator, processed: "maybe" }))

/** Until the latch opens or it is time; `Infinity` for the latch alone. */
export const waitFor = (latch: Effect.Latch, clock: Clock.Clock, now: number, until: number): Effect.Effect<void> =>
  until === Infinity
    ? latch.await
    : // only one fiber waits for a latch, and looks again whenever it opens
      Effect.acquireUseRelease(
        Effect.fork(Effect.interruptible(Effect.zipRight(clock.sleep(Duration.millis(until - now)), latch.open))),
        () => latch.await,
        Fiber.interruptFork
      )

// --- chunks ---

/** What is wrong with the argument of `write`, which JavaScript may call with anything. */
export const wrongChunks = (chunks: unknown): TypeError | undefined => {
  if (!Array.isArray(chunks)) return new TypeError(`write takes an array of Uint8Arrays, not ${describeValue(chunks)}`)
  const index = chunks.findIndex((chunk) => !isBytes(chunk))
  if (index === -1) return undefined
  return new TypeError(`write takes an array of Uint8Arrays, but element ${index} is ${describeValue(chunks[index])}`)
}

/** Nothing of it was written. */
export const notWritten = (cause: TypeError): Effect.Effect<never, TransportFailed> =>
  Effect.fail(new TransportFailed({ reason: "Write", cause, initiator: "Local", processed: "no" }))
