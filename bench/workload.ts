/** What all drivers of workloads share: the payloads, the count of bytes at the end, and the quantiles. */
import type { PingResult } from "./peer.js"

const CHUNK_BYTES = 64 * 1024

/** What bulk streams write. Nobody changes it. */
export const CHUNK = new Uint8Array(CHUNK_BYTES)

/** The first byte by which the service "mixed" knows a ping. */
export const PING_BYTE = 0x70

/** Idle streams say so much, and are opened so many at once: more than any peer's backlog holds would be refused. */
export const IDLE_BYTES = 64
export const IDLE_OPENING = 64

/** How long the others write before the pings beside them are timed: until buffers and windows are filled. */
export const SETTLE_MILLISECONDS = 100

export const pingPayload = (size: number): Uint8Array => new Uint8Array(size).fill(PING_BYTE)

const [FIRST, LAST] = [0x01, 0xfe]

export const echoPayload = (size: number): Uint8Array => {
  const payload = new Uint8Array(size).fill(0x55)
  payload[0] = FIRST
  payload[size - 1] = LAST
  return payload
}

export const checkEcho = (
  size: number,
  received: number,
  first: number | undefined,
  last: number | undefined
): void => {
  if (received !== size || first !== (size === 1 ? LAST : FIRST) || last !== LAST) {
    throw new Error(`echo of ${size} bytes came back as ${received}, from ${first} to ${last}`)
  }
}

// --- the count that ends "sink" and "duplex" ---

export const COUNT_BYTES = 8

export const encodeCount = (count: number): Uint8Array => {
  const bytes = new Uint8Array(COUNT_BYTES)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(count))
  return bytes
}

/** Counts what is read, and keeps the end of it, which is the other side's count. */
export class Tally {
  private received = 0
  private readonly tail = new Uint8Array(COUNT_BYTES)

  add(bytes: Uint8Array): void {
    this.received += bytes.length
    if (bytes.length >= COUNT_BYTES) {
      this.tail.set(bytes.subarray(bytes.length - COUNT_BYTES))
    } else {
      this.tail.copyWithin(0, bytes.length)
      this.tail.set(bytes, COUNT_BYTES - bytes.length)
    }
  }

  /** What both sides have received, the count itself aside. */
  total(): number {
    if (this.received < COUNT_BYTES) throw new Error(`the stream ended after ${this.received} bytes, without a count`)
    return Number(new DataView(this.tail.buffer).getBigUint64(0)) + this.received - COUNT_BYTES
  }
}

// --- quantiles ---

/** More round trips in a millisecond than any peer makes. */
const TRIPS_PER_MILLISECOND = 200

export class Latencies {
  private readonly times: Float64Array
  private count = 0

  constructor(milliseconds: number) {
    this.times = new Float64Array(Math.ceil(milliseconds * TRIPS_PER_MILLISECOND) + 1)
  }

  /** Milliseconds. */
  add(time: number): void {
    this.times[this.count++] = time
  }

  result(milliseconds: number): PingResult {
    const sorted = this.times.subarray(0, this.count).sort()
    const quantile = (q: number) => 1000 * (sorted[Math.min(this.count - 1, Math.floor(q * this.count))] ?? NaN)
    return { trips: this.count, milliseconds, p50: quantile(0.5), p99: quantile(0.99) }
  }
}
