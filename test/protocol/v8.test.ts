import { assert, it } from "@effect/vitest"
import { ByteTotal, newArray } from "../../src/protocol/collections/v8.js"

it("a count of bytes starts at 0, and not at the -0 that it uses inside", () => {
  const total = new ByteTotal()
  assert.isTrue(Object.is(total.value, 0))
  total.add(0)
  assert.isTrue(Object.is(total.value, 0))
})

it("a count of bytes passes 2^31 and 2^32 without a change of its value", () => {
  const total = new ByteTotal()
  for (let i = 1; i <= 5; i++) {
    total.add(2 ** 30)
    assert.strictEqual(total.value, i * 2 ** 30)
  }
})

it("newArray returns an array of its own each time", () => {
  const one = newArray<number>()
  one.push(1)
  assert.deepStrictEqual(one, [1])
  assert.deepStrictEqual(newArray<number>(), [])
})
