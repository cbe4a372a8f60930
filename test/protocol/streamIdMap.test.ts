import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
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

const id = fc.oneof(fc.nat(300), fc.integer({ min: MAX_UINT31 - 200, max: MAX_UINT31 }), fc.nat(MAX_UINT31))

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant("set" as const), id }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("delete" as const), id }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("clear" as const), id }) }
)

it("a map of stream ids behaves like a Map", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
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
