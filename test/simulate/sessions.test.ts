import { assert, describe, it } from "@effect/vitest"
import { simulate } from "../../tools/simulate/sessions/simulate.js"
import { Tally } from "../../tools/simulate/tally.js"

describe("simulated sessions and their callers", () => {
  it("keep every rule of a session", { timeout: 60_000 }, () => {
    const tally = new Tally()
    for (let seed = 1; seed <= 30; seed++) {
      const { failure } = simulate(seed, tally)
      assert.strictEqual(failure, undefined, `npm run simulate -- --sessions --seed ${seed} --trace`)
    }
    assert.isAbove(tally.get("outcome: call done"), 50)
  })

  it("give the same run for the same seed, and another run for another seed", () => {
    const hash = (seed: number) => simulate(seed, new Tally()).hash
    assert.strictEqual(hash(9), hash(9))
    assert.notStrictEqual(hash(9), hash(10))
  })
})
