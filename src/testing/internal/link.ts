/**
 * One direction of a simulated connection. Time comes in as `now`, in milliseconds. The arrival time of a byte is fixed
 * when it is written. No function wakes a fiber: each adds the latches of readers and writers that must check again to
 * `Wakes`.
 */
import { concat } from "../../internal/support/concat.js"
import { Latch } from "../../internal/support/waiters.js"
import type { Stalls } from "./disorder.js"
import { fraction, mask, stalled } from "./disorder.js"
import { Random } from "./random.js"
import type { Record } from "./trace.js"
import { count } from "./waits.js"
import type { Wakes } from "./wakes.js"

export interface LinkOptions {
  /** In milliseconds. */
  readonly latency: number
  /** The maximum additional delay of a write, in milliseconds. */
  readonly jitter: number
  readonly stalls: Stalls | undefined
  /** In bytes per millisecond, `Infinity` for no limit. */
  readonly bandwidth: number
  /** The shortest and the longest piece that a read returns, in bytes; `undefined` for whole writes. */
  readonly chunking: { readonly min: number; readonly max: number } | undefined
  /** Whether a piece may have bytes of several writes. */
  readonly joined: boolean
  /** In bytes. */
  readonly bufferSize: number
  readonly seed: number
}

/** What the link reports to, and wakes by. */
export interface LinkEvents {
  readonly record: Record
  readonly wakes: Wakes
  /** Called with the arrival time of the byte at which the connection must be reset. It wakes no fiber. */
  readonly onCut: (at: number) => void
}

/** What the reader must do: take bytes, fail, or check again at `until` or when its latch opens. */
export type Inbound =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Ended" }
  | { readonly _tag: "Reset" }
  | { readonly _tag: "Wait"; readonly until: number; readonly what: "bytes" | "end" | "reset" | "nothing" }

/** Bytes that one write put on the line. */
interface Segment {
  readonly bytes: Uint8Array
  /** When the line begins to send it. */
  readonly sentAt: number
  /** Its additional delay (jitter). */
  readonly delay: number
  /** When all bytes before it have arrived. */
  readonly notBefore: number
  /** How many of its bytes are read. */
  offset: number
  /** How many bytes the next read takes, at least. */
  next: number
  /** The segment that follows it on the line. */
  behind: Segment | undefined
}

export type Link = ReturnType<typeof makeLink>

export const makeLink = (options: LinkOptions, events: LinkEvents) => {
  const { bandwidth, bufferSize, chunking, joined, latency, seed, stalls } = options
  const random = new Random(seed)
  const jitters = new Random(Math.floor(fraction(seed, 0) * 0x1_0000_0000))

  /** Opens when the reader must check again. */
  const readable = new Latch(false)
  /** Opens when the writer must check again. */
  const writable = new Latch(false)

  /** The oldest and the newest segment with unread bytes. */
  let head: Segment | undefined
  let tail: Segment | undefined
  /** When the line has sent all written bytes, and when all of them have arrived. */
  let freeAt = 0
  let tailAt = 0
  let written = 0
  let read = 0

  /** When the end arrives at the reader. */
  let endAt = Infinity
  /** When a reset arrives at the reader. Bytes that would arrive later are lost. */
  let resetAt = Infinity
  /** When the reader's side learns that the writer's side is destroyed. Then its own writes fail. */
  let goneAt = Infinity
  /** The time from which the line loses everything that would arrive later. */
  let lostAt = Infinity
  /** When both sides are reset, even if bytes are unread. */
  let cutAt = Infinity
  /** The time from which the line accepts nothing from the writer. */
  let stalledAt = Infinity

  /** The byte counts after which the connection is reset, the line loses everything, or the line accepts nothing. */
  const after = { cut: Infinity, lose: Infinity, stall: Infinity }
  /** The XOR masks of the bytes to change, by their offsets. */
  const masks = new Map<number, number>()
  /** Whether the trace has the end or reset that the reader has seen. */
  let told = false

  const { record, wakes } = events

  const wakeBoth = (): void => {
    wakes.add(readable)
    wakes.add(writable)
  }

  /** In whole milliseconds, like clocks, so that a reader that sleeps until then does not wake too early. */
  const arrival = (sentAt: number, length: number, delay: number): number => {
    const plain = sentAt + length / bandwidth + latency + delay
    const at = stalls === undefined ? plain : stalled(stalls, seed, plain)
    return at === sentAt ? sentAt : Math.ceil(at)
  }

  /** When the first `length` bytes of the segment have arrived. */
  const arrivalOf = (segment: Segment, length: number): number =>
    Math.max(segment.notBefore, arrival(segment.sentAt, length, segment.delay))

  /** How many bytes of the segment have arrived at the time `by`. */
  const arrivedOf = (segment: Segment, by: number): number => {
    let [least, most] = [segment.offset, segment.bytes.length]
    while (least < most) {
      const middle = Math.ceil((least + most) / 2)
      if (arrivalOf(segment, middle) <= by) least = middle
      else most = middle - 1
    }
    return least
  }

  const jitter = (): number => (options.jitter === 0 ? 0 : jitters.number() * options.jitter)

  const drawn = (): number =>
    chunking === undefined ? Infinity : chunking.min + random.integer(chunking.max - chunking.min + 1)

  const nextLength = (rest: number): number => (joined ? 1 : Math.min(rest, drawn()))

  const free = (): number => bufferSize - (written - read)

  /**
   * Whether half of the buffer is free. A writer is not woken earlier, or single-byte reads would make single-byte
   * writes.
   */
  const isRoomy = (): boolean => 2 * free() >= bufferSize

  const isLost = (now: number, offset = written): boolean => lostAt <= now || offset >= after.lose

  const isStalled = (now: number): boolean => stalledAt <= now

  /** Only bytes that arrive until then can be read. */
  const horizon = (): number => Math.min(resetAt, lostAt)

  /** When a reset that is sent now arrives: after all bytes that the line has sent. */
  const resetArrival = (now: number): number => {
    let at = arrival(now, 0, jitter())
    if (options.jitter === 0) return at
    for (let segment = head; segment !== undefined; segment = segment.behind) {
      const sent = bandwidth === Infinity ? Infinity : Math.floor((now - segment.sentAt) * bandwidth)
      if (sent > 0) at = Math.max(at, arrivalOf(segment, Math.min(sent, segment.bytes.length)))
    }
    return at
  }

  const waitUntil = (at: number, what: "bytes" | "end" | "reset" | "nothing"): Inbound =>
    cutAt < at ? { _tag: "Wait", until: cutAt, what: "reset" } : { _tag: "Wait", until: at, what }

  const find = (now: number): Inbound => {
    if (cutAt <= now) return RESET
    if (head !== undefined) {
      const at = arrivalOf(head, head.offset + head.next)
      if (at <= horizon()) return at <= now ? READY : waitUntil(at, "bytes")
    } else if (endAt !== Infinity && endAt <= horizon()) {
      return endAt <= now ? ENDED : waitUntil(endAt, "end")
    }
    if (resetAt > lostAt || resetAt === Infinity) return waitUntil(Infinity, "nothing")
    return resetAt <= now ? RESET : waitUntil(resetAt, "reset")
  }

  const takeFrom = (segment: Segment, length: number): Uint8Array => {
    // a copy, unless it is a whole segment: the reader may change or transfer this memory
    const whole = segment.offset === 0 && length === segment.bytes.length
    const piece = whole ? segment.bytes : segment.bytes.slice(segment.offset, segment.offset + length)
    segment.offset += length
    read += length
    if (segment.offset < segment.bytes.length) segment.next = nextLength(segment.bytes.length - segment.offset)
    else {
      head = segment.behind
      if (head === undefined) tail = undefined
    }
    return piece
  }

  const takeJoined = (now: number): Uint8Array => {
    const pieces: Array<Uint8Array> = []
    for (let room = drawn(); head !== undefined && room > 0;) {
      const length = Math.min(room, arrivedOf(head, Math.min(now, horizon())) - head.offset)
      if (length === 0) break
      pieces.push(takeFrom(head, length))
      room -= length
    }
    return concat(pieces)
  }

  /** Applies the masks to these bytes, which begin at this offset. */
  const corrupt = (now: number, bytes: Uint8Array, offset: number): void => {
    for (const [at, xor] of masks) {
      const index = at - offset
      if (index < 0 || index >= bytes.length) continue
      masks.delete(at)
      bytes[index] = (bytes[index] ?? 0) ^ xor
      record(now, "corrupted", bytes.subarray(index, index + 1), `byte ${at} by 0x${xor.toString(16)}`)
    }
  }

  const put = (now: number, bytes: Uint8Array, offset: number): void => {
    const sentAt = Math.max(now, freeAt)
    freeAt = sentAt + bytes.length / bandwidth
    const kept = isLost(now, offset) ? 0 : Math.min(bytes.length, after.lose - offset)
    if (kept < bytes.length) record(now, "lost", bytes.subarray(kept))
    if (kept === 0) return
    // a copy: the memory stays the writer's. (`slice` of a `Buffer` would not copy.)
    const arriving = new Uint8Array(bytes.subarray(0, kept))
    corrupt(now, arriving, offset)
    const segment: Segment = {
      bytes: arriving,
      sentAt,
      delay: jitter(),
      notBefore: tailAt,
      offset: 0,
      next: nextLength(arriving.length),
      behind: undefined
    }
    tailAt = arrivalOf(segment, arriving.length)
    if (head === undefined || tail === undefined) head = segment
    else tail.behind = segment
    tail = segment
  }

  const resetAfter = (now: number): void => {
    if (written >= after.cut && !isLost(now)) events.onCut(Math.max(now, tailAt))
  }

  return {
    readable,
    writable,

    /** What the reader must do now. */
    poll: (now: number): Inbound => {
      const found = find(now)
      if (!told && (found._tag === "Ended" || found._tag === "Reset")) {
        told = true
        record(now, found._tag === "Ended" ? "ended" : "reset")
      }
      return found
    },

    /** Takes the piece that `poll` found ready. */
    take: (now: number): Uint8Array => {
      const piece = joined ? takeJoined(now) : head === undefined ? NO_BYTES : takeFrom(head, head.next)
      record(now, "read", piece)
      if (isRoomy()) wakes.add(writable)
      return piece
    },

    /** Puts as many bytes on the line as the buffer has space for, and returns their number. */
    offer: (now: number, bytes: Uint8Array): number => {
      const length = Math.min(bytes.length, free(), after.cut - written, after.stall - written)
      if (length <= 0) return 0
      const taken = bytes.subarray(0, length)
      record(now, "write", taken)
      const offset = written
      written += length
      put(now, taken, offset)
      resetAfter(now)
      wakes.add(readable)
      return length
    },

    isRoomy,

    /** Whether writes are stalled. Then even an empty write does not complete. */
    isStalled,

    /** When the reader's side learns that the peer no longer reads. */
    goneAt: (): number => Math.min(cutAt, goneAt <= lostAt ? goneAt : Infinity),

    cutAt: (): number => cutAt,

    /** Sends the end after all written bytes. False if it will never arrive. */
    end: (now: number): boolean => {
      record(now, "end")
      if (isLost(now)) return false
      endAt = Math.max(tailAt, arrival(Math.max(now, freeAt), 0, jitter()))
      wakes.add(readable)
      return true
    },

    /** The writer is destroyed. A reset follows the bytes in transit, unless an orderly end does. */
    dropWriter: (now: number): void => {
      record(now, "destroy")
      if (!isLost(now)) {
        goneAt = Math.min(goneAt, resetArrival(now))
        if (endAt === Infinity) resetAt = Math.min(resetAt, goneAt)
      }
      wakeBoth()
    },

    // --- faults ---

    /** From then on no bytes, no end and no reset arrive. */
    lose: (at: number): void => {
      lostAt = Math.min(lostAt, at)
      wakeBoth()
    },

    /** From then on both sides are reset, and unread bytes cannot be read. */
    cut: (at: number): void => {
      cutAt = Math.min(cutAt, at)
      wakeBoth()
    },

    /** Resets both sides at that time, after the bytes that have arrived. */
    reset: (at: number): void => {
      if (written < after.lose) {
        goneAt = Math.min(goneAt, at)
        resetAt = Math.min(resetAt, at)
      }
      wakeBoth()
    },

    // --- in words ---

    /** Why the reader has nothing to read. `what` is what `poll` found. */
    whyNothing: (now: number, what: "bytes" | "end" | "reset" | "nothing"): string => {
      if (what !== "nothing") return ARRIVALS[what]
      if (isLost(now)) return `a black hole drops what the peer sends (${count(written - read, "byte")} so far)`
      return written === 0
        ? "the peer has sent nothing"
        : `it has read all bytes that the peer sent (${count(written, "byte")})`
    },

    /** Why the line accepts no more bytes from the writer. */
    whyNoRoom: (now: number): string => {
      if (isStalled(now) || written >= after.stall) return "a fault (stallWrites) blocks further writes"
      const full = `the link's buffer is full (${written - read} of ${count(bufferSize, "byte")})`
      return isLost(now) ? `${full}, and a black hole drops what is sent` : `${full}: the peer does not read`
    },

    /** Whether a fault makes the line lose bytes or accept none. */
    isFaulty: (now: number): boolean => isStalled(now) || written >= after.stall || (isLost(now) && written > read),

    stall: (at: number): void => {
      stalledAt = Math.min(stalledAt, at)
    },

    cutAfter: (now: number, bytes: number): void => {
      after.cut = Math.min(after.cut, bytes)
      resetAfter(now)
    },

    loseAfter: (bytes: number): void => {
      after.lose = Math.min(after.lose, bytes)
    },

    stallAfter: (bytes: number): void => {
      after.stall = Math.min(after.stall, bytes)
    },

    corrupt: (offset: number, xor: number | undefined): void => {
      masks.set(offset, xor ?? mask(seed, offset))
    },

    stats: () => ({ written, read })
  }
}

const ARRIVALS = {
  bytes: "bytes from the peer are on their way",
  end: "the peer's end is on its way",
  reset: "a reset is on its way"
}

const READY: Inbound = { _tag: "Ready" }
const ENDED: Inbound = { _tag: "Ended" }
const RESET: Inbound = { _tag: "Reset" }

const NO_BYTES = new Uint8Array(0)
