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

describe("received bytes are kept as a view of their chunk, or copied", () => {
  const KIB = 1024

  /** The bytes of one chunk, held for streams: whether each piece is a view. */
  const views = (
    size: number,
    pieces: ReadonlyArray<readonly [from: number, length: number, waiting?: boolean]>
  ): ReadonlyArray<boolean> => {
    const buffer = new ReceiveBuffer(Infinity)
    const chunk = new Uint8Array(size)
    return pieces.map(([from, length, waiting], index) => {
      const one = stream(2 * index + 2)
      if (waiting === true) one.reading = "Waiting"
      buffer.hold(one, chunk.subarray(from, from + length))
      return buffer.take(one)?.buffer === chunk.buffer
    })
  }

  it("more than half of a chunk is a view, less is copied", () => {
    assert.deepStrictEqual(views(4000, [[0, 4000]]), [true])
    assert.deepStrictEqual(views(4000, [[2000, 2000]]), [true])
    assert.deepStrictEqual(views(4000, [[2001, 1999]]), [false])
  })

  it("from 8 KiB on, a part is a view for a reader that waits", () => {
    const at = 64 * KIB - 8 * KIB
    assert.deepStrictEqual(views(64 * KIB, [[at, 8 * KIB, true]]), [true])
    assert.deepStrictEqual(views(64 * KIB, [[at, 8 * KIB]]), [false])
    assert.deepStrictEqual(views(64 * KIB, [[at, 8 * KIB - 1, true]]), [false])
  })

  it("a part is copied if more than half of the chunk follows, which may become the view", () => {
    assert.deepStrictEqual(views(64 * KIB, [[0, 20 * KIB, true]]), [false])
    assert.deepStrictEqual(views(64 * KIB, [[20 * KIB, 12 * KIB, true]]), [true])
    assert.deepStrictEqual(views(64 * KIB, [[20 * KIB, 12 * KIB - 1, true]]), [false])
  })

  it("only one part of a chunk is a view, so that no two readers share memory", () => {
    const parts = [
      [24 * KIB, 20 * KIB, true],
      [44 * KIB, 20 * KIB, true]
    ] as const
    assert.deepStrictEqual(views(64 * KIB, parts), [true, false])
    assert.deepStrictEqual([...views(64 * KIB, parts.slice(0, 1)), ...views(64 * KIB, parts.slice(1))], [true, true])
  })

  it("a part that leaves less than 8 KiB is a view each time, because no second view fits", () => {
    const all = [0, 64 * KIB] as const
    assert.deepStrictEqual(views(64 * KIB, [all, all]), [true, true])
    const most = [0, 56 * KIB + 1] as const
    assert.deepStrictEqual(views(64 * KIB, [most, most]), [true, true])
    const less = [0, 56 * KIB] as const
    assert.deepStrictEqual(views(64 * KIB, [less, less]), [true, false])
  })
})
