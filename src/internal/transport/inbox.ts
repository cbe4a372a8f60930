/**
 * What has arrived at a `Socket` and was not read: a bounded amount, since the medium is paused, or the transport
 * fails.
 */
import type { Initiator } from "../../MuxadoError.js"
import { describeValue, isBytes } from "../support/bytes.js"
import { Queue } from "../support/queue.js"
import type { Medium } from "./medium.js"

interface Received {
  readonly bytes: Uint8Array
  /** Of `bytes`, when they came. */
  readonly length: number
}

export interface Options {
  /** More bytes than these fail the transport. */
  readonly maxBuffered: number
  /** What can be paused, as far as it is known. */
  readonly medium: () => Medium | undefined
  /** While this is true nothing reads, and less is held. */
  readonly isWaiting: () => boolean
  /** Nothing more can be received: what came is wrong or too much, or the medium cannot be paused or resumed. */
  readonly onFault: (initiator: Initiator, cause: unknown) => void
}

export class Inbox {
  private readonly queue = new Queue<Received>()
  /** The next to be read, which is in `queue` no more. */
  private front: Received | undefined
  /** Bytes in `queue` and `front`. */
  private buffered = 0
  private paused = false

  constructor(private readonly options: Options) {}

  /** Keeps what a `Socket` delivers. */
  push(message: unknown): void {
    const { isWaiting, maxBuffered, onFault } = this.options
    if (typeof message === "string") {
      return onFault("Remote", new TypeError("a text message arrived, only binary ones carry bytes"))
    }
    const bytes = bytesOf(message)
    if (bytes === undefined) {
      return onFault("Local", new TypeError(`a Socket's messages must be bytes, not ${describeValue(message)}`))
    }
    const { length } = bytes
    if (length === 0) return
    const waits = isWaiting()
    const limit = waits ? Math.min(maxBuffered, MAX_WAITING) : maxBuffered
    if (this.buffered + length > limit) {
      return onFault("Remote", new RangeError(`more than ${limit} bytes arrived unread`))
    }
    this.buffered += length
    this.queue.push({ bytes, length })
    if (this.buffered > (waits ? PAUSE_WAITING_ABOVE : PAUSE_ABOVE)) this.pause()
  }

  /** Whether `take` would give bytes, or why it never will. */
  look(): boolean | TypeError {
    this.front ??= this.queue.shift()
    if (this.front === undefined) return false
    return this.front.bytes.length === this.front.length || new TypeError("memory that had arrived was transferred")
  }

  take(): Uint8Array {
    const { bytes, length } = this.front ?? NOTHING
    this.front = undefined
    this.buffered -= length
    if (this.buffered <= RESUME_BELOW) this.resume()
    return bytes
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.attempt(this.options.medium()?.resume)
  }

  private pause(): void {
    const pause = this.options.medium()?.pause
    if (this.paused || pause === undefined) return
    this.paused = true
    this.attempt(pause)
  }

  private attempt(f: (() => void) | undefined): void {
    try {
      f?.()
    } catch (cause) {
      this.options.onFault("Local", cause)
    }
  }
}

/** Bytes of a message; a small part of a larger buffer is copied out of it, or it would keep all of that alive. */
const bytesOf = (message: unknown): Uint8Array | undefined => {
  if (isBytes(message)) return 2 * message.length < message.buffer.byteLength ? message.slice() : message
  return isArrayBuffer(message) ? new Uint8Array(message) : undefined
}

/** Also one of another realm. */
const isArrayBuffer = (value: unknown): value is ArrayBuffer =>
  value instanceof ArrayBuffer || Object.prototype.toString.call(value) === "[object ArrayBuffer]"

const NOTHING: Received = { bytes: new Uint8Array(0), length: 0 }

/** In bytes that arrived unread. */
const PAUSE_ABOVE = 1024 * 1024
const RESUME_BELOW = 512 * 1024

/** The same for a connection that waits to be served: it is paused, or dropped. */
const PAUSE_WAITING_ABOVE = 64 * 1024
const MAX_WAITING = 1024 * 1024
