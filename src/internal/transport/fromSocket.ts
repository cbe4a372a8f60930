/**
 * A `Socket` of `@effect/platform` as a transport: a pushing source becomes one that is pulled from, and its many ways
 * to end become one.
 *
 * The handler given to the socket returns no effect that deals with bytes: those would run concurrently, and in any
 * order. What a `Socket` does is code that is not ours: every call of it is guarded.
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
   * How many bytes the medium was given and has not sent yet, for a medium whose writes complete at once. Default: the
   * `bufferedAmount` of the socket's WebSocket, once that is known (see `fromSocket`); where there is none, a `write`
   * completes when the socket's own write does. What it throws, or gives that is no number of bytes, fails the
   * transport.
   */
  readonly bufferedAmount?: (() => number) | undefined
  /**
   * A `write` completes once `bufferedAmount` is not above this many bytes. Default: 256 KiB.
   */
  readonly highWaterMark?: number | undefined
  /**
   * How long the socket may take to open. Default: 10 seconds.
   */
  readonly openTimeout?: Duration.DurationInput | undefined
}

/** What a server knows about the socket of a connection. */
export interface Connection {
  readonly medium?: Medium | undefined
  /** While this is true nothing reads, and less is held. */
  readonly isWaiting?: (() => boolean) | undefined
}

/** A transport, and a wait for its end. */
export interface Opened {
  readonly transport: TransportService
  readonly over: Effect.Effect<void>
}

/** What `Transport.fromSocket` is. */
export const make = (
  socket: Socket.Socket,
  options?: SocketOptions
): Effect.Effect<TransportService, TransportFailed, Scope.Scope> =>
  Effect.map(open(socket, options), ({ transport }) => transport)

/** The same, for a server that knows more than the socket. */
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

    /** Open once the socket has opened, or never will. */
    const ready = new Latch(false)
    /** Open while there is something to read: bytes or the failure. */
    const readable = new Latch(false)
    /** Open once `failure` is set. */
    const over = new Latch(false)
    /** Open once the socket is to be dropped. */
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
      // one that is paused would not hear the peer close
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
      // A WebSocket that is closing goes on to deliver messages.
      if (failure === undefined) {
        onOpen()
        inbox.push(message)
        readable.open()
      }
      if (looked || medium !== undefined) return undefined
      looked = true
      return look
    }

    // As the last step, for then no interruption can come between taking the bytes and handing them on.
    const take = Effect.sync(() => inbox.take())

    const read: Effect.Effect<Uint8Array, TransportFailed> = Effect.suspend(() => {
      if (destroyed !== undefined) return Effect.fail(destroyed)
      const has = inbox.look()
      if (has === true) return take
      if (has !== false) {
        // what follows means nothing without it
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
      // A socket opens in the context it was made in, but one of the platform lets the services of whoever runs it take
      // precedence, the constructor of WebSockets among them.
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

    // The socket's events and timers must not carry the context of the request in which it happens to be opened.
    const runner = (yield* Runner.current()).outside
    const fork = <A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> =>
      outside(() => runner.fork(Effect.interruptible(effect)))
    // In this very step, not when a forked fiber gets its turn: before that, Deno emits what a WebSocket has
    // received, and
    // a message without a listener is lost.
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
        acquired === undefined ? notWithin(openTimeout, "the Socket has no writer") : causeOf(acquired.cause)
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

    // This closes a net socket in the same step. A writer that takes longer has had its turn: what follows interrupts
    // the
    // run, and so closes the socket. A WebSocket would send all that waits first, or try to.
    const closing = dropped.await.pipe(
      Effect.zipRight(race(Effect.exit(send(new Socket.CloseEvent(1000))), Effect.yieldNow())),
      Effect.zipRight(terminate),
      Effect.zipRight(Fiber.interrupt(running))
    )
    closer = fork(race(closing, Fiber.await(running)))
    yield* race(ready.await, Effect.sleep(openTimeout))
    if (!opened) {
      const cause = failure === undefined ? notWithin(openTimeout, "the Socket did not open") : failure.cause
      return yield* failed("Open", "Remote", cause ?? new Error("the Socket ended before it was open"))
    }

    // --- out

    const refuseWrite = Effect.suspend(() =>
      Effect.fail(failed("Write", failure?.initiator ?? "Local", failure ?? new Error("written to after its end")))
    )

    // The socket's own writer suspends for ever once the socket has ended.
    const untilOver = Effect.zipRight(over.await, refuseWrite)

    /** For what the medium does wrong: reading is over, too. */
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
      throw new TypeError(`bufferedAmount gives a number of bytes, not ${describeValue(amount)}`)
    }

    /** A WebSocket has no event for this, so it is asked: ever less often while nothing moves. */
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
      // memory that is transferred between this call and the write would leave a gap, and the peer could not go on
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
        // a write that was interrupted may have left more than fits
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
      return new RangeError(`${name} is a number of bytes, not ${describeValue(value)}`)
    }
  }
  const bufferedAmount: unknown = options.bufferedAmount
  if (bufferedAmount !== undefined && typeof bufferedAmount !== "function") {
    return new TypeError(`bufferedAmount is a function, not ${describeValue(bufferedAmount)}`)
  }
  const openTimeout: unknown = options.openTimeout
  const duration = openTimeout === undefined ? Option.some(Duration.zero) : Duration.decodeUnknown(openTimeout)
  return Option.isSome(duration)
    ? undefined
    : new TypeError(`openTimeout is a duration, not ${describeValue(openTimeout)}`)
}

const notWithin = (limit: Duration.Duration, what: string): Error =>
  new Error(`${what} within ${Duration.format(limit)}`)

const ignoringFaults = (effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllCause(effect, (cause) => Effect.logDebug("The writer of a Socket could not be closed", cause))

const MOVED = new TypeError("the memory of a chunk to write was transferred before it was written")

const MAX_BUFFERED = 64 * 1024 * 1024

const HIGH_WATER_MARK = 256 * 1024

const OPEN_TIMEOUT = "10 seconds"

const CLOSE_TIMEOUT = "2 seconds"

/** In milliseconds. */
const MAX_POLL_DELAY = 16
const MAX_STALLED_POLL_DELAY = 256
