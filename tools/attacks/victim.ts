/**
 * The process under attack, which reports the memory that it holds. It runs with `node --expose-gc
 * --single-threaded-gc`, so that a collection has freed everything when it returns. It gets commands and answers them
 * by IPC.
 */
import type { SessionOptions } from "effect-muxado"
import { Session, type Transport } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import type { Application } from "./application.js"
import { apply } from "./application.js"

export interface Order {
  readonly application: Application
  readonly options: SessionOptions
}

export type Message = Order | "forget" | "report"

/** The port where the order is carried out, or the most that was held since it was forgotten, and what is held now. */
export type Reply = { readonly port: number } | { readonly peak: number; readonly now: number }

/** So many reads are looked at for certain, and then one whenever so many bytes have come. */
const FIRST_READS = 3
const BYTES_BETWEEN = 4 * 1024 * 1024

let peak = 0
let reads = 0
let unseen = 0

/** Everything that can be reached: objects, and the bytes of buffers. */
const held = (): number => {
  globalThis.gc?.()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

const look = (): number => {
  const now = held()
  peak = Math.max(peak, now)
  return now
}

/** Looks while the session is about to read more: it holds all that it ever will of what has come. */
const watched = (transport: Transport.TransportService): Transport.TransportService => ({
  ...transport,
  read: Effect.suspend(() => {
    if (reads < FIRST_READS || unseen >= BYTES_BETWEEN) {
      unseen = 0
      look()
    }
    return Effect.tap(transport.read, (chunk) => {
      reads++
      unseen += chunk.length
    })
  })
})

const session = (socket: Net.Socket, { application, options }: Order): Effect.Effect<void> =>
  Effect.gen(function* () {
    const transport = watched(yield* NodeTransport.fromDuplex(socket))
    const session = yield* Session.fromTransport(transport, { ...options, role: "server" })
    yield* apply(application, session)
    yield* session.closed
  }).pipe(Effect.scoped, Effect.orDie)

const reply = (message: Reply): void => void process.send?.(message)

const serve = (order: Order): void => {
  const server = Net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    Effect.runFork(session(socket, order))
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (address !== null && typeof address === "object") reply({ port: address.port })
  })
}

process.on("message", (message: Message) => {
  if (message === "forget") {
    peak = 0
    reads = 0
    unseen = 0
    const now = look()
    reply({ peak: now, now })
  } else if (message === "report") {
    const now = look()
    reply({ peak, now })
  } else {
    serve(message)
  }
})

process.on("disconnect", () => process.exit())
