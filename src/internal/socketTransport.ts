/**
 * A `Socket` of `@effect/platform` as a transport: a pushing source becomes one that is pulled from, and its many ways
 * to end become one.
 *
 * The handler given to the socket never returns an effect: those would run concurrently, and in any order.
 */
import * as Socket from "@effect/platform/Socket"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as MutableQueue from "effect/MutableQueue"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { TransportFailed } from "../MuxadoError.js"
import { concat } from "./concat.js"
import { firstOf } from "./firstOf.js"

/**
 * What can be told about a `Socket` that becomes a transport.
 *
 * @since 0.1.0
 * @category models
 */
export interface SocketOptions {
  /**
   * The bytes that may have arrived without having been read, before the transport fails. Default: 64 MiB, all that a
   * peer may send unasked under a session's default receive budget, so that only a peer which ignores its windows, or
   * a process which stood still, meets it.
   */
  readonly maxBuffered?: number | undefined
  /**
   * How many bytes the medium was given and has not sent yet, for a medium whose writes complete at once (a WebSocket:
   * `() => webSocket.bufferedAmount`). Without it a `write` completes when the socket's own write does.
   */
  readonly bufferedAmount?: (() => number) | undefined
  /**
   * A `write` completes once `bufferedAmount` is not above this many bytes. Default: 256 KiB.
   */
  readonly highWaterMark?: number | undefined
}

/**
 * What can be chosen about a WebSocket that becomes a transport.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebSocketOptions extends Omit<SocketOptions, "bufferedAmount"> {
  readonly protocols?: string | Array<string> | undefined
  /**
   * How long the WebSocket may take to open. Default: 10 seconds.
   */
  readonly openTimeout?: Duration.DurationInput | undefined
}

/** What `Transport.fromSocket` is. */
export const make = (socket: Socket.Socket, options: SocketOptions = {}) =>
  Effect.gen(function* () {
    const maxBuffered = options.maxBuffered ?? MAX_BUFFERED
    const highWaterMark = options.highWaterMark ?? HIGH_WATER_MARK
    const bufferedAmount = options.bufferedAmount

    const inbox = MutableQueue.unbounded<Uint8Array>()
    /** Bytes in `inbox`. */
    let buffered = 0
    let opened = false
    let ended = false
    let destroyed: TransportFailed | undefined
    let failure: TransportFailed | undefined

    /** Open once the socket has opened, or never will. */
    const ready = Effect.unsafeMakeLatch(false)
    /** Open while there is something to read: bytes or the failure. */
    const readable = Effect.unsafeMakeLatch(false)
    /** Open once `failure` is set. */
    const over = Effect.unsafeMakeLatch(false)
    /** Open once the socket is to be dropped. */
    const dropped = Effect.unsafeMakeLatch(false)

    const settle = (error: TransportFailed): void => {
      failure ??= error
      readable.unsafeOpen()
      over.unsafeOpen()
      ready.unsafeOpen()
    }

    const fail = (error: TransportFailed): void => {
      settle(error)
      dropped.unsafeOpen()
    }

    const open = (): void => {
      opened = true
      ready.unsafeOpen()
    }

    const onMessage = (message: Uint8Array | string): void => {
      // A WebSocket that is closing goes on to deliver messages.
      if (failure !== undefined) return
      open()
      if (typeof message === "string") {
        return fail(failed("Read", "Remote", new TypeError("a text message arrived, only binary ones carry bytes")))
      }
      const chunk = message instanceof Uint8Array ? message : new Uint8Array(message)
      if (chunk.length === 0) return
      if (buffered + chunk.length > maxBuffered) {
        return fail(failed("Read", "Remote", new RangeError(`more than ${maxBuffered} bytes arrived unread`)))
      }
      buffered += chunk.length
      MutableQueue.offer(inbox, chunk)
      readable.unsafeOpen()
    }

    const writerScope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const watched = watchFinalizers(writerScope)
    const send = yield* Scope.extend(socket.writer, watched.scope)
    const endsItsWriting = watched.isUsed()

    const run = Effect.mapInputContext(
      // A socket opens in the context it was made in, but one of the platform lets the services of whoever runs it take
      // precedence, the constructor of WebSockets among them.
      socket.runRaw(onMessage, { onOpen: Effect.sync(open) }),
      (_: Context.Context<never>) => Context.empty()
    ).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => settle(ending(exit, opened, ended && !endsItsWriting ? "Local" : "Remote")))
      )
    )
    // This closes a net socket in the same step. A writer that takes longer has had its turn: what follows interrupts the
    // run, and so closes the socket.
    const closeOnceDropped = Effect.zipRight(
      dropped.await,
      firstOf(Effect.exit(send(new Socket.CloseEvent(1000))), Effect.yieldNow())
    )

    const destroy = Effect.sync(() => {
      destroyed ??= failed("Read", "Local", new Error("destroyed by this side"))
      fail(destroyed)
    })

    const runtime = yield* Effect.runtime<never>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const fork = Runtime.runFork(runtime)
        // In this very step, not when a forked fiber gets its turn: before that, Deno emits what a WebSocket has received,
        // and a message without a listener is lost.
        const running = fork(Effect.interruptible(run))
        return [
          running,
          fork(Effect.interruptible(Effect.zipRight(closeOnceDropped, Fiber.interrupt(running))))
        ] as const
      }),
      (fibers) => Effect.zipRight(destroy, Fiber.awaitAll(fibers))
    )
    yield* ready.await
    if (!opened) {
      return yield* new TransportFailed({
        reason: "Open",
        cause: failure?.cause,
        initiator: "Remote",
        processed: "no"
      })
    }

    // As the last step, for then no interruption can come between taking the bytes and handing them on.
    const take = Effect.sync(() => {
      const chunk = MutableQueue.poll(inbox, NO_BYTES)
      buffered -= chunk.length
      return chunk
    })

    const read: Effect.Effect<Uint8Array, TransportFailed> = Effect.suspend(() => {
      if (destroyed !== undefined) return Effect.fail(destroyed)
      if (!MutableQueue.isEmpty(inbox)) return take
      if (failure !== undefined) return Effect.fail(failure)
      readable.unsafeClose()
      return Effect.zipRight(readable.await, read)
    })

    const refuseWrite = Effect.suspend(() =>
      Effect.fail(failed("Write", failure?.initiator ?? "Local", failure ?? new Error("written to after its end")))
    )

    // The socket's own writer suspends for ever once the socket has ended.
    const untilOver = Effect.zipRight(over.await, refuseWrite)

    const drained: Effect.Effect<void> =
      bufferedAmount === undefined ? Effect.void : untilAtMost(bufferedAmount, highWaterMark)

    const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> =>
      Effect.suspend(() => {
        if (failure !== undefined || ended) return refuseWrite
        const bytes = concat(chunks)
        if (bytes.length === 0) return Effect.void
        return send(bytes).pipe(
          Effect.catchAllCause((cause) =>
            Cause.isInterruptedOnly(cause)
              ? Effect.interrupt
              : Effect.fail(failed("Write", "Remote", reasonOf(Cause.squash(cause))))
          ),
          Effect.zipRight(drained),
          (sending) => firstOf(sending, untilOver)
        )
      })

    const end = Effect.suspend(() => {
      ended = true
      const finish = endsItsWriting
        ? Effect.disconnect(Scope.close(writerScope, Exit.void))
        : Effect.zipRight(Effect.exit(send(new Socket.CloseEvent(1000))), over.await)
      return firstOf(finish, over.await)
    })

    return { read, write, end, destroy }
  })

/** What `Transport.makeWebSocket` is. */
export const makeWebSocket = (url: string | Effect.Effect<string>, options: WebSocketOptions = {}) =>
  Effect.gen(function* () {
    const construct = deliveringArrayBuffers(yield* Socket.WebSocketConstructor)
    let webSocket: globalThis.WebSocket | undefined
    const acquire = Effect.acquireRelease(
      Effect.map(
        Effect.isEffect(url) ? url : Effect.succeed(url),
        (url) => (webSocket = construct(url, options.protocols))
      ),
      (webSocket) => Effect.sync(() => webSocket.close(1000))
    )
    const socket = yield* Socket.fromWebSocket(acquire, {
      // Otherwise 1006, a connection that broke off, is reported as an orderly end.
      closeCodeIsError: () => true,
      openTimeout: options.openTimeout ?? OPEN_TIMEOUT
    })
    return yield* make(socket, { ...options, bufferedAmount: () => webSocket?.bufferedAmount ?? 0 })
  })

/** A constructor whose WebSockets give each message at once and in order, as an `ArrayBuffer`. */
export const deliveringArrayBuffers =
  (construct: WebSocketConstructor): WebSocketConstructor =>
  (url, protocols) => {
    const webSocket = construct(url, protocols)
    webSocket.binaryType = "arraybuffer"
    return webSocket
  }

type WebSocketConstructor = Context.Tag.Service<typeof Socket.WebSocketConstructor>

const failed = (
  reason: TransportFailed["reason"],
  initiator: TransportFailed["initiator"],
  cause: unknown
): TransportFailed => new TransportFailed({ reason, cause, initiator, processed: "maybe" })

/** Why a socket's run is over. */
const ending = (
  exit: Exit.Exit<void, Socket.SocketError>,
  opened: boolean,
  initiator: TransportFailed["initiator"]
): TransportFailed => {
  if (Exit.isSuccess(exit)) return failed("Ended", initiator, undefined)
  const error = Cause.squash(exit.cause)
  return opened && Socket.SocketCloseError.is(error) && ORDERLY_CLOSE_CODES.has(error.code)
    ? failed("Ended", initiator, error)
    : failed("Read", initiator, reasonOf(error))
}

/** The `Error` at the bottom: a platform error holds the medium's own one, and a WebSocket's is in an event. */
const reasonOf = (error: unknown): unknown => {
  if (!Socket.isSocketError(error) || error.reason === "Close") return error
  const cause = error.cause
  if (cause instanceof Error) return cause
  const inner = typeof cause === "object" && cause !== null && "error" in cause ? cause.error : undefined
  return inner instanceof Error ? inner : error
}

/**
 * A writer that registers a finalizer ends its direction by it; one that does not has only the close event, which ends
 * both. A `Socket` says this in no other way.
 */
const watchFinalizers = (scope: Scope.Scope): { readonly scope: Scope.Scope; readonly isUsed: () => boolean } => {
  let used = false
  const watched = new Proxy(scope, {
    get: (target, key, receiver): unknown => {
      used ||= key === "addFinalizer" || key === "fork"
      return Reflect.get(target, key, receiver)
    }
  })
  return { scope: watched, isUsed: () => used }
}

/** A WebSocket has no event for this, so it is asked, ever less often. */
const untilAtMost = (bufferedAmount: () => number, limit: number): Effect.Effect<void> => {
  const poll = (delay: number): Effect.Effect<void> =>
    Effect.suspend(() =>
      bufferedAmount() <= limit
        ? Effect.void
        : Effect.zipRight(Effect.sleep(delay), poll(Math.min(2 * delay, MAX_POLL_DELAY)))
    )
  return poll(1)
}

const NO_BYTES = new Uint8Array(0)

const MAX_BUFFERED = 64 * 1024 * 1024

const HIGH_WATER_MARK = 256 * 1024

const OPEN_TIMEOUT = "10 seconds"

/** In milliseconds. */
const MAX_POLL_DELAY = 16

/** Normal, going away, and a close frame that held no code. */
const ORDERLY_CLOSE_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005])
