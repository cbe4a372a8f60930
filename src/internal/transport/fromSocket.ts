/**
 * Makes a transport, which is read, from a `Socket` of `@effect/platform`, which pushes messages.
 *
 * The message handler returns no effect that deals with bytes, because the platform would run such effects concurrently
 * and in any order. A `Socket` is foreign code, so every call of it is guarded.
 */
import * as Socket from "@effect/platform/Socket"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { TransportFailed } from "../../MuxadoError.js"
import type { TransportService } from "./transportService.js"
import { describeValue } from "../support/bytes.js"
import { carry, unusable } from "./carriedSockets.js"
import { concat, lengthOf } from "../support/concat.js"
import { race } from "../support/race.js"
import { atMost, call, causeOf } from "./foreignCalls.js"
import { Inbox } from "./inbox.js"
import type { Medium } from "./medium.js"
import { findWebSocket, mediumOf } from "./medium.js"
import { outside } from "../support/outside.js"
import { Runner } from "../support/run.js"
import { Latch } from "../support/waiters.js"
import { ending } from "./socketEnd.js"
import { watchFinalizers } from "./watchFinalizers.js"

/**
 * Options for a `Socket` that is used as a transport.
 *
 * @since 0.1.0
 * @category models
 */
export interface SocketOptions {
  /**
   * The maximum number of unread bytes. If there are more, the transport fails. Default: 64 MiB. A session reads all the
   * time, so unread bytes collect only while the process is busy. A WebSocket that can pause is paused at 1 MiB.
   */
  readonly maxBuffered?: number | undefined
  /**
   * Returns the number of bytes that the medium has not sent yet. It is for a medium whose writes complete at once.
   * Default: the `bufferedAmount` of the socket's WebSocket, after the transport has found it (see `fromSocket`).
   * Without one, a `write` completes when the socket's own write does. If the function throws, or returns anything
   * but a number of bytes, the transport fails.
   */
  readonly bufferedAmount?: (() => number) | undefined
  /**
   * A `write` completes when `bufferedAmount` is at most this number of bytes. Default: 256 KiB.
   */
  readonly highWaterMark?: number | undefined
  /**
   * The time limit for opening the socket. Default: 10 seconds.
   */
  readonly openTimeout?: Duration.DurationInput | undefined
}

/** Information from a server about the socket of a connection. */
export interface Connection {
  readonly medium?: Medium | undefined
  /** True while the connection waits to be served. Then nothing reads, and the limits are lower. */
  readonly isWaiting?: (() => boolean) | undefined
}

/** A transport, and an effect that completes at its end. */
export interface Opened {
  readonly transport: TransportService
  readonly over: Effect.Effect<void>
}

/** Implements `Transport.fromSocket`. */
export const make = (
  socket: Socket.Socket,
  options?: SocketOptions
): Effect.Effect<TransportService, TransportFailed, Scope.Scope> =>
  Effect.map(open(socket, options), ({ transport }) => transport)

/** The same, with information from a server or from the constructor of a WebSocket. */
export const open = (
  socket: Socket.Socket,
  options: SocketOptions = {},
  connection: Connection = {},
  endpoint?: () => string | undefined
): Effect.Effect<Opened, TransportFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const highWaterMark = options.highWaterMark ?? HIGH_WATER_MARK

    let medium = connection.medium
    let opened = false
    let ended = false
    let destroyed: TransportFailed | undefined
    let failure: TransportFailed | undefined

    /** Open when the socket has opened, or has failed to open. */
    const ready = new Latch(false)
    /** Open while there is something to read: bytes or the failure. */
    const readable = new Latch(false)
    /** Open when `failure` is set. */
    const over = new Latch(false)
    /** Open when the socket must be closed. */
    const dropped = new Latch(false)

    const failed = (
      reason: TransportFailed["reason"],
      initiator: TransportFailed["initiator"],
      cause: unknown
    ): TransportFailed => {
      const where = endpoint?.() ?? medium?.endpoint
      return new TransportFailed({
        reason,
        cause,
        initiator,
        processed: reason === "Open" ? "no" : "maybe",
        ...(where === undefined ? {} : { endpoint: where })
      })
    }

    const settle = (error: TransportFailed): void => {
      failure ??= error
      // a paused socket would not notice that the peer closes
      inbox.resume()
      readable.open()
      over.open()
      ready.open()
    }

    const fail = (error: TransportFailed): void => {
      settle(error)
      dropped.open()
    }

    const onOpen = (): void => {
      opened = true
      ready.open()
    }

    // --- in

    const inbox = new Inbox({
      maxBuffered: options.maxBuffered ?? MAX_BUFFERED,
      medium: () => medium,
      isWaiting: connection.isWaiting ?? (() => false),
      onFault: (initiator, cause) => fail(failed("Read", initiator, cause))
    })

    const search = findWebSocket(yield* Effect.context<never>(), (webSocket) => {
      medium ??= mediumOf(webSocket)
    })
    const look = Effect.map(Effect.context<never>(), search.look)
    let looked = false

    const onMessage = (message: unknown): Effect.Effect<void> | undefined => {
      // a closing WebSocket still delivers messages, which are ignored
      if (failure === undefined) {
        onOpen()
        inbox.push(message)
        readable.open()
      }
      if (looked || medium !== undefined) return undefined
      looked = true
      return look
    }

    // takes the bytes in the last operation, so that no interruption can come between taking and returning them
    const take = Effect.sync(() => inbox.take())

    const read: Effect.Effect<Uint8Array, TransportFailed> = Effect.suspend(() => {
      if (destroyed !== undefined) return Effect.fail(destroyed)
      const has = inbox.look()
      if (has === true) return take
      if (has !== false) {
        // the bytes after the lost ones are useless
        destroyed = failed("Read", "Local", has)
        fail(destroyed)
        return Effect.fail(destroyed)
      }
      if (failure !== undefined) return Effect.fail(failure)
      readable.close()
      return Effect.zipRight(readable.await, read)
    })

    // --- opening

    const wrong = wrongOption(options)
    if (wrong !== undefined) return yield* failed("Open", "Local", wrong)
    const socketFault = unusable(socket)
    if (socketFault !== undefined) return yield* failed("Open", "Local", socketFault)
    yield* carry(socket)
    const openTimeout = Duration.decode(options.openTimeout ?? OPEN_TIMEOUT)

    const destroy = Effect.sync(() => {
      destroyed ??= failed("Read", "Local", new Error("destroyed by this side"))
      fail(destroyed)
    })

    const run = Effect.mapInputContext(
      // A platform's socket opens in the context in which it was made, but the services in the context of its run take
      // precedence. So the run gets only the services that find the WebSocket, and not those of the caller.
      call("what runRaw of a Socket gives", () =>
        socket.runRaw<void, never, never>(onMessage, { onOpen: Effect.sync(onOpen) })
      ),
      (_: Context.Context<never>) => search.context
    ).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          const { cause, reason } = ending(exit, opened)
          settle(failed(reason, ended && !endsItsWriting ? "Local" : "Remote", cause))
        })
      )
    )
    let endsItsWriting = false

    // the socket's events and timers must not run in the async context of the request that opens it
    const runner = (yield* Runner.current()).outside
    const fork = <A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> =>
      outside(() => runner.fork(Effect.interruptible(effect)))
    // Starts in this step, not in the turn of a forked fiber: Deno emits a WebSocket's messages before that turn, and a
    // message without a listener is lost.
    let closer: Fiber.RuntimeFiber<unknown> | undefined = undefined
    const running = yield* Effect.acquireRelease(
      Effect.sync(() => fork(run)),
      (fiber) =>
        Effect.zipRight(
          destroy,
          atMost(
            CLOSE_TIMEOUT,
            Effect.suspend(() =>
              closer === undefined ? Effect.asVoid(Fiber.interrupt(fiber)) : Effect.asVoid(Fiber.await(closer))
            )
          )
        )
    )

    const writerScope = yield* Effect.acquireRelease(Scope.make(), (scope) =>
      atMost(CLOSE_TIMEOUT, ignoringFaults(Scope.close(scope, Exit.void)))
    )
    const watched = watchFinalizers(writerScope)
    const writer = Effect.exit(
      Scope.extend(
        call("the writer of a Socket", () => socket.writer),
        watched.scope
      )
    )
    const acquired = yield* race(writer, Effect.as(Effect.sleep(openTimeout), undefined))
    if (acquired === undefined || Exit.isFailure(acquired)) {
      const cause =
        acquired === undefined ? notWithin(openTimeout, "the Socket returned no writer") : causeOf(acquired.cause)
      return yield* failed("Open", "Local", cause)
    }
    const send = (message: Uint8Array | Socket.CloseEvent) =>
      call("what the writer of a Socket gives", () => acquired.value(message))
    endsItsWriting = watched.isUsed()

    const terminate = Effect.sync(() => {
      try {
        if (medium?.terminate !== undefined && medium.bufferedAmount?.() !== 0) medium.terminate()
      } catch {
        // the socket's own end comes next
      }
    })

    // The CloseEvent closes a net socket in the same step. If the writer needs longer than one turn, the interruption
    // of
    // the run closes the socket. A WebSocket would first try to send its unsent bytes, so it is terminated.
    const closing = dropped.await.pipe(
      Effect.zipRight(race(Effect.exit(send(new Socket.CloseEvent(1000))), Effect.yieldNow())),
      Effect.zipRight(terminate),
      Effect.zipRight(Fiber.interrupt(running))
    )
    closer = fork(race(closing, Fiber.await(running)))
    yield* race(ready.await, Effect.sleep(openTimeout))
    if (!opened) {
      const cause = failure === undefined ? notWithin(openTimeout, "the Socket did not open") : failure.cause
      return yield* failed("Open", "Remote", cause ?? new Error("the Socket ended before it opened"))
    }

    // --- out

    const refuseWrite = Effect.suspend(() =>
      Effect.fail(
        failed(
          "Write",
          failure?.initiator ?? "Local",
          failure ?? new Error("the transport was written to after its end")
        )
      )
    )

    // after the socket has ended, its own writer never completes
    const untilOver = Effect.zipRight(over.await, refuseWrite)

    /** Fails a write because of a fault of the medium, and ends the transport. */
    const failWrite = (
      initiator: TransportFailed["initiator"],
      cause: unknown
    ): Effect.Effect<never, TransportFailed> =>
      Effect.suspend(() => {
        const error = failed("Write", initiator, cause)
        fail(error)
        return Effect.fail(error)
      })

    const unsent = (): number => {
      const amount: unknown = (options.bufferedAmount ?? medium?.bufferedAmount)?.() ?? 0
      if (typeof amount === "number" && amount >= 0) return amount
      throw new TypeError(`bufferedAmount must return a number of bytes, not ${describeValue(amount)}`)
    }

    /**
     * Waits until at most `highWaterMark` bytes are unsent. A WebSocket has no event for this, so it polls after 1
     * ms, and then after doubled delays: up to 16 ms while bytes are sent, and up to 256 ms while none are.
     */
    const drained = (delay: number, before: number): Effect.Effect<void, TransportFailed> =>
      Effect.suspend(() => {
        let now: number
        try {
          now = unsent()
        } catch (cause) {
          return failWrite("Local", cause)
        }
        if (now <= highWaterMark) return Effect.void
        const next = Math.min(2 * delay, now < before ? MAX_POLL_DELAY : MAX_STALLED_POLL_DELAY)
        return Effect.zipRight(Effect.sleep(delay), drained(next, now))
      })

    const write = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransportFailed> => {
      // if memory is transferred between this call and the write, bytes are missing, and the peer cannot decode the
      // rest
      const asked = lengthOf(chunks)
      const sendAll = Effect.suspend(() => {
        const length = lengthOf(chunks)
        if (length !== asked) return Effect.fail(failed("Write", "Local", length instanceof TypeError ? length : MOVED))
        return Effect.catchAllCause(
          Effect.suspend(() => send(concat(chunks))),
          (cause) => failWrite("Remote", causeOf(cause))
        )
      })
      return Effect.suspend(() => {
        if (asked instanceof TypeError) return Effect.fail(failed("Write", "Local", asked))
        if (failure !== undefined || ended) return refuseWrite
        if (asked === 0) return Effect.void
        // an interrupted write may have left more than `highWaterMark` unsent
        const sending = Effect.zipRight(drained(1, Infinity), Effect.zipRight(sendAll, drained(1, Infinity)))
        return race(sending, untilOver)
      })
    }

    const end = Effect.suspend(() => {
      ended = true
      const finish = endsItsWriting
        ? Effect.disconnect(Scope.close(writerScope, Exit.void))
        : Effect.zipRight(send(new Socket.CloseEvent(1000)), over.await)
      const finished = Effect.catchAllCause(finish, (cause) =>
        Effect.sync(() => fail(failed("Read", "Local", causeOf(cause))))
      )
      return race(finished, over.await)
    })

    return { transport: { read, write, end, destroy }, over: over.await }
  })

const wrongOption = (options: SocketOptions): Error | undefined => {
  for (const name of ["maxBuffered", "highWaterMark"] as const) {
    const value: unknown = options[name]
    if (value !== undefined && !(typeof value === "number" && value >= 0)) {
      return new RangeError(`${name} must be a number of bytes, not ${describeValue(value)}`)
    }
  }
  const bufferedAmount: unknown = options.bufferedAmount
  if (bufferedAmount !== undefined && typeof bufferedAmount !== "function") {
    return new TypeError(`bufferedAmount must be a function, not ${describeValue(bufferedAmount)}`)
  }
  const openTimeout: unknown = options.openTimeout
  const duration = openTimeout === undefined ? Option.some(Duration.zero) : Duration.decodeUnknown(openTimeout)
  return Option.isSome(duration)
    ? undefined
    : new TypeError(`openTimeout must be a duration, not ${describeValue(openTimeout)}`)
}

const notWithin = (limit: Duration.Duration, what: string): Error =>
  new Error(`${what} within ${Duration.format(limit)}`)

const ignoringFaults = (effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllCause(effect, (cause) => Effect.logDebug("The writer of a Socket could not be closed", cause))

const MOVED = new TypeError("the memory of a chunk was transferred before the transport wrote it")

const MAX_BUFFERED = 64 * 1024 * 1024

const HIGH_WATER_MARK = 256 * 1024

const OPEN_TIMEOUT = "10 seconds"

const CLOSE_TIMEOUT = "2 seconds"

/** In milliseconds. */
const MAX_POLL_DELAY = 16
const MAX_STALLED_POLL_DELAY = 256
