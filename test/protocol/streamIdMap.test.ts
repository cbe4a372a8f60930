import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { MAX_UINT31 } from "../../src/protocol/wire/frame.js"
import { StreamIdMap } from "../../src/protocol/collections/streamIdMap.js"

it("a map of stream ids accepts the highest id and 0 like others", () => {
  const index = new StreamIdMap<string>()
  index.set(MAX_UINT31, "highest")
  index.set(0, "lowest")
  assert.strictEqual(index.get(MAX_UINT31), "highest")
  assert.strictEqual(index.get(0), "lowest")
  assert.isUndefined(index.get(MAX_UINT31 - 1))
  assert.isTrue(index.delete(MAX_UINT31))
  assert.isFalse(index.delete(MAX_UINT31))
  assert.strictEqual(index.size, 1)
})

it("a map of stream ids counts an id that is set twice once, and has its last value", () => {
  const index = new StreamIdMap<string>()
  index.set(7, "first")
  index.set(7, "last")
  assert.strictEqual(index.size, 1)
  assert.deepStrictEqual(index.values(), ["last"])
  assert.isTrue(index.delete(7))
  assert.strictEqual(index.size, 0)
})

it("a map of stream ids keeps the neighbours of a deleted id", () => {
  const index = new StreamIdMap<number>()
  for (const id of [1, 3, 5]) index.set(id, id)
  index.delete(3)
  assert.deepStrictEqual(
    [1, 3, 5].map((id) => index.get(id)),
    [1, undefined, 5]
  )
  assert.deepStrictEqual(index.values(), [1, 5])
})

it("a map of stream ids returns a copy of its values, in the order of the ids of each side", () => {
  const index = new StreamIdMap<number>()
  for (let id = 2; id < 400; id += 2) index.set(id, id)
  const values = index.values()
  assert.deepStrictEqual(
    values,
    Array.from({ length: 199 }, (_, i) => 2 * i + 2)
  )
  for (const value of values) index.delete(value)
  assert.strictEqual(values.length, 199)
  assert.deepStrictEqual(index.values(), [])
})

it("the order of a map of stream ids does not depend on the order in which they were added", () => {
  const ids = [1, 3, 65, 1001, MAX_UINT31, 0, 2, 62, 64, 1000, MAX_UINT31 - 1]
  for (const added of [ids, [...ids].reverse(), [64, MAX_UINT31, 2, 1001, 62, 1, 0, MAX_UINT31 - 1, 65, 1000, 3]]) {
    const index = new StreamIdMap<number>()
    for (const id of added) index.set(id, id)
    assert.deepStrictEqual(index.values(), ids)
  }
})

it("the order of a map of stream ids does not depend on deleted ids", () => {
  const index = new StreamIdMap<number>()
  index.set(1, 1)
  index.set(2, 2)
  index.delete(1)
  index.set(15, 15)
  assert.deepStrictEqual(index.values(), [15, 2])
  const other = new StreamIdMap<number>()
  for (const id of [15, 2]) other.set(id, id)
  assert.deepStrictEqual(other.values(), [15, 2])
})

/** Bytes of the heap that are in use after a full collection. */
const heapUsed = (): number => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc()")
  return process.memoryUsage().heapUsed
}

it("a map of stream ids keeps no memory for deleted ids", () => {
  const index = new StreamIdMap<boolean>()
  index.set(0, true)
  const before = heapUsed()
  for (let id = 64; id <= 64 * 50_000; id += 64) index.set(id, true)
  for (let id = 64; id <= 64 * 50_000; id += 64) index.delete(id)
  // a page has more than 256 bytes, so 50 000 have 12 MB
  assert.isBelow(heapUsed() - before, 4_000_000)
  assert.deepStrictEqual(index.values(), [true])
})

it("a map of stream ids needs less than 24 bytes for each id, if they are used in order", () => {
  const index = new StreamIdMap<boolean>()
  const before = heapUsed()
  for (let id = 0; id < 500_000; id++) index.set(id, true)
  assert.isBelow(heapUsed() - before, 24 * index.size)
})

const id = fc.oneof(fc.nat(300), fc.integer({ min: MAX_UINT31 - 200, max: MAX_UINT31 }), fc.nat(MAX_UINT31))

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant("set" as const), id }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("delete" as const), id }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("clear" as const), id }) }
)

it("a map of stream ids behaves like a Map", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const index = new StreamIdMap<number>()
      const model = new Map<number, number>()
      for (const [i, { id, what }] of steps.entries()) {
        if (what === "set") {
          index.set(id, i)
          model.set(id, i)
        } else if (what === "delete") {
          assert.strictEqual(index.delete(id), model.delete(id))
        } else {
          index.clear()
          model.clear()
        }
        assert.strictEqual(index.size, model.size)
        assert.strictEqual(index.get(id), model.get(id))
      }
      for (const [key, value] of model) assert.strictEqual(index.get(key), value)
      assert.sameMembers([...index.values()], [...model.values()])
    })
  )
})
