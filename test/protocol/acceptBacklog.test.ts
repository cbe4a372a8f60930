import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { AcceptBacklog } from "../../src/protocol/streams/acceptBacklog.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"

const stream = (id: number): StreamCore => new StreamCore(id, "Remote", { window: 1024, peerWindow: 1024 }, undefined)

describe("streams that wait to be accepted", () => {
  it("hold one place until they leave", () => {
    const backlog = new AcceptBacklog(2)
    const [a, b] = [stream(3), stream(5)]
    assert.isFalse(a.isShown)
    backlog.show(a)
    backlog.show(b)
    assert.strictEqual(a.exposure, "InBacklog")
    assert.isTrue(a.isShown)
    assert.isTrue(backlog.isFull)
    backlog.leave(a)
    backlog.leave(a)
    assert.strictEqual(a.exposure, "Shown")
    assert.strictEqual(backlog.size, 1)
    assert.isFalse(backlog.isFull)
  })

  it("need no place within the accept capacity, even if the backlog is full", () => {
    const backlog = new AcceptBacklog(1)
    backlog.show(stream(3))
    assert.isTrue(backlog.isFull)
    backlog.acceptCapacity = 1
    assert.isFalse(backlog.isFull)
    const taken = stream(5)
    backlog.show(taken)
    assert.strictEqual(taken.exposure, "Shown")
    assert.deepStrictEqual([backlog.size, backlog.acceptCapacity, backlog.isFull], [1, 0, true])
    backlog.leave(taken)
    assert.strictEqual(backlog.size, 1)
  })

  it("need a place if the application does not take them after all", () => {
    const backlog = new AcceptBacklog(1)
    backlog.acceptCapacity = 1
    const deferred = stream(3)
    backlog.defer(deferred)
    assert.deepStrictEqual([backlog.size, deferred.exposure], [0, "Hidden"])
    backlog.show(deferred)
    backlog.defer(deferred)
    backlog.defer(deferred)
    assert.deepStrictEqual([backlog.size, deferred.exposure, backlog.isFull], [1, "InBacklog", true])
    backlog.leave(deferred)
    assert.deepStrictEqual([backlog.size, deferred.exposure], [0, "Shown"])
    backlog.clear()
    backlog.defer(deferred)
    assert.deepStrictEqual([backlog.size, deferred.exposure], [0, "Shown"])
  })

  it("a backlog of 0 holds no stream beyond the accept capacity", () => {
    const backlog = new AcceptBacklog(0)
    assert.isTrue(backlog.isFull)
    backlog.acceptCapacity = 2
    assert.isFalse(backlog.isFull)
  })

  it("a stream that was never shown does not leave", () => {
    const backlog = new AcceptBacklog(1)
    const hidden = stream(3)
    backlog.leave(hidden)
    assert.strictEqual(hidden.exposure, "Hidden")
    assert.strictEqual(backlog.size, 0)
  })

  it("are not counted after the end of the session, and can still be taken", () => {
    const backlog = new AcceptBacklog(2)
    const waiting = stream(3)
    backlog.show(waiting)
    backlog.clear()
    assert.strictEqual(backlog.size, 0)
    backlog.leave(waiting)
    assert.strictEqual(backlog.size, 0)
    assert.strictEqual(waiting.exposure, "Shown")
  })
})

it("the backlog holds exactly the streams that were shown beyond the accept capacity and have not left", () => {
  const step = fc.oneof(
    fc.record({ _tag: fc.constant("capacity" as const), streams: fc.integer({ min: -1, max: 3 }) }),
    fc.record({ _tag: fc.constant("show" as const) }),
    fc.record({ _tag: fc.constant("leave" as const), index: fc.nat(20) })
  )
  fc.assert(
    fc.property(fc.nat(4), fc.array(step, { maxLength: 60 }), (limit, steps) => {
      const backlog = new AcceptBacklog(limit)
      const shown: Array<StreamCore> = []
      const waiting = new Set<StreamCore>()
      let capacity = 0
      for (const step of steps) {
        switch (step._tag) {
          case "capacity":
            backlog.acceptCapacity = capacity = step.streams
            break
          case "show": {
            assert.strictEqual(backlog.isFull, capacity <= 0 && waiting.size >= limit)
            if (backlog.isFull) break
            const next = stream(2 * shown.length + 3)
            backlog.show(next)
            shown.push(next)
            if (capacity > 0) capacity--
            else waiting.add(next)
            break
          }
          case "leave": {
            const leaving = shown[step.index]
            if (leaving === undefined) break
            backlog.leave(leaving)
            waiting.delete(leaving)
          }
        }
        assert.strictEqual(backlog.size, waiting.size)
        assert.isAtMost(backlog.size, limit)
        for (const one of shown) assert.strictEqual(one.exposure === "InBacklog", waiting.has(one))
      }
    }),
    { numRuns: 300 }
  )
})
