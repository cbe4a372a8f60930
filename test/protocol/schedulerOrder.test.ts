/** Which stream's turn it is, and how long. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Frame } from "../../src/protocol/wire/frame.js"
import type { Scheduler } from "../../src/protocol/sending/scheduler.js"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import type { Rig } from "../support/protocol/outboundStreams.js"
import { cost, KIB, local, makeRig, QUANTUM, remote, taken } from "../support/protocol/outboundStreams.js"

const HEADER = 8

const ZEROS = new Uint8Array(2 * 1024 * KIB)

/** Streams with much to send, all past their first turn, and one of them just had its turn among its equals. */
const bulk = (rig: Rig, count: number, each: number): ReadonlyArray<StreamCore> => {
  const streams = Array.from({ length: count }, (_, i) => remote(2 * i + 2))
  for (const stream of streams) rig.write(stream, ZEROS.subarray(0, each))
  while (streams.some((stream) => stream.outbound.length === each)) rig.outbound.take(1)
  rig.outbound.take(1)
  return streams
}

/** Takes with this budget until the condition holds, and gives all frames. */
const takeUntil = (outbound: Scheduler, budget: number, done: (frames: ReadonlyArray<Frame>) => boolean) => {
  const frames: Array<Frame> = []
  while (!done(frames) && outbound.hasFrames) frames.push(...outbound.take(budget))
  assert.isTrue(done(frames))
  return frames
}

const costOf = (frames: ReadonlyArray<Frame>): number => frames.reduce((sum, frame) => sum + cost(frame), 0)

const has =
  (id: number) =>
  (frames: ReadonlyArray<Frame>): boolean =>
    frames.some((frame) => frame._tag === "Data" && frame.streamId === id)

describe("the length of scheduled frames", () => {
  it("is up to 64 KiB for a stream that is alone", () => {
    const rig = makeRig()
    rig.write(remote(2), 150 * KIB)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 2 65536"])
    assert.deepStrictEqual(taken(rig.outbound), ["DATA 2 65536", `DATA 2 ${22 * KIB}`])
  })

  it("is 16 KiB while another stream waits, interactive or not", () => {
    const rig = makeRig()
    rig.write(remote(2), 150 * KIB)
    rig.write(remote(4), 150 * KIB)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 2 16384"])
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 4 16384"])
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 2 16384"])
    rig.outbound.unschedule(remote(4))
  })

  it("is 64 KiB again for the last of many", () => {
    const rig = makeRig()
    rig.write(remote(2), 150 * KIB)
    const other = remote(4)
    rig.write(other, 150 * KIB)
    taken(rig.outbound, 1)
    rig.outbound.unschedule(other)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 2 65536"])
  })

  it("a turn of small chunks ends at 16 KiB, and no frame exceeds it", () => {
    const rig = makeRig()
    const stream = remote(2)
    for (let i = 0; i < 6; i++) rig.write(stream, 5000)
    rig.write(remote(4), 1)
    const left = QUANTUM - 3 * 5008
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 2 5000", "DATA 2 5000", "DATA 2 5000", `DATA 2 ${left}`])
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 4 1"])
  })

  it("the type in a SYN counts against the turn of its stream", () => {
    const rig = makeRig()
    rig.write(local(3, 1), 30_000)
    rig.write(remote(2), 1)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 3 4 syn", `DATA 3 ${QUANTUM - 12}`])
  })

  it("a SYN with 4 KiB counts 4 KiB against the turn of its stream", () => {
    const rig = makeRig()
    const stream = local(3)
    rig.write(stream, 4000)
    rig.write(remote(2), 1)
    taken(rig.outbound, 1)
    assert.isFalse(stream.hasOutput)
    const other = local(5)
    rig.write(other, 2500)
    rig.write(other, 1500)
    assert.strictEqual(other.outbound.length, 4000)
    rig.write(remote(4), 60_000)
    const frames = takeUntil(rig.outbound, 1, has(5))
    assert.isAtMost(costOf(frames.filter((frame) => frame._tag === "Data" && frame.streamId === 5)), QUANTUM + HEADER)
  })
})

describe("the budget of a batch", () => {
  it("ends the batch after the first turn that reaches it", () => {
    const rig = makeRig()
    for (const id of [2, 4, 6]) rig.write(remote(id), 100)
    assert.deepStrictEqual(taken(rig.outbound, 108), ["DATA 2 100"])
    assert.deepStrictEqual(taken(rig.outbound, 109), ["DATA 4 100", "DATA 6 100"])
  })
})

describe("streams with a backlog", () => {
  it("take turns in the order in which they came", () => {
    const rig = makeRig()
    for (const id of [2, 4, 6]) rig.write(remote(id), 50_000)
    const turns = Array.from({ length: 6 }, () => taken(rig.outbound, 1).join())
    assert.deepStrictEqual(turns, [
      "DATA 2 16384",
      "DATA 4 16384",
      "DATA 6 16384",
      "DATA 2 16384",
      "DATA 4 16384",
      "DATA 6 16384"
    ])
  })

  it("each get their share in any interval, within one turn of 16 KiB", () => {
    const many = fc.integer({ min: 2, max: 12 })
    fc.assert(
      fc.property(
        many,
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 1, max: 40 }),
        (count, budget, takes) => {
          const rig = makeRig()
          const each = ZEROS.length
          const streams = bulk(rig, count, each)
          const got = new Map(streams.map((stream) => [stream.id, 0]))
          let total = 0
          for (let i = 0; i < takes && total < each; i++) {
            for (const frame of rig.outbound.take(budget)) {
              assert(frame._tag === "Data")
              assert.isAtMost(frame.payload.length, QUANTUM)
              got.set(frame.streamId, (got.get(frame.streamId) ?? 0) + frame.payload.length)
              total += frame.payload.length
            }
          }
          for (const share of got.values()) assert.isAtMost(Math.abs(share - total / count), QUANTUM)
        }
      ),
      { numRuns: 40 }
    )
  })

  it("do not become interactive by writing while they wait", () => {
    const rig = makeRig()
    const [first, second] = bulk(rig, 2, 100_000)
    assert(first !== undefined && second !== undefined)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 4 16384"])
    rig.write(second, 10)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 2 16384"])
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 4 16384"])
  })
})

describe("a small write beside 50 bulk streams", () => {
  it("is sent next", () => {
    const rig = makeRig()
    bulk(rig, 50, 100_000)
    rig.write(local(3, 7), 1)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 3 5 syn"])
    assert.match(taken(rig.outbound, 1).join(), /16384/)
  })

  it("after other interactive streams waits for them, and for one bulk turn for each four of theirs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 16_000 }), (others, size) => {
        const rig = makeRig()
        bulk(rig, 50, 100_000)
        for (let i = 0; i < others; i++) rig.write(remote(1000 + 2 * i), size)
        rig.write(remote(5000), 1)
        const before = costOf(takeUntil(rig.outbound, 1, has(5000))) - (HEADER + 1)
        const ahead = others * (HEADER + size)
        const turns = Math.floor(ahead / (4 * QUANTUM))
        assert.isAtMost(before, ahead + turns * (QUANTUM + HEADER))
      }),
      { numRuns: 50 }
    )
  })

  it("waits for at most one bulk turn when interactive streams have used their 64 KiB", () => {
    const rig = makeRig()
    bulk(rig, 50, 100_000)
    for (let i = 0; i < 4; i++) rig.write(remote(1000 + 2 * i), QUANTUM)
    for (let i = 0; i < 4; i++) assert.deepStrictEqual(taken(rig.outbound, 1), [`DATA ${1000 + 2 * i} 16384`])
    rig.write(remote(5000), 1)
    assert.match(taken(rig.outbound, 1).join(), /^DATA \d\d? 16384$/)
    assert.deepStrictEqual(taken(rig.outbound, 1), ["DATA 5000 1"])
  })

  it.each([
    ["waits for one quantum of bulk when the fresh ones have used up exactly their allowance", 0, /^DATA \d\d? 16384$/],
    ["waits for no bulk when the fresh ones have a byte left of their allowance", 1, /^DATA 5000 1$/]
  ])("%s", (_, left, next) => {
    const rig = makeRig()
    bulk(rig, 50, 100_000)
    for (let i = 0; i < 4; i++) rig.write(remote(1000 + 2 * i), QUANTUM - HEADER - (i === 3 ? left : 0))
    for (let i = 0; i < 4; i++) assert.match(taken(rig.outbound, 1).join(), /^DATA 100\d 1637[56]$/)
    rig.write(remote(5000), 1)
    assert.match(taken(rig.outbound, 1).join(), next)
  })
})

describe("a flood of interactive streams", () => {
  it("does not starve bulk, which gets a turn after 64 to 80 KiB of interactive bytes", () => {
    const rig = makeRig()
    const [stream] = bulk(rig, 1, 300 * KIB)
    assert.isDefined(stream)
    let id = 1000
    let between = 0
    for (let i = 0; i < 1000 && stream.hasOutput; i++) {
      for (let n = 0; n < 4; n++) rig.write(remote((id += 2)), 3000)
      for (const frame of rig.outbound.take(1)) {
        if (frame._tag === "Data" && frame.streamId === stream.id) between = 0
        else between += cost(frame)
      }
      assert.isBelow(between, 5 * QUANTUM)
    }
    assert.isFalse(stream.hasOutput)
  })

  it("continues without a pause if there is no bulk", () => {
    const rig = makeRig()
    for (let i = 0; i < 20; i++) rig.write(remote(2 + 2 * i), QUANTUM - HEADER)
    const order = Array.from({ length: 20 }, () => taken(rig.outbound, 1).join())
    assert.deepStrictEqual(
      order,
      Array.from({ length: 20 }, (_, i) => `DATA ${2 + 2 * i} ${QUANTUM - HEADER}`)
    )
  })
})
