import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Owners } from "../../src/protocol/owners.js"
import { makeOwners } from "../../src/protocol/owners.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import { encodeUint32, HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import { data, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import type { Overrides } from "../support/protocol/options.js"
import { connectionOptions } from "../support/protocol/options.js"
import { Scripted } from "../support/protocol/scripted.js"
import { showEvent } from "../support/protocol/text.js"

/** Answers that may wait to be sent, in bytes. */
const MAX_ECHOES = 1024

const WINDOW = 262_144

const make = (overrides: Overrides = {}): Owners =>
  makeOwners(connectionOptions("server", { typed: true, ...overrides }), 0)

const events = ({ events }: Owners): ReadonlyArray<string> => events.take().map(showEvent)

/** A stream of this side for heartbeats, as `Connection` opens one. */
const open = ({ table }: Owners, peerWindow = WINDOW): StreamCore => {
  const id = table.takeLocalId()
  assert(id !== undefined)
  const stream = new StreamCore(id, "Local", { window: WINDOW, peerWindow }, HEARTBEAT_TYPE)
  table.add(stream)
  return stream
}

/** A heartbeat stream of the peer, as `Receiver` finds one. */
const opened = ({ table }: Owners, id: number, peerWindow = WINDOW): StreamCore => {
  const stream = new StreamCore(id, "Remote", { window: WINDOW, peerWindow }, HEARTBEAT_TYPE)
  table.add(stream)
  return stream
}

const taken = (owners: Owners): ReadonlyArray<number> =>
  owners.scheduler.take(Infinity).flatMap((frame) => (frame._tag === "Data" ? [...frame.payload] : []))

describe("heartbeats of this side", () => {
  it("use bytes of the window, and of the capacity until they are sent", () => {
    const owners = make()
    const stream = open(owners)
    assert.isUndefined(owners.heartbeats.stream)
    assert.isTrue(owners.heartbeats.send(stream, 7))
    assert.strictEqual(owners.heartbeats.stream, stream)
    assert.strictEqual(stream.sendWindow.credit, WINDOW - 4)
    assert.strictEqual(owners.capacity.queued, 4)
    assert.deepStrictEqual(taken(owners), [...encodeUint32(HEARTBEAT_TYPE), ...encodeUint32(7)])
    assert.strictEqual(owners.capacity.queued, 0)
  })

  it("a pending number is not sent again, and uses no credit", () => {
    const owners = make()
    const stream = open(owners)
    owners.heartbeats.send(stream, 7)
    assert.isFalse(owners.heartbeats.send(stream, 7))
    assert.strictEqual(stream.sendWindow.credit, WINDOW - 4)
    assert.strictEqual(owners.capacity.queued, 4)
  })

  it("wait for their answer by number, until it arrives", () => {
    const owners = make()
    const stream = open(owners)
    owners.heartbeats.send(stream, 7)
    assert.deepStrictEqual([owners.heartbeats.awaits(7), owners.heartbeats.awaits(8)], [true, false])
    owners.heartbeats.arrived(stream, encodeUint32(7))
    assert.isFalse(owners.heartbeats.awaits(7))
  })

  it("an answer gives the round trip, and shows that the peer knows heartbeats", () => {
    const owners = make()
    const stream = open(owners)
    owners.heartbeats.send(stream, 7)
    owners.time.now = 30
    assert.isFalse(owners.heartbeats.areKnown)
    owners.heartbeats.arrived(stream, encodeUint32(8))
    assert.isFalse(owners.heartbeats.areKnown)
    owners.heartbeats.arrived(stream, encodeUint32(7))
    assert.deepStrictEqual(events(owners), ["Pong 7 after 30"])
    assert.strictEqual(owners.heartbeats.roundTrip, 30)
    assert.isTrue(owners.heartbeats.areKnown)
    assert.strictEqual(owners.received.held, 0)
  })

  it("are lost with their stream and its reason; only a reset by the peer shows that it knows them", () => {
    for (const initiator of ["Local", "Remote"] as const) {
      const owners = make()
      const stream = open(owners)
      for (const nonce of [7, 8]) owners.heartbeats.send(stream, nonce)
      owners.streamEndings.fail(stream, { _tag: "Reset", code: ErrorCode.StreamRefused, initiator, processed: "no" })
      assert.deepStrictEqual(events(owners), [
        `PingLost 7 on 2: Reset 5 by ${initiator}, processed no`,
        `PingLost 8 on 2: Reset 5 by ${initiator}, processed no`
      ])
      assert.isUndefined(owners.heartbeats.stream)
      assert.strictEqual(owners.heartbeats.areKnown, initiator === "Remote")
      assert.strictEqual(owners.capacity.queued, 0)
      assert.isTrue(owners.heartbeats.send(open(owners), 7), "the number is free again")
    }
  })

  it("are lost once and at once when the session is closed, although their stream is still sent", () => {
    const owners = make()
    const stream = open(owners)
    owners.heartbeats.send(stream, 7)
    owners.sessionEndings.close(ErrorCode.NoError, "")
    assert.deepStrictEqual(events(owners), ["PingLost 7 on 2: SessionEnded (Closed), processed maybe"])
    owners.sessionEndings.abort()
    assert.deepStrictEqual(events(owners), ["Ended: Closed"])
  })

  it("are not lost if another stream ends", () => {
    const owners = make()
    const stream = open(owners)
    owners.heartbeats.send(stream, 7)
    owners.streamEndings.reset(open(owners), ErrorCode.StreamCancelled)
    assert.deepStrictEqual(events(owners), [])
    assert.strictEqual(owners.heartbeats.stream, stream)
  })

  it("a stream without credit is replaced: its pending heartbeats are lost, and the next one is sent", () => {
    const client = new Scripted("client", { typed: true, peerWindow: 12 })
    const ping = (nonce: number): boolean => client.connection.ping(nonce, client.now)
    assert.isTrue(ping(1) && ping(2))
    assert.deepStrictEqual(client.sent(), ["SYN 3 (12)"])
    assert.isTrue(ping(3))
    const lost = "Reset 6 by Local, processed maybe"
    assert.deepStrictEqual(client.events(), [`PingLost 1 on 3: ${lost}`, `PingLost 2 on 3: ${lost}`])
    assert.deepStrictEqual(client.sent(), ["RST 3 code 6", "SYN 5 (8)"])
    client.receive(windowIncrement(5, 4))
    assert.isTrue(ping(4) && ping(5))
    assert.deepStrictEqual(client.events(), [])
  })
})

describe("heartbeats of the peer", () => {
  it("are answered on one stream: a second is refused until the first has left with its bytes", () => {
    const owners = make({ peerWindow: 8 })
    const { heartbeats } = owners
    const [first, second] = [opened(owners, 3, 8), opened(owners, 5, 8)]
    assert.isTrue(heartbeats.begin(first))
    assert.isFalse(heartbeats.begin(second))
    heartbeats.arrived(first, new Uint8Array(20))
    assert.strictEqual(owners.received.held, 12)
    heartbeats.left(second)
    assert.isFalse(heartbeats.begin(second), "the first is still there")
    owners.streamEndings.resetByPeer(first, ErrorCode.NoError)
    assert.strictEqual(owners.received.held, 0)
    assert.isTrue(heartbeats.begin(second))
    assert.deepStrictEqual(events(owners), [])
  })

  it("wait if their answers have no credit, and are answered when it arrives", () => {
    const owners = make()
    const stream = opened(owners, 3, 6)
    owners.heartbeats.begin(stream)
    owners.heartbeats.arrived(stream, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
    assert.deepStrictEqual(taken(owners), [1, 2, 3, 4], "whole numbers only")
    stream.sendWindow.grow(2, 0)
    owners.heartbeats.echo()
    assert.deepStrictEqual(taken(owners), [5, 6, 7, 8])
    assert.strictEqual(owners.received.held, 0)
  })

  it("cause at most 1 KiB of unsent answers", () => {
    const owners = make()
    const stream = opened(owners, 3)
    owners.heartbeats.begin(stream)
    owners.heartbeats.arrived(stream, new Uint8Array(3 * MAX_ECHOES))
    assert.strictEqual(stream.outbound.length, MAX_ECHOES)
    assert.strictEqual(owners.received.held, 2 * MAX_ECHOES)
    assert.strictEqual(taken(owners).length, MAX_ECHOES)
    owners.heartbeats.echo()
    assert.strictEqual(stream.outbound.length, MAX_ECHOES)
  })

  it("wait as copies: a transport that uses its chunk again does not change them, and they do not keep it alive", () => {
    const owners = make()
    const stream = opened(owners, 3, 4)
    owners.heartbeats.begin(stream)
    const chunk = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    owners.heartbeats.arrived(stream, chunk)
    chunk.fill(0)
    stream.sendWindow.grow(4, 4)
    owners.heartbeats.echo()
    assert.deepStrictEqual(taken(owners), [1, 2, 3, 4, 5, 6, 7, 8])
  })

  it("are answered again on a new stream after the peer has reset the first", () => {
    const server = new Scripted("server", { typed: true })
    const syn = (id: number) => server.receive(data(id, Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 7), { syn: true }))
    syn(3)
    server.receive(rst(3, 6))
    syn(5)
    assert.deepStrictEqual(server.sent(), ["DATA 5 (4)"])
  })
})

describe("a probe", () => {
  it("drops the bytes that the peer sends on it, and grants their credit", () => {
    const owners = make()
    const probe = open(owners)
    owners.heartbeats.probe = probe
    probe.receiveWindow.receive(WINDOW)
    owners.heartbeats.arrived(probe, new Uint8Array(WINDOW))
    assert.strictEqual(owners.received.held, 0)
    assert.strictEqual(probe.receiveWindow.available, WINDOW)
    assert.deepStrictEqual(events(owners), [])
  })

  it("ends with its stream, and not with another", () => {
    const owners = make()
    const probe = open(owners)
    owners.heartbeats.probe = probe
    owners.streamEndings.resetByPeer(opened(owners, 3), ErrorCode.NoError)
    assert.strictEqual(owners.heartbeats.probe, probe)
    owners.streamEndings.resetByPeer(probe, ErrorCode.StreamRefused)
    assert.isUndefined(owners.heartbeats.probe)
  })
})

const step = fc.oneof(
  fc.record({ _tag: fc.constant("arrive" as const), length: fc.integer({ min: 1, max: 900 }) }),
  fc.record({ _tag: fc.constant("grant" as const), bytes: fc.integer({ min: 1, max: 700 }) }),
  fc.constant({ _tag: "take" as const })
)

it("heartbeats are all answered in order, with complete numbers, within the window and 1 KiB", () => {
  fc.assert(
    fc.property(fc.nat(600), fc.array(step, { maxLength: 40 }), (peerWindow, steps) => {
      const owners = make()
      const { capacity, heartbeats, received } = owners
      const stream = opened(owners, 3, peerWindow)
      heartbeats.begin(stream)
      const arrived: Array<number> = []
      const answered: Array<number> = []
      let granted = peerWindow
      const take = (): void => {
        answered.push(...taken(owners))
        heartbeats.echo()
      }
      const grant = (bytes: number): void => {
        granted += bytes
        assert.isTrue(stream.sendWindow.grow(bytes, stream.outbound.length))
        heartbeats.echo()
      }
      for (const step of steps) {
        if (step._tag === "take") take()
        else if (step._tag === "grant") grant(step.bytes)
        else {
          const bytes = Uint8Array.from({ length: step.length }, (_, i) => (arrived.length + i) * 7)
          arrived.push(...bytes)
          heartbeats.arrived(stream, bytes)
        }
        const waiting = stream.outbound.length
        assert.isAtMost(waiting, MAX_ECHOES)
        assert.isAtMost(answered.length + waiting, granted)
        assert.strictEqual((answered.length + waiting) % 4, 0)
        assert.strictEqual(capacity.queued, waiting)
        assert.strictEqual(received.held, arrived.length - answered.length - waiting)
        const rest = Math.min(received.held, stream.sendWindow.credit, MAX_ECHOES - waiting)
        assert.isBelow(rest, 4, "nothing waits that could be answered")
      }
      grant(arrived.length)
      while (owners.scheduler.hasFrames) take()
      assert.deepStrictEqual(answered, arrived.slice(0, arrived.length - (arrived.length % 4)))
    }),
    { numRuns: 200 }
  )
})
