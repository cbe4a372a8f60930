/**
 * A Node Duplex as a transport. It adds its event listeners once, and its cost does not depend on the number of bytes.
 * The listeners run outside of every `AsyncLocalStorage` context: a socket that one request opens serves others too.
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
 * What a connection's socket does not know itself: its peer, and the address that was dialled.
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

/** A delivery of chunks by callbacks. It ends with `stop` or with the outcome. */
interface Flow {
  readonly outcome: Once<void, TransportFailed>
  readonly stop: () => void
}

const adapt = (duplex: Duplex, known: Known): Adapted => {
  const readers = new WaitSet()
  /** Gets each chunk when it arrives, and the failure. */
  let listener: Listener | undefined

  const isSocket = duplex instanceof Net.Socket
  // Read now: a socket that has closed does not know its peer any more.
  const peer = known.peer ?? peerOf(duplex)
  const endpoint = known.endpoint ?? (peer === undefined ? undefined : endpointOf(peer))
  const failure = (reason: "Read" | "Write" | "Ended", initiator: Initiator, cause: unknown): TransportFailed =>
    new TransportFailed({ reason, cause, initiator, processed: "maybe", endpoint })

  let readFailure: TransportFailed | undefined
  /** This side has destroyed the Duplex: buffered bytes are not read any more. */
  let discarded = false
  /** Bytes from the Duplex that the reader has not got yet. */
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
    onError(new TypeError("A transport's Duplex must give bytes, not strings (setEncoding) or objects"))
    discard()
  }
  const onDrain = (): void => outside(() => writer.drained())
  const onEnd = (): void => {
    // Bun emits "end" for a socket that this side has destroyed, too. Its "close" has the cause.
    if (duplex.destroyed) return
    readFailure ??= failure("Ended", "Remote", undefined)
    outside(wakeReaders)
  }
  const onFinish = (): void =>
    outside(() => {
      writer.refuse("Local", new Error("The transport was ended"))
      writer.wake()
    })
  // In two steps, so that both directions have failed before the first fiber is woken.
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
    // If the peer closes a socket, Node emits "end" or "error" first. So a "close" without them comes from this
    // process. Other Duplexes have no such rule.
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
  // Otherwise the peer's end would end our direction too, before our answer is sent.
  duplex.allowHalfOpen = true
  // The Duplex may have emitted these events before.
  if (duplex.readableEnded) onEnd()
  if (duplex.errored) onError(duplex.errored)
  else if (duplex.destroyed) onClose()

  // --- reading ---

  // Reading has two steps: `fill` holds a chunk, and `take` takes and returns it at once. An interruption between the
  // two leaves the chunk held for the next read.
  const take = Effect.sync(() => {
    const chunk = held
    held = NOTHING
    return chunk
  })
  /** Holds the next chunk of the Duplex. False if there is none; then the Duplex emits "readable" later. */
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
    // The fiber may have yielded before it came here, and bytes or a failure may have come meanwhile.
    () => fill() || readFailure !== undefined,
    Effect.suspend(() => read)
  )
  const read: Effect.Effect<Uint8Array, TransportFailed> = Effect.suspend(() => {
    if (discarded && readFailure !== undefined) return Effect.fail(readFailure)
    if (fill()) return take
    return readFailure === undefined ? awaitReadable : Effect.fail(readFailure)
  })

  // Not with the cleanup of `park`: a fiber that is interrupted while it yields before `park` never runs it. Then the
  // source would keep flowing without a reader.
  const each = (onChunk: (chunk: Uint8Array) => boolean): Effect.Effect<void, TransportFailed> =>
    Effect.acquireUseRelease(
      Effect.sync(() => startEach(onChunk)),
      ({ outcome }) => outcome.await,
      ({ stop }) => Effect.sync(stop)
    )
  const startEach = (onChunk: (chunk: Uint8Array) => boolean): Flow => {
    const outcome = new Once<void, TransportFailed>()
    /** Bytes delivered since the last known turn of the event loop. */
    let handed = 0
    let flowing = false
    let isOver = false
    let turn: NodeJS.Immediate | undefined

    // In flowing mode a chunk is delivered when it arrives. With "readable" it would wait for a tick and for a fiber.
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
    /** Delivers the held bytes, up to the limit for this turn. */
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
    /** Delivers the buffered bytes first. Then it starts the flow, or ends with the failure. */
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
        // Asked for at a quarter of the limit: if the turn comes before the limit, no pause is needed.
        if (handed >= MAX_STRETCH / 4) askForTurn()
      },
      failed: () => {
        if (discarded && readFailure !== undefined) return end(Exit.fail(readFailure))
        // While paused, `handAll` delivers the earlier bytes first, and then finds the failure.
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
    // Only a socket gets the fast path: another Duplex may call listeners inside `write`, in the middle of a session's
    // step.
    transport: isSocket ? withFastPath(transport, { each, tryWrite: (chunks) => writer.tryWrite(chunks) }) : transport,
    release: () => {
      discard()
      detach()
    }
  }
}

const NOTHING = new Uint8Array(0)
