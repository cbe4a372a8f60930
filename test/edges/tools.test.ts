import { assert, describe, it } from "@effect/vitest"
import { FrameLog, FrameReader, FrameWriter, MuxStream, Session, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { Census, SimulatedSessions, SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import { Context, Effect, Exit, Fiber, Layer, LogLevel } from "effect"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { logged } from "../support/logs.js"
import { call, echoWhole, ending, quick, sessionTest } from "../support/session/sessionTest.js"
import { wrong } from "../support/wrong.js"

describe("the options of a Socket's transport", () => {
  const options: ReadonlyArray<object> = [
    { maxBuffered: "x" },
    { highWaterMark: -1 },
    { openTimeout: "soon" },
    { bufferedAmount: 3 }
  ]
  for (const option of options) {
    const [name = ""] = Object.keys(option)
    it.scoped(`${name} that makes no sense fails with Open and is named`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Transport.fromSocket(wrong({}), wrong(option)))
        assert.include(error.message, name)
      })
    )
  }
})

describe("the log of frames", () => {
  for (const frameLog of [null, 3, "x", { level: "Debug" }, { session: 3 }, { types: 3 }, { nope: 1 }]) {
    it.scoped(`an option that is ${JSON.stringify(frameLog)} is refused by name`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(SimulatedSessions.make({ both: wrong({ frameLog }) }))
        assert.match(error.message, /frameLog/)
      })
    )
  }

  it.scopedLive("two sessions with a log of their own say which is which", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const named = (session: string) => ({ ...quick, frameLog: { level: LogLevel.Info, session } })
        const { client, server } = yield* SimulatedSessions.make({ client: named("ours"), server: named("theirs") })
        yield* Effect.forkScoped(server.serve(echoWhole))
        yield* call(client)
        for (const name of ["ours", "theirs"]) assert.isTrue(lines.some(({ message }) => message.startsWith(name)))
      })
    )
  )

  it("renders every kind of frame in one line, whatever a GOAWAY's text holds", () => {
    const frames: ReadonlyArray<Parameters<typeof FrameLog.render>[0]> = [
      { _tag: "Rst", streamId: 3, code: 2 },
      { _tag: "GoAway", lastStreamId: 0, code: 99, debug: new TextEncoder().encode("a\nb") }
    ]
    for (const frame of frames) assert.notInclude(FrameLog.render(frame), "\n")
  })
})

describe("layers", () => {
  it.effect("a layer with wrong options fails when it is built, and says which", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      for (const layer of [Session.layerClient({ window: 3 }), Session.layerServer({ window: 3 })]) {
        const error = yield* Effect.flip(
          Layer.build(Layer.provide(layer, Layer.succeed(Transport.Transport, link.client)))
        )
        assert.match(error.message, /window: must be an integer/)
      }
    }).pipe(Effect.scoped)
  )

  sessionTest("a reader, a writer and a log of frames used in two compositions are two of each", () =>
    Effect.gen(function* () {
      const composed = (transport: Transport.TransportService, role: "client" | "server") =>
        Effect.map(
          Layer.build(
            Session.layer({ ...quick, role }).pipe(
              Layer.provide(FrameLog.layer()),
              Layer.provide(Layer.merge(FrameReader.layer, FrameWriter.layer)),
              Layer.provide(Layer.succeed(Transport.Transport, transport))
            )
          ),
          (context) => Context.get(context, Session.Session)
        )
      const link = yield* SimulatedTransport.makePair()
      const [client, server] = [yield* composed(link.client, "client"), yield* composed(link.server, "server")]
      yield* Effect.forkScoped(server.serve(echoWhole))
      assert.strictEqual(yield* call(client), "hello")
    })
  )
})

describe("readers and writers of frames alone", () => {
  sessionTest("a take that is interrupted loses no frame; after the end it fails, again and again", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair({ latency: "20 millis", chunking: "byte" })
      const [reader, writer] = [FrameReader.make(link.server), FrameWriter.make(link.client)]
      yield* writer.write([{ _tag: "Rst", streamId: 3, code: 77 }])
      yield* Effect.ignore(Effect.timeout(Effect.forever(reader.take), 5))
      const codes: Array<number> = []
      while (codes.length === 0) {
        const { frames } = yield* reader.take
        for (const frame of frames) if (frame._tag === "Rst") codes.push(frame.code)
      }
      assert.deepStrictEqual(codes, [77])
      yield* link.client.end
      for (let i = 0; i < 2; i++) assert.match(yield* ending(reader.take), /^fails TransportFailed: /)
    })
  )

  sessionTest("a write of frames after the end of the transport fails, again and again", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const writer = FrameWriter.make(link.client)
      yield* link.client.destroy
      for (let i = 0; i < 2; i++) {
        const write = writer.write([{ _tag: "Rst", streamId: 3, code: 77 }])
        assert.match(yield* ending(write), /^fails TransportFailed: /)
      }
    })
  )

  sessionTest("two accepts at once take a stream each, in order", ({ client, server }) =>
    Effect.gen(function* () {
      const accepting = yield* Effect.fork(Effect.all([server.accept, server.accept], { concurrency: 2 }))
      yield* Effect.yieldNow()
      for (const data of ["one", "two"]) yield* MuxStream.write(yield* client.open(), data)
      const [first, second] = yield* Fiber.join(accepting)
      assert.deepStrictEqual([first.id, second.id], [3, 5])
    })
  )
})

describe("interrupted, and what is left", () => {
  sessionTest("a ping that is interrupted leaves the next its answer", ({ client }) =>
    Effect.gen(function* () {
      const pinging = yield* Effect.fork(client.ping)
      yield* Fiber.interrupt(pinging)
      yield* client.ping
      assert.strictEqual((yield* client.stats).outboundStreams, 0)
    })
  )

  sessionTest("a write that is interrupted while it waits sends nothing, or resets the stream", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const stream = yield* client.open()
      const writing = yield* Effect.fork(MuxStream.write(stream, new Uint8Array(2_000_000)))
      yield* Effect.sleep(10)
      yield* Fiber.interrupt(writing)
      assert.match(yield* ending(MuxStream.write(stream, "more")), /^fails StreamReset: .*StreamCancelled/)
    })
  )

  sessionTest("a session whose making is interrupted leaves nothing", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const making = yield* Effect.fork(
        Effect.scoped(Effect.zipRight(Session.fromTransport(link.client, { ...quick, role: "client" }), Effect.never))
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(making)
      assert.match(yield* ending(link.server.read), /^(ok|fails TransportFailed)/)
    })
  )

  it.scopedLive("listening that is interrupted leaves no file", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "edges-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const listening = yield* Effect.fork(
        Effect.scoped(Effect.zipRight(NodeSessionServer.makeUnix({ path: join(folder, "mux.sock") }), Effect.never))
      )
      yield* Effect.sleep(20)
      yield* Fiber.interrupt(listening)
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )

  it.scopedLive("a file that is no socket is neither listened on nor removed", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "edges-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const path = join(folder, "notes")
      writeFileSync(path, "kept")
      for (const replaceStale of [true, false]) {
        const error = yield* Effect.flip(NodeSessionServer.makeUnix({ path, replaceStale }))
        assert.match(error.message, /it is not a socket/)
      }
      assert.match((yield* Effect.flip(NodeTransport.makeUnix({ path }))).message, /nothing listens there/)
      assert.deepStrictEqual(readdirSync(folder), ["notes"])
    })
  )
})

describe("the tools for tests", () => {
  it.effect("an option of a link out of range is a RangeError that names it", () =>
    Effect.gen(function* () {
      const wrongLinks: Record<string, SimulatedTransport.Options> = {
        chunking: { chunking: { min: 0, max: -1 } },
        bandwidth: { bandwidth: 0 },
        cutAt: { faults: { clientToServer: { cutAt: -1 } } }
      }
      for (const [name, options] of Object.entries(wrongLinks)) {
        assert.match(
          yield* ending(Effect.scoped(SimulatedTransport.makePair(options))),
          new RegExp(`^dies RangeError: ${name}`)
        )
      }
    })
  )

  it.scoped("faults that are injected twice count once, and a cut link stays cut", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      yield* Effect.all([
        link.cut,
        link.cut,
        link.blackHole,
        link.inject({ cut: true }),
        link.stallWrites,
        link.neverEnd
      ])
      assert.match(yield* ending(link.client.read), /^fails TransportFailed/)
      assert.match(yield* ending(link.client.write([new Uint8Array(1)])), /^fails TransportFailed/)
    })
  )

  it.effect("a link that is used after its scope fails, and its trace is still there", () =>
    Effect.gen(function* () {
      const link = yield* Effect.scoped(SimulatedTransport.makePair({ trace: { bytes: true } }))
      assert.match(yield* ending(link.client.read), /^fails TransportFailed/)
      assert.match(yield* ending(link.server.write([new Uint8Array(1)])), /^fails TransportFailed/)
      assert.isString(SimulatedTransport.printTrace(yield* link.trace))
    })
  )

  it.effect("leavesNothing within leavesNothing, around a run of virtual time", () =>
    Effect.gen(function* () {
      const inner = VirtualTime.run(Effect.sleep("30 seconds"))
      assert.strictEqual(yield* ending(Census.leavesNothing(Census.leavesNothing(inner))), "ok")
    })
  )

  it.effect("a session that hangs ends its VirtualTime.run with what it waits for", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        SimulatedSessions.make({ both: { ...quick, heartbeat: false } }).pipe(
          Effect.flatMap(({ client }) => client.accept),
          Effect.scoped,
          VirtualTime.run
        )
      )
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("NotDone"))
    })
  )
})
