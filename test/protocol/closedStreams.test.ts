import { assert, describe, it } from "@effect/vitest"
import { ClosedStreams } from "../../src/protocol/streams/closedStreams.js"

const WINDOW = 256 * 1024

const isKnown = (closed: ClosedStreams, id: number): boolean => closed.late(id, 0) !== "Unknown"

describe("ids of streams that have ended", () => {
  it("are remembered", () => {
    const closed = new ClosedStreams(WINDOW)
    assert.isFalse(isKnown(closed, 3))
    closed.ignoreLate(3)
    assert.isTrue(isKnown(closed, 3))
    assert.isFalse(isKnown(closed, 5))
  })

  it("are at most 8192: the oldest is forgotten, and an id that ends again uses no second place", () => {
    const closed = new ClosedStreams(WINDOW)
    for (let id = 1; id <= 8192; id++) closed.ignoreLate(id)
    closed.ignoreLate(8192)
    assert.isTrue(isKnown(closed, 1))
    closed.ignoreLate(8193)
    assert.deepStrictEqual(
      [1, 2, 8192, 8193].map((id) => isKnown(closed, id)),
      [false, true, true, true]
    )
    closed.ignoreLate(8194)
    assert.deepStrictEqual(
      [2, 3, 8194].map((id) => isKnown(closed, id)),
      [false, true, true]
    )
  })
})

describe("late DATA", () => {
  it("is expected up to one window, which may have been in transit; more is too much", () => {
    const closed = new ClosedStreams(WINDOW)
    closed.ignoreLate(3)
    assert.strictEqual(closed.late(3, WINDOW - 1), "Expected")
    assert.strictEqual(closed.late(3, 1), "Expected")
    assert.strictEqual(closed.late(3, 1), "TooMuch")
    closed.ignoreLate(3)
    assert.strictEqual(closed.late(3, 1), "TooMuch")
    assert.strictEqual(closed.late(5, 1), "Unknown")
  })

  it("must be answered after stopReading, until the stream is forgotten or ignored", () => {
    const closed = new ClosedStreams(WINDOW)
    closed.answerLate(3)
    assert.strictEqual(closed.late(3, 10), "Answer")
    closed.ignoreLate(3)
    assert.strictEqual(closed.late(3, 10), "Expected")
  })
})
