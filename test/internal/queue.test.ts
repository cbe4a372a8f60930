import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Queue } from "../../src/internal/support/queue.js"

describe("a Queue", () => {
  it("gives what an array gives", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer())), (actions) => {
        const queue = new Queue<number>()
        const model: Array<number> = []
        for (const value of actions) {
          if (value === null) assert.strictEqual(queue.shift(), model.shift())
          else {
            queue.push(value)
            model.push(value)
          }
          assert.strictEqual(queue.size, model.length)
        }
        while (model.length > 0) assert.strictEqual(queue.shift(), model.shift())
        assert.strictEqual(queue.shift(), undefined)
      })
    )
  })
})
