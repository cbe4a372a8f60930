/**
 * One side of a simulated connection: a transport that writes to one link and reads from the other. It starts no fiber
 * of its own; who waits for something to arrive sleeps until then.
 */
import * as Effect from "effect/Effect"
import { concat } from "../../internal/concat.js"
import { firstOf } from "../../internal/firstOf.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { TransportService } from "../../Transport.js"
import type { Link } from "./link.js"
import type { Record } from "./trace.js"

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

/** Reads the clock of the calling fiber, in milliseconds. */
export type WithNow = <A, E>(f: (now: number) => Effect.Effect<A, E>) => Effect.Effect<A, E>

export const makeEndpoint = (outbound: Link, inbound: Link, record: Record, withNow: WithNow): Endpoint => {
  const hangs: Hangs = { write: Infinity, end: Infinity, destroy: Infinity }
  let ended = false
  let destroyed = false
  let refused = false
  const released = Effect.unsafeMakeLatch(false)

  const read: Effect.Effect<Uint8Array, TransportFailed> = withNow((now) => {
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
      case "Wait":
        inbound.readable.unsafeClose()
        return Effect.zipRight(waitFor(inbound.readable, now, state.until), read)
    }
  })

  const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> =>
    Effect.suspend(() => {
      const bytes = concat(chunks)
      let offset = 0
      const step: Effect.Effect<void, TransportFailed> = withNow((now) => {
        if (destroyed) return failed("Write", "Local", "destroyed by this side")
        if (ended) return failed("Write", "Local", "ended by this side")
        if (inbound.goneAt() <= now) {
          if (!refused) record(now, "refused")
          refused = true
          return failed("Write", "Remote", "reset by the peer")
        }
        if (!outbound.isStalled(now)) {
          offset += outbound.offer(now, bytes.subarray(offset))
          if (hangs.write > now && offset === bytes.length) return Effect.void
        }
        if (hangs.write <= now) return Effect.never
        outbound.writable.unsafeClose()
        return Effect.zipRight(waitFor(outbound.writable, now, inbound.goneAt()), step)
      })
      return step
    })

  const untilReleased: Effect.Effect<void> = withNow((now) => {
    if (destroyed || outbound.cutAt() <= now) return Effect.void
    released.unsafeClose()
    return Effect.zipRight(waitFor(released, now, outbound.cutAt()), untilReleased)
  })

  const end = withNow((now) => {
    if (destroyed || inbound.goneAt() <= now) return Effect.void
    ended = true
    outbound.writable.unsafeOpen()
    if (hangs.end <= now) return Effect.never
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

  const destroy = withNow((now) => (hangs.destroy <= now ? Effect.never : drop))

  return { read, write, end, destroy, drop, hangs, release: () => released.unsafeOpen() }
}

export const failed = (
  reason: TransportFailed["reason"],
  initiator: TransportFailed["initiator"],
  why: string
): Effect.Effect<never, TransportFailed> =>
  Effect.fail(new TransportFailed({ reason, cause: new Error(why), initiator, processed: "maybe" }))

/** Until the latch opens or it is time; `Infinity` for the latch alone. */
export const waitFor = (latch: Effect.Latch, now: number, until: number): Effect.Effect<void> =>
  until === Infinity ? latch.await : firstOf(latch.await, Effect.sleep(until - now))
