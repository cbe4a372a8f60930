import { assert, describe, it } from "@effect/vitest"
import { beginsHeartbeats, encodeUint32, HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"

describe("the first bytes of a stream are the type of heartbeats", () => {
  it("if all 4 of them are 0xff, with and without bytes behind them", () => {
    assert.isTrue(beginsHeartbeats(encodeUint32(HEARTBEAT_TYPE)))
    assert.isTrue(beginsHeartbeats(Uint8Array.of(255, 255, 255, 255, 0)))
  })

  it.each([0, 1, 2, 3])("and not if byte %i is another", (index) => {
    const bytes = encodeUint32(HEARTBEAT_TYPE)
    bytes[index] = 0xfe
    assert.isFalse(beginsHeartbeats(bytes))
  })

  it("and not if there are fewer", () => {
    assert.isFalse(beginsHeartbeats(Uint8Array.of(255, 255, 255)))
    assert.isFalse(beginsHeartbeats(new Uint8Array(0)))
  })
})
