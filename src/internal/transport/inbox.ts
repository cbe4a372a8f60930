/**
 * Buffers the unread bytes of a `Socket`, up to a limit. The medium is paused before that, if it can be. Beyond the
 * limit the transport fails.
 */
import type { Initiator } from "../../MuxadoError.js"
import { describeValue, isBytes } from "../support/bytes.js"
import { Queue } from "../support/queue.js"
import type { Medium } from "./medium.js"

interface Received {
  readonly bytes: Uint8Array
  /** The length of `bytes` on arrival. If `bytes.length` is smaller later, the memory was transferred. */
  readonly length: number
}

export interface Options {
  /** The transport fails if more than this number of bytes is unread. */
  readonly maxBuffered: number
  /** The medium to pause, if it is known. */
  readonly medium: () => Medium | undefined
  /** True while the connection waits to be served. Then nothing reads, and the limits are lower. */
  readonly isWaiting: () => boolean
  /**
   * Called if nothing more can be received: a message is wrong, the limit is exceeded, or pausing or resuming the
   * medium throws.
   */
  readonly onFault: (initiator: Initiator, cause: unknown) => void
}

export class Inbox {
  private readonly queue = new Queue<Received>()
  /** The next message to read, already removed from `queue`. */
  private front: Received | undefined
  /** The number of bytes in `queue` and `front`. */
  private buffered = 0
  private paused = false

  constructor(private readonly options: Options) {}

  /** Stores a message of the `Socket`. */
  push(message: unknown): void {
    const { isWaiting, maxBuffered, onFault } = this.options
    if (typeof message === "string") {
      return onFault("Remote", new TypeError("a text message arrived, but a transport carries only binary messages"))
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
      return onFault("Remote", new RangeError(`more than ${limit} received bytes are unread`))
    }
    this.buffered += length
    this.queue.push({ bytes, length })
    if (this.buffered > (waits ? PAUSE_WAITING_ABOVE : PAUSE_ABOVE)) this.pause()
  }

  /** True if `take` would return bytes, false if there are none yet, an error if the bytes were lost. */
  look(): boolean | TypeError {
    this.front ??= this.queue.shift()
    if (this.front === undefined) return false
    return (
      this.front.bytes.length === this.front.length ||
      new TypeError("the memory of a received message was transferred before it was read")
    )
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

/** The bytes of a message. Copies a message of less than half its buffer, which would otherwise stay in memory. */
const bytesOf = (message: unknown): Uint8Array | undefined => {
  if (isBytes(message)) return 2 * message.length < message.buffer.byteLength ? message.slice() : message
  return isArrayBuffer(message) ? new Uint8Array(message) : undefined
}

/** True also for an `ArrayBuffer` of another realm. */
const isArrayBuffer = (value: unknown): value is ArrayBuffer =>
  value instanceof ArrayBuffer || Object.prototype.toString.call(value) === "[object ArrayBuffer]"

const NOTHING: Received = { bytes: new Uint8Array(0), length: 0 }

/** In unread bytes. */
const PAUSE_ABOVE = 1024 * 1024
const RESUME_BELOW = 512 * 1024

/** The limits of a connection that waits to be served: above the first it is paused, above the second it fails. */
const PAUSE_WAITING_ABOVE = 64 * 1024
const MAX_WAITING = 1024 * 1024
