import { assert, describe, it } from "@effect/vitest"
import { SendCapacity } from "../../src/protocol/sending/sendCapacity.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"

const LIMIT = 8000
const stream = (id: number): StreamCore => new StreamCore(id, "Local", { window: 1024, peerWindow: 1024 }, 0)

describe("the limit on unsent bytes in SendCapacity", () => {
  it("reserves an eighth for streams without unsent bytes", () => {
    const capacity = new SendCapacity(LIMIT)
    const busy = stream(1)
    busy.outbound.push(new Uint8Array(1))
    assert.deepStrictEqual([capacity.available(busy), capacity.available(stream(3))], [7000, 8000])
    capacity.use(7500)
    assert.deepStrictEqual([capacity.available(busy), capacity.available(stream(3))], [0, 500])
    capacity.release(7500)
    assert.strictEqual(capacity.queued, 0)
  })

  it("wakes writers when half of it is free, and not for each frame before that", () => {
    const capacity = new SendCapacity(LIMIT)
    const waiting = stream(1)
    capacity.use(LIMIT)
    capacity.wait(waiting)
    capacity.sent(3999)
    assert.deepStrictEqual(capacity.takeWaiting(), [])
    capacity.sent(1)
    assert.deepStrictEqual(capacity.takeWaiting(), [waiting])
    assert.isFalse(capacity.isAwaitedBy(waiting))
  })

  it("wakes writers when as many bytes as the limit were sent, even if it stays full", () => {
    const capacity = new SendCapacity(LIMIT)
    const waiting = stream(1)
    capacity.use(LIMIT)
    capacity.wait(waiting)
    capacity.sent(2000)
    capacity.use(2000)
    capacity.sent(2000)
    capacity.use(2000)
    capacity.sent(2000)
    capacity.use(2000)
    assert.deepStrictEqual(capacity.takeWaiting(), [])
    capacity.sent(2000)
    capacity.use(2000)
    assert.deepStrictEqual(capacity.takeWaiting(), [waiting])
  })

  it("wakes first a writer that got nothing the last time", () => {
    const capacity = new SendCapacity(LIMIT)
    const [greedy, hungry, gone] = [stream(1), stream(3), stream(5)]
    greedy.gotRoom = true
    for (const one of [greedy, gone, hungry]) capacity.wait(one)
    capacity.stopWaiting(gone)
    assert.deepStrictEqual(capacity.takeWaiting(), [hungry, greedy])
  })
})
