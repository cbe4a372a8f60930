/**
 * Opens a socket to a peer. An attempt that fails leaves no socket open.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"
import { park } from "../../internal/support/park.js"
import { outside } from "../../internal/support/outside.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { Peer, TransportService } from "../../Transport.js"
import { fromDuplex } from "./duplex.js"
import { guardErrors } from "./errorGuard.js"
import { explained } from "./explain.js"

/**
 * How long connecting may take by default, including the TLS handshake.
 *
 * @since 0.1.0
 * @category constants
 */
const CONNECT_TIMEOUT: Duration.DurationInput = "10 seconds"

/**
 * The milliseconds of silence after which the kernel probes the peer. NATs and load balancers forget an idle connection
 * after minutes, so this is short enough, and it is longer than a session's heartbeat interval (10 seconds).
 *
 * @since 0.1.0
 * @category constants
 */
export const KEEP_ALIVE_DELAY = 30_000

/**
 * A connection to open. `problems` lists its wrong options; if there are any, nothing is started. `endpoint` is its
 * address in errors. `peer` is given if the socket itself does not know it, as with unix sockets.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectOptions {
  readonly problems: ReadonlyArray<string>
  readonly start: () => Net.Socket
  readonly ready: "connect" | "secureConnect"
  readonly timeout: Duration.DurationInput | undefined
  readonly endpoint: string | undefined
  readonly peer?: Peer | undefined
}

/**
 * Calls `start`, waits until the socket emits `ready`, and adapts it. If the time is over first, or the fiber is
 * interrupted, the socket is destroyed. Fails with TransportFailed `"Open"`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect = ({
  endpoint,
  peer,
  problems,
  ready,
  start,
  timeout: limit
}: ConnectOptions): Effect.Effect<TransportService, TransportFailed, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      if (problems.length > 0) return yield* openFailed(undefined, new TypeError(problems.join("; ")))
      const fail = (cause: unknown): TransportFailed => openFailed(endpoint, cause)
      const timeout = Duration.decode(limit ?? CONNECT_TIMEOUT)
      const { socket, release } = yield* Effect.try({
        try: () =>
          // The socket lives longer than the request that opens it, so it must not keep the async context of that one.
          outside(() => {
            const socket = start()
            return { socket, release: guardErrors(socket) }
          }),
        catch: fail
      })
      yield* restore(
        Effect.timeoutFail(Effect.mapError(awaitEvent(socket, ready), fail), {
          duration: timeout,
          onTimeout: () => fail(new Error(`No connection within ${Duration.format(timeout)}`))
        })
      ).pipe(Effect.onError(() => Effect.sync(() => socket.destroy())))
      const transport = yield* fromDuplex(socket, { peer, endpoint })
      // From here on the transport handles the errors of the socket.
      release()
      return transport
    })
  )

const awaitEvent = (socket: Net.Socket, ready: "connect" | "secureConnect"): Effect.Effect<void, unknown> =>
  park((resume) => {
    const done = (effect: Effect.Effect<void, unknown>): void => {
      forget()
      resume(effect)
    }
    const onReady = (): void => done(Effect.void)
    const onError = (cause: unknown): void => done(Effect.fail(cause))
    const onClose = (): void => onError(new Error("The socket was closed before it was connected"))
    const forget = (): void => {
      socket.off(ready, onReady)
      socket.off("error", onError)
      socket.off("close", onClose)
    }
    socket.on(ready, onReady)
    socket.on("error", onError)
    socket.on("close", onClose)
    return Effect.sync(forget)
  })

const openFailed = (endpoint: string | undefined, cause: unknown): TransportFailed => {
  // If a name has several addresses, Node tries each, and then gives an AggregateError without a message.
  if (cause instanceof AggregateError && cause.message === "") {
    cause.message = cause.errors.map((error) => (error instanceof Error ? error.message : String(error))).join("; ")
  }
  return new TransportFailed({
    reason: "Open",
    cause: explained(cause),
    initiator: "Local",
    processed: "no",
    endpoint
  })
}
