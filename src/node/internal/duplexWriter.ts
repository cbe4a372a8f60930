/**
 * The writing half of a Duplex that is a transport.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Duplex } from "node:stream"
import { outside } from "../../internal/support/outside.js"
import { park } from "../../internal/support/park.js"
import { Once, WaitSet } from "../../internal/support/waiters.js"
import type { Initiator, TransportFailed } from "../../MuxadoError.js"
import { changed, sizeOf } from "./chunks.js"
import { BYTES_PER_TURN } from "./turns.js"

/**
 * Writes, one batch as one write of the Duplex. The events of the Duplex come from its owner: `drained`, `turned`, and
 * `refuse` followed by `wake`.
 *
 * @since 0.1.0
 * @category models
 */
export class DuplexWriter {
  private failure: TransportFailed | undefined = undefined
  /** Written since the event loop last turned, as far as is known here. */
  private bytesSinceTurn = 0
  private readonly writers = new WaitSet()
  /** Nothing more is written, and what was is. */
  private readonly over = new Once<void>()

  /** `onFault` destroys the Duplex: it has thrown, and how much of a batch it took is unknown, so no byte may follow. */
  constructor(
    private readonly duplex: Duplex,
    private readonly makeFailure: (reason: "Write", initiator: Initiator, cause: unknown) => TransportFailed,
    private readonly onFault: (cause: unknown) => void
  ) {}

  // --- what the owner says ---

  /** From now on, writes fail. */
  refuse(initiator: Initiator, cause: unknown): void {
    this.failure ??= this.makeFailure("Write", initiator, cause)
  }

  /** Writing is over: wakes all who wait for it. */
  wake(): void {
    this.writers.notifyAll()
    this.over.complete(Exit.void)
  }

  /** There is room. */
  drained(): void {
    this.writers.notifyAll()
  }

  /** The event loop has turned. */
  turned(): void {
    this.bytesSinceTurn = 0
  }

  // --- what the transport does ---

  write(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> {
    const { duplex } = this
    const size = sizeOf(chunks)
    return Effect.suspend(() => {
      if (this.failure === undefined && !duplex.writable) {
        this.refuse("Local", new Error("The transport was ended or destroyed"))
      }
      if (this.failure !== undefined) return Effect.fail(this.failure)
      if (typeof size !== "number") return Effect.fail(this.makeFailure("Write", "Local", size))
      // Between the call and now, memory may have been detached: its length is 0 then.
      const now = sizeOf(chunks)
      if (now !== size) {
        return Effect.fail(this.makeFailure("Write", "Local", typeof now === "number" ? changed(size, now) : now))
      }
      const room = this.put(chunks)
      // What the kernel took at once is gone by now, although its "drain" is only due in the next tick.
      const drained = duplex.writableNeedDrain && duplex.writableLength < duplex.writableHighWaterMark
      return (room || drained) && duplex.writable ? this.written : this.awaitDrain
    })
  }

  /** See `Transport.FastPath`. */
  tryWrite(chunks: ReadonlyArray<Uint8Array>): boolean {
    const { duplex } = this
    if (this.failure !== undefined || !duplex.writable || this.bytesSinceTurn >= BYTES_PER_TURN) return false
    const size = sizeOf(chunks)
    // `write` says what is wrong with it.
    if (typeof size !== "number") return false
    if (duplex.writableLength + size >= duplex.writableHighWaterMark || duplex.writableNeedDrain) return false
    this.put(chunks)
    return !this.hasFailed()
  }

  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const { duplex } = this
    if (duplex.writableFinished || duplex.destroyed || duplex.errored) return Effect.void
    this.refuse("Local", new Error("The transport was ended"))
    if (!duplex.writableEnded) duplex.end()
    // "drain" is not emitted any more once the end is due, so a write that waits for it is told now.
    this.writers.notifyAll()
    return this.over.await
  })

  private readonly written: Effect.Effect<void, TransportFailed> = Effect.suspend(() => {
    if (this.failure !== undefined) return Effect.fail(this.failure)
    return this.bytesSinceTurn >= BYTES_PER_TURN ? this.awaitTurn : Effect.void
  })

  private readonly awaitTurn: Effect.Effect<void, TransportFailed> = park((resume) => {
    this.bytesSinceTurn = 0
    const immediate = outside(() => setImmediate(() => resume(this.written)))
    return Effect.sync(() => clearImmediate(immediate))
  })

  private readonly awaitDrain: Effect.Effect<void, TransportFailed> = this.writers.awaitThen(
    // The "drain" may have come while the fiber was on its way here.
    () => this.failure !== undefined || !this.duplex.writableNeedDrain,
    this.written
  )

  private hasFailed(): boolean {
    return this.failure !== undefined
  }

  /** Whether there is room for more. */
  private put(chunks: ReadonlyArray<Uint8Array>): boolean {
    const { duplex } = this
    // What Node cannot hand on at once waits in its queue by reference, and would be missing from the bytes of the
    // connection if its memory were detached meanwhile.
    const waits =
      duplex.writableLength > 0 ||
      duplex.writableCorked > 0 ||
      (chunks.length > 1 && typeof duplex._writev !== "function")
    const batch = waits ? [Buffer.concat(chunks)] : chunks
    let room = true
    try {
      if (batch.length > 1) duplex.cork()
      for (const chunk of batch) {
        // Some Duplexes take an empty chunk for the end.
        if (chunk.length > 0) {
          room = duplex.write(chunk)
          this.bytesSinceTurn += chunk.length
        }
      }
      if (batch.length > 1) duplex.uncork()
    } catch (cause) {
      this.onFault(cause)
    }
    return room
  }
}
