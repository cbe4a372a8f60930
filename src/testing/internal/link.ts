/**
 * One direction of a simulated connection. Every function is synchronous, and time comes in as `now`, in milliseconds;
 * when a byte arrives is decided when it is written. A function that changes what readers or writers find says so to
 * `Wakes`, and wakes nobody itself.
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
  /** How much longer than `latency` a write may be on its way, in milliseconds. */
  readonly jitter: number
  readonly stalls: Stalls | undefined
  /** In bytes per millisecond, `Infinity` for no limit. */
  readonly bandwidth: number
  /** The shortest and the longest piece that a read gives, in bytes; none for whole writes. */
  readonly chunking: { readonly min: number; readonly max: number } | undefined
  /** Whether a piece goes over the end of a write. */
  readonly joined: boolean
  /** In bytes. */
  readonly bufferSize: number
  readonly seed: number
}

/** What the link tells others of. */
export interface LinkEvents {
  readonly record: Record
  readonly wakes: Wakes
  /** The byte at which the connection is to be reset arrives at this time. It wakes nobody itself. */
  readonly onCut: (at: number) => void
}

/** What the reader may do: take, give up, or try again at `until` or when its latch opens. */
export type Inbound =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Ended" }
  | { readonly _tag: "Reset" }
  | { readonly _tag: "Wait"; readonly until: number; readonly what: "bytes" | "end" | "reset" | "nothing" }

/** Bytes that one write put on the line. */
interface Segment {
  readonly bytes: Uint8Array
  /** When its first byte went onto the line. */
  readonly sentAt: number
  /** How much longer than others it is on its way. */
  readonly delay: number
  /** When what was written before it has arrived. */
  readonly notBefore: number
  /** Bytes of it that were read. */
  offset: number
  /** Bytes that the next read takes, at least. */
  next: number
  /** The bytes that follow it on the line. */
  behind: Segment | undefined
}

export type Link = ReturnType<typeof makeLink>

export const makeLink = (options: LinkOptions, events: LinkEvents) => {
  const { bandwidth, bufferSize, chunking, joined, latency, seed, stalls } = options
  const random = new Random(seed)
  const jitters = new Random(Math.floor(fraction(seed, 0) * 0x1_0000_0000))

  /** Opens when the reader shall look again. */
  const readable = new Latch(false)
  /** Opens when the writer shall look again. */
  const writable = new Latch(false)

  /** The oldest and the newest of the unread bytes. */
  let head: Segment | undefined
  let tail: Segment | undefined
  /** When the line has sent all that was written, and when all of that has arrived. */
  let freeAt = 0
  let tailAt = 0
  let written = 0
  let read = 0

  /** When the end arrives at the reader. */
  let endAt = Infinity
  /** When a reset arrives at the reader; nothing that would come later does. */
  let resetAt = Infinity
  /** When the reader's side learns that the writer's side is gone: then its own writes fail. */
  let goneAt = Infinity
  /** From when on the line loses everything: what would arrive later does not. */
  let lostAt = Infinity
  /** When both sides have a reset, even with unread bytes. */
  let cutAt = Infinity
  /** From when on the line takes nothing from the writer. */
  let stalledAt = Infinity

  /** The bytes after which the connection is reset, the line loses everything, the line takes nothing. */
  const after = { cut: Infinity, lose: Infinity, stall: Infinity }
  /** The bytes to be changed, by their offsets, and what with. */
  const masks = new Map<number, number>()
  /** The trace has the end that the reader has seen. */
  let told = false

  const { record, wakes } = events

  const wakeBoth = (): void => {
    wakes.add(readable)
    wakes.add(writable)
  }

  /** Whole milliseconds, as clocks are, so that a reader which slept until then never finds itself early. */
  const arrival = (sentAt: number, length: number, delay: number): number => {
    const plain = sentAt + length / bandwidth + latency + delay
    const at = stalls === undefined ? plain : stalled(stalls, seed, plain)
    return at === sentAt ? sentAt : Math.ceil(at)
  }

  /** When so many bytes of the segment have arrived. */
  const arrivalOf = (segment: Segment, length: number): number =>
    Math.max(segment.notBefore, arrival(segment.sentAt, length, segment.delay))

  /** How many bytes of the segment have arrived by then. */
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

  /** Not for every byte that is free, or bytes read one by one would be written one by one. */
  const isRoomy = (): boolean => 2 * free() >= bufferSize

  const isLost = (now: number, offset = written): boolean => lostAt <= now || offset >= after.lose

  const isStalled = (now: number): boolean => stalledAt <= now

  /** What is read must have arrived before any of this. */
  const horizon = (): number => Math.min(resetAt, lostAt)

  /** When what is sent now arrives, behind all that the line has sent. */
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
    // the reader may change or transfer what it is given: that must not be the memory of what follows
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

  /** Changes the bytes that are to arrive changed, of bytes that begin at this offset. */
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

    /** What the reader finds. */
    poll: (now: number): Inbound => {
      const found = find(now)
      if (!told && (found._tag === "Ended" || found._tag === "Reset")) {
        told = true
        record(now, found._tag === "Ended" ? "ended" : "reset")
      }
      return found
    },

    /** The piece that `poll` found ready. */
    take: (now: number): Uint8Array => {
      const piece = joined ? takeJoined(now) : head === undefined ? NO_BYTES : takeFrom(head, head.next)
      record(now, "read", piece)
      if (isRoomy()) wakes.add(writable)
      return piece
    },

    /** Puts as many of the bytes on the line as there is room for, and says how many. */
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

    /** Whether a writer that waits for room is woken. */
    isRoomy,

    /** Whether not even a write of nothing completes. */
    isStalled,

    /** When the reader's side learns that nothing reads what it writes. */
    goneAt: (): number => Math.min(cutAt, goneAt <= lostAt ? goneAt : Infinity),

    cutAt: (): number => cutAt,

    /** After all that was written comes the end; false when it will never arrive. */
    end: (now: number): boolean => {
      record(now, "end")
      if (isLost(now)) return false
      endAt = Math.max(tailAt, arrival(Math.max(now, freeAt), 0, jitter()))
      wakes.add(readable)
      return true
    },

    /** The writer is gone: a reset follows what is on its way, unless an orderly end does. */
    dropWriter: (now: number): void => {
      record(now, "destroy")
      if (!isLost(now)) {
        goneAt = Math.min(goneAt, resetArrival(now))
        if (endAt === Infinity) resetAt = Math.min(resetAt, goneAt)
      }
      wakeBoth()
    },

    // --- faults ---

    /** From then on neither bytes nor an end nor a reset arrives. */
    lose: (at: number): void => {
      lostAt = Math.min(lostAt, at)
      wakeBoth()
    },

    /** From then on both sides have a reset, and nothing that is unread is read. */
    cut: (at: number): void => {
      cutAt = Math.min(cutAt, at)
      wakeBoth()
    },

    /** Both sides have a reset then, behind what has arrived. */
    reset: (at: number): void => {
      if (written < after.lose) {
        goneAt = Math.min(goneAt, at)
        resetAt = Math.min(resetAt, at)
      }
      wakeBoth()
    },

    // --- in words ---

    /** Why the reader has nothing to read, as `poll` found. */
    whyNothing: (now: number, what: "bytes" | "end" | "reset" | "nothing"): string => {
      if (what !== "nothing") return ARRIVALS[what]
      if (isLost(now)) return `a black hole swallows what is sent to it (${count(written - read, "byte")} so far)`
      return written === 0
        ? "the peer has sent nothing"
        : `it has read all that the peer sent (${count(written, "byte")})`
    },

    /** Why the line takes no more bytes from the writer. */
    whyNoRoom: (now: number): string => {
      if (isStalled(now) || written >= after.stall) return "a fault (stallWrites) lets it write no more"
      const full = `the link's buffer is full (${written - read} of ${count(bufferSize, "byte")})`
      return isLost(now) ? `${full}, and a black hole swallows what is sent` : `${full}: the peer does not read`
    },

    /** Whether the line loses what is put on it, or takes nothing. */
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
