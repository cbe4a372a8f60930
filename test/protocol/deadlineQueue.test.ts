import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { DeadlineQueue } from "../../src/protocol/collections/deadlineQueue.js"

it("an empty deadline queue has no deadline", () => {
  const queue = new DeadlineQueue<string>(10)
  assert.strictEqual(queue.delay, 10)
  assert.strictEqual(queue.size, 0)
  assert.strictEqual(queue.next(), Infinity)
  assert.deepStrictEqual(queue.takeDue(Infinity), [])
})

it("a key is due exactly the delay after it was added", () => {
  const queue = new DeadlineQueue<string>(10)
  queue.add("a", 100)
  assert.strictEqual(queue.next(), 110)
  assert.deepStrictEqual(queue.takeDue(109), [])
  assert.strictEqual(queue.size, 1)
  assert.deepStrictEqual(queue.takeDue(110), ["a"])
  assert.strictEqual(queue.size, 0)
  assert.strictEqual(queue.next(), Infinity)
})

it("adding a key that is in the queue does not delay it", () => {
  const queue = new DeadlineQueue<string>(10)
  queue.add("a", 0)
  queue.add("a", 9)
  assert.strictEqual(queue.next(), 10)
  assert.deepStrictEqual(queue.takeDue(10), ["a"])
  assert.deepStrictEqual(queue.takeDue(19), [])
})

it("a taken key may be added again", () => {
  const queue = new DeadlineQueue<string>(10)
  queue.add("a", 0)
  queue.takeDue(10)
  queue.add("a", 11)
  assert.strictEqual(queue.next(), 21)
})

it("only due keys are taken, in the order in which they were added", () => {
  const queue = new DeadlineQueue<string>(10)
  queue.add("b", 0)
  queue.add("a", 1)
  queue.add("c", 2)
  assert.deepStrictEqual(queue.takeDue(11), ["b", "a"])
  assert.strictEqual(queue.size, 1)
  assert.strictEqual(queue.next(), 12)
})

it("a deleted key is never due, and deleting an unknown key does nothing", () => {
  const queue = new DeadlineQueue<string>(10)
  queue.delete("x")
  queue.add("a", 0)
  queue.add("b", 1)
  queue.delete("x")
  queue.delete("a")
  assert.strictEqual(queue.size, 1)
  assert.deepStrictEqual(queue.takeDue(100), ["b"])
})

it("clearing a deadline queue removes every key", () => {
  const queue = new DeadlineQueue<string>(10)
  queue.add("a", 0)
  queue.add("b", 0)
  queue.clear()
  assert.strictEqual(queue.size, 0)
  assert.deepStrictEqual(queue.takeDue(Infinity), [])
})

const operation = fc.oneof(
  fc.record({ op: fc.constant("add" as const), key: fc.nat(8) }),
  fc.record({ op: fc.constant("delete" as const), key: fc.nat(8) }),
  fc.record({ op: fc.constant("take" as const), key: fc.constant(0) }),
  fc.record({ op: fc.constant("wait" as const), key: fc.integer({ min: 1, max: 15 }) })
)

it("a deadline queue behaves like a plain list of keys and deadlines", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = new DeadlineQueue<number>(10)
      let model: Array<{ readonly key: number; readonly due: number }> = []
      let now = 0
      for (const { key, op } of operations) {
        if (op === "wait") now += key
        if (op === "add") {
          queue.add(key, now)
          if (!model.some((entry) => entry.key === key)) model.push({ key, due: now + 10 })
        }
        if (op === "delete") {
          queue.delete(key)
          model = model.filter((entry) => entry.key !== key)
        }
        if (op === "take") {
          const due = model.filter((entry) => entry.due <= now).map((entry) => entry.key)
          assert.deepStrictEqual(queue.takeDue(now), due)
          model = model.filter((entry) => entry.due > now)
        }
        assert.strictEqual(queue.size, model.length)
        assert.strictEqual(queue.next(), Math.min(Infinity, ...model.map((entry) => entry.due)))
      }
    })
  )
})
