/** One side of a connection that is played from a trace. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import { concat } from "../../internal/concat.js"
import type { TransportFailed } from "../../MuxadoError.js"
import type { TransportService } from "../../Transport.js"
import { failed, waitFor } from "./endpoint.js"
import type { Direction, Trace } from "./trace.js"

export interface ReplayOptions {
  /** The direction whose reader the transport plays to. */
  readonly direction: Direction
  /** When chunks come: when they were read then, counted from now, or without any time passing. Default: `"recorded"`. */
  readonly timing?: "recorded" | "none" | undefined
  /**
   * What follows the last byte: what did then, an orderly end, a reset, or nothing for ever. Default: `"recorded"`, which
   * is nothing for ever where the trace stops before an end.
   */
  readonly ending?: "recorded" | "end" | "reset" | "silence" | undefined
}

export interface Replay {
  readonly transport: TransportService
  /** All that was written to it, which nobody reads. */
  readonly written: Effect.Effect<Uint8Array>
  /** How many recorded bytes are still to be read. */
  readonly remaining: Effect.Effect<number>
}

/** What `read` does at a time. */
type Step =
  | { readonly _tag: "Chunk"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Ended" | "Reset"; readonly at: number }

export const makeReplay = (trace: Trace, options: ReplayOptions): Effect.Effect<Replay, never, Scope.Scope> =>
  Effect.gen(function* () {
    const steps = yield* Effect.sync(() => stepsOf(trace, options))
    const origin = yield* Clock.currentTimeMillis
    const withNow = <A, E>(f: (now: number) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.clockWith((clock) => f(clock.unsafeCurrentTimeMillis() - origin))
    const changed = Effect.unsafeMakeLatch(false)
    const written: Array<Uint8Array> = []
    let position = 0
    let ended = false
    let destroyed = false

    const read: Effect.Effect<Uint8Array, TransportFailed> = withNow((now) => {
      if (destroyed) return failed("Read", "Local", "destroyed by this side")
      const step = steps[position]
      if (step === undefined || step.at > now) {
        changed.unsafeClose()
        return Effect.zipRight(waitFor(changed, now, step?.at ?? Infinity), read)
      }
      switch (step._tag) {
        case "Chunk":
          return Effect.sync(() => {
            position++
            return step.bytes
          })
        case "Ended":
          return failed("Ended", "Remote", "ended by the peer")
        case "Reset":
          return failed("Read", "Remote", "reset by the peer")
      }
    })

    /** A reset is known to the writer too. */
    const isReset = (now: number): boolean => {
      const last = steps[steps.length - 1]
      return last?._tag === "Reset" && last.at <= now
    }

    const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> =>
      withNow((now) => {
        if (destroyed) return failed("Write", "Local", "destroyed by this side")
        if (ended) return failed("Write", "Local", "ended by this side")
        if (isReset(now)) return failed("Write", "Remote", "reset by the peer")
        return Effect.sync(() => {
          written.push(...chunks)
        })
      })

    const destroy = Effect.sync(() => {
      destroyed = true
      changed.unsafeOpen()
    })
    yield* Effect.addFinalizer(() => destroy)

    return {
      transport: {
        read,
        write,
        end: Effect.sync(() => {
          ended = true
        }),
        destroy
      },
      written: Effect.sync(() => concat(written)),
      remaining: Effect.sync(() =>
        steps.slice(position).reduce((bytes, step) => bytes + (step._tag === "Chunk" ? step.bytes.length : 0), 0)
      )
    }
  })

const stepsOf = (trace: Trace, options: ReplayOptions): ReadonlyArray<Step> => {
  const { direction, ending = "recorded", timing = "recorded" } = options
  if (trace.dropped > 0) throw new RangeError(`the trace begins too late: ${trace.dropped} events are missing`)
  const time = (at: number): number => (timing === "none" ? 0 : at)
  const events = trace.events.filter((event) => event.direction === direction)
  const chunks = events
    .filter(({ event }) => event === "read")
    .map(({ at, bytes, hex }): Step => ({ _tag: "Chunk", at: time(at), bytes: decode(bytes, hex) }))
  const last = chunks[chunks.length - 1]?.at ?? 0
  switch (ending) {
    case "end":
      return [...chunks, { _tag: "Ended", at: last }]
    case "reset":
      return [...chunks, { _tag: "Reset", at: last }]
    case "silence":
      return chunks
    case "recorded":
      return [
        ...chunks,
        ...events.flatMap(({ at, event }): ReadonlyArray<Step> => {
          if (event === "ended") return [{ _tag: "Ended", at: time(at) }]
          return event === "reset" ? [{ _tag: "Reset", at: time(at) }] : []
        })
      ]
  }
}

const decode = (length: number, hex: string | undefined): Uint8Array => {
  const bytes = hex === undefined ? undefined : Either.getOrUndefined(Encoding.decodeHex(hex))
  if (bytes?.length === length) return bytes
  throw new RangeError("the trace was recorded without its bytes: record it with `trace: { bytes: true }`")
}
