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

/** The faults that both sides share. */
export interface Faults {
  /** Writes take no more bytes. */
  stallWrites: boolean
  /** `end` does nothing, and never completes. */
  neverEnd: boolean
}

export interface Endpoint extends TransportService {
  /** Wakes an `end` that waits for a line that is gone. */
  readonly release: () => void
}

/** `now` reads the clock of the calling fiber, in milliseconds. */
export const makeEndpoint = (
  outbound: Link,
  inbound: Link,
  faults: Faults,
  withNow: <A, E>(f: (now: number) => Effect.Effect<A, E>) => Effect.Effect<A, E>
): Endpoint => {
  let ended = false
  let destroyed = false
  const released = Effect.unsafeMakeLatch(false)

  // As the last step, for then no interruption can come between taking the bytes and handing them on.
  const take = Effect.sync(() => inbound.take())

  const read: Effect.Effect<Uint8Array, TransportFailed> = withNow((now) => {
    if (destroyed) return failed("Read", "Local", "destroyed by this side")
    const state = inbound.poll(now)
    switch (state._tag) {
      case "Ready":
        return take
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
        if (outbound.isRefused(now)) return failed("Write", "Remote", "reset by the peer")
        if (!faults.stallWrites) {
          offset += outbound.offer(now, bytes.subarray(offset))
          if (offset === bytes.length) return Effect.void
        }
        outbound.writable.unsafeClose()
        return Effect.zipRight(waitFor(outbound.writable, now, outbound.refusedAt()), step)
      })
      return step
    })

  const end = withNow((now) => {
    if (destroyed || outbound.isRefused(now)) return Effect.void
    ended = true
    outbound.writable.unsafeOpen()
    if (faults.neverEnd) return Effect.never
    return outbound.end(now) ? Effect.void : released.await
  })

  const destroy = withNow((now) =>
    Effect.sync(() => {
      if (destroyed) return
      destroyed = true
      outbound.dropWriter(now)
      inbound.dropReader(now)
      released.unsafeOpen()
    })
  )

  return { read, write, end, destroy, release: () => released.unsafeOpen() }
}

const failed = (
  reason: TransportFailed["reason"],
  initiator: TransportFailed["initiator"],
  why: string
): Effect.Effect<never, TransportFailed> =>
  Effect.fail(new TransportFailed({ reason, cause: new Error(why), initiator, processed: "maybe" }))

const waitFor = (latch: Effect.Latch, now: number, until: number | undefined): Effect.Effect<void> =>
  until === undefined ? latch.await : firstOf(latch.await, Effect.sleep(until - now))
