/** Sends and receives more bytes than a window holds. */
import * as Effect from "effect/Effect"
import type { Deviation } from "./failure.js"
import { data, fin, WINDOW, windowIncrement } from "./frames.js"
import type { Wire } from "./wire.js"

const TYPE = 4

/** The longest payload of one frame of ours, in bytes. */
const LONGEST = 65_536

/** The tester grants what it has received once it is so much, in bytes. */
const GRANT = 32_768

interface BulkOptions {
  /** What the tester takes for its window: it sends no more than that without credit. */
  readonly window?: number
  /** The stream is there already. */
  readonly opened?: boolean
}

/**
 * Opens a stream, unless it is there, and sends all the bytes on it as the target's credit permits, while the tester grants none: what comes
 * back is what fits into the target's window.
 */
export const upload = (
  wire: Wire,
  id: number,
  bytes: Uint8Array,
  options: BulkOptions = {}
): Effect.Effect<void, Deviation> => transfer(wire, id, bytes, { ...options, expected: undefined })

/** `upload`, while everything that comes back is granted again; all of it must be the same bytes. */
export const exchange = (
  wire: Wire,
  id: number,
  bytes: Uint8Array,
  options: BulkOptions = {}
): Effect.Effect<void, Deviation> =>
  transfer(wire, id, bytes, { ...options, expected: bytes.length }).pipe(
    Effect.zipRight(wire.expectContent(id, bytes)),
    Effect.zipRight(wire.send(fin(id))),
    Effect.zipRight(wire.expectFin(id))
  )

const transfer = (
  wire: Wire,
  id: number,
  bytes: Uint8Array,
  options: BulkOptions & { readonly expected: number | undefined }
): Effect.Effect<void, Deviation> =>
  Effect.gen(function* () {
    const { expected, opened = false, window = WINDOW } = options
    const stream = wire.seen.stream(id)
    const overhead = wire.typed && id % 2 === wire.id(0) % 2 ? TYPE : 0
    if (!opened) yield* wire.send(wire.syn(id))
    let sent = 0
    let granted = 0
    const room = (): number => Math.min(bytes.length - sent, LONGEST, window + stream.credit - sent - overhead)
    const due = (): boolean => expected !== undefined && stream.length - granted >= GRANT
    while (sent < bytes.length || (expected !== undefined && stream.length < expected)) {
      yield* wire.until(
        sent < bytes.length
          ? `credit for more than ${sent + overhead} bytes on stream ${id}`
          : `the rest on stream ${id}`,
        ({ death }) => {
          if (room() > 0 || due() || (sent === bytes.length && stream.length >= (expected ?? 0))) return true
          const [reset] = stream.resets
          return reset === undefined ? (death ?? false) : `RST code ${reset} on stream ${id}`
        }
      )
      if (due()) {
        const increment = stream.length - granted
        granted += increment
        yield* wire.send(windowIncrement(id, increment))
      }
      const length = room()
      if (length > 0) {
        yield* wire.send(data(id, bytes.subarray(sent, sent + length)))
        sent += length
      }
    }
  })
