/** The trace of a simulated connection: what happened on it, as plain data. */
import * as Encoding from "effect/Encoding"

/**
 * Which way bytes go.
 *
 * @since 0.1.0
 * @category traces
 */
export type Direction = "clientToServer" | "serverToClient"

/**
 * What may happen; `TraceEvent` says what each means.
 *
 * @since 0.1.0
 * @category traces
 */
export type TraceEventName =
  "write" | "lost" | "corrupted" | "read" | "end" | "ended" | "destroy" | "reset" | "refused" | "fault"

/**
 * One thing that happened. `direction` is the one that the bytes went, and for what a side did the one that it
 * writes.
 *
 * - `"write"`: bytes were put on the line; `"lost"`: so many of them vanish; `"corrupted"`: one of them is changed
 * - `"read"`: bytes were given to the reader; `"ended"`, `"reset"`: it was told of the end, or of the reset
 * - `"end"`, `"destroy"`: the writer's side did this; `"refused"`: its write failed, since the reader is gone
 * - `"fault"`: a fault was injected
 *
 * @since 0.1.0
 * @category traces
 */
export interface TraceEvent {
  /** Milliseconds since the pair was made. */
  readonly at: number
  /** The direction that the bytes went; of what a side did, the direction that it writes. */
  readonly direction: Direction | "both"
  /** What happened. */
  readonly event: TraceEventName
  /** How many bytes were written, read, lost or changed; 0 for other events. */
  readonly bytes: number
  /** These bytes, two hexadecimal digits each; only where the bytes are recorded. */
  readonly hex?: string
  /** Of a `"fault"`, which one; of `"corrupted"`, which byte and what it was XORed with. */
  readonly detail?: string
}

/**
 * What happened on a pair, as plain data: it can be kept as JSON, and played again.
 *
 * @since 0.1.0
 * @category traces
 */
export interface Trace {
  /** The seed of the pair. */
  readonly seed: number
  /** How many of the oldest events are missing, since there were more than `limit`. */
  readonly dropped: number
  /** The events, the oldest first. */
  readonly events: ReadonlyArray<TraceEvent>
}

/**
 * What a trace keeps.
 *
 * @since 0.1.0
 * @category traces
 */
export interface TraceOptions {
  /** Whether to record the bytes too, all of them: `replay` needs this. Default: false. */
  readonly bytes?: boolean | undefined
  /**
   * How many events are kept: the newest. Default: 10,000, or `Infinity` (no limit) if the bytes are recorded.
   */
  readonly limit?: number | undefined
}

/** Records an event of one direction at `now`, in milliseconds since the pair was made. */
export type Record = (now: number, event: TraceEventName, bytes?: Uint8Array, detail?: string) => void

export const makeRecorder = (seed: number, options: { readonly bytes: boolean; readonly limit: number }) => {
  let events: Array<TraceEvent> = []
  let dropped = 0

  const trim = (): void => {
    dropped += Math.max(0, events.length - options.limit)
    events = events.slice(Math.max(0, events.length - options.limit))
  }

  const record = (
    at: number,
    direction: TraceEvent["direction"],
    event: TraceEventName,
    bytes: Uint8Array = NO_BYTES,
    detail?: string
  ): void => {
    events.push({
      at,
      direction,
      event,
      bytes: bytes.length,
      ...(options.bytes && bytes.length > 0 ? { hex: Encoding.encodeHex(bytes) } : {}),
      ...(detail === undefined ? {} : { detail })
    })
    // not with every event, or each of them would cost a copy
    if (events.length > 2 * options.limit + 100) trim()
  }

  return {
    record,
    of:
      (direction: Direction): Record =>
      (now, event, bytes, detail) =>
        record(now, direction, event, bytes, detail),
    trace: (): Trace => {
      trim()
      return { seed, dropped, events: events.slice() }
    }
  }
}

/** The trace in words, a line for each event. */
export const printTrace = (trace: Trace): string =>
  [
    `seed ${trace.seed}, ${trace.events.length} events${trace.dropped === 0 ? "" : `, ${trace.dropped} before them dropped`}`,
    ...trace.events.map(printEvent)
  ].join("\n")

const printEvent = (event: TraceEvent): string => {
  const bytes = event.bytes === 0 ? [] : [`${event.bytes} ${event.bytes === 1 ? "byte" : "bytes"}`]
  const hex = event.hex === undefined ? [] : [shortened(event.hex)]
  const what = [...bytes, ...(event.detail === undefined ? [] : [event.detail]), ...hex].join("  ")
  const time = `${Math.round(event.at * 1000) / 1000} ms`.padStart(12)
  return `${time}  ${ARROWS[event.direction]}  ${event.event.padEnd(9)}  ${what}`.trimEnd()
}

const shortened = (hex: string): string => (hex.length <= 64 ? hex : `${hex.slice(0, 64)}...`)

const ARROWS = {
  clientToServer: "client -> server",
  serverToClient: "client <- server",
  both: "client -- server"
}

const NO_BYTES = new Uint8Array(0)
