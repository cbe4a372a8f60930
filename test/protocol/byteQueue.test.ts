import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ByteQueue } from "../../src/protocol/collections/byteQueue.js"
import { concat, pattern } from "../support/bytes.js"

const drain = (queue: ByteQueue): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let chunk = queue.take(); chunk !== undefined; chunk = queue.take()) chunks.push(chunk)
  return chunks
}

const equal = (actual: Uint8Array | undefined, expected: Uint8Array) =>
  assert.deepStrictEqual(actual === undefined ? undefined : new Uint8Array(actual), expected)

describe("taking from a byte queue", () => {
  it("take returns undefined from an empty queue", () => {
    const queue = new ByteQueue()
    assert.strictEqual(queue.length, 0)
    assert.isUndefined(queue.take())
    assert.isUndefined(queue.take(5))
  })

  it("push ignores empty pieces", () => {
    const queue = new ByteQueue()
    queue.push(new Uint8Array(0))
    queue.push(new Uint8Array(0), "copy")
    assert.strictEqual(queue.length, 0)
    assert.isUndefined(queue.take())
  })

  it("take returns at most max bytes, and none for a max of 0", () => {
    const queue = new ByteQueue()
    queue.push(pattern(10))
    assert.isUndefined(queue.take(0))
    assert.isUndefined(queue.take(-1))
    assert.strictEqual(queue.length, 10)
    equal(queue.take(4), pattern(4))
    assert.strictEqual(queue.length, 6)
    equal(queue.take(6), pattern(6, 4))
    assert.strictEqual(queue.length, 0)
    assert.isUndefined(queue.take(1))
  })

  it("take never joins two chunks", () => {
    const queue = new ByteQueue()
    queue.push(pattern(3000))
    queue.push(pattern(3000, 3000))
    equal(queue.take(5000), pattern(3000))
    equal(queue.take(5000), pattern(3000, 3000))
  })
})

describe("pushing to a byte queue", () => {
  it("the first piece is kept by reference", () => {
    const queue = new ByteQueue()
    const piece = pattern(2048)
    queue.push(piece)
    assert.strictEqual(queue.take(), piece)
  })

  it("pieces above 2 KiB are kept by reference between other pieces", () => {
    const queue = new ByteQueue()
    const pieces = [pattern(10), pattern(2049, 10), pattern(10, 20), pattern(4096, 5)]
    for (const piece of pieces) queue.push(piece)
    assert.deepStrictEqual(drain(queue), pieces)
    for (const piece of pieces) queue.push(piece)
    for (const piece of pieces) assert.strictEqual(queue.take(), piece)
  })

  it("a small piece after a large one is not copied into it", () => {
    const queue = new ByteQueue()
    const large = pattern(2049)
    queue.push(large)
    const small = pattern(1)
    queue.push(small)
    assert.strictEqual(queue.take(), large)
    assert.strictEqual(queue.take(), small)
  })

  it("pieces of up to 2 KiB are copied together", () => {
    const queue = new ByteQueue()
    queue.push(pattern(2048))
    queue.push(pattern(2048, 2048))
    queue.push(pattern(1, 4096))
    equal(queue.take(), pattern(4097))
    assert.strictEqual(queue.length, 0)
  })

  it("copying pieces together does not write into the pushed bytes", () => {
    const queue = new ByteQueue()
    const backing = new Uint8Array(4096)
    queue.push(backing.subarray(0, 4))
    queue.push(Uint8Array.of(1, 2, 3))
    assert.deepStrictEqual(backing, new Uint8Array(4096))
    equal(queue.take(), Uint8Array.of(0, 0, 0, 0, 1, 2, 3))
  })

  it("taken bytes do not change when more are pushed", () => {
    const queue = new ByteQueue()
    queue.push(pattern(4))
    queue.push(pattern(4, 4))
    const part = queue.take(5)
    queue.push(pattern(4, 100))
    const rest = queue.take()
    queue.push(pattern(8, 200))
    equal(part, pattern(5))
    equal(rest, concat([pattern(3, 5), pattern(4, 100)]))
    equal(queue.take(), pattern(8, 200))
  })
})

describe("dropping the last bytes of a byte queue", () => {
  it("removes part of a chunk, whole chunks, and everything", () => {
    const queue = new ByteQueue()
    queue.push(pattern(3000))
    queue.push(pattern(3000, 3000))
    queue.push(pattern(3000, 6000))
    queue.dropLast(10)
    assert.strictEqual(queue.length, 8990)
    queue.dropLast(2990)
    assert.strictEqual(queue.length, 6000)
    queue.dropLast(3001)
    assert.strictEqual(queue.length, 2999)
    equal(queue.take(), pattern(2999))
    queue.push(pattern(5))
    queue.dropLast(5)
    assert.strictEqual(queue.length, 0)
    assert.isUndefined(queue.take())
    queue.push(pattern(7))
    equal(queue.take(), pattern(7))
  })

  it("is refused if the queue holds fewer, and nothing is dropped", () => {
    const queue = new ByteQueue()
    assert.isFalse(queue.dropLast(1))
    for (const piece of [pattern(3000), pattern(3000, 3000)]) queue.push(piece)
    assert.isFalse(queue.dropLast(6001))
    equal(queue.take(), pattern(3000))
    assert.isFalse(queue.dropLast(3001))
    assert.strictEqual(queue.length, 3000)
    assert.deepStrictEqual(drain(queue), [pattern(3000, 3000)])
  })

  it("dropping nothing changes nothing", () => {
    const queue = new ByteQueue()
    queue.dropLast(0)
    queue.push(pattern(5))
    queue.dropLast(0)
    assert.strictEqual(queue.length, 5)
    equal(queue.take(), pattern(5))
  })

  it("dropped bytes do not reappear with the next piece", () => {
    const queue = new ByteQueue()
    queue.push(pattern(4))
    queue.push(pattern(4, 4))
    queue.dropLast(3)
    queue.push(pattern(2, 100))
    equal(concat(drain(queue)), concat([pattern(5), pattern(2, 100)]))
  })

  it("dropping all bytes after a take leaves the queue empty", () => {
    const queue = new ByteQueue()
    for (let i = 0; i < 3; i++) queue.push(pattern(3000, i))
    queue.take()
    queue.dropLast(6000)
    assert.strictEqual(queue.length, 0)
    assert.isUndefined(queue.take())
    queue.push(pattern(1, 9))
    equal(queue.take(), pattern(1, 9))
  })
})

describe("clearing a byte queue", () => {
  it("returns the number of dropped bytes, and leaves a usable empty queue", () => {
    const queue = new ByteQueue()
    queue.push(pattern(1))
    queue.push(pattern(1))
    queue.push(pattern(3000))
    queue.take()
    assert.strictEqual(queue.clear(), 3000)
    assert.strictEqual(queue.length, 0)
    assert.isUndefined(queue.take())
    assert.strictEqual(queue.clear(), 0)
    queue.push(pattern(2))
    queue.push(pattern(2, 2))
    equal(queue.take(), pattern(4))
  })
})

// --- against a plain array

const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 5 }) },
  { weight: 2, arbitrary: fc.integer({ min: 900, max: 1100 }) },
  { weight: 2, arbitrary: fc.integer({ min: 2040, max: 2060 }) },
  { weight: 1, arbitrary: fc.integer({ min: 3000, max: 20_000 }) }
)

const operation = fc.oneof(
  { weight: 12, arbitrary: fc.record({ op: fc.constantFrom("reference" as const, "copy" as const), size }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("take" as const), size }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("takeAll" as const), size }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("dropLast" as const), size }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("many" as const), size: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("clear" as const), size }) }
)

it("a byte queue behaves like a plain array of bytes", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = new ByteQueue()
      let model: Uint8Array = new Uint8Array(0)
      let counter = 0
      const given: Array<readonly [Uint8Array, Uint8Array]> = []
      const push = (length: number, keep: "reference" | "copy") => {
        const backing = pattern(length + 8, counter)
        const piece = backing.subarray(4, 4 + length)
        counter += length + 1
        model = concat([model, piece])
        queue.push(piece, keep)
        if (keep === "copy") backing.fill(255)
        else given.push([backing, backing.slice()])
      }
      const take = (max?: number) => {
        const taken = queue.take(max)
        if (model.length === 0 || max === 0) return assert.isUndefined(taken)
        assert.isDefined(taken)
        assert.isAtLeast(taken.length, 1)
        assert.isAtMost(taken.length, max ?? Infinity)
        equal(taken, model.slice(0, taken.length))
        given.push([taken, taken.slice()])
        model = model.slice(taken.length)
      }
      for (const { op, size } of operations) {
        if (op === "reference" || op === "copy") push(size, op)
        if (op === "many") for (let i = 0; i < size; i++) push(1 + (i % 3), "copy")
        if (op === "take") take(size)
        if (op === "takeAll") take()
        if (op === "dropLast") {
          const count = Math.min(size, model.length)
          queue.dropLast(count)
          model = model.slice(0, model.length - count)
        }
        if (op === "clear") {
          assert.strictEqual(queue.clear(), model.length)
          model = new Uint8Array(0)
        }
        assert.strictEqual(queue.length, model.length)
      }
      equal(concat(drain(queue)), model)
      // neither the bytes that came in nor those that went out were written to
      for (const [bytes, before] of given) equal(bytes, before)
    }),
    { numRuns: 200 }
  )
})

describe("memory that is detached after it was pushed to a byte queue", () => {
  const detach = (bytes: Uint8Array): void => {
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  }

  it("is detected when it is first in the queue: take returns nothing, and the length stays the same", () => {
    const queue = new ByteQueue()
    const lost = new Uint8Array(5000)
    queue.push(new Uint8Array(10))
    queue.push(lost)
    queue.push(new Uint8Array(3000))
    detach(lost)
    assert.isFalse(queue.isBroken)
    assert.lengthOf(queue.take() ?? [], 10)
    assert.isTrue(queue.isBroken)
    assert.isUndefined(queue.take())
    assert.isUndefined(queue.take(5))
    assert.strictEqual(queue.length, 8000)
    assert.strictEqual(queue.clear(), 8000)
    assert.isFalse(queue.isBroken)
  })

  it("does not affect pieces that are pushed after it", () => {
    const queue = new ByteQueue()
    const lost = new Uint8Array(100)
    queue.push(lost)
    detach(lost)
    for (const size of [1, 2000, 5000]) queue.push(new Uint8Array(size))
    assert.isTrue(queue.isBroken)
    assert.strictEqual(queue.length, 7101)
  })

  it("cannot be dropped, nor can the pieces before it; the pieces after it can", () => {
    const queue = new ByteQueue()
    const lost = new Uint8Array(5000)
    queue.push(new Uint8Array(3000))
    queue.push(lost)
    queue.push(new Uint8Array(4000))
    detach(lost)
    assert.isTrue(queue.dropLast(4000))
    assert.isFalse(queue.dropLast(1))
    assert.isFalse(queue.dropLast(6000))
    assert.strictEqual(queue.length, 8000)
  })
})
