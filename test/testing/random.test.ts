import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { Random } from "../../src/testing/internal/random.js"

const draw = <A>(amount: number, next: () => A): ReadonlyArray<A> => Array.from({ length: amount }, next)

/** Pearson's chi-squared of the counts, against one count for all. */
const chiSquared = (counts: ReadonlyArray<number>): number => {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

const tally = (size: number, values: ReadonlyArray<number>): ReadonlyArray<number> => {
  const counts = Array.from({ length: size }, () => 0)
  for (const value of values) counts[value] = (counts[value] ?? assert.fail(`${value} is out of range`)) + 1
  return counts
}

describe("Random", () => {
  it("returns the recorded numbers of the recorded seeds", () => {
    const some = new Random(42)
    assert.deepStrictEqual(
      [some.number(), some.number(), some.integer(100), some.integer(100), some.integer(6)],
      [0.7397302147566239, 0.679392270986327, 66, 42, 4]
    )
    const one = new Random(1)
    assert.deepStrictEqual(
      draw(8, () => one.integer(1000)),
      [22, 834, 296, 78, 839, 969, 497, 759]
    )
  })

  it("returns the same run for the same seed, and another run for each of 10,000 seeds", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const [one, other] = [new Random(seed), new Random(seed)]
        assert.deepStrictEqual(
          draw(50, () => one.number()),
          draw(50, () => other.number())
        )
      })
    )
    assert.strictEqual(new Set(Array.from({ length: 10_000 }, (_, seed) => new Random(seed).number())).size, 10_000)
  })

  it("stays in its range for any seed and bound", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 31 }), (seed, bound) => {
        const random = new Random(seed)
        for (const value of draw(20, () => random.integer(bound))) {
          assert.isTrue(Number.isInteger(value) && 0 <= value && value < bound)
        }
        for (const value of draw(20, () => random.number())) assert.isTrue(0 <= value && value < 1)
      })
    )
  })

  // A fair generator exceeds these limits for one seed in 10,000 (chi-squared with 9, 99 and 63 degrees of freedom).
  it.each([3, 17, 2024])("is uniform, alone and in pairs, in its high and in its low bits (seed %i)", (seed) => {
    const random = new Random(seed)
    const digits = draw(100_000, () => random.integer(10))
    assert.isBelow(chiSquared(tally(10, digits)), 33.72)
    const pairs = digits.flatMap((digit, at) => (at % 2 === 0 ? [10 * digit + (digits[at + 1] ?? 0)] : []))
    assert.isBelow(chiSquared(tally(100, pairs)), 161.32)
    const numbers = draw(64_000, () => random.number())
    assert.isBelow(
      chiSquared(
        tally(
          64,
          numbers.map((number) => Math.floor(number * 64))
        )
      ),
      113.5
    )
    assert.isBelow(
      chiSquared(
        tally(
          64,
          numbers.map((number) => (number * 2 ** 53) % 64)
        )
      ),
      113.5
    )
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length
    // four standard deviations of the mean
    assert.closeTo(mean, 0.5, (4 * Math.sqrt(1 / 12)) / Math.sqrt(numbers.length))
  })
})
