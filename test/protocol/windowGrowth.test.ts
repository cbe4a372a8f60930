import { assert, describe, it } from "@effect/vitest"
import { WindowGrowth } from "../../src/protocol/receiving/windowGrowth.js"

describe("the rate of a stream", () => {
  it("is known after a span of one round trip, and each span starts anew", () => {
    const growth = new WindowGrowth(100)
    growth.granted(3000, 0, 105)
    assert.isUndefined(growth.rate(10, 109))
    growth.granted(1000, 0, 110)
    assert.strictEqual(growth.rate(10, 110), 400)
    assert.isUndefined(growth.rate(10, 119))
    growth.granted(500, 0, 119)
    assert.strictEqual(growth.rate(10, 120), 50)
  })

  it("is measured over at least 1 ms", () => {
    const growth = new WindowGrowth(0)
    growth.granted(500, 0, 0)
    assert.isUndefined(growth.rate(0.1, 0.9))
    assert.strictEqual(growth.rate(0.1, 1), 500)
  })
})

describe("the round trip of a grant", () => {
  it("ends with the first byte for which the peer needed it", () => {
    const growth = new WindowGrowth(0)
    assert.isUndefined(growth.arrived(10, 1), "no grant is timed")
    growth.granted(500, 1000, 10)
    assert.isUndefined(growth.arrived(600, 20))
    assert.isUndefined(growth.arrived(400, 25))
    assert.strictEqual(growth.arrived(1, 40), 30)
    assert.isUndefined(growth.arrived(1, 50), "it is measured once")
  })

  it("is that of the first grant, if others follow before its bytes", () => {
    const growth = new WindowGrowth(0)
    growth.granted(500, 100, 10)
    growth.granted(500, 700, 20)
    assert.strictEqual(growth.arrived(101, 30), 20)
    growth.granted(500, 5, 40)
    assert.strictEqual(growth.arrived(6, 47), 7)
  })
})

describe("the next window", () => {
  /** The windows that follow one of 1000 bytes, for what each span wants and what another stream needed. */
  const windows = (
    ...spans: ReadonlyArray<number | readonly [wanted: number, known: number]>
  ): ReadonlyArray<number> => {
    const growth = new WindowGrowth(0)
    let size = 1000
    return spans.map((span) => {
      const [wanted, known] = typeof span === "number" ? [span, 0] : span
      size = growth.next(size, wanted, known)
      return size
    })
  }

  it("grows after two consecutive spans that want a larger one", () => {
    assert.deepStrictEqual(windows(1200, 1200), [1000, 1200])
    assert.deepStrictEqual(windows(1200, 1000, 1200, 1200), [1000, 1000, 1000, 1200])
    assert.deepStrictEqual(windows(1001, 1001), [1000, 1001])
  })

  it("continues to grow with each span that wants more, and the span after a growth does not stop it", () => {
    assert.deepStrictEqual(windows(5000, 5000, 5000, 5000), [1000, 2000, 4000, 5000])
    assert.deepStrictEqual(windows(5000, 5000, 100, 5000), [1000, 2000, 2000, 4000])
    assert.deepStrictEqual(windows(5000, 5000, 100, 100, 5000, 5000), [1000, 2000, 2000, 2000, 2000, 4000])
  })

  it("is at most twice as large, and never smaller", () => {
    assert.deepStrictEqual(windows(9000, 9000), [1000, 2000])
    assert.deepStrictEqual(windows(1200, 1200, 10, 10), [1000, 1200, 1200, 1200])
  })

  it("is up to four times as large if another stream needed three times as much, and this one is held back", () => {
    assert.deepStrictEqual(windows([1500, 3000], [1500, 3000]), [1000, 3000])
    assert.deepStrictEqual(windows([9000, 9000], [9000, 9000]), [1000, 4000])
    assert.deepStrictEqual(windows([1600, 9000], [1600, 9000]), [1000, 3200])
    assert.deepStrictEqual(windows([1500, 2999], [1500, 2999]), [1000, 1500])
    assert.deepStrictEqual(windows([1499, 3000], [1499, 3000]), [1000, 1499])
  })

  it("takes the larger wish of the last two spans for such a leap", () => {
    assert.deepStrictEqual(windows([1800, 9000], [1100, 9000]), [1000, 3600])
    assert.deepStrictEqual(windows([1100, 9000], [1800, 9000]), [1000, 3600])
  })
})
