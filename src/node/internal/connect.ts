/**
 * Opening a socket to a peer, all or nothing.
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
 * How long connecting may take, TLS handshake included, unless said otherwise.
 *
 * @since 0.1.0
 * @category constants
 */
const CONNECT_TIMEOUT: Duration.DurationInput = "10 seconds"

/**
 * The milliseconds of silence after which the kernel probes the peer: well under the minutes after which NATs and load
 * balancers forget a connection, and no load beside a session's own heartbeat.
 *
 * @since 0.1.0
 * @category constants
 */
export const KEEP_ALIVE_DELAY = 30_000

/**
 * A connection to open. `problems` are what is wrong with its options: with any, nothing is started. `endpoint` is what
 * errors call it, `peer` what the socket itself does not know of the other side.
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
 * Calls `start`, waits until the socket emits `ready`, and adapts it. A socket that does not get there in time, or is
 * interrupted on its way, is destroyed. Fails with TransportFailed `"Open"`.
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
          // The socket lives longer than the request that connects it.
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
      // From here on the transport guards it.
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
  // One attempt for each address of a name ends in an error of errors, which Node leaves without a message.
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
