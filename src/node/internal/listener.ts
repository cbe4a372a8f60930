/**
 * Accepts connections. Each one is delivered ready for bytes (after its TLS handshake), or destroyed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { outside } from "../../internal/support/outside.js"
import { park } from "../../internal/support/park.js"
import { Runner } from "../../internal/support/run.js"
import { Once } from "../../internal/support/waiters.js"
import { ServerFailed } from "../../MuxadoError.js"
import type { Address } from "../../SessionServer.js"
import type { Peer } from "../../Transport.js"
import { KEEP_ALIVE_DELAY } from "./connect.js"
import { guardErrors } from "./errorGuard.js"
import { listenFailed, meaningOf } from "./explain.js"
import { endpointOf, peerOf, tcpEndpoint, unixEndpoint } from "./peer.js"
import * as SocketFile from "./socketFile.js"
import type { ListenOptions } from "./listenOptions.js"
import { isSocketFile } from "./where.js"

/**
 * Receives a connection and owns it: it must destroy the socket, which is paused until it is read. `peer` is
 * `undefined` if the socket had closed before it was accepted.
 *
 * @since 0.1.0
 * @category models
 */
export type OnConnection = (socket: Net.Socket | Tls.TLSSocket, peer: Peer | undefined) => void

/**
 * A listening socket.
 *
 * - `subscribe` delivers the connections that wait, and then each new one, until its scope closes. With several
 *   subscribers, the newest gets them. Without a subscriber, up to `MAX_WAITING` connections wait, and more are closed.
 * - `stopListening` stops accepting, frees the address, and destroys the connections that were not delivered: those that
 *   wait, and those in their handshake. Delivered connections stay open. It is idempotent. The listener's scope calls it
 *   when it closes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  readonly address: Address
  readonly subscribe: (onConnection: OnConnection) => Effect.Effect<void, never, Scope.Scope>
  readonly stopListening: Effect.Effect<void>
  /** Fails once the scope of the listener has closed. */
  readonly closed: Effect.Effect<never, ServerFailed>
}

/**
 * How many accepted connections wait while there is no subscriber.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_WAITING = 128

/** The most TLS handshakes in progress; more connections are closed. */
const MAX_SHAKING = 1024

/**
 * The milliseconds that a TLS handshake may take by default. With Node's 2 minutes, clients could hold sockets without
 * effort.
 *
 * @since 0.1.0
 * @category constants
 */
const HANDSHAKE_TIMEOUT = 10_000

/**
 * Listens until the scope closes. Fails with `ServerFailed`. A later fault of one connection (a failed handshake, no
 * file descriptor for it) affects only that connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const listen = (options: ListenOptions): Effect.Effect<Listener, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const runner = yield* Runner.current()
    const log = (effect: Effect.Effect<void>): void => void runner.fork(effect)
    const endpoint = endpointOfListener(options)
    const closed = new Once<never, ServerFailed>()
    const stopped = new ServerFailed({ reason: "Stopped", detail: `The server on ${endpoint} is closed` })
    yield* Effect.addFinalizer(() => Effect.sync(() => closed.complete(Exit.fail(stopped))))
    const broker = yield* Effect.acquireRelease(
      Effect.sync(() => makeBroker((text) => log(Effect.logDebug(text)))),
      (broker) => Effect.sync(broker.close)
    )
    const file = options._tag === "Unix" && isSocketFile(options.path) ? SocketFile.make(options) : undefined
    const server = yield* Effect.acquireRelease(
      Effect.try({
        // Connections and their events run in the async context in which the server is created: that of no request.
        try: () => outside(() => create(options, broker)),
        catch: (cause) => listenFailed(endpoint, cause)
      }),
      (server) => Effect.sync(() => stop(server, file))
    )
    const listening =
      file === undefined
        ? awaitListening(server, options)
        : file.listen((path) => awaitListening(server, { _tag: "Unix", path }))
    yield* listening.pipe(
      Effect.mapError((cause) => listenFailed(endpoint, cause)),
      Effect.onError(() => Effect.sync(() => stop(server, file)))
    )
    const at = server.address()
    if (at === null) return yield* listenFailed(endpoint, new Error("The server is not listening"))
    const address: Address = options._tag === "Unix" ? { _tag: "UnixAddress", path: options.path } : tcpAddress(at)
    // Without this listener Node would throw an error of accept, such as EMFILE.
    server.on("error", (cause) =>
      log(Effect.logWarning(`A connection could not be accepted: ${meaningOf(cause)}`, cause))
    )
    return {
      address,
      subscribe: broker.subscribe,
      stopListening: Effect.sync(() => {
        stop(server, file)
        broker.close()
      }),
      closed: closed.await
    }
  })

// --- the server ---

const endpointOfListener = (options: ListenOptions): string => {
  if (options._tag === "Unix") return unixEndpoint(options.path)
  const where = options._tag === "Tcp" ? options.where : options.options
  if ("listening" in where)
    return where.listening instanceof Net.Server ? "a listening server" : `descriptor ${where.listening.fd}`
  return tcpEndpoint(where.host ?? "*", where.port)
}

const tcpAddress = (address: string | Net.AddressInfo): Address =>
  typeof address === "string"
    ? { _tag: "UnixAddress", path: address }
    : { _tag: "TcpAddress", hostname: address.address, port: address.port }

const create = (options: ListenOptions, broker: Broker): Net.Server => {
  const settings = { allowHalfOpen: true, noDelay: true, pauseOnConnect: false }
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY }
  switch (options._tag) {
    case "Unix": {
      const peer: Peer = { _tag: "Unix", path: options.path }
      return Net.createServer(settings, (socket) => broker.offer(socket, peer))
    }
    case "Tcp":
      return Net.createServer({ ...settings, ...keepAlive }, (socket) => broker.offer(socket, peerOf(socket)))
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
        broker.offer(socket, peerOf(socket))
      })
      server.on("tlsClientError", broker.shakeFailed)
      return server
    }
  }
}

const awaitListening = (server: Net.Server, options: ListenOptions): Effect.Effect<void, unknown> =>
  park((resume) => {
    const onListening = (): void => done(Effect.void)
    const onError = (cause: unknown): void => done(Effect.fail(cause))
    const done = (effect: Effect.Effect<void, unknown>): void => {
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
      outside(() => {
        if (options._tag === "Unix") return server.listen({ path: options.path })
        const where = options._tag === "Tcp" ? options.where : options.options
        // the socket of another server then belongs to this one
        if ("listening" in where) return server.listen(where.listening)
        const { host, port, reusePort } = where
        const shared: object = reusePort === true ? { reusePort } : {}
        return server.listen({ port, ...(host === undefined ? {} : { host }), ...shared })
      })
    } catch (cause) {
      return done(Effect.fail(cause))
    }
    return Effect.sync(forget)
  })

const stop = (server: Net.Server, file: SocketFile.SocketFile | undefined): void => {
  file?.remove()
  if (server.listening) return void server.close()
  // The server may still look up its host. After that it emits an error, or listens.
  server.on("error", () => {})
  server.on("listening", () => void server.close())
}

// --- the connections ---

interface Broker {
  readonly offer: OnConnection
  /** A TLS handshake begins on this raw socket. */
  readonly shake: (raw: Net.Socket) => void
  /** A TLS handshake was done. */
  readonly shaken: (socket: Tls.TLSSocket) => void
  /** A TLS handshake failed, or took too long. */
  readonly shakeFailed: (cause: unknown, socket: Tls.TLSSocket) => void
  readonly subscribe: Listener["subscribe"]
  readonly close: () => void
}

const makeBroker = (log: (text: string) => void): Broker => {
  let closed = false
  const subscribers: Array<OnConnection> = []
  const waiting = new Map<Net.Socket, Peer | undefined>()
  /** Raw sockets in their handshake, by their addresses: these are all that a TLS socket shows of its raw socket. */
  const shaking = new Map<string, Net.Socket>()
  const refused = new WeakSet<Net.Socket>()

  const offer: OnConnection = (socket, peer) => {
    // The subscriber may listen for errors itself only one tick later.
    guardErrors(socket)
    const subscriber = subscribers.at(-1)
    if (closed) socket.destroy()
    else if (subscriber !== undefined) subscriber(socket, peer)
    else if (waiting.size >= MAX_WAITING) {
      log(`A connection from ${nameOf(peer)} was refused: ${MAX_WAITING} connections already wait for run`)
      socket.destroy()
    } else {
      waiting.set(socket, peer)
      socket.once("close", () => waiting.delete(socket))
    }
  }

  return {
    offer,
    shake: (raw) => {
      guardErrors(raw)
      if (shaking.size >= MAX_SHAKING) {
        log(
          `A connection from ${nameOf(peerOf(raw))} was refused: ${MAX_SHAKING} TLS handshakes are already in progress`
        )
        refused.add(raw)
        return void raw.destroy()
      }
      const ends = endsOf(raw)
      shaking.set(ends, raw)
      raw.once("close", () => {
        if (shaking.get(ends) === raw) shaking.delete(ends)
      })
    },
    shaken: (socket) => {
      shaking.delete(endsOf(socket))
    },
    shakeFailed: (cause, socket) => {
      const raw = rawOf(socket)
      // A handshake that ended with the listener, or was refused above, did not fail by itself.
      if (!closed && !refused.has(raw)) {
        // For a client's certificate that is rejected, Node reports a hang-up. `authorizationError` has the real
        // reason.
        const why = meaningOf(socket.authorizationError ?? cause)
        log(`A TLS handshake with ${nameOf(peerOf(socket) ?? peerOf(raw))} failed: ${why}`)
      }
      socket.destroy()
    },
    subscribe: (onConnection) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          // A new function, so that the same callback may subscribe twice.
          const subscriber: OnConnection = (socket, peer) => onConnection(socket, peer)
          subscribers.push(subscriber)
          outside(() => {
            for (const [socket, peer] of waiting) {
              waiting.delete(socket)
              if (!socket.destroyed) subscriber(socket, peer)
            }
          })
          return subscriber
        }),
        (subscriber) => Effect.sync(() => void subscribers.splice(subscribers.indexOf(subscriber), 1))
      ).pipe(Effect.asVoid),
    close: () => {
      closed = true
      for (const socket of waiting.keys()) socket.destroy()
      for (const socket of shaking.values()) socket.destroy()
      waiting.clear()
      shaking.clear()
    }
  }
}

const endsOf = (socket: Net.Socket): string =>
  [socket.remoteAddress, socket.remotePort, socket.localAddress, socket.localPort].join(" ")

const nameOf = (peer: Peer | undefined): string => (peer === undefined ? "an unknown address" : endpointOf(peer))

/** The raw socket, which Node keeps in `_parent`. It still knows its address when the TLS socket has closed. */
const rawOf = (socket: Tls.TLSSocket): Net.Socket => {
  const raw: unknown = Reflect.get(socket, "_parent")
  return raw instanceof Net.Socket ? raw : socket
}
