/** The trace of a simulated connection: its events, as plain data. */
import * as Encoding from "effect/Encoding"

/**
 * The direction of bytes.
 *
 * @since 0.1.0
 * @category traces
 */
export type Direction = "clientToServer" | "serverToClient"

/**
 * The kinds of events; see `TraceEvent`.
 *
 * @since 0.1.0
 * @category traces
 */
export type TraceEventName =
  "write" | "lost" | "corrupted" | "read" | "end" | "ended" | "destroy" | "reset" | "refused" | "fault"

/**
 * One event.
 *
 * - `"write"`: the line accepted bytes; `"lost"`: it drops this number of them; `"corrupted"`: it changes one of them
 * - `"read"`: the reader got bytes; `"ended"`, `"reset"`: the reader saw the end, or the reset
 * - `"end"`, `"destroy"`: the writer's side called it; `"refused"`: its write failed, because the reader is destroyed
 * - `"fault"`: a fault was injected
 *
 * @since 0.1.0
 * @category traces
 */
export interface TraceEvent {
  /** Milliseconds since the pair was made. */
  readonly at: number
  /** The direction of the bytes. For a call of a side, the direction that this side writes. */
  readonly direction: Direction | "both"
  /** The kind of the event. */
  readonly event: TraceEventName
  /** The number of bytes that were written, read, lost or changed; 0 for other events. */
  readonly bytes: number
  /** These bytes, two hexadecimal digits each, if the bytes are recorded. */
  readonly hex?: string
  /** For `"fault"`, the fault in words. For `"corrupted"`, the offset of the byte and its XOR mask. */
  readonly detail?: string
}

/**
 * The events of a connection, as plain data. You can save it as JSON, and replay it.
 *
 * @since 0.1.0
 * @category traces
 */
export interface Trace {
  /** The seed of the pair. */
  readonly seed: number
  /** How many of the oldest events are missing, because there were more than `limit`. */
  readonly dropped: number
  /** The events, the oldest first. */
  readonly events: ReadonlyArray<TraceEvent>
}

/**
 * Options of a trace.
 *
 * @since 0.1.0
 * @category traces
 */
export interface TraceOptions {
  /** Whether to record all bytes too; `replay` needs them. Default: false. */
  readonly bytes?: boolean | undefined
  /**
   * The trace keeps this number of the newest events. Default: 10,000, or `Infinity` (no limit) if the bytes are
   * recorded.
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
    // only now and then, because each `trim` copies the array
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

/** Formats a trace as text, with one line for each event. */
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
