import { assert, describe, it } from "@effect/vitest"
import { ReceiveBuffer } from "../../src/protocol/receiving/receiveBuffer.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"

const stream = (id: number): StreamCore => new StreamCore(id, "Remote", { window: 1024, peerWindow: 1024 }, 0)

/** A buffer of 100 bytes whose streams hold so many. */
const filled = (...lengths: ReadonlyArray<number>) => {
  const buffer = new ReceiveBuffer(100)
  const streams = lengths.map((length, index) => {
    const one = stream(2 * index + 2)
    buffer.hold(one, new Uint8Array(length))
    return one
  })
  return { buffer, streams }
}

describe("the limit on unread bytes", () => {
  it("counts bytes until they are taken or dropped", () => {
    const { buffer, streams } = filled(30, 20)
    assert.strictEqual(buffer.held, 50)
    const [first, second] = streams
    assert(first !== undefined && second !== undefined)
    assert.strictEqual(buffer.take(first, 10)?.length, 10)
    assert.strictEqual(buffer.held, 40)
    assert.strictEqual(buffer.drop(second), 20)
    assert.strictEqual(buffer.held, 20)
    buffer.truncate(second)
    assert.strictEqual(second.inboundEnd, "Open")
    buffer.truncate(first)
    assert.strictEqual(first.inboundEnd, "Cut")
    assert.strictEqual(buffer.held, 0)
  })

  it("resets the streams that hold most, and no more than necessary", () => {
    const { buffer, streams } = filled(10, 50, 30)
    const given: Array<number> = []
    const made = buffer.makeRoom(
      45,
      () => streams,
      (one) => {
        given.push(one.id)
        buffer.truncate(one)
        return true
      }
    )
    assert.isTrue(made)
    assert.deepStrictEqual(given, [4])
  })

  it("resets no stream if that would not be enough, or if there is enough space", () => {
    const { buffer, streams } = filled(60, 30)
    const never = (): boolean => assert.fail("a stream was given up")
    assert.isTrue(buffer.makeRoom(10, () => streams, never))
    assert.isFalse(buffer.makeRoom(50, () => streams.slice(1), never))
  })

  it("stops resetting streams when its caller returns false", () => {
    const { buffer, streams } = filled(50, 50)
    let asked = 0
    buffer.makeRoom(
      100,
      () => streams,
      () => {
        asked++
        return false
      }
    )
    assert.strictEqual(asked, 1)
  })
})
