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
 * Writes each batch as one write of the Duplex. Its owner passes on the events of the Duplex: `drained`, `turned`, and
 * `refuse` followed by `wake`.
 *
 * @since 0.1.0
 * @category models
 */
export class DuplexWriter {
  private failure: TransportFailed | undefined = undefined
  /** Bytes written since the last known turn of the event loop. */
  private bytesSinceTurn = 0
  private readonly writers = new WaitSet()
  /** Completes when all bytes are written, or writing has failed. */
  private readonly over = new Once<void>()

  /** `onFault` destroys a Duplex that has thrown: it took an unknown part of a batch, so no byte may follow. */
  constructor(
    private readonly duplex: Duplex,
    private readonly makeFailure: (reason: "Write", initiator: Initiator, cause: unknown) => TransportFailed,
    private readonly onFault: (cause: unknown) => void
  ) {}

  // --- for the owner ---

  /** From now on, writes fail. */
  refuse(initiator: Initiator, cause: unknown): void {
    this.failure ??= this.makeFailure("Write", initiator, cause)
  }

  /** Writing is over: wakes all fibers that wait for it. */
  wake(): void {
    this.writers.notifyAll()
    this.over.complete(Exit.void)
  }

  /** The buffer has space again. */
  drained(): void {
    this.writers.notifyAll()
  }

  /** The event loop has turned. */
  turned(): void {
    this.bytesSinceTurn = 0
  }

  // --- for the transport ---

  write(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> {
    const { duplex } = this
    const size = sizeOf(chunks)
    return Effect.suspend(() => {
      if (this.failure === undefined && !duplex.writable) {
        this.refuse("Local", new Error("The transport was ended or destroyed"))
      }
      if (this.failure !== undefined) return Effect.fail(this.failure)
      if (typeof size !== "number") return Effect.fail(this.makeFailure("Write", "Local", size))
      // Memory may have been detached since the call of `write`. Then its length is 0.
      const now = sizeOf(chunks)
      if (now !== size) {
        return Effect.fail(this.makeFailure("Write", "Local", typeof now === "number" ? changed(size, now) : now))
      }
      const room = this.put(chunks)
      // Bytes that the kernel accepted at once have left already, although Node emits their "drain" only in the next
      // tick.
      const drained = duplex.writableNeedDrain && duplex.writableLength < duplex.writableHighWaterMark
      return (room || drained) && duplex.writable ? this.written : this.awaitDrain
    })
  }

  /** See `Transport.FastPath`. */
  tryWrite(chunks: ReadonlyArray<Uint8Array>): boolean {
    const { duplex } = this
    if (this.failure !== undefined || !duplex.writable || this.bytesSinceTurn >= BYTES_PER_TURN) return false
    const size = sizeOf(chunks)
    // `write` reports the error.
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
    // After `end` Node emits no "drain", so writes that wait for one fail now.
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
    // The "drain" may have come before the fiber came here.
    () => this.failure !== undefined || !this.duplex.writableNeedDrain,
    this.written
  )

  private hasFailed(): boolean {
    return this.failure !== undefined
  }

  /** Writes the chunks. Whether the Duplex has space for more. */
  private put(chunks: ReadonlyArray<Uint8Array>): boolean {
    const { duplex } = this
    // Node queues chunks by reference. If the memory of one were detached meanwhile, its bytes would be missing from
    // the connection. So chunks that Node would queue are copied.
    const waits =
      duplex.writableLength > 0 ||
      duplex.writableCorked > 0 ||
      (chunks.length > 1 && typeof duplex._writev !== "function")
    const batch = waits ? [Buffer.concat(chunks)] : chunks
    let room = true
    try {
      if (batch.length > 1) duplex.cork()
      for (const chunk of batch) {
        // Some Duplexes treat an empty chunk as the end.
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
