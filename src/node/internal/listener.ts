/**
 * Listening for connections: every one is handed over ready for bytes, or destroyed.
 *
 * @since 0.1.0
 */
import type { Address } from "@effect/platform/SocketServer"
import { SocketServerError } from "@effect/platform/SocketServer"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { KEEP_ALIVE_DELAY } from "./connect.js"
import { guardErrors } from "./errorGuard.js"

/**
 * Where to listen. Port 0 picks a free one; no `host` means every address. TLS takes Node's own options: `requestCert`
 * and `ca` for client certificates, and `handshakeTimeout`, which is 10 000 milliseconds unless given.
 *
 * @since 0.1.0
 * @category models
 */
export type ListenOptions =
  | { readonly _tag: "Tcp"; readonly host?: string | undefined; readonly port: number }
  | { readonly _tag: "Tls"; readonly options: TlsListenOptions }
  | { readonly _tag: "Unix"; readonly path: string }

/**
 * Node's TLS options, and where to listen.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsListenOptions extends Tls.TlsOptions {
  readonly host?: string | undefined
  readonly port: number
}

/**
 * Takes a connection over: it is this function's to destroy. Until it reads, the socket is paused.
 *
 * @since 0.1.0
 * @category models
 */
export type OnConnection = (socket: Net.Socket | Tls.TLSSocket) => void

/**
 * A listening socket.
 *
 * - `subscribe` hands over the connections that are waiting, and then every new one, until its scope closes; with more
 *   than one subscriber, to the newest. Without any, up to `MAX_WAITING` connections wait, and more are closed.
 * - `stopListening` accepts no more, and frees the address; connections handed over are left alone, the waiting ones
 *   can still be handed over. Idempotent, and done by the listener's scope, which destroys the waiting ones too.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  readonly address: Address
  readonly subscribe: (onConnection: OnConnection) => Effect.Effect<void, never, Scope.Scope>
  readonly stopListening: Effect.Effect<void>
}

/**
 * How many accepted connections wait for a first subscriber.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_WAITING = 128

/** TLS handshakes that may be under way; more connections are dropped. */
const MAX_SHAKING = 1024

/**
 * The milliseconds that a TLS handshake may take, unless said otherwise: an open connection costs its owner nothing
 * until then, so Node's two minutes are an invitation.
 *
 * @since 0.1.0
 * @category constants
 */
const HANDSHAKE_TIMEOUT = 10_000

/**
 * Listens until the scope closes. Fails with SocketServerError `"Open"`. What goes wrong with a single connection
 * later (a failed handshake, no file descriptor left for it) costs that connection alone.
 *
 * @since 0.1.0
 * @category constructors
 */
export const listen = (options: ListenOptions): Effect.Effect<Listener, SocketServerError, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const warn = (cause: unknown): void => {
      Runtime.runFork(runtime)(Effect.logWarning("A connection could not be accepted", cause))
    }
    const broker = yield* Effect.acquireRelease(Effect.sync(makeBroker), (broker) => Effect.sync(broker.close))
    const server = yield* Effect.acquireRelease(
      Effect.try({ try: () => create(options, broker), catch: openFailed }),
      (server) => Effect.sync(() => stop(server))
    )
    yield* awaitListening(server, options)
    // With a listener, an error of accept (EMFILE) is not thrown.
    server.on("error", warn)
    const address = server.address()
    if (address === null) return yield* openFailed(new Error("The server is not listening"))
    return {
      address:
        typeof address === "string"
          ? { _tag: "UnixAddress", path: address }
          : { _tag: "TcpAddress", hostname: address.address, port: address.port },
      subscribe: broker.subscribe,
      stopListening: Effect.sync(() => stop(server))
    }
  })

// --- the server ---

const create = (options: ListenOptions, broker: Broker): Net.Server => {
  const settings = { allowHalfOpen: true, noDelay: true, pauseOnConnect: false }
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY }
  switch (options._tag) {
    case "Unix":
      return Net.createServer(settings, broker.offer)
    case "Tcp":
      return Net.createServer({ ...settings, ...keepAlive }, broker.offer)
    case "Tls": {
      const server = Tls.createServer({
        ...keepAlive,
        ...options.options,
        ...settings,
        handshakeTimeout: options.options.handshakeTimeout ?? HANDSHAKE_TIMEOUT
      })
      server.on("connection", broker.shake)
      server.on("secureConnection", (socket) => {
        broker.shaken(socket)
        broker.offer(socket)
      })
      server.on("tlsClientError", (_cause, socket) => socket.destroy())
      return server
    }
  }
}

const awaitListening = (server: Net.Server, options: ListenOptions): Effect.Effect<void, SocketServerError> =>
  Effect.async((resume) => {
    const onListening = (): void => done(Effect.void)
    const onError = (cause: unknown): void => done(openFailed(cause))
    const done = (effect: Effect.Effect<void, SocketServerError>): void => {
      forget()
      resume(effect)
    }
    const forget = (): void => {
      server.off("listening", onListening)
      server.off("error", onError)
    }
    server.on("listening", onListening)
    server.on("error", onError)
    try {
      if (options._tag === "Unix") server.listen({ path: options.path })
      else {
        const { host, port } = options._tag === "Tcp" ? options : options.options
        server.listen({ port, ...(host === undefined ? {} : { host }) })
      }
    } catch (cause) {
      return done(openFailed(cause))
    }
    return Effect.sync(() => {
      forget()
      // It may still be looking up the host, and would tell of its failure then.
      server.on("error", () => {})
      server.on("listening", () => stop(server))
    })
  })

const stop = (server: Net.Server): void => {
  if (server.listening) server.close()
}

const openFailed = (cause: unknown): SocketServerError => new SocketServerError({ reason: "Open", cause })

// --- the connections ---

interface Broker {
  readonly offer: OnConnection
  /** A TLS handshake begins on this raw socket. */
  readonly shake: (raw: Net.Socket) => void
  /** A TLS handshake was done. */
  readonly shaken: (socket: Tls.TLSSocket) => void
  readonly subscribe: Listener["subscribe"]
  readonly close: () => void
}

const makeBroker = (): Broker => {
  let closed = false
  const subscribers: Array<OnConnection> = []
  const waiting = new Set<Net.Socket>()
  /** Raw sockets in their handshake. The TLS socket that comes of one shares nothing public with it but its ends. */
  const shaking = new Map<string, Net.Socket>()

  const offer: OnConnection = (socket) => {
    // The subscriber may take a tick to listen for errors itself.
    guardErrors(socket)
    const subscriber = subscribers.at(-1)
    if (closed) socket.destroy()
    else if (subscriber !== undefined) subscriber(socket)
    else if (waiting.size >= MAX_WAITING) socket.destroy()
    else {
      waiting.add(socket)
      socket.once("close", () => waiting.delete(socket))
    }
  }

  return {
    offer,
    shake: (raw) => {
      guardErrors(raw)
      if (shaking.size >= MAX_SHAKING) return void raw.destroy()
      const ends = endsOf(raw)
      shaking.set(ends, raw)
      raw.once("close", () => {
        if (shaking.get(ends) === raw) shaking.delete(ends)
      })
    },
    shaken: (socket) => {
      shaking.delete(endsOf(socket))
    },
    subscribe: (onConnection) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          // A function of its own, so that the same one may subscribe twice.
          const subscriber: OnConnection = (socket) => onConnection(socket)
          subscribers.push(subscriber)
          for (const socket of waiting) {
            waiting.delete(socket)
            if (!socket.destroyed) subscriber(socket)
          }
          return subscriber
        }),
        (subscriber) => Effect.sync(() => void subscribers.splice(subscribers.indexOf(subscriber), 1))
      ).pipe(Effect.asVoid),
    close: () => {
      closed = true
      for (const socket of waiting) socket.destroy()
      for (const socket of shaking.values()) socket.destroy()
      waiting.clear()
      shaking.clear()
    }
  }
}

const endsOf = (socket: Net.Socket): string =>
  [socket.remoteAddress, socket.remotePort, socket.localAddress, socket.localPort].join(" ")
