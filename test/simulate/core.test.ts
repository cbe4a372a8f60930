import { assert, describe, it } from "@effect/vitest"
import { simulate } from "../../tools/simulate/core/simulate.js"
import { Tally } from "../../tools/simulate/tally.js"

describe("two simulated cores over a link", () => {
  it("keep every rule of the core", () => {
    const tally = new Tally()
    for (let seed = 1; seed <= 300; seed++) {
      assert.strictEqual(simulate(seed, tally).failure, undefined, `npm run simulate -- --core --seed ${seed} --trace`)
    }
    for (const fault of ["cut", "Corrupt", "Stall", "Lost"]) assert.isAbove(tally.get(`fault: ${fault}`), 0, fault)
  })

  it("give the same run for the same seed, and another run for another seed", () => {
    const hash = (seed: number) => simulate(seed, new Tally()).hash
    assert.strictEqual(hash(7), hash(7))
    assert.notStrictEqual(hash(7), hash(8))
  })
})
