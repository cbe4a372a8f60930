import { assert, describe, it } from "@effect/vitest"
import type { Cost } from "../../src/protocol/budgets.js"
import { Budgets } from "../../src/protocol/budgets.js"
import { connectionOptions } from "../support/protocol/options.js"

/** The budgets of a session that begins at 5000 ms, and the reasons for its end. */
const make = () => {
  const rate = { burst: 10, perSecond: 4 }
  const options = { resetBudget: rate, refusalBudget: rate, uselessFrameBudget: rate, spareIncrements: 3 }
  const time = { now: 5000 }
  const reasons: Array<string> = []
  const budgets = new Budgets(connectionOptions("server", options), time, (reason) => reasons.push(reason))
  const charge = (cost: Cost, times: number): void => {
    for (let i = 0; i < times; i++) budgets.charge(cost)
  }
  return { budgets, charge, reasons, time }
}

const REASONS = {
  reset: "streams were reset faster than resetBudget allows",
  refusal: "streams were refused faster than refusalBudget allows",
  useless: "frames without effect came faster than uselessFrameBudget allows"
}

describe("a budget", () => {
  for (const cost of ["reset", "refusal", "useless"] as const) {
    it(`allows its burst, and names itself when it is exceeded: ${cost}`, () => {
      const { charge, reasons } = make()
      charge(cost, 10)
      assert.deepStrictEqual(reasons, [])
      charge(cost, 1)
      assert.deepStrictEqual(reasons, [REASONS[cost]])
    })
  }

  it("drains with time, and does not save unused time", () => {
    const { budgets, charge, reasons, time } = make()
    charge("reset", 10)
    assert.strictEqual(budgets.charged(5000).resets, 10)
    assert.strictEqual(budgets.charged(5500).resets, 8)
    time.now = 6000
    charge("reset", 4)
    assert.deepStrictEqual([budgets.charged(6000).resets, reasons.length], [10, 0])
    assert.strictEqual(budgets.charged(60_000).resets, 0)
    time.now = 60_000
    charge("reset", 11)
    assert.strictEqual(reasons.length, 1)
  })

  it("of useless frames is larger by 4 for each stream, but never by more than its burst", () => {
    const { budgets, charge, reasons } = make()
    budgets.streamBegan()
    charge("useless", 14)
    assert.deepStrictEqual(reasons, [])
    charge("useless", 1)
    assert.strictEqual(reasons.length, 1)
    const other = make()
    for (let i = 0; i < 9; i++) other.budgets.streamBegan()
    other.charge("useless", 20)
    assert.deepStrictEqual(other.reasons, [])
    other.charge("useless", 1)
    assert.strictEqual(other.reasons.length, 1)
  })
})

it("each sent DATA frame pays for one late RST, and others are useless frames", () => {
  const { budgets } = make()
  const late = (): number => {
    budgets.lateReset()
    return budgets.charged(5000).uselessFrames
  }
  assert.strictEqual(late(), 1)
  budgets.sent(0)
  budgets.sent(0)
  assert.deepStrictEqual([late(), late(), late()], [1, 1, 2])
})

it("increments are paid for by streams and sent bytes, and a few more are allowed", () => {
  const { budgets, reasons } = make()
  const increment = (): number => {
    budgets.increment()
    return budgets.charged(5000).increments
  }
  budgets.streamBegan()
  budgets.sent(2)
  assert.deepStrictEqual([increment(), increment(), increment()], [0, 0, 0])
  assert.deepStrictEqual([increment(), increment(), increment()], [1, 2, 3])
  assert.deepStrictEqual(reasons, [])
  increment()
  assert.deepStrictEqual(reasons, ["more window increments came than streams, sent bytes and spareIncrements allow"])
})
