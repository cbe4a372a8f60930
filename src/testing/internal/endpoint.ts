/**
 * One side of a simulated connection: a transport that writes to one link and reads from the other. It has no
 * background fiber: a waiting operation sleeps until bytes, an end or a reset arrive.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { describeValue, isBytes } from "../../internal/support/bytes.js"
import { concat } from "../../internal/support/concat.js"
import { interruptNow } from "../../internal/support/run.js"
import { Latch } from "../../internal/support/waiters.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { TransportService } from "../../Transport.js"
import { rootOf } from "./clocks.js"
import type { Link } from "./link.js"
import type { Record } from "./trace.js"
import type { Wait, Waits } from "./waits.js"
import { count } from "./waits.js"
import type { Wakes } from "./wakes.js"

/** The time from which each operation of this side never completes, in milliseconds since the pair was made. */
export interface Hangs {
  write: number
  end: number
  destroy: number
}

export interface Endpoint extends TransportService {
  readonly hangs: Hangs
  /** After this step, an `end` that waits behind a black hole checks again. */
  readonly release: () => void
  /** What `destroy` does without the fault `neverDestroy`. */
  readonly drop: Effect.Effect<void>
}

/** Calls `f` with the time, in milliseconds since the pair was made, and the clock that shows it. */
export type WithNow = <A, E>(f: (now: number, clock: Clock.Clock) => Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * The time of a connection that was made on this clock. A fiber with an unrelated clock, such as one that only closes
 * the scope, does not change this time.
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
  waits: Waits,
  wakes: Wakes
): Endpoint => {
  const hangs: Hangs = { write: Infinity, end: Infinity, destroy: Infinity }
  let ended = false
  let destroyed = false
  let refused = false
  const released = new Latch(false)

  const never = (operation: Wait["operation"], fault: string): Effect.Effect<never> =>
    waits.during(
      { operation, until: Infinity, faulty: () => true, why: () => `a fault (${fault}) keeps it from completing` },
      Effect.never
    )

  const read: Effect.Effect<Uint8Array, TransportFailed> = withNow((now, clock) => {
    if (destroyed) return failed("Read", "Local", "destroyed by this side")
    const state = inbound.poll(now)
    switch (state._tag) {
      case "Ready":
        // The last operation: no interruption can come between taking the bytes and returning them.
        return Effect.sync(() => {
          const piece = inbound.take(now)
          wakes.flush()
          return piece
        })
      case "Ended":
        return failed("Ended", "Remote", "ended by the peer")
      case "Reset":
        return failed("Read", "Remote", "reset by the peer")
      case "Wait": {
        inbound.readable.close()
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
        if (!outbound.isStalled(now)) {
          const taken = outbound.offer(now, bytes.subarray(offset))
          offset += taken
          const isDone = hangs.write > now && offset === bytes.length
          wakes.flush()
          if (isDone) return Effect.void
          // a fiber that `flush` has woken may have read the bytes, or destroyed the transport
          if (taken > 0 && (destroyed || outbound.isRoomy())) return step
        }
        if (hangs.write <= now) return never("write", "neverWrite")
        outbound.writable.close()
        const until = inbound.goneAt()
        const wait: Wait = {
          operation: "write",
          until,
          faulty: () => outbound.isFaulty(now),
          why: () => `${count(bytes.length - offset, "byte")} not written yet, and ${outbound.whyNoRoom(now)}`
        }
        return Effect.zipRight(waits.during(wait, waitFor(outbound.writable, clock, now, until)), step)
      })
      return step
    })

  const untilReleased: Effect.Effect<void> = withNow((now, clock) => {
    const until = outbound.cutAt()
    if (destroyed || until <= now) return Effect.void
    released.close()
    const wait: Wait = {
      operation: "end",
      until,
      faulty: () => true,
      why: () => "a black hole drops the end"
    }
    return Effect.zipRight(waits.during(wait, waitFor(released, clock, now, until)), untilReleased)
  })

  const end = withNow((now) => {
    if (destroyed || inbound.goneAt() <= now) return Effect.void
    const isHanging = hangs.end <= now
    ended = true
    wakes.add(outbound.writable)
    const arrives = !isHanging && outbound.end(now)
    wakes.flush()
    if (isHanging) return never("end", "neverEnd")
    return arrives ? Effect.void : untilReleased
  })

  const drop = withNow((now) =>
    Effect.sync(() => {
      if (destroyed) return
      destroyed = true
      outbound.dropWriter(now)
      // waiting operations of this side fail; the peer's writer waits on, now until the reset reaches it
      wakes.add(inbound.readable)
      wakes.add(inbound.writable)
      wakes.add(released)
      wakes.flush()
    })
  )

  const destroy = withNow((now) => (hangs.destroy <= now ? never("destroy", "neverDestroy") : drop))

  return { read, write, end, destroy, drop, hangs, release: () => wakes.add(released) }
}

export const failed = (
  reason: TransportFailed["reason"],
  initiator: TransportFailed["initiator"],
  why: string
): Effect.Effect<never, TransportFailed> =>
  Effect.fail(new TransportFailed({ reason, cause: new Error(why), initiator, processed: "maybe" }))

/**
 * Waits until the latch opens or the time is `until`, in milliseconds of `now`. With `Infinity`, only for the latch.
 */
export const waitFor = (latch: Latch, clock: Clock.Clock, now: number, until: number): Effect.Effect<void> =>
  until === Infinity
    ? latch.await
    : // Other operations that wait for the latch check again too, and wait again. Whole milliseconds, because a
      // duration of less than half a nanosecond is 0: the time would never come.
      Effect.acquireUseRelease(
        Effect.fork(
          Effect.interruptible(Effect.map(clock.sleep(Duration.millis(Math.ceil(until - now))), () => latch.open()))
        ),
        () => latch.await,
        (timer) => Effect.sync(() => interruptNow(timer))
      )

// --- chunks ---

/** What is wrong with the argument of `write`: JavaScript may pass any value. */
export const wrongChunks = (chunks: unknown): TypeError | undefined => {
  if (!Array.isArray(chunks)) return new TypeError(`write takes an array of Uint8Arrays, not ${describeValue(chunks)}`)
  const index = chunks.findIndex((chunk) => !isBytes(chunk))
  if (index === -1) return undefined
  return new TypeError(`write takes an array of Uint8Arrays, but element ${index} is ${describeValue(chunks[index])}`)
}

/** The failure of a `write` whose argument is wrong, and of which nothing was written. */
export const notWritten = (cause: TypeError): Effect.Effect<never, TransportFailed> =>
  Effect.fail(new TransportFailed({ reason: "Write", cause, initiator: "Local", processed: "no" }))
