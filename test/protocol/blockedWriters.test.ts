import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { EventQueue } from "../../src/protocol/events.js"
import { BlockedWriters } from "../../src/protocol/sending/blockedWriters.js"
import { SendCapacity } from "../../src/protocol/sending/sendCapacity.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { Time } from "../../src/protocol/time.js"

const LIMIT = 1000
/** A quarter of it is worth a frame. */
const WINDOW = 400

class World {
  readonly time = new Time(0)
  readonly events = new EventQueue()
  readonly capacity = new SendCapacity(LIMIT)
  readonly writers = new BlockedWriters(this.capacity, this.events, this.time)

  stream(id: number, credit = WINDOW): StreamCore {
    const stream = new StreamCore(id, "Local", { window: WINDOW, peerWindow: WINDOW }, undefined)
    stream.sendWindow.consume(WINDOW - credit)
    return stream
  }

  /** The ids of the streams that were woken since the last call. */
  woken(): ReadonlyArray<number> {
    return this.events.take().map((event) => {
      assert(event._tag === "Writable")
      assert.strictEqual(event.stream.writing, "Ready")
      return event.stream.id
    })
  }

  grant(stream: StreamCore, bytes: number): void {
    assert.isTrue(stream.sendWindow.grow(bytes, stream.outbound.length))
    this.writers.creditGrew(stream)
  }

  /** Everything else has happened that wakes writers. */
  pass(milliseconds: number): void {
    this.time.now += milliseconds
    this.writers.wakeForCapacity()
    this.writers.wakeDue()
  }
}

describe("a writer that waits for capacity", () => {
  const blocked = () => {
    const world = new World()
    const stream = world.stream(3)
    world.capacity.use(LIMIT)
    world.writers.block(stream)
    return { world, stream }
  }

  it("is woken once, when half of the limit is free", () => {
    const { stream, world } = blocked()
    assert.strictEqual(stream.writing, "Blocked")
    assert.strictEqual(world.writers.next(), Infinity)
    world.capacity.release(LIMIT / 2 - 1)
    world.pass(1000)
    assert.deepStrictEqual(world.woken(), [])
    world.capacity.release(1)
    world.pass(0)
    world.pass(1000)
    assert.deepStrictEqual(world.woken(), [3])
  })

  it("is not woken by credit or by a withdrawal", () => {
    const { stream, world } = blocked()
    world.grant(stream, WINDOW)
    world.writers.withdrew(stream)
    assert.deepStrictEqual(world.woken(), [])
    assert.strictEqual(world.writers.next(), Infinity)
  })

  it("and then for credit, is woken by the next increment and not by capacity", () => {
    const { stream, world } = blocked()
    stream.sendWindow.consume(WINDOW)
    world.writers.block(stream)
    world.capacity.release(LIMIT)
    world.pass(1000)
    assert.deepStrictEqual(world.woken(), [], "it could write nothing")
    world.capacity.use(LIMIT)
    world.grant(stream, WINDOW)
    assert.deepStrictEqual(world.woken(), [3], "although the bound is full again")
  })

  it("keeps its place in line when it is blocked again", () => {
    const { stream, world } = blocked()
    const second = world.stream(5)
    world.writers.block(second)
    world.writers.block(stream)
    world.capacity.release(LIMIT)
    world.pass(0)
    assert.deepStrictEqual(world.woken(), [3, 5])
  })
})

describe("a writer that waits for credit", () => {
  const blocked = (credit = 0) => {
    const world = new World()
    const stream = world.stream(3, credit)
    world.writers.block(stream)
    return { world, stream }
  }

  it("is woken once, by an increment that is large enough for a frame", () => {
    const { stream, world } = blocked()
    assert.strictEqual(world.writers.next(), Infinity)
    world.grant(stream, WINDOW / 4)
    world.grant(stream, WINDOW / 4)
    world.pass(1000)
    assert.deepStrictEqual(world.woken(), [3])
    assert.isFalse(stream.acceptsSmallCredit)
  })

  it("is woken 5 ms after the first of several small increments, and may then use them", () => {
    const { stream, world } = blocked()
    world.grant(stream, 1)
    world.pass(4)
    world.grant(stream, 1)
    assert.deepStrictEqual(world.woken(), [])
    assert.strictEqual(world.writers.next(), 5, "a later increment does not put it off")
    world.pass(1)
    assert.deepStrictEqual(world.woken(), [3])
    assert.isTrue(stream.acceptsSmallCredit)
    assert.strictEqual(world.writers.next(), Infinity)
  })

  it("with a few bytes of credit is woken after 5 ms, or by more credit", () => {
    for (const more of [false, true]) {
      const { stream, world } = blocked(10)
      assert.strictEqual(world.writers.next(), 5)
      if (more) world.grant(stream, WINDOW)
      else world.pass(5)
      assert.deepStrictEqual(world.woken(), [3])
      assert.strictEqual(stream.acceptsSmallCredit, !more)
      world.pass(1000)
      assert.deepStrictEqual(world.woken(), [])
    }
  })

  it("with a few bytes of credit, and then for capacity, is not woken after 5 ms", () => {
    const { stream, world } = blocked(10)
    world.capacity.use(LIMIT)
    world.writers.block(stream)
    assert.strictEqual(world.writers.next(), Infinity)
    world.capacity.release(LIMIT)
    world.pass(0)
    assert.deepStrictEqual(world.woken(), [3])
  })

  it("is woken by a withdrawal", () => {
    const { stream, world } = blocked()
    stream.sendWindow.refund(1)
    world.writers.withdrew(stream)
    assert.deepStrictEqual(world.woken(), [3])
  })
})

describe("a writer that no longer waits is not woken", () => {
  const cases: ReadonlyArray<readonly [string, (world: World, stream: StreamCore) => void]> = [
    ["it gave up", ({ writers }, stream) => writers.unblock(stream)],
    ["its stream has left", ({ writers }, stream) => writers.forget(stream)],
    ["all streams have failed", ({ writers }) => writers.clear()]
  ]
  for (const [name, end] of cases) {
    it(name, () => {
      const world = new World()
      const [capacity, credit] = [world.stream(3), world.stream(5, 10)]
      world.writers.block(credit)
      world.capacity.use(LIMIT)
      world.writers.block(capacity)
      for (const stream of [capacity, credit]) end(world, stream)
      assert.strictEqual(world.writers.next(), Infinity)
      world.capacity.release(LIMIT)
      world.pass(1000)
      assert.deepStrictEqual(world.woken(), [])
    })
  }

  it("and unblocking it does not finish its stream", () => {
    const world = new World()
    const stream = world.stream(3)
    stream.writing = "Finishing"
    world.writers.unblock(stream)
    assert.strictEqual(stream.writing, "Finishing")
    stream.writing = "Blocked"
    world.writers.unblock(stream)
    assert.strictEqual(stream.writing, "Ready")
  })
})

const index = fc.nat(3)
const bytes = fc.integer({ min: 1, max: 500 })
const step = fc.oneof(
  fc.record({ _tag: fc.constant("write" as const), index, bytes }),
  fc.record({ _tag: fc.constant("grant" as const), index, bytes }),
  fc.record({ _tag: fc.constant("send" as const), index, bytes }),
  fc.record({ _tag: fc.constant("giveUp" as const), index }),
  fc.record({ _tag: fc.constant("pass" as const), milliseconds: fc.nat(6) })
)

it("each blocked writer is woken exactly once, with credit, as soon as both capacity and credit allow", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const world = new World()
      const streams = [3, 5, 7, 9].map((id) => world.stream(id))
      /** Those that are owed one event. */
      const owed = new Set<number>()
      const take = (): void => {
        const woken = world.events.take()
        for (const event of woken) {
          assert(event._tag === "Writable")
          assert.isTrue(owed.delete(event.stream.id), "it waited, and was not woken before")
          assert.isAbove(event.stream.sendWindow.credit, 0)
        }
      }
      /** What `Connection.write` does. */
      const write = (stream: StreamCore, length: number): void => {
        const { credit, worthwhile } = stream.sendWindow
        const small = credit < length && !worthwhile && !stream.acceptsSmallCredit
        const taken = small ? 0 : Math.min(length, credit, world.capacity.available(stream))
        if (taken > 0) {
          stream.acceptsSmallCredit = false
          stream.sendWindow.consume(taken)
          stream.outbound.push(new Uint8Array(taken))
          world.capacity.use(taken)
        }
        stream.gotRoom = taken > 0
        if (taken === length) return
        world.writers.block(stream)
        owed.add(stream.id)
      }
      for (const step of steps) {
        const stream = "index" in step ? streams[step.index] : undefined
        if (step._tag === "pass") world.pass(step.milliseconds)
        else if (stream === undefined) continue
        else if (step._tag === "write") write(stream, step.bytes)
        else if (step._tag === "grant") world.grant(stream, step.bytes)
        else if (step._tag === "giveUp") {
          world.writers.unblock(stream)
          owed.delete(stream.id)
        } else {
          const sent = stream.outbound.take(step.bytes)
          if (sent !== undefined) world.capacity.sent(sent.length)
        }
        world.writers.wakeForCapacity()
        take()
        for (const one of streams) assert.strictEqual(one.writing === "Blocked", owed.has(one.id))
      }
      // everything is sent, and every peer grants a byte
      for (const stream of streams) world.capacity.sent(stream.outbound.clear())
      assert.strictEqual(world.capacity.queued, 0)
      world.writers.wakeForCapacity()
      take()
      for (const stream of streams) world.grant(stream, 1)
      world.pass(5)
      take()
      assert.deepStrictEqual([...owed], [], "woken")
      assert.strictEqual(world.writers.next(), Infinity)
    }),
    { numRuns: 500 }
  )
})
