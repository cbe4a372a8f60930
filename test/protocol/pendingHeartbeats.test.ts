import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { PendingHeartbeats } from "../../src/protocol/pendingHeartbeats.js"
import { encodeUint32, HEARTBEAT_LENGTH, HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import { concat, fromHex, toHex } from "../support/bytes.js"

it("the type and the length of heartbeats are those of Go and Rust", () => {
  assert.strictEqual(HEARTBEAT_TYPE, 0xffffffff)
  assert.strictEqual(HEARTBEAT_LENGTH, 4)
})

describe("encodeUint32", () => {
  it("is big-endian", () => {
    assert.strictEqual(toHex(encodeUint32(0x01020304)), "01020304")
    assert.strictEqual(toHex(encodeUint32(0xdeadbeef)), "deadbeef")
    assert.strictEqual(toHex(encodeUint32(HEARTBEAT_TYPE)), "ffffffff")
    assert.strictEqual(toHex(encodeUint32(0)), "00000000")
  })

  it("gives the number that a DataView reads", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        assert.strictEqual(new DataView(encodeUint32(value).buffer).getUint32(0), value)
      })
    )
  })
})

describe("pending heartbeats", () => {
  it("an answer gives the round trip", () => {
    const pending = new PendingHeartbeats()
    assert.isUndefined(pending.roundTrip)
    assert.isTrue(pending.add(0xdeadbeef, 1_000))
    assert.deepStrictEqual(pending.receive(fromHex("deadbeef"), 1_042), [{ nonce: 0xdeadbeef, roundTrip: 42 }])
    assert.strictEqual(pending.roundTrip, 42)
  })

  it("a pending number is not added twice", () => {
    const pending = new PendingHeartbeats()
    assert.isTrue(pending.add(7, 0))
    assert.isFalse(pending.add(7, 5))
    assert.deepStrictEqual(pending.receive(encodeUint32(7), 9), [{ nonce: 7, roundTrip: 9 }])
    assert.isTrue(pending.add(7, 10))
  })

  it("an answer that comes byte by byte counts when its last byte has arrived", () => {
    const pending = new PendingHeartbeats()
    pending.add(0x80000001, 0)
    assert.deepStrictEqual(pending.receive(fromHex("80"), 1), [])
    assert.deepStrictEqual(pending.receive(fromHex("0000"), 2), [])
    assert.isUndefined(pending.roundTrip)
    assert.deepStrictEqual(pending.receive(fromHex("01"), 3), [{ nonce: 0x80000001, roundTrip: 3 }])
  })

  it("a number that was never sent is ignored, and the next one still counts", () => {
    const pending = new PendingHeartbeats()
    pending.add(1, 0)
    assert.deepStrictEqual(pending.receive(fromHex("0000000900000001"), 5), [{ nonce: 1, roundTrip: 5 }])
  })

  it("an answer that comes twice counts once", () => {
    const pending = new PendingHeartbeats()
    pending.add(1, 0)
    assert.deepStrictEqual(pending.receive(fromHex("0000000100000001"), 5), [{ nonce: 1, roundTrip: 5 }])
    assert.deepStrictEqual(pending.receive(fromHex("00000001"), 6), [])
    assert.strictEqual(pending.roundTrip, 5)
  })

  it("answers may come out of order", () => {
    const pending = new PendingHeartbeats()
    pending.add(1, 0)
    pending.add(2, 10)
    assert.deepStrictEqual(pending.receive(fromHex("0000000200000001"), 15), [
      { nonce: 2, roundTrip: 5 },
      { nonce: 1, roundTrip: 15 }
    ])
    assert.strictEqual(pending.roundTrip, 15)
  })

  it("a lost stream returns the unanswered numbers once, and its half answer does not affect the next stream", () => {
    const pending = new PendingHeartbeats()
    pending.add(1, 0)
    pending.add(2, 0)
    pending.receive(fromHex("00000001 0000"), 3)
    assert.deepStrictEqual(pending.takeLost(), [2])
    assert.deepStrictEqual(pending.takeLost(), [])
    assert.isTrue(pending.add(2, 10))
    assert.deepStrictEqual(pending.receive(fromHex("00000002"), 14), [{ nonce: 2, roundTrip: 4 }])
    assert.deepStrictEqual(pending.takeLost(), [])
  })

  it("the same numbers are answered in the same order, for any split of the answers", () => {
    const nonces = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 })
    fc.assert(
      fc.property(nonces, fc.array(fc.integer({ min: 1, max: 7 })), (echoed, splits) => {
        const pending = new PendingHeartbeats()
        const open = new Set([0, 1, 2, 3])
        for (const nonce of open) pending.add(nonce, nonce)
        const bytes = concat(echoed.map(encodeUint32))
        const answered: Array<number> = []
        let at = 0
        for (const split of [...splits, bytes.length]) {
          const piece = bytes.subarray(at, at + split)
          answered.push(...pending.receive(piece, 100).map(({ nonce }) => nonce))
          at += piece.length
        }
        assert.deepStrictEqual(
          answered,
          echoed.filter((nonce) => open.delete(nonce))
        )
        assert.deepStrictEqual(pending.takeLost(), [...open])
      })
    )
  })
})
