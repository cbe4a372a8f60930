import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { SessionEnd } from "../../src/protocol/endReason.js"
import type { Owners } from "../../src/protocol/owners.js"
import { makeOwners } from "../../src/protocol/owners.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import { data, FrameType, goAway } from "../../src/protocol/wire/frame.js"
import { encodeUint32, HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import { connectionOptions } from "../support/protocol/options.js"
import { assertNothingLeft } from "../support/protocol/ownersAtRest.js"
import { FILLER, showEnd, showEvent, showFailure, showFrame } from "../support/protocol/text.js"

const options = connectionOptions("server", { typed: true, window: 65_536 })

const text = new TextEncoder()

/** A session with streams of every kind: begun, known, of the peer, untyped, heartbeats in both roles, bytes everywhere. */
class World {
  readonly owners: Owners = makeOwners(options, 0)
  /** Its SYN has not left. */
  readonly fresh: StreamCore
  readonly known: StreamCore
  readonly remote: StreamCore

  constructor() {
    const { capacity, heartbeats, receiver, scheduler, writers } = this.owners
    this.known = this.local(1)
    const ours = this.local(HEARTBEAT_TYPE)
    heartbeats.send(ours, 7)
    scheduler.take(Infinity)
    this.fresh = this.local(1)
    this.remote = this.peer(3, 1)
    this.peer(5, HEARTBEAT_TYPE)
    receiver.receive(data(7, new Uint8Array(2), { syn: true }))
    receiver.receive(data(3, new Uint8Array(40_000)))
    receiver.receive(data(5, new Uint8Array(3000)))
    this.known.sendWindow.consume(9000)
    this.known.outbound.push(new Uint8Array(9000))
    capacity.use(9000)
    scheduler.schedule(this.known)
    this.remote.sendWindow.consume(65_530)
    writers.block(this.remote)
    this.events()
  }

  private local(type: number): StreamCore {
    const { scheduler, table } = this.owners
    const id = table.takeLocalId()
    assert(id !== undefined)
    const stream = new StreamCore(id, "Local", options, type)
    table.add(stream)
    scheduler.schedule(stream)
    return stream
  }

  private peer(id: number, type: number): StreamCore {
    this.owners.receiver.receive(data(id, encodeUint32(type), { syn: true }))
    const stream = this.owners.table.get(id)
    assert(stream !== undefined)
    return stream
  }

  failures(): ReadonlyArray<string> {
    return [this.fresh, this.known, this.remote].map(({ failure }) =>
      failure === undefined ? "" : showFailure(failure)
    )
  }

  sent(): ReadonlyArray<string> {
    return this.owners.scheduler.take(Infinity).map(showFrame)
  }

  events(): ReadonlyArray<string> {
    return this.owners.events.take().map(showEvent)
  }
}

type End = (owners: Owners) => void

const transport: Extract<SessionEnd, { _tag: "TransportFailed" }> = {
  _tag: "TransportFailed",
  reason: "Read",
  cause: undefined,
  initiator: "Remote"
}
const silent = { _tag: "Dead", reason: "Heartbeat", silentFor: 9, since: 0 } as const
const malformed = (type: number) =>
  ({ _tag: "Malformed", code: ErrorCode.FrameSizeError, message: "short", type, streamId: 0, length: 3 }) as const

const ENDS: Readonly<Record<string, { readonly end: End; readonly is: string; readonly goAway?: string }>> = {
  abort: { end: ({ sessionEndings }) => sessionEndings.abort(), is: "Closed" },
  "a fault of the peer": {
    end: ({ sessionEndings }) => sessionEndings.closeWithError(ErrorCode.ProtocolError, "parity"),
    is: "Violation 1 by Local",
    goAway: "GOAWAY last 7 code 1"
  },
  "invalid bytes": {
    end: ({ sessionEndings }) => sessionEndings.malformed(malformed(FrameType.WindowIncrement)),
    is: "Violation 8 by Local",
    goAway: "GOAWAY last 7 code 8"
  },
  "a short GOAWAY of Rust": {
    end: ({ sessionEndings }) => sessionEndings.malformed(malformed(FrameType.GoAway)),
    is: `GoneAway last ${0x7fffffff} code 0 ""`,
    goAway: "GOAWAY last 7 code 8"
  },
  "a silent peer": {
    end: ({ sessionEndings }) => sessionEndings.dead(silent),
    is: "Dead Heartbeat silent for 9 since 0"
  },
  "a transport failure": {
    end: ({ sessionEndings }) => sessionEndings.transportFailed(transport),
    is: "TransportFailed Read by Remote"
  }
}

describe("a session that ends at once", () => {
  for (const [name, { end, goAway, is }] of Object.entries(ENDS)) {
    it(`${name}: every stream fails, nothing is left, and no event follows`, () => {
      const world = new World()
      const { owners } = world
      end(owners)
      assert.deepStrictEqual(world.failures(), [
        `SessionEnded (${is}), processed no`,
        `SessionEnded (${is}), processed maybe`,
        `SessionEnded (${is}), processed maybe`
      ])
      const events = world.events()
      assert.strictEqual(events.at(-1), `Ended: ${is}`)
      assert.strictEqual(events.filter((event) => event.startsWith("PingLost 7")).length, 1)
      assert.strictEqual(events.filter((event) => event.startsWith("Failed")).length, 3, "no hidden stream is told")
      assert.deepStrictEqual(world.sent(), goAway === undefined ? [] : [goAway, FILLER])
      assertNothingLeft(owners, 40_000)
      assert.strictEqual(world.remote.inbound.length, 40_000, "what had arrived stays readable")
      // a second end, of any kind, is none
      for (const other of Object.values(ENDS)) other.end(owners)
      owners.sessionEndings.goAway(ErrorCode.InternalError, "late")
      owners.sessionEndings.close(ErrorCode.InternalError, "late")
      for (const id of [3, 5, 9]) owners.receiver.receive(data(id, new Uint8Array(4), { syn: id === 9 }))
      assert.deepStrictEqual([...world.events(), ...world.sent()], [])
      assert.strictEqual(owners.lifecycle.end && showEnd(owners.lifecycle.end), is)
      assert.deepStrictEqual(owners.lifecycle.closed, { _tag: "Closed" }, "what is said too late was not said")
    })
  }
})

describe("a session that is closed", () => {
  it("fails its streams at once, sends their accepted bytes, then GOAWAY, and then ends", () => {
    const world = new World()
    const { sessionEndings } = world.owners
    sessionEndings.close(ErrorCode.InternalError, "restart")
    assert.deepStrictEqual(world.failures(), [
      "SessionEnded (Closed), processed no",
      "SessionEnded (Closed), processed maybe",
      "SessionEnded (Closed), processed maybe"
    ])
    const events = world.events()
    assert.isFalse(events.some((event) => event.startsWith("Ended")))
    assert.strictEqual(events.filter((event) => event.startsWith("Failed")).length, 3, "no hidden stream is shown")
    const sent = world.sent()
    assert.include(sent, `DATA ${world.known.id} (9000)`)
    assert.isFalse(
      sent.some((line) => line.startsWith("SYN")),
      "nothing that has nothing to send is begun"
    )
    assert.deepStrictEqual(sent.slice(-2), ["GOAWAY last 7 code 2", FILLER])
    sessionEndings.abort()
    assert.deepStrictEqual(world.events(), ["Ended: Closed"])
    assertNothingLeft(world.owners, 40_000)
  })

  for (const name of ["abort", "a silent peer", "a transport failure"]) {
    it(`ends with Closed even if it is cut short: ${name}`, () => {
      const world = new World()
      world.owners.sessionEndings.close(ErrorCode.NoError, "")
      world.events()
      ENDS[name]?.end(world.owners)
      assert.deepStrictEqual(world.events(), ["Ended: Closed"])
      assertNothingLeft(world.owners, 40_000)
      assert.deepStrictEqual(world.sent(), ["GOAWAY last 7 code 0", FILLER])
    })
  }

  it("twice keeps the first reason", () => {
    const world = new World()
    world.owners.sessionEndings.close(ErrorCode.NoError, "first")
    world.owners.sessionEndings.close(ErrorCode.InternalError, "second")
    assert.deepStrictEqual(world.owners.lifecycle.closed, { _tag: "Closed", code: ErrorCode.NoError, debug: "first" })
  })
})

describe("a peer that leaves", () => {
  it("fails the streams above its last id once, and says whether they may have been processed", () => {
    const world = new World()
    const { owners } = world
    world.fresh.answered = true
    const debug = text.encode("bye")
    owners.sessionEndings.peerLeaves(goAway(world.known.id, ErrorCode.NoError, debug))
    debug.fill(0)
    const end = `GoneAway last ${world.known.id} code 0 "bye"`
    assert.deepStrictEqual(world.failures(), [`SessionEnded (${end}), processed maybe`, "", ""])
    assert.strictEqual(owners.table.size, 4)
    world.events()
    owners.sessionEndings.peerLeaves(goAway(0, ErrorCode.NoError, text.encode("later")))
    assert.deepStrictEqual(world.events(), [
      "GoneAway last 0 code 0",
      `Failed ${world.known.id}: SessionEnded (GoneAway last 0 code 0 "later"), processed no`
    ])
    owners.sessionEndings.transportFailed(transport)
    assert.strictEqual(world.events().at(-1), `Ended: GoneAway last 0 code 0 "later"`)
  })

  it("and becomes silent is dead for its silence, but not for a frame that Rust leaves unfinished", () => {
    for (const reason of ["PartialFrame", "Heartbeat"] as const) {
      const world = new World()
      world.owners.sessionEndings.peerLeaves(goAway(99, ErrorCode.NoError, new Uint8Array(0)))
      world.owners.sessionEndings.dead({ ...silent, reason })
      const expected = reason === "PartialFrame" ? "GoneAway" : "Dead"
      assert.strictEqual(world.owners.lifecycle.end?._tag, expected)
    }
  })

  it("fails no stream a second time if this side is closing", () => {
    const world = new World()
    world.owners.sessionEndings.close(ErrorCode.NoError, "")
    const before = world.failures()
    world.events()
    world.owners.sessionEndings.peerLeaves(goAway(0, ErrorCode.NoError, new Uint8Array(0)))
    assert.deepStrictEqual(world.events(), ["GoneAway last 0 code 0"])
    assert.deepStrictEqual(world.failures(), before)
  })
})

it("the failure of a stream contains the reason of the session's end", () => {
  const world = new World()
  const { sessionEndings } = world.owners
  sessionEndings.peerLeaves(goAway(world.known.id, ErrorCode.NoError, new Uint8Array(0)))
  sessionEndings.dead(silent)
  const end = { _tag: "GoneAway", lastStreamId: world.known.id, code: 0, debug: new Uint8Array(0) } as const
  assert.deepStrictEqual(world.fresh.failure, { _tag: "SessionEnded", end, processed: "no" })
  assert.deepStrictEqual(world.known.failure, { _tag: "SessionEnded", end: silent, processed: "maybe" })
  const closed = new World()
  closed.owners.sessionEndings.close(ErrorCode.NoError, "")
  const processed = "maybe"
  assert.deepStrictEqual(closed.known.failure, { _tag: "SessionEnded", end: closed.owners.lifecycle.closed, processed })
})

it("a GOAWAY on a stream is not Rust's short one, but a violation", () => {
  const world = new World()
  const code = ErrorCode.ProtocolError
  world.owners.sessionEndings.malformed({ ...malformed(FrameType.GoAway), code, streamId: 3 })
  assert.deepStrictEqual(world.owners.lifecycle.end, { _tag: "Violation", code, detail: "short", initiator: "Local" })
})

it("a peer that accepts no bytes, or that has left, may have answered a heartbeat", () => {
  const stalled = new World()
  stalled.owners.sessionEndings.dead({ ...silent, reason: "WriteStalled" })
  assert.deepStrictEqual(stalled.owners.lifecycle.end, { ...silent, reason: "WriteStalled" })
  const left = new World()
  left.owners.sessionEndings.peerLeaves(goAway(99, ErrorCode.NoError, new Uint8Array(0)))
  left.owners.sessionEndings.dead(silent)
  assert.deepStrictEqual(left.owners.lifecycle.end, silent)
})

it("a dead peer has neverAnswered only if it answered no heartbeat", () => {
  const verdicts = [false, true].map((answered) => {
    const world = new World()
    const { heartbeats, sessionEndings } = world.owners
    if (answered && heartbeats.stream !== undefined) heartbeats.arrived(heartbeats.stream, encodeUint32(7))
    sessionEndings.dead(silent)
    return world.owners.lifecycle.end
  })
  assert.deepStrictEqual(verdicts, [{ ...silent, neverAnswered: true }, silent])
})

it("a session ends once, for the first reason, and Ended is its last event, for any endings in any order", () => {
  const soft: Readonly<Record<string, End>> = {
    drain: ({ lifecycle }) => lifecycle.drain(),
    goAway: ({ sessionEndings }) => sessionEndings.goAway(ErrorCode.NoError, "leaving"),
    close: ({ sessionEndings }) => sessionEndings.close(ErrorCode.NoError, "closing"),
    gone: ({ receiver }) => receiver.receive(goAway(2, ErrorCode.NoError, new Uint8Array(0))),
    take: ({ scheduler }) => scheduler.take(1000),
    data: ({ receiver }) => receiver.receive(data(3, new Uint8Array(9))),
    syn: ({ receiver, table }) =>
      receiver.receive(data(table.highestRemote + 2, encodeUint32(HEARTBEAT_TYPE), { syn: true }))
  }
  const name = fc.constantFrom(...Object.keys(soft), ...Object.keys(ENDS))
  fc.assert(
    fc.property(fc.array(name, { maxLength: 20 }), (names) => {
      const world = new World()
      const { lifecycle } = world.owners
      let end: SessionEnd | undefined
      const events: Array<string> = []
      for (const name of [...names, "abort"]) {
        const command = soft[name] ?? ENDS[name]?.end
        command?.(world.owners)
        end ??= lifecycle.end
        assert.strictEqual(lifecycle.end, end)
        events.push(...world.events())
      }
      assert(end !== undefined)
      assert.deepStrictEqual(
        events.filter((event) => event.startsWith("Ended")),
        [`Ended: ${showEnd(end)}`]
      )
      assert.isTrue(events.at(-1)?.startsWith("Ended"))
      assert.strictEqual(events.filter((event) => event.startsWith("Failed")).length, 3)
      assert.strictEqual(events.filter((event) => event.startsWith("PingLost")).length, 1)
      assert.isFalse(world.sent().some((line) => !/^GOAWAY|^UNKNOWN/.test(line)))
      world.owners.received.drop(world.remote)
      assertNothingLeft(world.owners)
    }),
    { numRuns: 300 }
  )
})
