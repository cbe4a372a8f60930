/**
 * One direction of a simulated connection. Every function is synchronous, and time comes in as `now`, in milliseconds;
 * when a byte arrives is decided when it is written. The latches tell the one reader and the one writer that their next
 * attempt may have another outcome.
 */
import * as Effect from "effect/Effect"
import * as MutableQueue from "effect/MutableQueue"
import { PCGRandom } from "effect/Utils"

export interface LinkOptions {
  /** In milliseconds. */
  readonly latency: number
  /** In bytes per millisecond, `Infinity` for no limit. */
  readonly bandwidth: number
  /** The shortest and the longest piece that a read gives, in bytes; none for whole writes. */
  readonly chunking: { readonly min: number; readonly max: number } | undefined
  /** In bytes. */
  readonly bufferSize: number
  readonly seed: number
}

/** What the reader may do: take, give up, or try again at `until` or when its latch opens. */
export type Inbound =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Ended" }
  | { readonly _tag: "Reset" }
  | { readonly _tag: "Wait"; readonly until: number | undefined }

/** Bytes that one write put on the line. */
interface Segment {
  readonly bytes: Uint8Array
  /** When its first byte went onto the line. */
  readonly sentAt: number
  /** Bytes of it that were read. */
  offset: number
  /** Bytes that the next read takes. */
  next: number
}

export type Link = ReturnType<typeof makeLink>

export const makeLink = (options: LinkOptions) => {
  const { bandwidth, bufferSize, chunking, latency } = options
  const random = new PCGRandom(options.seed)

  /** Open when the reader should look again. */
  const readable = Effect.unsafeMakeLatch(false)
  /** Open when the writer should look again. */
  const writable = Effect.unsafeMakeLatch(false)

  /** The oldest bytes; the other unread ones follow in `segments`. */
  let head: Segment | undefined
  const segments = MutableQueue.unbounded<Segment>()
  /** When the line has sent all that was written. */
  let freeAt = 0
  let written = 0
  let read = 0

  /** When the end arrives at the reader. */
  let endAt = Infinity
  /** When a reset arrives at the reader; nothing that would come later does. */
  let resetAt = Infinity
  /** When the reset by a reader that is gone arrives at the writer. */
  let refusedAt = Infinity
  /** Since when the line swallows everything: what would arrive later does not. */
  let lostAt = Infinity
  let isCut = false

  const wake = (): void => {
    readable.unsafeOpen()
    writable.unsafeOpen()
  }

  /** Whole milliseconds, as clocks are, so that a reader which slept until then never finds itself early. */
  const arrival = (sentAt: number, length: number): number => {
    const delay = length / bandwidth + latency
    return delay === 0 ? sentAt : Math.ceil(sentAt + delay)
  }

  const nextLength = (rest: number): number =>
    chunking === undefined ? rest : Math.min(rest, chunking.min + random.integer(chunking.max - chunking.min + 1))

  const free = (): number => bufferSize - (written - read)

  return {
    readable,
    writable,

    /** What the reader finds. */
    poll: (now: number): Inbound => {
      if (isCut) return RESET
      const horizon = Math.min(resetAt, lostAt)
      if (head !== undefined) {
        const at = arrival(head.sentAt, head.offset + head.next)
        if (at <= horizon) return at <= now ? READY : { _tag: "Wait", until: at }
      } else if (endAt !== Infinity && endAt <= horizon) {
        return endAt <= now ? ENDED : { _tag: "Wait", until: endAt }
      }
      if (resetAt === Infinity || resetAt > lostAt) return FOR_EVER
      return resetAt <= now ? RESET : { _tag: "Wait", until: resetAt }
    },

    /** The piece that `poll` found ready. */
    take: (): Uint8Array => {
      if (head === undefined) return NO_BYTES
      const piece = head.bytes.subarray(head.offset, head.offset + head.next)
      head.offset += piece.length
      read += piece.length
      if (head.offset < head.bytes.length) {
        head.next = nextLength(head.bytes.length - head.offset)
      } else {
        head = MutableQueue.poll(segments, undefined)
      }
      // Not for every byte that is free, or bytes read one by one would be written one by one.
      if (2 * free() >= bufferSize) writable.unsafeOpen()
      return piece
    },

    /** Puts as many of the bytes on the line as there is room for, and says how many. */
    offer: (now: number, bytes: Uint8Array): number => {
      const length = Math.min(bytes.length, free())
      if (length === 0) return 0
      written += length
      const sentAt = Math.max(now, freeAt)
      freeAt = sentAt + length / bandwidth
      if (lostAt !== Infinity) return length
      const segment = { bytes: bytes.subarray(0, length), sentAt, offset: 0, next: nextLength(length) }
      if (head === undefined) head = segment
      else MutableQueue.offer(segments, segment)
      readable.unsafeOpen()
      return length
    },

    /** Whether the writer knows that nobody will read what it writes. */
    isRefused: (now: number): boolean => isCut || refusedAt <= now,

    /** When the writer will know, if it is to find out. */
    refusedAt: (): number | undefined => (refusedAt === Infinity ? undefined : refusedAt),

    /** After all that was written comes the end; false when it will never arrive. */
    end: (now: number): boolean => {
      if (lostAt !== Infinity) return false
      endAt = arrival(Math.max(now, freeAt), 0)
      readable.unsafeOpen()
      return true
    },

    /** The writer is gone: a reset follows what is on its way, unless an orderly end does. */
    dropWriter: (now: number): void => {
      if (endAt === Infinity && lostAt === Infinity) resetAt = arrival(now, 0)
      wake()
    },

    /** The reader is gone: the writer gets a reset. */
    dropReader: (now: number): void => {
      if (lostAt === Infinity) refusedAt = arrival(now, 0)
      wake()
    },

    /** From now on nothing arrives any more, in either sense. */
    lose: (now: number): void => {
      lostAt = Math.min(lostAt, now)
      if (refusedAt > now) refusedAt = Infinity
      wake()
    },

    /** Both sides have a reset at once, and nothing that is unread is read. */
    cut: (): void => {
      isCut = true
      wake()
    },

    stats: () => ({ written, read })
  }
}

const READY: Inbound = { _tag: "Ready" }
const ENDED: Inbound = { _tag: "Ended" }
const RESET: Inbound = { _tag: "Reset" }
const FOR_EVER: Inbound = { _tag: "Wait", until: undefined }

const NO_BYTES = new Uint8Array(0)
