import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Owners } from "../../src/protocol/owners.js"
import { makeOwners } from "../../src/protocol/owners.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import { data, rst } from "../../src/protocol/wire/frame.js"
import type { Overrides } from "../support/protocol/options.js"
import { connectionOptions } from "../support/protocol/options.js"
import { assertNothingLeft } from "../support/protocol/ownersAtRest.js"
import { showEvent, showFailure, showFrame } from "../support/protocol/text.js"

const WINDOW = 65_536

class World {
  readonly owners: Owners
  private readonly options

  constructor(overrides: Overrides = {}) {
    this.options = connectionOptions("server", { window: WINDOW, ...overrides })
    this.owners = makeOwners(this.options, 0)
  }

  /** A stream of this side; its SYN has left, unless `new`. */
  local(how: "new" | "known" = "known"): StreamCore {
    const { scheduler, table } = this.owners
    const id = table.takeLocalId()
    assert(id !== undefined)
    const stream = new StreamCore(id, "Local", this.options, undefined)
    table.add(stream)
    scheduler.schedule(stream)
    if (how === "known") this.sent()
    return stream
  }

  /** A stream of the peer. */
  remote(id: number): StreamCore {
    this.owners.receiver.receive(data(id, new Uint8Array(0), { syn: true }))
    const stream = this.owners.table.get(id)
    assert(stream !== undefined)
    return stream
  }

  /** Everything that can hang on a stream: bytes both ways, credit that waits, a reader, a writer without room. */
  burden(stream: StreamCore): void {
    const { capacity, credit, received, scheduler, writers } = this.owners
    stream.sendWindow.consume(5000)
    stream.outbound.push(new Uint8Array(5000))
    capacity.use(5000)
    scheduler.schedule(stream)
    writers.block(stream)
    stream.receiveWindow.receive(7000)
    received.hold(stream, new Uint8Array(7000))
    credit.consumed(stream, 100, 0)
    scheduler.grant(stream.id, 9)
    stream.reading = "Waiting"
  }

  sent(): ReadonlyArray<string> {
    return this.owners.scheduler.take(Infinity).map(showFrame)
  }

  events(): ReadonlyArray<string> {
    return this.owners.events.take().map(showEvent)
  }
}

const failure = (stream: StreamCore): string | undefined => stream.failure && showFailure(stream.failure)

interface Ending {
  readonly end: (owners: Owners, stream: StreamCore) => void
  readonly failure: string
  /** Whether the peer is sent an RST. */
  readonly code: number | undefined
  /** Whether what had arrived can still be read. */
  readonly keeps: boolean
  /** What it costs a peer whose stream it was. */
  readonly cost: number
}

const FAILURES: Readonly<Record<string, Ending>> = {
  "reset by this side": {
    end: ({ streamEndings }, stream) => streamEndings.reset(stream, ErrorCode.StreamCancelled),
    failure: "Reset 6 by Local, processed maybe",
    code: 6,
    keeps: false,
    cost: 0
  },
  "reset for a fault": {
    end: ({ streamEndings }, stream) => streamEndings.resetForFault(stream, ErrorCode.FlowControlError),
    failure: "Reset 3 by Local, processed maybe",
    code: 3,
    keeps: true,
    cost: 1
  },
  "reset by the peer": {
    end: ({ streamEndings }, stream) => streamEndings.resetByPeer(stream, ErrorCode.InternalError),
    failure: "Reset 2 by Remote, processed maybe",
    code: undefined,
    keeps: true,
    cost: 1
  },
  "bytes lost": {
    end: ({ streamEndings }, stream) => streamEndings.bytesLost(stream),
    failure: "Reset 2 by Local, processed maybe",
    code: 2,
    keeps: false,
    cost: 0
  },
  "its session has ended": {
    end: ({ streamEndings }, stream) =>
      streamEndings.fail(stream, { _tag: "SessionEnded", end: { _tag: "Closed" }, processed: "maybe" }),
    failure: "SessionEnded (Closed), processed maybe",
    code: undefined,
    keeps: true,
    cost: 0
  }
}

describe("a stream that fails leaves nothing behind, and its late frames are ignored", () => {
  for (const [name, { code, cost, end, failure: expected, keeps }] of Object.entries(FAILURES)) {
    for (const whose of ["Local", "Remote"] as const) {
      it(`${name}, of ${whose === "Local" ? "this side" : "the peer"}`, () => {
        const world = new World()
        const { owners } = world
        const stream = whose === "Local" ? world.local() : world.remote(3)
        owners.backlog.leave(stream)
        world.burden(stream)
        world.events()
        end(owners, stream)
        assert.strictEqual(failure(stream), expected)
        assert.strictEqual(stream.state, "Closed")
        const events = name === "bytes lost" ? [`BytesLost ${stream.id}`] : []
        assert.deepStrictEqual(world.events(), [...events, `Failed ${stream.id}: ${expected}`])
        assertNothingLeft(owners, keeps ? 7000 : 0)
        assert.strictEqual(stream.inboundEnd, keeps ? "Open" : "Cut")
        assert.deepStrictEqual(world.sent(), code === undefined ? [] : [`RST ${stream.id} code ${code}`])
        const resets = name === "reset by the peer" && whose === "Local" ? 0 : cost
        assert.strictEqual(owners.budgets.charged(0).resets, resets)
        // up to a window of late DATA, a FIN, and an RST that crossed
        owners.receiver.receive(data(stream.id, new Uint8Array(WINDOW - 1000)))
        owners.receiver.receive(data(stream.id, new Uint8Array(0), { fin: true }))
        owners.budgets.sent(0)
        owners.receiver.receive(rst(stream.id, ErrorCode.NoError))
        assert.deepStrictEqual([...world.sent(), ...world.events()], [])
        const { resets: after, uselessFrames } = owners.budgets.charged(0)
        assert.deepStrictEqual([after, uselessFrames], [resets, 0])
        // more than was allowed to be on its way is charged, and still not answered
        owners.receiver.receive(data(stream.id, new Uint8Array(WINDOW)))
        assert.deepStrictEqual(world.sent(), [])
      })
    }
  }

  it("without a sent SYN it sends nothing, has processed no, and its id is used again", () => {
    const world = new World()
    const stream = world.local("new")
    world.burden(stream)
    world.owners.streamEndings.reset(stream, ErrorCode.StreamCancelled)
    assert.strictEqual(failure(stream), "Reset 6 by Local, processed no")
    assertNothingLeft(world.owners)
    assert.deepStrictEqual(world.sent(), [])
    const next = world.local()
    assert.strictEqual(next.id, stream.id)
    world.owners.receiver.receive(data(next.id, new Uint8Array(1), { fin: true }))
    assert.strictEqual(next.inbound.length, 1, "its frames are not taken for late ones of the first")
  })

  it("after a refusal it has processed no, unless the peer had answered", () => {
    for (const answered of [false, true]) {
      const world = new World()
      const stream = world.local()
      stream.answered = answered
      world.owners.streamEndings.resetByPeer(stream, ErrorCode.AcceptQueueFull)
      assert.strictEqual(failure(stream), `Reset 9 by Remote, processed ${answered ? "maybe" : "no"}`)
    }
  })

  it("in the backlog it keeps its place until it is accepted, and can be read", () => {
    const world = new World()
    const stream = world.remote(3)
    world.owners.streamEndings.resetByPeer(stream, ErrorCode.NoError)
    assert.strictEqual(world.owners.backlog.size, 1)
    world.owners.backlog.leave(stream)
    assertNothingLeft(world.owners)
  })

  it("without a type it is not shown, and has no time limit for its type any more", () => {
    const world = new World({ typed: true })
    const stream = world.remote(3)
    assert.strictEqual(world.owners.untyped.size, 1)
    world.owners.streamEndings.reset(stream, ErrorCode.StreamRefused)
    assert.deepStrictEqual(world.events(), [])
    assertNothingLeft(world.owners)
  })

  it("RSTs that the peer does not read are limited, and too many end the session", () => {
    const world = new World({ resetBudget: { burst: 1e6, perSecond: 1 }, maxInboundStreams: 10 })
    const { lifecycle, streamEndings } = world.owners
    for (let i = 0; i < 4106; i++) streamEndings.resetUnknown(2 * i + 1, ErrorCode.StreamClosed, "nothing")
    assert.isFalse(lifecycle.isOver)
    streamEndings.resetUnknown(9001, ErrorCode.StreamClosed, "nothing")
    assert.deepStrictEqual(world.events(), ["Ended: Violation 10 by Local"])
    assert(lifecycle.end?._tag === "Violation")
    assert.strictEqual(lifecycle.end.detail, "too many RSTs wait to be sent")
    assert.strictEqual(world.owners.scheduler.pendingResets, 0)
  })

  it("the limit on RSTs that wait counts resets of the peer's streams, but not of this side's", () => {
    const world = new World({ maxInboundStreams: 10, acceptBacklog: 5000 })
    const { lifecycle, scheduler, streamEndings } = world.owners
    const own = Array.from({ length: 5000 }, () => world.local("new"))
    while (scheduler.hasFrames) world.sent()
    for (const stream of own) streamEndings.reset(stream, ErrorCode.StreamCancelled)
    assert.strictEqual(scheduler.pendingResets, 5000)
    assert.isFalse(lifecycle.isOver)
    while (scheduler.hasFrames) world.sent()
    for (let i = 0; i < 4106; i++) streamEndings.reset(world.remote(2 * i + 3), ErrorCode.StreamCancelled)
    assert.isFalse(lifecycle.isOver)
    streamEndings.reset(world.remote(9001), ErrorCode.StreamCancelled)
    assert.isTrue(lifecycle.isOver)
  })
})

describe("a stream that ends in order leaves nothing behind", () => {
  for (const order of [
    ["send", "receive"],
    ["receive", "send"]
  ] as const) {
    it(`FIN: ${order.join(", then ")}`, () => {
      const world = new World()
      const { owners } = world
      const stream = world.remote(3)
      owners.backlog.leave(stream)
      world.burden(stream)
      world.events()
      world.sent()
      for (const what of order) {
        assert.isFalse(world.events().some((event) => event.startsWith("Finished")))
        if (what === "receive") owners.streamEndings.finReceived(stream)
        else {
          stream.writing = "Finishing"
          owners.scheduler.schedule(stream)
          assert.deepStrictEqual(world.sent(), ["FIN 3 (0)"])
        }
      }
      assert.deepStrictEqual(world.events(), ["Finished 3"])
      assert.isUndefined(stream.failure)
      assert.isTrue(stream.endsCleanly)
      assertNothingLeft(owners, 7000)
    })
  }

  it("if its reader has stopped, it ends with our FIN, grants all credit, and answers the first late DATA for free", () => {
    const world = new World()
    const { owners } = world
    const stream = world.local()
    stream.receiveWindow.receive(300)
    stream.reading = "Stopped"
    stream.writing = "Finishing"
    owners.scheduler.schedule(stream)
    assert.deepStrictEqual(world.sent(), ["FIN 2 (0)"])
    assert.deepStrictEqual(world.events(), ["Finished 2"])
    assertNothingLeft(owners)
    assert.deepStrictEqual(world.sent(), ["WNDINC 2 +300"])
    for (let i = 0; i < 2; i++) owners.receiver.receive(data(2, new Uint8Array(10)))
    assert.deepStrictEqual(world.sent(), ["RST 2 code 4"])
    assert.deepStrictEqual(owners.budgets.charged(0), { resets: 0, refusals: 0, uselessFrames: 0, increments: 0 })
  })

  it("settle does nothing for a removed stream, and for one that has more to do", () => {
    const world = new World()
    const { streamEndings } = world.owners
    const [open, gone] = [world.local(), world.local()]
    streamEndings.reset(gone, ErrorCode.StreamCancelled)
    world.events()
    world.sent()
    for (const stream of [open, gone]) streamEndings.settle(stream)
    assert.deepStrictEqual([...world.events(), ...world.sent()], [])
    assert.strictEqual(world.owners.table.size, 1)
  })
})

describe("a stream that fails when its session is closed", () => {
  const flush = (world: World, stream: StreamCore): string | undefined => {
    world.events()
    world.owners.streamEndings.failAndFlush(stream, { _tag: "Closed" })
    assert.deepStrictEqual(world.events(), [`Failed ${stream.id}: ${failure(stream)}`])
    return failure(stream)
  }

  it("sends its accepted bytes, and stays in the table until then", () => {
    const world = new World()
    const stream = world.local()
    world.burden(stream)
    assert.strictEqual(flush(world, stream), "SessionEnded (Closed), processed maybe")
    assert.strictEqual(world.owners.table.size, 1)
    assert.deepStrictEqual(stream.failure, { _tag: "SessionEnded", end: { _tag: "Closed" }, processed: "maybe" })
    assert.deepStrictEqual(world.sent().slice(1), [`DATA ${stream.id} (5000)`])
  })

  it("emits no second end when its FIN is sent", () => {
    const world = new World()
    const { backlog, scheduler, streamEndings } = world.owners
    const stream = world.remote(3)
    backlog.leave(stream)
    streamEndings.finReceived(stream)
    stream.writing = "Finishing"
    scheduler.schedule(stream)
    flush(world, stream)
    assert.deepStrictEqual(world.sent(), ["FIN 3 (0)"])
    assert.deepStrictEqual(world.events(), [])
  })

  it("sends no SYN if it has nothing to send, and then has processed no", () => {
    const world = new World()
    assert.strictEqual(flush(world, world.local("new")), "SessionEnded (Closed), processed no")
    assert.deepStrictEqual(world.sent(), [])
    const finished = world.local("new")
    finished.writing = "Finishing"
    assert.strictEqual(flush(world, finished), "SessionEnded (Closed), processed maybe")
    assert.deepStrictEqual(world.sent(), [`SYN ${finished.id} (0)`, `FIN ${finished.id} (0)`])
  })
})

describe("space for the bytes that a frame announces", () => {
  it("is freed by resets of the streams that hold most, without a charge", () => {
    const world = new World({ maxReceiveBuffer: 10_000 })
    const { received, streamEndings } = world.owners
    const [small, large] = [world.remote(3), world.remote(5)]
    received.hold(small, new Uint8Array(3000))
    received.hold(large, new Uint8Array(6000))
    assert.isTrue(streamEndings.makeRoom(1000))
    assert.isUndefined(large.failure)
    assert.isTrue(streamEndings.makeRoom(1001))
    assert.strictEqual(failure(large), "Reset 10 by Local, processed maybe")
    assert.isUndefined(small.failure)
    assert.strictEqual(received.held, 3000)
    assert.strictEqual(world.owners.budgets.charged(0).resets, 0)
    assert.isFalse(streamEndings.makeRoom(10_001), "no stream is reset for what cannot fit")
    assert.isUndefined(small.failure)
  })

  it("is freed by as many resets as are needed", () => {
    const world = new World({ maxReceiveBuffer: 10_000 })
    const { received, streamEndings } = world.owners
    const streams = [3, 5, 7].map((id) => world.remote(id))
    for (const [i, stream] of streams.entries()) received.hold(stream, new Uint8Array(3000 + i))
    assert.isTrue(streamEndings.makeRoom(6000))
    assert.deepStrictEqual(
      streams.map((stream) => stream.failure !== undefined),
      [false, true, true]
    )
    assert.strictEqual(received.held, 3000)
  })

  it("is not freed further if an RST ends the session", () => {
    const world = new World({ maxReceiveBuffer: 10_000, maxInboundStreams: 10 })
    const { lifecycle, received, streamEndings } = world.owners
    for (const id of [3, 5]) received.hold(world.remote(id), new Uint8Array(4000))
    for (let i = 0; i < 4106; i++) streamEndings.resetUnknown(2 * i + 9, ErrorCode.StreamClosed, "nothing")
    world.events()
    streamEndings.makeRoom(10_000)
    assert.isTrue(lifecycle.isOver)
    const events = world.events()
    assert.strictEqual(events.length, 3)
    assert.strictEqual(events.at(-1), "Ended: Violation 10 by Local")
  })
})

// --- any streams, any ends

const stream = fc.record({
  whose: fc.constantFrom("Local", "Remote", "Unannounced" as const),
  burdened: fc.boolean(),
  stopped: fc.boolean(),
  end: fc.constantFrom(...Object.keys(FAILURES), "in order")
})

it("after any streams and endings every counter is 0, and each stream has emitted its end once", () => {
  fc.assert(
    fc.property(fc.array(stream, { minLength: 1, maxLength: 12 }), (plan) => {
      const world = new World()
      const { owners } = world
      const streams = plan.map(({ burdened, stopped, whose }, index) => {
        const stream =
          whose === "Remote" ? world.remote(2 * index + 3) : world.local(whose === "Local" ? "known" : "new")
        if (burdened) world.burden(stream)
        if (stopped) {
          stream.reading = "Stopped"
          owners.received.drop(stream)
        }
        return stream
      })
      world.events()
      streams.forEach((stream, index) => {
        const ending = FAILURES[plan[index]?.end ?? ""]
        if (ending !== undefined) return ending.end(owners, stream)
        stream.writing = "Finishing"
        owners.scheduler.schedule(stream)
        while (owners.scheduler.hasFrames) world.sent()
        if (!stopped(stream)) owners.receiver.receive(data(stream.id, new Uint8Array(0), { fin: true }))
      })
      const told = world.events().filter((event) => !/^BytesLost|^Readable/.test(event))
      assert.deepStrictEqual(
        told.map((event) => /\d+/.exec(event)?.[0]),
        streams.map((stream) => String(stream.id))
      )
      for (const stream of streams) {
        owners.backlog.leave(stream)
        owners.received.drop(stream)
        assert.notStrictEqual(stream.reading, "Waiting", "nothing waits on a stream that is over")
      }
      assertNothingLeft(owners)
    }),
    { numRuns: 200 }
  )
})

const stopped = (stream: StreamCore): boolean => stream.reading === "Stopped"
