/**
 * A Node Duplex as a transport: six listeners for its whole life, and no work per byte.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import { isUint8Array } from "node:util/types"
import { directTransport } from "../../internal/direct.js"
import { WaitSet } from "../../internal/waiting.js"
import type { Initiator } from "../../MuxadoError.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { TransportService } from "../../Transport.js"
import { guardErrors } from "./errorGuard.js"

/**
 * The bytes written without a turn of the event loop after which a write waits for one.
 *
 * While the kernel takes everything, a loop of writes goes on in microtasks alone: Node never polls, and reading (the
 * peer's credit and heartbeats with it) stands still for as long as there is something to write. `setImmediate` comes
 * after the poll phase, and 256 KiB keeps its cost far below that of the writes.
 *
 * @since 0.1.0
 * @category constants
 */
export const BYTES_PER_TURN = 262_144

/**
 * Adapts `duplex`, which is destroyed when the scope closes. See `NodeTransport.fromDuplex`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromDuplex = (duplex: Duplex): Effect.Effect<TransportService, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => adapt(duplex)),
      (adapted) => Effect.sync(adapted.release)
    ),
    (adapted) => adapted.transport
  )

interface Adapted {
  readonly transport: TransportService
  readonly release: () => void
}

type Failure = Effect.Effect<never, TransportFailed>

interface Listener {
  readonly take: (chunk: Uint8Array) => void
  readonly fail: (failure: Failure) => void
}

const adapt = (duplex: Duplex): Adapted => {
  /** Waiting for bytes, for room, for the end of writing: each is called once, and then gone. */
  const readers = new WaitSet()
  /** Takes the chunks as they come, and the failure. */
  let listener: Listener | undefined
  const writers = new Set<() => void>()
  const enders = new Set<() => void>()

  const isSocket = duplex instanceof Net.Socket
  let readFailure: Failure | undefined
  let writeFailure: Failure | undefined
  /** Dropped by this side: what is still buffered is not read any more. */
  let discarded = false
  /** Taken out of the duplex, and not yet handed to the reader. */
  let held: Uint8Array = NOTHING
  /** Written since the event loop last turned, as far as is known here. */
  let unturned = 0

  // --- events ---

  const failReading = (reason: "Read" | "Ended", initiator: Initiator, cause?: unknown): void => {
    readFailure ??= failure(reason, initiator, cause)
    readers.notifyAll()
    listener?.fail(readFailure)
  }
  const failWriting = (initiator: Initiator, cause: unknown): void => {
    writeFailure ??= failure("Write", initiator, cause)
    wake(writers)
  }
  const onReadable = (): void => readers.notifyAll()
  const onData = (chunk: unknown): void => {
    // The event loop has turned.
    unturned = 0
    if (isUint8Array(chunk)) listener?.take(chunk)
    else noBytes()
  }
  const noBytes = (): void => {
    onError(new TypeError("A transport's Duplex carries bytes: no strings (setEncoding), no objects"))
    discard()
  }
  const onDrain = (): void => wake(writers)
  const onEnd = (): void => {
    // Bun emits "end" for a socket that this side has destroyed, too: its "close" says what happened.
    if (!duplex.destroyed) failReading("Ended", "Remote")
  }
  const onFinish = (): void => {
    failWriting("Local", new Error("The transport was ended"))
    wake(enders)
  }
  const onError = (cause: unknown): void => {
    failReading("Read", "Remote", cause)
    failWriting("Remote", cause)
    wake(enders)
  }
  const onClose = (): void => {
    // What the peer does to a socket shows as an end or an error, so a bare close is this process's doing. Other
    // Duplexes have no such rule.
    const initiator = isSocket ? "Local" : "Remote"
    const cause = duplex.errored ?? new Error("The transport was closed")
    failReading("Read", initiator, cause)
    failWriting(initiator, cause)
    wake(enders)
    detach()
  }
  const detach = (): void => {
    duplex.off("readable", onReadable)
    duplex.off("data", onData)
    duplex.off("drain", onDrain)
    duplex.off("end", onEnd)
    duplex.off("finish", onFinish)
    duplex.off("error", onError)
    duplex.off("close", onClose)
  }
  const discard = (): void => {
    if (!discarded) {
      discarded = true
      held = NOTHING
      const cause = new Error("The transport was destroyed")
      failReading("Read", "Local", cause)
      failWriting("Local", cause)
      wake(enders)
    }
    duplex.destroy()
  }

  guardErrors(duplex)
  duplex.on("error", onError)
  duplex.on("close", onClose)
  duplex.on("end", onEnd)
  duplex.on("finish", onFinish)
  duplex.on("drain", onDrain)
  duplex.on("readable", onReadable)
  // Otherwise the peer's end would end our side too, with half of an answer unsent.
  duplex.allowHalfOpen = true
  // It may have come to us with its events already spent.
  if (duplex.readableEnded) onEnd()
  if (duplex.errored) onError(duplex.errored)
  else if (duplex.destroyed) onClose()

  // --- reading ---

  // In two steps, the second of which hands the chunk to its reader in the very step that takes it: an interruption
  // between the two leaves the chunk with us, for the next read.
  const take = Effect.sync(() => {
    const chunk = held
    held = NOTHING
    return chunk
  })
  /** Takes what the duplex has; false when that is nothing, and it will say when there is something. */
  const fill = (): boolean => {
    while (held.length === 0) {
      const chunk: unknown = duplex.read()
      if (chunk === null) return false
      if (isUint8Array(chunk)) {
        held = chunk
      } else {
        noBytes()
        return false
      }
    }
    return true
  }
  const awaitReadable: Effect.Effect<Uint8Array, TransportFailed> = readers.goOnUnless(
    // The fiber may have yielded on its way here, and what it would wait for may have come meanwhile.
    () => fill() || readFailure !== undefined,
    Effect.suspend(() => read)
  )
  const read: Effect.Effect<Uint8Array, TransportFailed> = Effect.suspend(() => {
    if (discarded && readFailure !== undefined) return readFailure
    return fill() ? take : (readFailure ?? awaitReadable)
  })

  // Flowing, a chunk is handed on where it arrives; with "readable" it would wait for a tick, and for a fiber.
  const each = (onChunk: (chunk: Uint8Array) => void): Effect.Effect<never, TransportFailed> =>
    Effect.async((resume) => {
      while (fill()) {
        const chunk = held
        held = NOTHING
        onChunk(chunk)
      }
      if (readFailure !== undefined) return resume(readFailure)
      listener = { take: onChunk, fail: resume }
      duplex.off("readable", onReadable)
      duplex.on("data", onData)
      return Effect.sync(() => {
        listener = undefined
        duplex.off("data", onData)
        duplex.pause()
        if (!duplex.destroyed) duplex.on("readable", onReadable)
      })
    })

  // --- writing ---

  const awaitTurn: Effect.Effect<void, TransportFailed> = Effect.async((resume) => {
    unturned = 0
    const immediate = setImmediate(() => resume(written))
    return Effect.sync(() => clearImmediate(immediate))
  })
  const awaitDrain: Effect.Effect<void, TransportFailed> = Effect.async((resume) => {
    // As above: the "drain" may have come while the fiber was on its way.
    if (writeFailure !== undefined || !duplex.writableNeedDrain) return resume(written)
    const writer = (): void => resume(written)
    writers.add(writer)
    return Effect.sync(() => void writers.delete(writer))
  })
  const written: Effect.Effect<void, TransportFailed> = Effect.suspend(
    () => writeFailure ?? (unturned >= BYTES_PER_TURN ? awaitTurn : Effect.void)
  )
  /** Whether there is room for more. */
  const put = (chunks: ReadonlyArray<Uint8Array>): boolean => {
    let room = true
    if (chunks.length > 1) duplex.cork()
    for (const chunk of chunks) {
      // Some Duplexes take an empty chunk for the end.
      if (chunk.length > 0) {
        room = duplex.write(chunk)
        unturned += chunk.length
      }
    }
    if (chunks.length > 1) duplex.uncork()
    return room
  }
  const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> =>
    Effect.suspend(() => {
      if (writeFailure === undefined && !duplex.writable) {
        failWriting("Local", new Error("The transport was ended or destroyed"))
      }
      if (writeFailure !== undefined) return writeFailure
      const room = put(chunks)
      // What the kernel took at once is gone by now, although its "drain" is only due in the next tick.
      const drained = duplex.writableNeedDrain && duplex.writableLength < duplex.writableHighWaterMark
      return (room || drained) && duplex.writable ? written : awaitDrain
    })

  const tryWrite = (chunks: ReadonlyArray<Uint8Array>): boolean => {
    if (writeFailure !== undefined || !duplex.writable || unturned >= BYTES_PER_TURN) return false
    const size = chunks.reduce((bytes, chunk) => bytes + chunk.length, 0)
    if (duplex.writableLength + size >= duplex.writableHighWaterMark || duplex.writableNeedDrain) return false
    put(chunks)
    return true
  }

  const end: Effect.Effect<void> = Effect.async((resume) => {
    if (duplex.writableFinished || duplex.destroyed || duplex.errored) return resume(Effect.void)
    const ender = (): void => resume(Effect.void)
    enders.add(ender)
    // "drain" is not emitted any more once the end is due, so a write that waits for it is told now.
    failWriting("Local", new Error("The transport was ended"))
    if (!duplex.writableEnded) duplex.end()
    return Effect.sync(() => void enders.delete(ender))
  })

  const transport: TransportService = { read, write, end, destroy: Effect.sync(discard) }
  // Other Duplexes may give chunks of any length.
  if (isSocket) directTransport.set(transport, { each, tryWrite })
  return {
    transport,
    release: () => {
      discard()
      detach()
    }
  }
}

const NOTHING = new Uint8Array(0)

const failure = (reason: "Read" | "Write" | "Ended", initiator: Initiator, cause: unknown): Failure =>
  Effect.fail(new TransportFailed({ reason, cause, initiator, processed: "maybe" }))

const wake = (waiting: Set<() => void>): void => {
  for (const resume of waiting) {
    waiting.delete(resume)
    resume()
  }
}
