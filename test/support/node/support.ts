import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { mkdtemp, rm } from "node:fs/promises"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Duplex } from "node:stream"
import * as Tls from "node:tls"
import type { TransportFailed } from "../../../src/MuxadoError.js"
import type { TransportService } from "../../../src/Transport.js"
import { NodeTransport } from "../../../src/node/index.js"
import type { Listener } from "../../../src/node/internal/listener.js"
import type { ListenOptions } from "../../../src/node/internal/listenOptions.js"
import { listen } from "../../../src/node/internal/listener.js"
import { certificates } from "../certificates.js"

/** One end of an in-memory pair: the other end's buffer is all that lies between them. */
export class PairEnd extends Duplex {
  peer: PairEnd | undefined
  private waiting: (() => void) | undefined

  override _read(): void {
    const done = this.waiting
    this.waiting = undefined
    done?.()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.peer === undefined || this.peer.destroyed) done(new Error("The other end is gone"))
    else if (this.peer.push(chunk)) done()
    else this.peer.waiting = done
  }

  override _final(done: (error?: Error | null) => void): void {
    this.peer?.push(null)
    done()
  }
}

export const duplexPair = (highWaterMark = 16_384): readonly [PairEnd, PairEnd] => {
  const a = new PairEnd({ highWaterMark })
  const b = new PairEnd({ highWaterMark })
  a.peer = b
  b.peer = a
  return [a, b]
}

/** Lets the event loop turn, so that whatever needs no more than that has happened. */
export const turns = (count: number): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
  })

/** The number of listeners on `duplex`, by event. */
export const census = (duplex: Duplex): Record<string, number> =>
  Object.fromEntries(duplex.eventNames().map((name) => [String(name), duplex.listenerCount(name)]))

/** Every byte up to the peer's end; any other failure is passed on. */
export const readToEnd = (transport: TransportService): Effect.Effect<Uint8Array, TransportFailed> =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    while (true) {
      const chunk = yield* transport.read.pipe(
        Effect.catchIf(
          (error) => error.reason === "Ended",
          () => Effect.succeed(undefined)
        )
      )
      if (chunk === undefined) return Buffer.concat(chunks)
      chunks.push(chunk)
    }
  })

/** Writes `bytes` in batches of chunks of odd sizes. */
export const writeAll = (transport: TransportService, bytes: Uint8Array): Effect.Effect<void, TransportFailed> =>
  Effect.gen(function* () {
    const sizes = [1, 7, 4_093, 65_537, 131, 16_385, 33]
    for (let at = 0, n = 0; at < bytes.length;) {
      const batch: Array<Uint8Array> = []
      for (let chunks = n % 5; chunks >= 0; chunks--, n++) {
        const size = sizes[n % sizes.length] ?? 1
        batch.push(bytes.subarray(at, at + size))
        at += size
      }
      yield* transport.write(batch)
    }
  })

export type Medium = "tcp" | "tls" | "unix"
export const media: ReadonlyArray<Medium> = ["tcp", "tls", "unix"]

/** A path for a unix socket, in a directory that goes with the scope. */
export const socketPath: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "muxado-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
).pipe(Effect.map((directory) => join(directory, "socket")))

/** How to listen on `medium`; with TLS, both sides ask for a certificate. */
export const listenOptions = (medium: Medium): Effect.Effect<ListenOptions, never, Scope.Scope> => {
  switch (medium) {
    case "tcp":
      return Effect.succeed({ _tag: "Tcp", where: { host: "127.0.0.1", port: 0 } })
    case "unix":
      return Effect.map(socketPath, (path) => ({ _tag: "Unix", path }))
    case "tls":
      return Effect.map(Effect.promise(certificates), ({ ca, server }) => ({
        _tag: "Tls",
        options: { ...server, ca, requestCert: true, rejectUnauthorized: true, host: "127.0.0.1", port: 0 }
      }))
  }
}

export const portOf = (listener: Listener): number =>
  listener.address._tag === "TcpAddress" ? listener.address.port : 0

/** Connects to `listener`, with the right certificate. */
export const connectTo = (
  listener: Listener,
  medium: Medium
): Effect.Effect<TransportService, TransportFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { address } = listener
    if (address._tag === "UnixAddress") return yield* NodeTransport.makeUnix({ path: address.path })
    const at = { host: "127.0.0.1", port: address.port }
    if (medium === "tcp") return yield* NodeTransport.makeTcp(at)
    const { ca, client } = yield* Effect.promise(certificates)
    return yield* NodeTransport.makeTls({ ...at, ca, ...client })
  })

/** The next connection of `listener`. */
export const accepted = (listener: Listener): Effect.Effect<Net.Socket> =>
  Effect.scoped(
    Effect.gen(function* () {
      const first = yield* Deferred.make<Net.Socket>()
      yield* listener.subscribe((socket) => Deferred.unsafeDone(first, Effect.succeed(socket)))
      return yield* Deferred.await(first)
    })
  )

/** Two connected sockets, the connecting one first, which go with the scope. */
export const socketPair = (medium: Medium): Effect.Effect<readonly [Net.Socket, Net.Socket], unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const listener = yield* Effect.flatMap(listenOptions(medium), listen)
    const { address } = listener
    const { ca, client } = yield* Effect.promise(certificates)
    const dial = Effect.async<Net.Socket>((resume) => {
      const done = (): void => resume(Effect.succeed(socket))
      const socket =
        address._tag === "UnixAddress"
          ? Net.connect({ path: address.path }, done)
          : medium === "tls"
            ? Tls.connect({ host: "127.0.0.1", port: address.port, ca, ...client }, done)
            : Net.connect({ host: "127.0.0.1", port: address.port, noDelay: true }, done)
    })
    const sockets = yield* Effect.all([dial, accepted(listener)], { concurrency: "unbounded" })
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
    return sockets
  })

export interface Connection {
  readonly client: TransportService
  readonly server: TransportService
  readonly socket: Net.Socket
}

/** A connection over real sockets: a transport at each end, and the accepted end's socket. */
export const connected = (medium: Medium): Effect.Effect<Connection, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const listener = yield* Effect.flatMap(listenOptions(medium), listen)
    const [client, socket] = yield* Effect.all([connectTo(listener, medium), accepted(listener)], {
      concurrency: "unbounded"
    })
    return { client, server: yield* NodeTransport.fromDuplex(socket), socket }
  })

// --- in memory ---

/** UTF-8. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (chunk: Uint8Array): string => Buffer.from(chunk).toString()
/** Whether `fiber` is over. */
export const isDone = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean => fiber.unsafePoll() !== null
/** Reason, initiator and processed of the failure that an exit is. */
export const failed = (exit: Exit.Exit<unknown, TransportFailed>): string =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail"
    ? `${exit.cause.error.reason} ${exit.cause.error.initiator} ${exit.cause.error.processed}`
    : String(exit)
/** The same of the failure that an effect ends in. */
export const failure = <A>(effect: Effect.Effect<A, TransportFailed>): Effect.Effect<string> =>
  Effect.map(Effect.exit(effect), failed)

/** A transport at each end of an in-memory pair. */
export const pair = Effect.gen(function* () {
  const [near, far] = duplexPair()
  return { near, far, a: yield* NodeTransport.fromDuplex(near), b: yield* NodeTransport.fromDuplex(far) }
})
