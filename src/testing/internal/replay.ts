/** A transport that replays one direction of a trace. */
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import { concat } from "../../internal/support/concat.js"
import { Runner } from "../../internal/support/run.js"
import { Latch } from "../../internal/support/waiters.js"
import type { TransportFailed } from "../../MuxadoError.js"
import type { TransportService } from "../../Transport.js"
import { simulate } from "../../internal/transport/simulated.js"
import { closingOn } from "./closing.js"
import { failed, notWritten, timeOf, waitFor, wrongChunks } from "./endpoint.js"
import type { Direction, Trace } from "./trace.js"
import type { Wait } from "./waits.js"
import { makeWaits } from "./waits.js"

/**
 * Options of `replay`.
 *
 * @since 0.1.0
 * @category traces
 */
export interface ReplayOptions {
  /** The direction to replay: `read` of the transport returns the bytes that were read in it. */
  readonly direction: Direction
  /**
   * When chunks arrive: at their recorded times, relative to now (`"recorded"`), or without delay (`"none"`).
   * Default: `"recorded"`.
   */
  readonly timing?: "recorded" | "none" | undefined
  /**
   * What follows the last byte: the recorded end or reset (`"recorded"`; nothing if the trace has neither), an orderly
   * end (`"end"`), a reset (`"reset"`), or nothing (`"silence"`). Default: `"recorded"`.
   */
  readonly ending?: "recorded" | "end" | "reset" | "silence" | undefined
}

/**
 * A transport that replays a trace.
 *
 * @since 0.1.0
 * @category traces
 */
export interface Replay {
  /** Its reads return the recorded chunks. It records what is written to it. */
  readonly transport: TransportService
  /** All bytes that were written to the transport. */
  readonly written: Effect.Effect<Uint8Array>
  /** How many recorded bytes are not read yet. */
  readonly remaining: Effect.Effect<number>
}

/** A result of `read`, and its time. */
type Step =
  | { readonly _tag: "Chunk"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Ended" | "Reset"; readonly at: number }

export const makeReplay = (trace: Trace, options: ReplayOptions): Effect.Effect<Replay, never, Scope.Scope> =>
  Effect.gen(function* () {
    const steps = yield* Effect.sync(() => stepsOf(trace, options))
    const clock = yield* Effect.clock
    const withNow = timeOf(clock)
    const links = makeWaits(clock, yield* Runner.current())
    const side = options.direction === "clientToServer" ? "server" : "client"
    const waits = links.of(side)
    const changed = new Latch(false)
    const written: Array<Uint8Array> = []
    let position = 0
    let ended = false
    let destroyed = false

    const read: Effect.Effect<Uint8Array, TransportFailed> = withNow((now, clock) => {
      if (destroyed) return failed("Read", "Local", "destroyed by this side")
      const step = steps[position]
      if (step === undefined || step.at > now) {
        changed.close()
        const until = step?.at ?? Infinity
        const wait: Wait = {
          operation: "read",
          until,
          faulty: () => false,
          why: () =>
            step === undefined ? "the trace has no more bytes for it" : "the trace has more bytes at that time"
        }
        return Effect.zipRight(waits.during(wait, waitFor(changed, clock, now, until)), read)
      }
      switch (step._tag) {
        case "Chunk":
          return Effect.sync(() => {
            position++
            return new Uint8Array(step.bytes)
          })
        case "Ended":
          return failed("Ended", "Remote", "ended by the peer")
        case "Reset":
          return failed("Read", "Remote", "reset by the peer")
      }
    })

    /** Whether the replay has reached a reset. Then writes fail too. */
    const isReset = (now: number): boolean => {
      const last = steps[steps.length - 1]
      return last?._tag === "Reset" && last.at <= now
    }

    const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> =>
      withNow((now) => {
        if (destroyed) return failed("Write", "Local", "destroyed by this side")
        if (ended) return failed("Write", "Local", "ended by this side")
        if (isReset(now)) return failed("Write", "Remote", "reset by the peer")
        const wrong = wrongChunks(chunks)
        if (wrong !== undefined) return notWritten(wrong)
        return Effect.sync(() => {
          for (const chunk of chunks) written.push(new Uint8Array(chunk))
        })
      })

    const destroy = Effect.sync(() => {
      destroyed = true
      changed.open()
    })
    const transport: TransportService = {
      read,
      write,
      end: Effect.sync(() => {
        ended = true
      }),
      destroy
    }
    simulate(transport, { whileClosing: closingOn(clock), carries: (session) => links.carries(side, session) })
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(
        destroy,
        Effect.sync(() => links.close())
      )
    )

    return {
      transport,
      written: Effect.sync(() => concat(written)),
      remaining: Effect.sync(() =>
        steps.slice(position).reduce((bytes, step) => bytes + (step._tag === "Chunk" ? step.bytes.length : 0), 0)
      )
    }
  })

const stepsOf = (trace: Trace, options: ReplayOptions): ReadonlyArray<Step> => {
  const { direction, ending = "recorded", timing = "recorded" } = options
  if (trace.dropped > 0) throw new RangeError(`the trace is incomplete: its first ${trace.dropped} events are missing`)
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
  throw new RangeError("the trace has no bytes: record it with `trace: { bytes: true }`")
}
