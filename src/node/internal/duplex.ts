/**
 * A Node Duplex as a transport: six listeners for its whole life, and no work per byte. All of them run outside of every
 * `AsyncLocalStorage` context: a socket may have been made in a request, and it serves others.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import { isUint8Array } from "node:util/types"
import { outside } from "../../internal/support/outside.js"
import { Once, WaitSet } from "../../internal/support/waiters.js"
import type { Initiator } from "../../MuxadoError.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { Peer, TransportService } from "../../Transport.js"
import { withFastPath } from "../../Transport.js"
import { DuplexWriter } from "./duplexWriter.js"
import { guardErrors } from "./errorGuard.js"
import { endpointOf, peerOf } from "./peer.js"
import { MAX_STRETCH } from "./turns.js"
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

interface Listener {
  readonly take: (chunk: Uint8Array) => void
  /** `readFailure` was set. */
  readonly failed: () => void
}

/** Chunks handed over as they come, until `stop` or the outcome. */
interface Flow {
  readonly outcome: Once<void, TransportFailed>
  readonly stop: () => void
}

const adapt = (duplex: Duplex, known: Known): Adapted => {
  const readers = new WaitSet()
  /** Takes the chunks as they come, and the failure. */
  let listener: Listener | undefined

  const isSocket = duplex instanceof Net.Socket
  // Taken now: a socket that has closed does not know it any more.
  const peer = known.peer ?? peerOf(duplex)
  const endpoint = known.endpoint ?? (peer === undefined ? undefined : endpointOf(peer))
  const failure = (reason: "Read" | "Write" | "Ended", initiator: Initiator, cause: unknown): TransportFailed =>
    new TransportFailed({ reason, cause, initiator, processed: "maybe", endpoint })

  let readFailure: TransportFailed | undefined
  /** Dropped by this side: what is still buffered is not read any more. */
  let discarded = false
  /** Taken out of the duplex, and not yet handed to the reader. */
  let held: Uint8Array = NOTHING

  // --- events ---

  const wakeReaders = (): void => {
    readers.notifyAll()
    listener?.failed()
  }
  const onReadable = (): void => outside(() => readers.notifyAll())
  const onData = (chunk: unknown): void =>
    outside(() => {
      // The event loop has turned.
      writer.turned()
      if (isUint8Array(chunk)) listener?.take(chunk)
      else noBytes()
    })
  const noBytes = (): void => {
    onError(new TypeError("A transport's Duplex carries bytes: no strings (setEncoding), no objects"))
    discard()
  }
  const onDrain = (): void => outside(() => writer.drained())
  const onEnd = (): void => {
    // Bun emits "end" for a socket that this side has destroyed, too: its "close" says what happened.
    if (duplex.destroyed) return
    readFailure ??= failure("Ended", "Remote", undefined)
    outside(wakeReaders)
  }
  const onFinish = (): void =>
    outside(() => {
      writer.refuse("Local", new Error("The transport was ended"))
      writer.wake()
    })
  // In two steps, so that both directions have failed before the first fiber learns of it.
  const refuseAll = (initiator: Initiator, cause: unknown): void => {
    readFailure ??= failure("Read", initiator, cause)
    writer.refuse(initiator, cause)
  }
  const wakeAll = (): void =>
    outside(() => {
      wakeReaders()
      writer.wake()
    })
  const writer = new DuplexWriter(duplex, failure, (cause) => {
    refuseAll("Local", cause)
    duplex.destroy()
    wakeAll()
  })
  const onError = (cause: unknown): void => {
    refuseAll("Remote", cause)
    wakeAll()
  }
  const onClose = (): void => {
    // What the peer does to a socket shows as an end or an error, so a bare close is this process's doing. Other
    // Duplexes have no such rule.
    refuseAll(isSocket ? "Local" : "Remote", duplex.errored ?? new Error("The transport was closed"))
    wakeAll()
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
    if (discarded) return void duplex.destroy()
    discarded = true
    held = NOTHING
    refuseAll("Local", new Error("The transport was destroyed"))
    duplex.destroy()
    wakeAll()
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
    if (discarded && readFailure !== undefined) return Effect.fail(readFailure)
    if (fill()) return take
    return readFailure === undefined ? awaitReadable : Effect.fail(readFailure)
  })

  // Not with the cleanup of `park`, which a fiber that yields there and is interrupted never reaches: the source would
  // flow on, into nothing.
  const each = (onChunk: (chunk: Uint8Array) => boolean): Effect.Effect<void, TransportFailed> =>
    Effect.acquireUseRelease(
      Effect.sync(() => startEach(onChunk)),
      ({ outcome }) => outcome.await,
      ({ stop }) => Effect.sync(stop)
    )
  const startEach = (onChunk: (chunk: Uint8Array) => boolean): Flow => {
    const outcome = new Once<void, TransportFailed>()
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
    const end = (exit: Exit.Exit<void, TransportFailed>): void => {
      if (isOver) return
      stop()
      outcome.complete(exit)
    }
    /** Hands over what is held, as far as this stretch allows. */
    const hand = (): void => {
      const room = MAX_STRETCH - handed
      const chunk = held.length <= room ? held : held.subarray(0, room)
      held = held.length <= room ? NOTHING : held.subarray(room)
      handed += chunk.length
      try {
        if (!onChunk(chunk)) end(Exit.void)
      } catch (defect) {
        end(Exit.die(defect))
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
      else if (readFailure !== undefined) end(Exit.fail(readFailure))
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
        if (discarded && readFailure !== undefined) return end(Exit.fail(readFailure))
        // While it pauses, the failure is found after the bytes that were there before it.
        if (!flowing) return
        pause()
        handAll()
      }
    }
    outside(handAll)
    return { outcome, stop }
  }

  const transport: TransportService = {
    peer,
    read,
    write: (chunks) => writer.write(chunks),
    end: writer.end,
    destroy: Effect.sync(discard)
  }
  return {
    // Another Duplex may call back from within `write`, in the middle of a step of the session.
    transport: isSocket ? withFastPath(transport, { each, tryWrite: (chunks) => writer.tryWrite(chunks) }) : transport,
    release: () => {
      discard()
      detach()
    }
  }
}

const NOTHING = new Uint8Array(0)
