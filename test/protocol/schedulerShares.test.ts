/** What a stream gets that writes again whenever its bytes are gone. */
import { assert, describe, it } from "@effect/vitest"
import { KIB, makeRig, QUANTUM, remote } from "../support/protocol/outboundStreams.js"

/** The share of the bytes that a stream gets which refills `size` bytes when it is drained, beside `others` bulk streams. */
const shareOf = (size: number, others: number): number => {
  const rig = makeRig()
  const zeros = new Uint8Array(1024 * KIB)
  const bulk = Array.from({ length: others }, (_, i) => remote(2 * i + 2))
  const refilling = remote(500)
  let mine = 0
  let all = 0
  while (all < 20 * 1024 * KIB) {
    for (const stream of bulk) if (stream.outbound.length < zeros.length / 2) rig.write(stream, zeros)
    if (!refilling.hasOutput) rig.write(refilling, zeros.subarray(0, size))
    for (const frame of rig.outbound.take(1)) {
      if (frame._tag !== "Data") continue
      all += frame.payload.length
      if (frame.streamId === 500) mine += frame.payload.length
    }
  }
  return mine / all
}

describe("a stream that writes again each time its bytes are sent", () => {
  it("gets no more than its share, and does not always go before bulk", () => {
    for (const others of [1, 4, 50]) {
      const fair = 1 / (others + 1)
      for (const size of [QUANTUM - 8, QUANTUM / 2, 1000]) {
        const share = shareOf(size, others)
        assert.isAtMost(share, fair * 1.1, `${size} bytes beside ${others}`)
      }
    }
  })

  it("still goes first with a small message after the others have had their share", () => {
    const rig = makeRig()
    const small = remote(500)
    for (let i = 0; i < 10; i++) rig.write(remote(2 * i + 2), 500 * KIB)
    for (let i = 0; i < 100; i++) rig.outbound.take(1)
    rig.write(small, 64)
    const frames = rig.outbound.take(1)
    assert.deepStrictEqual(
      frames.map((frame) => frame._tag === "Data" && frame.streamId),
      [500]
    )
    for (let i = 0; i < 2; i++) rig.outbound.take(1)
    rig.write(small, 64)
    assert.deepStrictEqual(
      rig.outbound.take(1).map((frame) => frame._tag === "Data" && frame.streamId),
      [500]
    )
  })
})
