/** Faults of the services that were found and mended, each by its symptom. */
import { assert, it } from "@effect/vitest"
import type { Session as SessionModule } from "effect-muxado"
import { Frame, FrameReader, MuxStream, Session, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/TestClock"
import { directTransport } from "../../src/internal/transport/fastPath.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import {
  echo,
  exchange,
  makePair,
  makeRawPair,
  noise,
  passTimeUntil,
  scenario,
  sessionOver,
  settle,
  yields
} from "./utils/sessions.js"

class First extends Context.Tag("test/First")<First, SessionModule.SessionService>() {}
class Second extends Context.Tag("test/Second")<Second, SessionModule.SessionService>() {}

it.effect("two sessions in one program do not share a decoder or a writer", () =>
  Effect.gen(function* () {
    const links = [yield* SimulatedTransport.makePair(), yield* SimulatedTransport.makePair()] as const
    for (const link of links) {
      const server = yield* sessionOver("server", link.server)
      yield* Effect.forkScoped(server.serve(echo))
    }
    const over = (transport: Transport.TransportService) =>
      Session.layerClient().pipe(Layer.provide(Layer.succeed(Transport.Transport, transport)))
    const layers = Layer.merge(
      Layer.provide(Layer.effect(First, Session.Session), over(links[0].client)),
      Layer.provide(Layer.effect(Second, Session.Session), over(links[1].client))
    )
    const context = yield* Layer.build(layers)
    for (const session of [Context.get(context, First), Context.get(context, Second)]) {
      const bytes = noise(1000, 3)
      assert.deepStrictEqual(yield* session.withStream((stream) => exchange(stream, bytes)), bytes)
    }
  }).pipe(scenario)
)

it.effect("a burst of streams in one chunk does not overflow the backlog while handlers are to be had", () =>
  Effect.gen(function* () {
    const { client, receive, send } = yield* makeRawPair({ typed: false, heartbeat: false, acceptBacklog: 8 })
    const serving = yield* Effect.fork(client.serve((stream) => MuxStream.readAll(stream)))
    yield* settle
    const ids = Array.from({ length: 300 }, (_, index) => 2 * index + 2)
    yield* send(ids.map((id) => Frame.data(id, Uint8Array.of(1), { syn: true })))
    yield* send(ids.map((id) => Frame.data(id, undefined, { fin: true })))
    const finished = new Set<number>()
    while (finished.size < ids.length) {
      for (const frame of (yield* receive).frames) {
        assert.notStrictEqual(frame._tag, "Rst")
        if (frame._tag === "Data" && frame.fin) finished.add(frame.streamId)
      }
    }
    yield* Fiber.interrupt(serving)
  }).pipe(scenario)
)

it.effect("a drain with a long grace gives it to the last bytes on a slow link", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair({ link: { bandwidth: 20_000, bufferSize: 16_384 } })
    const received = yield* Deferred.make<Uint8Array>()
    yield* Effect.forkScoped(
      server.serve((stream) => Effect.flatMap(MuxStream.readAll(stream), (bytes) => Deferred.succeed(received, bytes)))
    )
    const bytes = noise(120_000, 5)
    yield* client.withStream((stream) => MuxStream.write(stream, bytes))
    yield* Effect.flatMap(Effect.fork(client.drain("60 seconds")), passTimeUntil)
    assert.deepStrictEqual(yield* Deferred.await(received), bytes)
  }).pipe(scenario)
)

it.effect("a reader that dies ends the session, heartbeats or not", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair()
    const session = yield* sessionOver(
      "client",
      { ...link.client, read: Effect.dieMessage("broken") },
      {
        heartbeat: false
      }
    )
    const end = yield* session.closed
    assert.strictEqual(end._tag, "TransportFailed")
  }).pipe(scenario)
)

it.effect("a chunk of many megabytes is decoded bit by bit", () =>
  Effect.gen(function* () {
    const chunk = new Uint8Array(1024 * 1024)
    // a million bytes of empty frames of an unknown type
    for (let at = 3; at < chunk.length; at += 8) chunk[at] = 0xf0
    const reader = FrameReader.make({
      read: Effect.succeed(chunk),
      write: () => Effect.void,
      end: Effect.void,
      destroy: Effect.void
    })
    let frames = 0
    for (let batches = 0; batches < 16; batches++) {
      const batch = yield* reader.take
      assert.isAtMost(batch.frames.length, 8192)
      assert.strictEqual(batch.midFrame, batches < 15)
      frames += batch.frames.length
    }
    assert.strictEqual(frames, chunk.length / 8)
  })
)

it.effect("bytes are not lost when a read is interrupted at whatever operation", () =>
  Effect.gen(function* () {
    for (let step = 1; step < 30; step++) {
      const { client, server } = yield* makePair()
      const written = yield* client.open()
      yield* MuxStream.write(written, Uint8Array.of(1, 2, 3))
      const stream = yield* server.accept
      const reading: { fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined } = { fiber: undefined }
      let operations = 0
      const scheduler = Scheduler.make(
        (task) => void Promise.resolve().then(task),
        () => {
          if (++operations !== step) return false
          const { fiber } = reading
          if (fiber !== undefined) fiber.unsafeInterruptAsFork(fiber.id())
          return 0
        }
      )
      let got: Option.Option<Uint8Array> | undefined
      const read = Effect.withFiberRuntime<void, unknown>((fiber) => {
        reading.fiber = fiber
        // not `map`: that would take the bytes one operation after they were given
        return Effect.flatMap(MuxStream.read(stream), (bytes) => {
          got = bytes
          return Effect.void
        })
      })
      yield* Effect.fork(Effect.withScheduler(read, scheduler)).pipe(Effect.flatMap(Fiber.await))
      got ??= yield* MuxStream.read(stream)
      assert.deepStrictEqual(Option.map(got, Array.from), Option.some([1, 2, 3]), `step ${step}`)
    }
  }).pipe(scenario)
)

it.effect("a read that pauses just as its stream ends does not wait for ever", () =>
  Effect.gen(function* () {
    const { client } = yield* makePair({ server: { maxInboundStreams: 200 } })
    const endings = {
      reset: (stream: MuxStream.MuxStream) => MuxStream.reset(stream, 1),
      stopReading: (stream: MuxStream.MuxStream) => MuxStream.stopReading(stream),
      close: (stream: MuxStream.MuxStream) => MuxStream.close(stream)
    }
    for (const [name, ending] of Object.entries(endings)) {
      for (let step = 1; step < 30; step++) {
        const stream = yield* client.open()
        const tasks: Array<() => void> = []
        let operations = 0
        const scheduler = Scheduler.make(
          (task) => void tasks.push(task),
          () => (++operations === step ? 0 : false)
        )
        const reading = Effect.runFork(MuxStream.read(stream), { scheduler })
        yield* ending(stream)
        for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
        assert.isNotNull(reading.unsafePoll(), `${name}, pause ${step}: the read waits on`)
      }
    }
  }).pipe(scenario)
)

it.effect("a handler that is interrupted before its first operation gives its place back", () =>
  Effect.gen(function* () {
    const { client, receive, send } = yield* makeRawPair({ typed: false, heartbeat: false })
    const begun = new Set<unknown>()
    const scheduler = Scheduler.make(
      (task) => void Promise.resolve().then(task),
      (fiber) => {
        if (begun.has(fiber)) return false
        begun.add(fiber)
        return 0
      }
    )
    yield* Effect.forkScoped(Effect.withScheduler(client.serve(echo, { concurrency: 1 }), scheduler))
    yield* settle
    // reset in the very chunk that opens it
    yield* send([Frame.data(2, Uint8Array.of(1), { syn: true }), Frame.rst(2, 1)])
    yield* send([Frame.data(4, Uint8Array.of(7), { syn: true }), Frame.data(4, undefined, { fin: true })])
    yield* settle
    const { frames } = yield* receive
    assert.deepStrictEqual(
      frames.flatMap((frame) => (frame._tag === "Data" ? [[frame.streamId, ...frame.payload]] : [])),
      [[4, 7]]
    )
  }).pipe(scenario)
)

it.effect("a chunk that comes before the frames of the last one were received does not take their place", () =>
  Effect.gen(function* () {
    const { client: transport } = yield* SimulatedTransport.makePair()
    let take: (chunk: Uint8Array) => void = () => assert.fail("nobody listens")
    directTransport.set(transport, {
      each: (onChunk) => {
        take = onChunk
        return Effect.never
      },
      tryWrite: () => false
    })
    const session = yield* sessionOver("client", transport, { typed: false, heartbeat: false, acceptBacklog: 1000 })
    yield* settle
    const chunk = (first: number) => {
      const ids = Array.from({ length: 50 }, (_, index) => first + 2 * index)
      return Buffer.concat(encode(ids.map((id) => Frame.data(id, Uint8Array.of(1), { syn: true }))))
    }
    take(chunk(2))
    take(chunk(102))
    yield* settle
    assert.strictEqual((yield* session.stats).accepted, 100)
  }).pipe(scenario)
)

it.scopedLive("a copy of a transport with another write is written to", () =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
    yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
    const port = server.address._tag === "TcpAddress" ? server.address.port : 0
    const transport = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
    let writes = 0
    let reads = 0
    const session = yield* sessionOver("client", {
      ...transport,
      read: Effect.tap(transport.read, () => Effect.sync(() => reads++)),
      write: (chunks) => {
        writes++
        return transport.write(chunks)
      }
    })
    const bytes = noise(1000, 1)
    assert.deepStrictEqual(yield* session.withStream((stream) => exchange(stream, bytes)), bytes)
    assert.isAbove(writes, 0)
    assert.isAbove(reads, 0)
  })
)

it.scopedLive("a server that has stopped listening says so when it is run again", () =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
    const running = yield* Effect.fork(server.run(() => Effect.void))
    yield* yields(50)
    yield* Fiber.interrupt(running)
    const error = yield* Effect.flip(server.run(() => Effect.void))
    assert.strictEqual(error._tag, "SocketServerError")
  })
)

it.effect("a thousand calls that time out together do not cost the session", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair({ link: { latency: "5 millis" } })
    yield* Effect.forkScoped(server.serve((stream) => (stream.type === 1 ? echo(stream) : Effect.never)))
    const calls = Effect.forEach(
      Array.from({ length: 1000 }),
      () => Effect.timeoutOption(client.withStream(MuxStream.readAll), "1 second"),
      { concurrency: "unbounded", discard: true }
    )
    yield* Effect.flatMap(Effect.fork(calls), passTimeUntil)
    const after = yield* Effect.fork(client.withStream((stream) => exchange(stream, noise(100, 1)), { type: 1 }))
    assert.deepStrictEqual(yield* passTimeUntil(after), noise(100, 1))
    assert.strictEqual((yield* server.stats).inboundStreams, 0)
  }).pipe(scenario)
)

it.effect("a drain that resets a thousand calls is an orderly goodbye to the peer", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair({ link: { latency: "5 millis" } })
    yield* Effect.forkScoped(server.serve(() => Effect.never))
    const calls = yield* Effect.forEach(Array.from({ length: 1000 }), () =>
      Effect.fork(Effect.exit(client.withStream(MuxStream.readAll)))
    )
    yield* TestClock.adjust("100 millis")
    assert.strictEqual((yield* server.stats).inboundStreams, 1000)
    yield* Effect.flatMap(Effect.fork(client.drain("100 millis")), passTimeUntil)
    yield* Effect.forEach(calls, Fiber.join, { discard: true })
    assert.strictEqual((yield* server.closed)._tag, "RemoteGoneAway")
  }).pipe(scenario)
)
