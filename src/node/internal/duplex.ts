/**
 * A Node Duplex as a transport: six listeners for its whole life, and no work per byte. All of them run outside of every
 * `AsyncLocalStorage` context: a socket may have been made in a request, and it serves others.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import { isUint8Array } from "node:util/types"
import { directTransport } from "../../internal/transport/fastPath.js"
import { outside } from "../../internal/support/outside.js"
import { WaitSet } from "../../internal/support/waiters.js"
import type { Initiator } from "../../MuxadoError.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { Peer, TransportService } from "../../Transport.js"
import { changed, sizeOf } from "./chunks.js"
import { guardErrors } from "./errorGuard.js"
import { endpointOf, peerOf } from "./peer.js"
import { BYTES_PER_TURN, MAX_STRETCH } from "./turns.js"
import { unusable } from "./usable.js"

/**
 * What is known of a connection beside its socket: the peer, and where it was dialled.
 *
 * @since 0.1.0
 * @category models
 */
export interface Known {
  readonly peer?: Peer | undefined
  readonly endpoint?: string | undefined
}

/**
 * Adapts `duplex`, which is destroyed when the scope closes. See `NodeTransport.fromDuplex`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromDuplex = (duplex: Duplex, known: Known = {}): Effect.Effect<TransportService, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.suspend(() => {
        const wrong = unusable(duplex)
        return wrong === undefined ? Effect.sync(() => adapt(duplex, known)) : Effect.die(wrong)
      }),
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
  /** `readFailure` was set. */
  readonly failed: () => void
}

/** Chunks handed over as they come, until `stop` or the outcome. */
interface Flow {
  readonly outcome: Deferred.Deferred<never, TransportFailed>
  readonly stop: () => void
}

const adapt = (duplex: Duplex, known: Known): Adapted => {
  /** Waiting for bytes, for room, for the end of writing: each is called once, and then gone. */
  const readers = new WaitSet()
  /** Takes the chunks as they come, and the failure. */
  let listener: Listener | undefined
  const writers = new Set<() => void>()
  const enders = new Set<() => void>()

  const isSocket = duplex instanceof Net.Socket
  // Taken now: a socket that has closed does not know it any more.
  const peer = known.peer ?? peerOf(duplex)
  const endpoint = known.endpoint ?? (peer === undefined ? undefined : endpointOf(peer))
  const failure = (reason: "Read" | "Write" | "Ended", initiator: Initiator, cause: unknown): Failure =>
    Effect.fail(new TransportFailed({ reason, cause, initiator, processed: "maybe", endpoint }))

  let readFailure: Failure | undefined
  let writeFailure: Failure | undefined
  /** Dropped by this side: what is still buffered is not read any more. */
  let discarded = false
  /** Taken out of the duplex, and not yet handed to the reader. */
  let held: Uint8Array = NOTHING
  /** Written since the event loop last turned, as far as is known here. */
  let bytesSinceTurn = 0

  // --- events ---

  const failReading = (reason: "Read" | "Ended", initiator: Initiator, cause?: unknown): void => {
    readFailure ??= failure(reason, initiator, cause)
    readers.notifyAll()
    listener?.failed()
  }
  const failWriting = (initiator: Initiator, cause: unknown): void => {
    writeFailure ??= failure("Write", initiator, cause)
    wake(writers)
  }
  const onReadable = (): void => outside(() => readers.notifyAll())
  const onData = (chunk: unknown): void =>
    outside(() => {
      // The event loop has turned.
      bytesSinceTurn = 0
      if (isUint8Array(chunk)) listener?.take(chunk)
      else noBytes()
    })
  const noBytes = (): void => {
    onError(new TypeError("A transport's Duplex carries bytes: no strings (setEncoding), no objects"))
    discard()
  }
  const onDrain = (): void => outside(() => wake(writers))
  const onEnd = (): void => {
    // Bun emits "end" for a socket that this side has destroyed, too: its "close" says what happened.
    if (!duplex.destroyed) outside(() => failReading("Ended", "Remote"))
  }
  const onFinish = (): void =>
    outside(() => {
      failWriting("Local", new Error("The transport was ended"))
      wake(enders)
    })
  const fail = (initiator: Initiator, cause: unknown): void =>
    outside(() => {
      failReading("Read", initiator, cause)
      failWriting(initiator, cause)
      wake(enders)
    })
  const onError = (cause: unknown): void => fail("Remote", cause)
  const onClose = (): void => {
    // What the peer does to a socket shows as an end or an error, so a bare close is this process's doing. Other
    // Duplexes have no such rule.
    fail(isSocket ? "Local" : "Remote", duplex.errored ?? new Error("The transport was closed"))
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
      fail("Local", new Error("The transport was destroyed"))
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
  const awaitReadable: Effect.Effect<Uint8Array, TransportFailed> = readers.awaitThen(
    // The fiber may have yielded on its way here, and what it would wait for may have come meanwhile.
    () => fill() || readFailure !== undefined,
    Effect.suspend(() => read)
  )
  const read: Effect.Effect<Uint8Array, TransportFailed> = Effect.suspend(() => {
    if (discarded && readFailure !== undefined) return readFailure
    return fill() ? take : (readFailure ?? awaitReadable)
  })

  // Not with the cleanup of `Effect.async`, which a fiber that yields there and is interrupted never reaches: the source
  // would flow on, into nothing.
  const each = (onChunk: (chunk: Uint8Array) => void): Effect.Effect<never, TransportFailed> =>
    Effect.acquireUseRelease(
      Effect.sync(() => startEach(onChunk)),
      ({ outcome }) => Deferred.await(outcome),
      ({ stop }) => Effect.sync(stop)
    )
  const startEach = (onChunk: (chunk: Uint8Array) => void): Flow => {
    const outcome = Deferred.unsafeMake<never, TransportFailed>(FiberId.none)
    /** Handed over since the event loop last turned, as far as is known here. */
    let handed = 0
    let flowing = false
    let isOver = false
    let turn: NodeJS.Immediate | undefined

    // Flowing, a chunk is handed on where it arrives; with "readable" it would wait for a tick, and for a fiber.
    const flow = (): void => {
      flowing = true
      duplex.off("readable", onReadable)
      duplex.on("data", onData)
      duplex.resume()
    }
    const pause = (): void => {
      flowing = false
      duplex.off("data", onData)
      duplex.pause()
    }
    const stop = (): void => {
      if (isOver) return
      isOver = true
      listener = undefined
      clearImmediate(turn)
      pause()
      if (!duplex.destroyed) duplex.on("readable", onReadable)
    }
    const end = (failure: Effect.Effect<never, TransportFailed>): void => {
      if (isOver) return
      stop()
      Deferred.unsafeDone(outcome, failure)
    }
    /** Hands over what is held, as far as this stretch allows. */
    const hand = (): void => {
      const room = MAX_STRETCH - handed
      const chunk = held.length <= room ? held : held.subarray(0, room)
      held = held.length <= room ? NOTHING : held.subarray(room)
      handed += chunk.length
      try {
        onChunk(chunk)
      } catch (defect) {
        end(Effect.die(defect))
      }
    }
    const askForTurn = (): void => {
      turn ??= setImmediate(() => {
        turn = undefined
        handed = 0
        if (!flowing) handAll()
      })
    }
    /** Hands over what is there already; then comes what arrives, or the failure. */
    const handAll = (): void => {
      while (!isOver && handed < MAX_STRETCH && !discarded && fill()) hand()
      if (isOver) return
      if (handed >= MAX_STRETCH) askForTurn()
      else if (readFailure !== undefined) end(readFailure)
      else flow()
    }
    listener = {
      take: (chunk) => {
        held = chunk
        hand()
        if (isOver) return
        if (held.length > 0 || handed >= MAX_STRETCH) pause()
        // Before it is needed: a turn that comes by itself costs no pause.
        if (handed >= MAX_STRETCH / 4) askForTurn()
      },
      failed: () => {
        if (discarded && readFailure !== undefined) return end(readFailure)
        // While it pauses, the failure is found after the bytes that were there before it.
        if (!flowing) return
        pause()
        handAll()
      }
    }
    outside(handAll)
    return { outcome, stop }
  }

  // --- writing ---

  const awaitTurn: Effect.Effect<void, TransportFailed> = Effect.async((resume) => {
    bytesSinceTurn = 0
    const immediate = outside(() => setImmediate(() => resume(written)))
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
    () => writeFailure ?? (bytesSinceTurn >= BYTES_PER_TURN ? awaitTurn : Effect.void)
  )
  /** Whether there is room for more. */
  const put = (chunks: ReadonlyArray<Uint8Array>): boolean => {
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
          bytesSinceTurn += chunk.length
        }
      }
      if (batch.length > 1) duplex.uncork()
    } catch (cause) {
      // How much of the batch it took is unknown, so no byte may follow.
      fail("Local", cause)
      duplex.destroy()
    }
    return room
  }
  const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> => {
    const size = sizeOf(chunks)
    return Effect.suspend(() => {
      if (writeFailure === undefined && !duplex.writable) {
        failWriting("Local", new Error("The transport was ended or destroyed"))
      }
      if (writeFailure !== undefined) return writeFailure
      if (typeof size !== "number") return failure("Write", "Local", size)
      // Between the call and now, memory may have been detached: its length is 0 then.
      const now = sizeOf(chunks)
      if (now !== size) return failure("Write", "Local", typeof now === "number" ? changed(size, now) : now)
      const room = put(chunks)
      // What the kernel took at once is gone by now, although its "drain" is only due in the next tick.
      const drained = duplex.writableNeedDrain && duplex.writableLength < duplex.writableHighWaterMark
      return (room || drained) && duplex.writable ? written : awaitDrain
    })
  }

  const tryWrite = (chunks: ReadonlyArray<Uint8Array>): boolean => {
    if (writeFailure !== undefined || !duplex.writable || bytesSinceTurn >= BYTES_PER_TURN) return false
    const size = sizeOf(chunks)
    // `write` says what is wrong with it.
    if (typeof size !== "number") return false
    if (duplex.writableLength + size >= duplex.writableHighWaterMark || duplex.writableNeedDrain) return false
    put(chunks)
    return !isFailed()
  }
  const isFailed = (): boolean => writeFailure !== undefined

  const end: Effect.Effect<void> = Effect.async((resume) => {
    if (duplex.writableFinished || duplex.destroyed || duplex.errored) return resume(Effect.void)
    const ender = (): void => resume(Effect.void)
    enders.add(ender)
    // "drain" is not emitted any more once the end is due, so a write that waits for it is told now.
    failWriting("Local", new Error("The transport was ended"))
    if (!duplex.writableEnded) duplex.end()
    return Effect.sync(() => void enders.delete(ender))
  })

  const transport: TransportService = { peer, read, write, end, destroy: Effect.sync(discard) }
  // Another Duplex may call back from within `write`, in the middle of a step of the session.
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

const wake = (waiting: Set<() => void>): void => {
  for (const resume of waiting) {
    waiting.delete(resume)
    resume()
  }
}
