import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Linked } from "../../src/protocol/collections/linkedQueue.js"
import { LinkedQueue } from "../../src/protocol/collections/linkedQueue.js"

class Item implements Linked<Item> {
  queue: LinkedQueue<Item> | undefined = undefined
  next: Item | undefined = undefined
  previous: Item | undefined = undefined

  constructor(readonly name: number) {}
}

const ITEMS = 6

const names = (queue: LinkedQueue<Item>): ReadonlyArray<number> => queue.values().map(({ name }) => name)

it("a new linked queue is empty, and returns nothing", () => {
  const queue = new LinkedQueue<Item>()
  assert.strictEqual(queue.size, 0)
  assert.isUndefined(queue.shift())
  assert.deepStrictEqual(queue.values(), [])
})

it("an item that is added to another linked queue leaves the first", () => {
  const [a, b] = [new LinkedQueue<Item>(), new LinkedQueue<Item>()]
  const item = new Item(0)
  a.add(item)
  b.add(item)
  assert.isFalse(a.has(item))
  assert.isTrue(b.has(item))
  assert.strictEqual(a.size, 0)
  assert.strictEqual(b.size, 1)
})

it("an item that was removed from a linked queue keeps no other item alive", () => {
  const queue = new LinkedQueue<Item>()
  const items = [new Item(0), new Item(1), new Item(2)]
  for (const item of items) queue.add(item)
  for (const item of [items[1], queue.shift()]) {
    assert.isDefined(item)
    queue.delete(item)
    assert.isUndefined(item.next)
    assert.isUndefined(item.previous)
    assert.isUndefined(item.queue)
  }
  assert.deepStrictEqual(names(queue), [2])
})

const step = fc.record({
  what: fc.constantFrom("add", "add", "add", "delete", "shift", "clear"),
  queue: fc.nat(1),
  item: fc.nat(ITEMS - 1)
})

it("two linked queues behave as two disjoint sets", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const items = Array.from({ length: ITEMS }, (_, name) => new Item(name))
      const pairs = [0, 1].map(() => ({ queue: new LinkedQueue<Item>(), model: new Set<number>() }))
      for (const { item: name, queue: which, what } of steps) {
        const pair = pairs[which]
        const other = pairs[1 - which]
        const item = items[name]
        assert.isTrue(pair !== undefined && other !== undefined && item !== undefined)
        if (pair === undefined || other === undefined || item === undefined) continue
        switch (what) {
          case "add":
            other.model.delete(name)
            pair.model.add(name)
            pair.queue.add(item)
            break
          case "delete":
            pair.model.delete(name)
            pair.queue.delete(item)
            break
          case "shift": {
            const [first] = pair.model
            if (first !== undefined) pair.model.delete(first)
            assert.strictEqual(pair.queue.shift()?.name, first)
            break
          }
          case "clear":
            pair.model.clear()
            pair.queue.clear()
        }
        for (const { model, queue } of pairs) {
          assert.deepStrictEqual(names(queue), [...model])
          assert.strictEqual(queue.size, model.size)
          for (const one of items) assert.strictEqual(queue.has(one), model.has(one.name))
        }
      }
    })
  )
})
