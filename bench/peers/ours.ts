/** effect-muxado, used as a program in Effect uses it. */
import { Effect, Exit, Fiber, Layer, ManagedRuntime, Option, Scope } from "effect"
import type { MuxadoError, SessionOptions } from "effect-muxado"
import { MuxStream, Session, SessionServer } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import type { BulkOptions, Driver, EchoOptions, Peer, PingOptions, Server, Service } from "../peer.js"
import {
  CHUNK,
  checkEcho,
  COUNT_BYTES,
  echoPayload,
  encodeCount,
  IDLE_BYTES,
  IDLE_OPENING,
  Latencies,
  PING_BYTE,
  pingPayload,
  SETTLE_MILLISECONDS,
  Tally
} from "../workload.js"

type StreamError = MuxadoError.StreamError
type Handler = (stream: MuxStream.MuxStream) => Effect.Effect<void, StreamError>

/** The bench says so where it opens more streams than a session takes unless told otherwise. */
const streams = Number(process.env["BENCH_STREAMS"] ?? 0)

const options: SessionOptions =
  streams > 1000 ? { maxInboundStreams: streams, maxOutboundStreams: streams, acceptBacklog: streams } : {}

// --- both sides ---

/** Gives all that comes to `each`, one after the other. */
const readEach = (
  stream: MuxStream.MuxStream,
  each: (bytes: Uint8Array) => Effect.Effect<void, StreamError>
): Effect.Effect<void, StreamError> => {
  const loop: Effect.Effect<void, StreamError> = Effect.flatMap(
    MuxStream.read(stream),
    Option.match({
      onNone: () => Effect.void,
      onSome: (bytes) => Effect.zipRight(each(bytes), loop)
    })
  )
  return loop
}

const writeWhile = (stream: MuxStream.MuxStream, more: () => boolean): Effect.Effect<void, StreamError> =>
  Effect.whileLoop({ while: more, body: () => MuxStream.write(stream, CHUNK), step: () => {} })

// --- the server ---

const echo: Handler = (stream) => Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes))

const answer: Handler = (stream) => readEach(stream, (bytes) => MuxStream.write(stream, bytes))

const countFrom = (stream: MuxStream.MuxStream, first: number) =>
  Effect.gen(function* () {
    let count = first
    yield* readEach(stream, (bytes) => Effect.sync(() => void (count += bytes.length)))
    return count
  })

const sink: Handler = (stream) =>
  Effect.flatMap(countFrom(stream, 0), (count) => MuxStream.write(stream, encodeCount(count)))

const duplex: Handler = (stream) =>
  Effect.gen(function* () {
    let ended = false
    const writing = yield* Effect.fork(writeWhile(stream, () => !ended))
    const count = yield* countFrom(stream, 0)
    ended = true
    yield* Fiber.join(writing)
    yield* MuxStream.write(stream, encodeCount(count))
  })

const mixed: Handler = (stream) =>
  Effect.gen(function* () {
    const first = Option.getOrElse(yield* MuxStream.read(stream), () => new Uint8Array(0))
    if (first[0] === PING_BYTE) {
      yield* MuxStream.write(stream, first)
      yield* answer(stream)
    } else {
      yield* MuxStream.write(stream, encodeCount(yield* countFrom(stream, first.length)))
    }
  })

const handlers: Record<Service, Handler> = { echo, ping: answer, sink, duplex, mixed }

const serve = async (service: Service, port: number): Promise<Server> => {
  const runtime = ManagedRuntime.make(NodeSessionServer.layerTcp({ host: "127.0.0.1", port }, options))
  const { address } = await runtime.runPromise(SessionServer.SessionServer)
  const running = runtime.runFork(SessionServer.run((session) => session.serve(handlers[service])))
  return {
    port: address._tag === "TcpAddress" ? address.port : 0,
    close: async () => {
      await Effect.runPromise(Fiber.interrupt(running))
      await runtime.dispose()
    }
  }
}

// --- the client ---

/** One echo: what a call is to a program. */
const call = (session: Session.SessionService, request: Uint8Array) =>
  session.withStream((stream) =>
    MuxStream.write(stream, request).pipe(
      Effect.zipRight(MuxStream.finish(stream)),
      Effect.zipRight(MuxStream.readAll(stream))
    )
  )

const echoes = (session: Session.SessionService, { concurrency, size, milliseconds }: EchoOptions) =>
  Effect.gen(function* () {
    const payload = echoPayload(size)
    const started = performance.now()
    let done = 0
    const caller = Effect.gen(function* () {
      do {
        const reply = yield* call(session, payload)
        checkEcho(size, reply.length, reply[0], reply[reply.length - 1])
        done += 1
      } while (performance.now() - started < milliseconds)
    })
    yield* Effect.replicateEffect(caller, concurrency, { concurrency: "unbounded", discard: true })
    return { streams: done, milliseconds: performance.now() - started }
  })

/** One round trip on a stream that stays open. */
const trip = (stream: MuxStream.MuxStream, payload: Uint8Array): Effect.Effect<void, StreamError> => {
  const rest = (left: number): Effect.Effect<void, StreamError> =>
    Effect.flatMap(MuxStream.read(stream), (bytes) => {
      if (Option.isNone(bytes)) return Effect.dieMessage("the stream ended while its ping was out")
      return bytes.value.length < left ? rest(left - bytes.value.length) : Effect.void
    })
  return Effect.zipRight(MuxStream.write(stream, payload), rest(payload.length))
}

const pings = (session: Session.SessionService, { size, beside, milliseconds }: PingOptions) =>
  Effect.gen(function* () {
    let over = false
    const others = yield* Effect.fork(
      Effect.replicateEffect(
        push(session, () => !over),
        beside,
        { concurrency: "unbounded", discard: true }
      )
    )
    if (beside > 0) yield* Effect.sleep(SETTLE_MILLISECONDS)
    const payload = pingPayload(size)
    const latencies = new Latencies(milliseconds)
    const result = yield* session.withStream((stream) =>
      Effect.gen(function* () {
        const started = performance.now()
        let sent = started
        yield* Effect.whileLoop({
          while: () => sent - started < milliseconds,
          body: () => trip(stream, payload),
          step: () => {
            const now = performance.now()
            latencies.add(now - sent)
            sent = now
          }
        })
        return latencies.result(sent - started)
      })
    )
    over = true
    yield* Fiber.join(others)
    return result
  })

/** A stream that writes while it may, and reads all the while: to the server's count. */
const push = (session: Session.SessionService, more: () => boolean) =>
  session.withStream((stream) =>
    Effect.gen(function* () {
      const tally = new Tally()
      let received = 0
      const reading = yield* Effect.fork(
        readEach(stream, (bytes) =>
          Effect.sync(() => {
            received += bytes.length
            tally.add(bytes)
          })
        )
      )
      yield* writeWhile(stream, more)
      yield* MuxStream.finish(stream)
      yield* Fiber.join(reading)
      return { bytes: tally.total(), down: received - COUNT_BYTES }
    })
  )

const bulk = (session: Session.SessionService, { streams: count, bothWays, milliseconds }: BulkOptions) =>
  Effect.gen(function* () {
    const started = performance.now()
    const more = () => performance.now() - started < milliseconds
    const totals = yield* Effect.replicateEffect(push(session, more), count, { concurrency: "unbounded" })
    if (totals.some(({ down }) => down > 0 !== bothWays)) yield* Effect.dieMessage("not the service that was meant")
    return { bytes: totals.reduce((sum, { bytes }) => sum + bytes, 0), milliseconds: performance.now() - started }
  })

/** Opens so many streams in `scope`, each with a fiber that reads on. */
const idle = (session: Session.SessionService, count: number, scope: Scope.Scope) => {
  const one = Effect.gen(function* () {
    const stream = yield* session.open()
    yield* trip(stream, pingPayload(IDLE_BYTES))
    yield* Effect.forkScoped(MuxStream.read(stream))
  })
  return Scope.extend(Effect.replicateEffect(one, count, { concurrency: IDLE_OPENING, discard: true }), scope)
}

const connect = async (port: number): Promise<Driver> => {
  const runtime = ManagedRuntime.make(
    Session.layerClient(options).pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })))
  )
  const session = await runtime.runPromise(Session.Session)
  const idling = Effect.runSync(Scope.make())
  return {
    echo: (echo) => runtime.runPromise(echoes(session, echo)),
    ping: (ping) => runtime.runPromise(pings(session, ping)),
    bulk: (options) => runtime.runPromise(bulk(session, options)),
    idle: (count) => runtime.runPromise(idle(session, count, idling)),
    close: async () => {
      await Effect.runPromise(Scope.close(idling, Exit.void))
      await runtime.dispose()
    }
  }
}

export const peer: Peer = {
  name: "ours",
  about:
    "effect-muxado through its public API, each stream a fiber; default options (heartbeat, windows, limits, budgets on), " +
    "but for maxInboundStreams, maxOutboundStreams and acceptBacklog where a cell has more than 1,000 streams",
  serve,
  connect
}
