import { assert, describe, it } from "@effect/vitest"
import { CreditPolicy } from "../../src/protocol/receiving/creditPolicy.js"
import { SendCapacity } from "../../src/protocol/sending/sendCapacity.js"
import { Scheduler } from "../../src/protocol/sending/scheduler.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { StreamTable } from "../../src/protocol/streams/streamTable.js"
import { HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import type { Overrides } from "../support/protocol/options.js"
import { connectionOptions } from "../support/protocol/options.js"

const KIB = 1024

/** KiB that are consumed of a window of 256 + 512 KiB until an increment is due, at a round trip in milliseconds. */
const untilGranted = (roundTrip: number): number => {
  const options = connectionOptions("server")
  const outbound = new Scheduler(
    new SendCapacity(Infinity),
    () => undefined,
    () => undefined
  )
  const credit = new CreditPolicy(options, new StreamTable(options), outbound)
  const stream = new StreamCore(3, "Remote", options, undefined)
  credit.timed(roundTrip)
  stream.receiveWindow.grow(512 * KIB)
  for (let consumed = 1; ; consumed++) {
    stream.receiveWindow.receive(KIB)
    credit.consumed(stream, KIB, 0)
    if (outbound.hasFrames) return consumed
  }
}

it("windows of far peers grow at the full rate, because only near peers wait for larger increments", () => {
  assert.deepStrictEqual([0.2, 1, 1.1, 100, Infinity].map(untilGranted), [256, 256, 128, 128, 128])
})

/** Streams of the peer with windows of 1000 bytes. All received bytes are consumed at once. */
class World {
  private readonly options
  private readonly outbound = new Scheduler(
    new SendCapacity(Infinity),
    () => undefined,
    () => undefined
  )
  private readonly table
  readonly credit

  constructor(overrides: Overrides = {}) {
    this.options = connectionOptions("server", { window: 1000, growthLimit: 1_000_000, ...overrides })
    this.table = new StreamTable(this.options)
    this.credit = new CreditPolicy(this.options, this.table, this.outbound)
  }

  stream(id: number, type?: number): StreamCore {
    const stream = new StreamCore(id, "Remote", this.options, type)
    this.table.add(stream)
    return stream
  }

  /** The increments that follow, one for each step. */
  consume(stream: StreamCore, ...steps: ReadonlyArray<readonly [now: number, length: number]>): ReadonlyArray<number> {
    return steps.map(([now, length]) => {
      assert.isTrue(stream.receiveWindow.receive(length))
      this.credit.arrived(stream, length, now)
      this.credit.consumed(stream, length, now)
      return this.granted()
    })
  }

  /** The increments that are sent now. */
  increments(): ReadonlyArray<number> {
    return this.outbound.take(Infinity).flatMap((frame) => (frame._tag === "WindowIncrement" ? [frame.increment] : []))
  }

  granted(): number {
    return this.increments().reduce((sum, increment) => sum + increment, 0)
  }
}

/** 120 bytes a millisecond in the first 10 ms, and 60 in the next: with a round trip of 10 ms these want 1200 bytes. */
const STEADY = [
  [0, 600],
  [10, 600],
  [20, 600]
] as const

const far = (overrides: Overrides = {}): World => {
  const world = new World(overrides)
  world.credit.timed(10)
  return world
}

describe("a window grows", () => {
  it("to twice the bytes that are consumed in a round trip, together with an increment", () => {
    const world = far()
    const stream = world.stream(3)
    assert.deepStrictEqual(world.consume(stream, ...STEADY), [600, 600, 800])
    assert.deepStrictEqual([stream.receiveWindow.size, stream.receiveWindow.available], [1200, 1200])
    assert.strictEqual(world.credit.grown, 200)
  })

  it("without a heartbeat, too: a round trip ends with the first bytes that needed an increment", () => {
    const world = new World()
    // the first increment left credit for 400 bytes, so the next 600 needed it, 10 ms later
    assert.deepStrictEqual(world.consume(world.stream(3), ...STEADY), [600, 600, 800])
    // an increment that leaves credit for all bytes measures nothing
    const unmeasured = new World()
    assert.deepStrictEqual(unmeasured.consume(unmeasured.stream(3), [0, 500], [10, 500]), [500, 500])
    assert.deepStrictEqual(unmeasured.consume(unmeasured.stream(5), [10, 500], [20, 500]), [500, 500])
    assert.strictEqual(unmeasured.credit.grown, 0)
  })

  it("by the shortest round trip that was measured", () => {
    const world = far()
    world.credit.timed(100)
    assert.deepStrictEqual(world.consume(world.stream(3), ...STEADY), [600, 600, 800])
  })

  it("to maxWindow at most", () => {
    const world = far({ maxWindow: 1100 })
    assert.deepStrictEqual(world.consume(world.stream(3), ...STEADY), [600, 600, 700])
  })

  it("by growthLimit at most, which is for all streams together", () => {
    const world = far({ growthLimit: 250 })
    assert.deepStrictEqual(world.consume(world.stream(3), ...STEADY), [600, 600, 800])
    const other = world.stream(5)
    assert.deepStrictEqual(world.consume(other, ...STEADY), [600, 600, 650])
    assert.deepStrictEqual(world.consume(world.stream(7), ...STEADY), [600, 600, 600])
    world.credit.forget(other)
    assert.strictEqual(world.credit.grown, 200)
    assert.deepStrictEqual(world.consume(world.stream(9), ...STEADY), [600, 600, 650])
  })

  it("within maxReceiveBuffer, of which each stream has its first window", () => {
    const world = far({ maxReceiveBuffer: 3150 })
    const [one] = [3, 5, 7].map((id) => world.stream(id))
    assert(one !== undefined)
    assert.deepStrictEqual(world.consume(one, ...STEADY), [600, 600, 750])
  })

  it("not for heartbeats", () => {
    const world = far()
    assert.deepStrictEqual(world.consume(world.stream(3, HEARTBEAT_TYPE), ...STEADY), [600, 600, 600])
  })

  it("not for short messages, unless longer ones came before", () => {
    const short = (length: number, before: ReadonlyArray<readonly [number, number]> = [], window = 1000): boolean => {
      const world = far({ window })
      const stream = world.stream(3)
      world.consume(stream, ...before)
      // less than half of the window is granted when the stream has been silent for 10 or 200 ms
      world.consume(stream, [100, length])
      world.credit.release(1000)
      assert.strictEqual(world.granted(), length)
      return stream.growth === undefined
    }
    assert.deepStrictEqual([short(62), short(63), short(62, [], 16 * 62)], [true, false, false])
    assert.isFalse(short(62, [[0, 600]]))
  })

  it("in larger steps if another stream of a far peer was faster", () => {
    const world = far()
    world.consume(world.stream(3), [0, 1000], [10, 1000])
    const slower = [
      [20, 900],
      [30, 900],
      [40, 900]
    ] as const
    assert.deepStrictEqual(world.consume(world.stream(5), ...slower), [900, 900, 900 + 3000])
    const alone = far()
    assert.deepStrictEqual(alone.consume(alone.stream(5), ...slower), [900, 900, 900 + 2600])
    const limited = far({ growthLimit: 1500 })
    limited.consume(limited.stream(3), [0, 1000], [10, 1000])
    assert.deepStrictEqual(limited.consume(limited.stream(5), ...slower), [900, 900, 900 + 800])
  })

  it("for a near peer to cover 1 ms, in steps of at most twice", () => {
    for (const roundTrip of [0.1, 1]) {
      const world = new World()
      world.credit.timed(roundTrip)
      const stream = world.stream(3)
      assert.deepStrictEqual(world.consume(stream, [0, 1000], [1, 1000], [2, 1000]), [1000, 1000, 2000])
    }
  })

  it("for a near peer to 1 MiB at most, in which each measured stream has its first window", () => {
    const window = 500 * KIB
    const step = 400 * KIB
    const world = new World({ window, growthLimit: 100 * KIB * KIB })
    world.credit.timed(0.1)
    const steps = [
      [0, step],
      [1, step],
      [2, step]
    ] as const
    const [one, two] = [world.stream(3), world.stream(5)]
    world.consume(two, [0, step])
    world.credit.forget(world.stream(11))
    assert.deepStrictEqual(world.consume(one, ...steps), [step, step, step + 24 * KIB])
    assert.deepStrictEqual(world.consume(two, [10, step], [11, step], [12, step]), [step, step, step])
    world.credit.forget(two)
    world.credit.forget(one)
    assert.strictEqual(world.credit.grown, 0)
    const three = world.stream(7)
    assert.deepStrictEqual(world.consume(three, ...steps), [step, step, step + 300 * KIB])
    world.credit.clear()
    assert.strictEqual(world.credit.grown, 0)
    assert.deepStrictEqual(world.consume(world.stream(9), ...steps), [step, step, step + 300 * KIB])
  })
})

describe("a stream that became silent", () => {
  it("gets no increment of 0 if everything was granted meanwhile", () => {
    const world = new World()
    const stream = world.stream(3)
    assert.deepStrictEqual(world.consume(stream, [0, 100]), [0])
    world.credit.releaseAll(stream)
    assert.deepStrictEqual(world.increments(), [100])
    world.credit.releaseAll(stream)
    world.credit.release(1000)
    assert.deepStrictEqual(world.increments(), [])
    assert.strictEqual(world.credit.next(), Infinity)
  })

  it("gets none if its peer sends no more, or if the session closes", () => {
    const world = new World()
    const [one, two] = [world.stream(3), world.stream(5)]
    world.consume(one, [0, 100])
    one.move("ReceiveFin")
    world.credit.release(1000)
    world.consume(two, [1000, 100])
    assert.isBelow(world.credit.next(), Infinity)
    world.credit.stop()
    assert.strictEqual(world.credit.next(), Infinity)
    world.credit.release(2000)
    assert.deepStrictEqual(world.increments(), [])
  })
})
