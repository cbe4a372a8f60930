/** What a byte queue copies, and what it keeps alive. */
import { assert, describe, it } from "@effect/vitest"
import { ByteQueue } from "../../src/protocol/collections/byteQueue.js"
import { concat, pattern } from "../support/bytes.js"

const drain = (queue: ByteQueue): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let chunk = queue.take(); chunk !== undefined; chunk = queue.take()) chunks.push(chunk)
  return chunks
}

/** What the chunks keep alive: every buffer once, whole. */
const retained = (chunks: ReadonlyArray<Uint8Array>): number =>
  [...new Set(chunks.map((chunk) => chunk.buffer))].reduce((sum, buffer) => sum + buffer.byteLength, 0)

/** How many places the queue has for chunks, those of taken ones included. */
const places = (queue: ByteQueue): number => {
  const chunks: unknown = Reflect.get(queue, "chunks")
  assert(Array.isArray(chunks))
  return chunks.length
}

const equal = (actual: Uint8Array | undefined, expected: Uint8Array) =>
  assert.deepStrictEqual(actual === undefined ? undefined : new Uint8Array(actual), expected)

describe("the copies of a byte queue", () => {
  it("by default the first piece is not copied", () => {
    const queue = new ByteQueue()
    const piece = pattern(4)
    queue.push(piece)
    piece.fill(99)
    equal(queue.take(), Uint8Array.of(99, 99, 99, 99))
  })

  it("a piece of a Node Buffer is copied to new memory, not with slice, which returns a view", () => {
    const queue = new ByteQueue()
    const chunk = Buffer.from(pattern(64 * 1024))
    queue.push(chunk.subarray(10, 2058), "copy")
    chunk.fill(0)
    const taken = queue.take()
    equal(taken, pattern(2048, 10))
    assert.strictEqual(taken?.buffer.byteLength, 2048)
  })

  it("a 2.3 KiB piece of a 64 KiB chunk does not keep the chunk alive", () => {
    const queue = new ByteQueue()
    for (let i = 0; i < 112; i++) queue.push(pattern(65_536).subarray(8, 2348), "copy")
    assert.strictEqual(queue.length, 262_080)
    assert.strictEqual(retained(drain(queue)), 262_080)
  })

  it("a piece to copy after a large piece is copied too", () => {
    const queue = new ByteQueue()
    const chunk = Buffer.from(pattern(64 * 1024))
    queue.push(pattern(3000))
    queue.push(chunk.subarray(0, 5), "copy")
    chunk.fill(0)
    queue.take()
    equal(queue.take(), pattern(5))
  })
})

describe("the memory of a byte queue", () => {
  it("a queue of 100 000 single bytes does not hold an object for each byte", () => {
    const queue = new ByteQueue()
    for (let i = 0; i < 100_000; i++) queue.push(pattern(1, i))
    assert.strictEqual(queue.length, 100_000)
    const chunks = drain(queue)
    equal(concat(chunks), pattern(100_000))
    assert.isAtMost(chunks.length, 24)
    assert.isAtMost(retained(chunks), 100_000 + 2 * 16 * 1024)
  })

  it("two single bytes use at most 1 KiB", () => {
    const queue = new ByteQueue()
    queue.push(pattern(1))
    queue.push(pattern(1, 1))
    assert.strictEqual(retained(drain(queue)), 1024)
  })

  it("the free space of the last buffer grows with the queue, up to 16 KiB", () => {
    const sizes = (first: number): number => {
      const queue = new ByteQueue()
      if (first > 0) queue.push(pattern(first))
      queue.push(pattern(1))
      queue.push(pattern(1))
      return retained(drain(queue)) - first
    }
    assert.strictEqual(sizes(3000), 2 * 3002)
    assert.strictEqual(sizes(100_000), 16 * 1024)
  })

  it("single bytes that just fit use the free space of the last buffer", () => {
    const queue = new ByteQueue()
    for (const length of [1, 1, 1022]) queue.push(pattern(length))
    assert.strictEqual(retained(drain(queue)), 1024)
  })

  it("after a take from the front, the free space of the last buffer is still used", () => {
    const queue = new ByteQueue()
    for (const length of [3000, 1, 1]) queue.push(pattern(length))
    assert.strictEqual(queue.take()?.length, 3000)
    queue.push(pattern(1))
    const chunks = drain(queue)
    assert.deepStrictEqual(chunks, [Uint8Array.of(0, 0, 0)])
    assert.strictEqual(retained(chunks), 6004)
  })

  it("a queue that becomes empty keeps no slots", () => {
    const queue = new ByteQueue()
    for (let i = 0; i < 3; i++) queue.push(pattern(3000))
    drain(queue)
    assert.strictEqual(places(queue), 0)
    for (let i = 0; i < 3; i++) queue.push(pattern(3000))
    queue.take()
    queue.dropLast(6000)
    assert.strictEqual(places(queue), 0)
  })

  const steps: ReadonlyArray<readonly [number, ReadonlyArray<readonly [number, number]>]> = [
    [
      100,
      [
        [0, 100],
        [63, 100],
        [64, 36]
      ]
    ],
    [
      128,
      [
        [63, 128],
        [64, 64]
      ]
    ],
    [
      200,
      [
        [64, 200],
        [99, 200],
        [100, 100]
      ]
    ]
  ]

  it.each(steps)(
    "of %i slots, those of taken chunks are released when they are at least 64 and half of all",
    (count, cases) => {
      for (const [takes, left] of cases) {
        const queue = new ByteQueue()
        for (let i = 0; i < count; i++) queue.push(pattern(2049, i))
        for (let i = 0; i < takes; i++) queue.take()
        assert.strictEqual(places(queue), left)
        equal(queue.take(), pattern(2049, takes))
      }
    }
  )

  it("a queue that never becomes empty releases the slots of taken chunks", () => {
    const queue = new ByteQueue()
    queue.push(pattern(3000))
    for (let i = 0; i < 1000; i++) {
      queue.push(pattern(3000, i))
      queue.take()
    }
    assert.isAtMost(places(queue), 130)
    equal(queue.take(), pattern(3000, 999))
    assert.isUndefined(queue.take())
  })

  it("a taken chunk is not kept alive by later chunks", () => {
    const queue = new ByteQueue()
    const first = pattern(3000)
    queue.push(first)
    queue.push(pattern(3000))
    queue.take()
    const chunks: unknown = Reflect.get(queue, "chunks")
    assert.isArray(chunks)
    assert.notInclude(chunks, first)
  })
})
