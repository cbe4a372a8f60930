import { assert, describe, it } from "@effect/vitest"
import { simulate } from "../../tools/simulate/managed/simulate.js"
import { Tally } from "../../tools/simulate/tally.js"

describe("simulated managed sessions, their servers and their callers", () => {
  it("keep every rule of a managed session", { timeout: 240_000 }, () => {
    const tally = new Tally()
    for (let seed = 1; seed <= 40; seed++) {
      const { failure } = simulate(seed, tally)
      assert.strictEqual(failure, undefined, `npm run simulate -- --managed --seed ${seed} --trace`)
    }
    assert.isAbove(tally.get("outcome: call done"), 100)
    for (const event of ["Connected", "ConnectFailed", "Lost", "Moving GoAway", "Moving Age", "Moving StreamIds"]) {
      assert.isAbove(tally.get(`outcome: event ${event}`), 0, event)
    }
  })

  it("give the same run for the same seed, and another run for another seed", () => {
    const hash = (seed: number) => simulate(seed, new Tally()).hash
    assert.strictEqual(hash(3), hash(3))
    assert.notStrictEqual(hash(3), hash(4))
  })
})
