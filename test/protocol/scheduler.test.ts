import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import type { Data, Frame } from "../../src/protocol/wire/frame.js"
import { goAway, goAwayFiller } from "../../src/protocol/wire/frame.js"
import { HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import { concat, pattern, toHex } from "../support/bytes.js"
import { KIB, local, makeRig, remote, taken } from "../support/protocol/outboundStreams.js"

const dataOf = (frames: ReadonlyArray<Frame>): ReadonlyArray<Data> =>
  frames.flatMap((frame) => (frame._tag === "Data" ? [frame] : []))

describe("a scheduler at rest", () => {
  it("returns no frame", () => {
    const { capacity, outbound } = makeRig()
    assert.isFalse(outbound.hasFrames)
    assert.isFalse(outbound.hasStreams)
    assert.strictEqual(capacity.queued, 0)
    assert.strictEqual(outbound.pendingResets, 0)
    assert.deepStrictEqual(outbound.take(Infinity), [])
  })
})

describe("a control frame", () => {
  it("goes before streams: RST, WNDINC, GOAWAY with its filler, heartbeats", () => {
    const { outbound, write } = makeRig()
    write(remote(2), 10)
    write(local(9, HEARTBEAT_TYPE), 4)
    outbound.setGoAway(goAway(4, ErrorCode.NoError), "Now")
    outbound.grant(4, 100)
    outbound.reset(6, ErrorCode.StreamRefused)
    assert.deepStrictEqual(taken(outbound), [
      "RST 6 5",
      "WNDINC 4 100",
      "GOAWAY 4 0",
      "filler",
      "DATA 9 8 syn",
      "DATA 2 10"
    ])
    assert.isFalse(outbound.hasFrames)
  })

  it("is taken even if the budget is used up, and streams are not", () => {
    const { outbound, write } = makeRig()
    write(remote(2), 10)
    outbound.reset(6, 1)
    assert.deepStrictEqual(taken(outbound, 0), ["RST 6 1"])
    assert.deepStrictEqual(taken(outbound, 0), [])
    assert.isTrue(outbound.hasFrames)
    assert.deepStrictEqual(taken(outbound, 1), ["DATA 2 10"])
  })

  it("for each stream only the last RST is queued", () => {
    const { outbound } = makeRig()
    outbound.reset(3, 6)
    outbound.reset(5, 6)
    outbound.reset(3, 0xffffffff)
    assert.strictEqual(outbound.pendingResets, 2)
    assert.isTrue(outbound.hasFrames)
    assert.isFalse(outbound.hasStreams)
    assert.deepStrictEqual(taken(outbound), ["RST 3 4294967295", "RST 5 6"])
    assert.strictEqual(outbound.pendingResets, 0)
    assert.isFalse(outbound.hasFrames)
    assert.deepStrictEqual(taken(outbound), [])
  })

  it("increments of one stream become one, unless they are cancelled", () => {
    const { outbound } = makeRig()
    outbound.grant(3, 10)
    outbound.grant(5, 1)
    outbound.grant(3, 20)
    outbound.grant(7, 9)
    outbound.cancelIncrement(7)
    outbound.cancelIncrement(11)
    assert.isTrue(outbound.hasFrames)
    assert.deepStrictEqual(taken(outbound), ["WNDINC 3 30", "WNDINC 5 1"])
    assert.isFalse(outbound.hasFrames)
    outbound.grant(3, 5)
    assert.deepStrictEqual(taken(outbound), ["WNDINC 3 5"])
    assert.deepStrictEqual(taken(outbound), [])
  })

  it("heartbeats are taken completely, before streams and outside the budget", () => {
    const { capacity, outbound, write } = makeRig()
    const heartbeat = local(3, HEARTBEAT_TYPE)
    write(remote(2), 1000)
    write(heartbeat, pattern(4))
    assert.isTrue(outbound.hasFrames)
    const frames = dataOf(outbound.take(0))
    assert.deepStrictEqual(
      frames.map((frame) => toHex(frame.payload)),
      ["ffffffff" + "00010203"]
    )
    assert.strictEqual(capacity.queued, 1000)
    write(heartbeat, pattern(4, 9))
    write(heartbeat, pattern(4, 13))
    assert.deepStrictEqual(taken(outbound, 0), ["DATA 3 8"])
    assert.deepStrictEqual(taken(outbound, 0), [])
    const echoes = remote(4, HEARTBEAT_TYPE)
    for (let i = 0; i < 3; i++) write(echoes, 3000)
    assert.deepStrictEqual(taken(outbound, 0), ["DATA 4 3000", "DATA 4 3000", "DATA 4 3000"])
  })

  it("heartbeats count as frames, but not as streams", () => {
    const { outbound, write } = makeRig()
    write(local(3, HEARTBEAT_TYPE), 4)
    assert.isTrue(outbound.hasFrames)
    assert.isFalse(outbound.hasStreams)
  })
})

describe("a SYN that is scheduled", () => {
  it("carries the type and the first bytes in one frame", () => {
    const { capacity, outbound, write } = makeRig()
    const stream = local(3, 0x01020304)
    outbound.schedule(stream)
    write(stream, pattern(5))
    const [frame, ...more] = dataOf(outbound.take(Infinity))
    assert.lengthOf(more, 0)
    assert.isTrue(frame?.syn)
    assert.isFalse(frame?.fin)
    assert.strictEqual(toHex(frame?.payload ?? pattern(0)), "010203040001020304")
    assert.strictEqual(frame?.length, 9)
    assert.strictEqual(capacity.queued, 0)
    assert.isFalse(stream.synDue)
    assert.isFalse(outbound.hasFrames)
  })

  it("without written bytes contains only the type, or nothing", () => {
    const { outbound } = makeRig()
    outbound.schedule(local(3, 7))
    outbound.schedule(local(5))
    const frames = dataOf(outbound.take(Infinity))
    assert.deepStrictEqual(
      frames.map((frame) => [frame.streamId, frame.syn, toHex(frame.payload)]),
      [
        [3, true, "00000007"],
        [5, true, ""]
      ]
    )
  })

  it("of an untyped stream carries the first bytes by reference", () => {
    const { outbound, write } = makeRig()
    const bytes = pattern(5)
    write(local(3), bytes)
    const [frame] = dataOf(outbound.take(Infinity))
    assert.isTrue(frame?.syn)
    assert.strictEqual(frame?.payload, bytes)
  })

  it("carries up to 4 KiB; more bytes follow by reference in another frame", () => {
    const { capacity, outbound, write } = makeRig()
    write(local(3, 1), 4 * KIB)
    assert.deepStrictEqual(taken(outbound), ["DATA 3 4100 syn"])
    const bytes = pattern(4 * KIB + 1)
    write(local(5, 1), bytes)
    const frames = dataOf(outbound.take(Infinity))
    assert.deepStrictEqual(
      frames.map((frame) => [frame.syn, frame.payload.length]),
      [
        [true, 4],
        [false, 4097]
      ]
    )
    assert.strictEqual(frames[1]?.payload, bytes)
    assert.strictEqual(capacity.queued, 0)
  })

  it("never has FIN, which follows in another frame", () => {
    const { finish, finished, outbound, write } = makeRig()
    const stream = local(3, 1)
    write(stream, 5)
    finish(stream)
    assert.deepStrictEqual(taken(outbound), ["DATA 3 9 syn", "DATA 3 0 fin"])
    assert.deepStrictEqual(finished, [3])
    finish(local(5))
    assert.deepStrictEqual(taken(outbound), ["DATA 5 0 syn", "DATA 5 0 fin"])
    assert.deepStrictEqual(finished, [3, 5])
    assert.isFalse(outbound.hasFrames)
  })
})

describe("a FIN that is scheduled", () => {
  it("is sent with the last byte, and reported once", () => {
    const { finish, finished, outbound, write } = makeRig()
    const stream = remote(2)
    write(stream, 3000)
    write(stream, 3000)
    finish(stream)
    assert.deepStrictEqual(taken(outbound, 1), ["DATA 2 3000", "DATA 2 3000 fin"])
    assert.deepStrictEqual(finished, [2])
    outbound.schedule(stream)
    assert.deepStrictEqual(taken(outbound), [])
    assert.deepStrictEqual(finished, [2])
  })

  it("is sent in an empty frame if the bytes were already sent", () => {
    const { finish, finished, outbound, write } = makeRig()
    const stream = remote(2)
    write(stream, 10)
    assert.deepStrictEqual(taken(outbound), ["DATA 2 10"])
    assert.deepStrictEqual(finished, [])
    finish(stream)
    assert.deepStrictEqual(taken(outbound), ["DATA 2 0 fin"])
    assert.deepStrictEqual(finished, [2])
  })
})

describe("a GOAWAY that is scheduled", () => {
  it("is followed by the 8 bytes that Go's reader loses", () => {
    const { outbound } = makeRig()
    const frame = goAway(7, ErrorCode.InternalError, pattern(3))
    outbound.setGoAway(frame, "Now")
    assert.isTrue(outbound.hasFrames)
    const frames = outbound.take(0)
    assert.strictEqual(frames[0], frame)
    assert.strictEqual(frames[1], goAwayFiller)
    assert.lengthOf(frames, 2)
    assert.isFalse(outbound.hasFrames)
    assert.deepStrictEqual(outbound.take(0), [])
  })

  it("set to Last waits for everything that streams have to send", () => {
    const { finish, outbound, write } = makeRig()
    const stream = remote(2)
    write(stream, 3000)
    write(stream, 20_000)
    finish(stream)
    outbound.setGoAway(goAway(2, 0), "Last")
    outbound.grant(2, 5)
    assert.deepStrictEqual(taken(outbound, 0), ["WNDINC 2 5"])
    assert.isTrue(outbound.hasFrames)
    assert.deepStrictEqual(taken(outbound, 1), ["DATA 2 3000", "DATA 2 20000 fin", "GOAWAY 2 0", "filler"])
    assert.isFalse(outbound.hasFrames)
  })

  it("set to Last is sent at once if streams have nothing to send", () => {
    const { outbound } = makeRig()
    outbound.setGoAway(goAway(2, 0), "Last")
    assert.isTrue(outbound.hasFrames)
    assert.deepStrictEqual(taken(outbound, 0), ["GOAWAY 2 0", "filler"])
  })

  it("set to Now is sent before streams, and a second one replaces a queued one", () => {
    const { outbound, write } = makeRig()
    write(remote(2), 10)
    outbound.setGoAway(goAway(2, 0), "Last")
    outbound.setGoAway(goAway(4, 1), "Now")
    assert.deepStrictEqual(taken(outbound), ["GOAWAY 4 1", "filler", "DATA 2 10"])
    outbound.setGoAway(goAway(6, 1), "Now")
    write(remote(2), 10)
    outbound.setGoAway(goAway(8, 0), "Last")
    assert.deepStrictEqual(taken(outbound), ["DATA 2 10", "GOAWAY 8 0", "filler"])
  })
})

describe("ended streams in the scheduler", () => {
  it("are not sent, and their bytes are released", () => {
    const { capacity, outbound, write } = makeRig()
    const [fresh, waiting, heartbeat] = [remote(2), remote(4), local(3, HEARTBEAT_TYPE)]
    write(waiting, 30_000)
    write(waiting, 30_000)
    write(fresh, 5)
    write(heartbeat, 4)
    outbound.unschedule(heartbeat)
    assert.strictEqual(capacity.queued, 60_005)
    assert.deepStrictEqual(taken(outbound, 1), ["DATA 4 16384"])
    outbound.unschedule(waiting)
    assert.strictEqual(capacity.queued, 5)
    assert.strictEqual(waiting.outbound.length, 0)
    outbound.unschedule(fresh)
    assert.strictEqual(capacity.queued, 0)
    assert.isFalse(outbound.hasStreams)
    assert.isFalse(outbound.hasFrames)
    assert.deepStrictEqual(taken(outbound), [])
  })

  it("abandon drops everything except the GOAWAY", () => {
    const { capacity, outbound, write } = makeRig()
    const waiting = remote(2)
    write(waiting, 30_000)
    write(waiting, 30_000)
    write(remote(4), 5)
    assert.deepStrictEqual(taken(outbound, 1), ["DATA 2 16384"])
    write(local(3, HEARTBEAT_TYPE), 4)
    outbound.reset(8, 1)
    outbound.grant(6, 1)
    outbound.setGoAway(goAway(8, 1), "Last")
    outbound.abandon()
    assert.strictEqual(capacity.queued, 0)
    assert.strictEqual(outbound.pendingResets, 0)
    assert.isFalse(outbound.hasStreams)
    assert.isTrue(outbound.hasFrames)
    assert.deepStrictEqual(taken(outbound), ["GOAWAY 8 1", "filler"])
    assert.isFalse(outbound.hasFrames)
  })
})

// --- whatever happens

const command = fc.record({
  op: fc.constantFrom("write", "write", "write", "finish", "reset", "grant", "take", "take", "drop", "beat"),
  stream: fc.nat(4),
  size: fc.oneof(fc.nat(10), fc.nat(5000), fc.nat(40_000))
})

it("the scheduler sends every byte once and in order, and FIN last", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const { capacity, finish, finished, outbound, write } = makeRig()
      const streams = [local(3, 9), local(5), remote(2), remote(4, 9), local(7, 1)]
      const heartbeat = local(9, HEARTBEAT_TYPE)
      const sent = new Map<number, Array<Uint8Array>>()
      const written = new Map<number, Array<Uint8Array>>()
      const ended = new Set<number>()
      const take = (budget: number) => {
        const had = outbound.hasFrames
        const frames = outbound.take(budget)
        if (budget > 0) assert.strictEqual(frames.length > 0, had)
        if (frames.length > 0) assert.isTrue(had)
        for (const frame of dataOf(frames)) {
          assert.isFalse(ended.has(frame.streamId), "nothing after FIN")
          assert.isFalse(frame.syn && frame.fin)
          assert.isAtMost(frame.payload.length, 64 * KIB)
          if (frame.fin) ended.add(frame.streamId)
          const before = sent.get(frame.streamId)
          assert.strictEqual(frame.syn, before === undefined && frame.streamId % 2 === 1)
          sent.set(frame.streamId, [...(before ?? []), frame.payload])
        }
      }
      for (const { op, size, stream: index } of commands) {
        const stream = streams[index]
        assert.isDefined(stream)
        if (op === "write" && stream.writing !== "Finishing") {
          const bytes = pattern(size + 1, size)
          written.set(stream.id, [...(written.get(stream.id) ?? []), bytes])
          write(stream, bytes)
        }
        if (op === "finish" && stream.writing !== "Finishing") finish(stream)
        if (op === "reset") outbound.reset(stream.id, 1)
        if (op === "grant") outbound.grant(stream.id, 1 + size)
        if (op === "beat") write(heartbeat, 4)
        if (op === "take") take(size)
        if (op === "drop" && !stream.synDue && stream.writing !== "Finishing") {
          // what was not sent is dropped from the end of what was written
          const left = concat(written.get(stream.id) ?? [])
          written.set(stream.id, [left.subarray(0, left.length - stream.outbound.length)])
          outbound.unschedule(stream)
        }
        const waiting = [heartbeat, ...streams].reduce((sum, stream) => sum + stream.outbound.length, 0)
        assert.strictEqual(capacity.queued, waiting)
      }
      take(Infinity)
      assert.isFalse(outbound.hasFrames)
      assert.strictEqual(capacity.queued, 0)
      for (const stream of streams) {
        const announced = sent.has(stream.id) && stream.initiator === "Local" && stream.type !== undefined
        const bytes = concat(sent.get(stream.id) ?? []).subarray(announced ? 4 : 0)
        assert.strictEqual(toHex(bytes), toHex(concat(written.get(stream.id) ?? [])))
      }
      const finishing = streams.filter((stream) => stream.writing === "Finishing").map((stream) => stream.id)
      assert.deepStrictEqual([...finished].sort(), finishing.sort())
    })
  )
})
