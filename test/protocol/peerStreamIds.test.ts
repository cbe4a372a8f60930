import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { MAX_UINT31 } from "../../src/protocol/wire/frame.js"
import { PeerStreamIds } from "../../src/protocol/streams/peerStreamIds.js"

const MAX_INTERVALS = 1024

/** The gaps of a set of used ids, counted the slow way. */
const countGaps = (used: ReadonlySet<number>, first: number, highest: number): number => {
  let gaps = 0
  let inGap = false
  for (let id = first; id <= highest; id += 2) {
    if (!used.has(id) && !inGap) gaps++
    inGap = !used.has(id)
  }
  return gaps
}

/** 1024 gaps of one id each: 5, 9, 13, ... are used, 7, 11, ... (and 1 to 3) are not. */
const full = (): PeerStreamIds => {
  const ids = new PeerStreamIds("odd", MAX_INTERVALS)
  for (let i = 1; i <= MAX_INTERVALS; i++) assert.strictEqual(ids.use(4 * i + 1), "New")
  assert.strictEqual(ids.size, MAX_INTERVALS)
  return ids
}

describe("ids of the peer in order", () => {
  it("the first ids of either parity leave no gap", () => {
    const odd = new PeerStreamIds("odd", MAX_INTERVALS)
    assert.strictEqual(odd.highest, -1)
    assert.strictEqual(odd.use(1), "New")
    assert.strictEqual(odd.use(3), "New")
    assert.strictEqual(odd.size, 0)
    assert.strictEqual(odd.highest, 3)
    const even = new PeerStreamIds("even", MAX_INTERVALS)
    assert.strictEqual(even.highest, 0)
    assert.strictEqual(even.use(2), "New")
    assert.strictEqual(even.use(4), "New")
    assert.strictEqual(even.size, 0)
    assert.strictEqual(even.highest, 4)
  })

  it("a client that starts with 3, as Go does, may still use 1", () => {
    const ids = new PeerStreamIds("odd", MAX_INTERVALS)
    assert.strictEqual(ids.use(3), "New")
    assert.strictEqual(ids.size, 1)
    assert.strictEqual(ids.use(1), "New")
    assert.strictEqual(ids.size, 0)
    assert.strictEqual(ids.use(1), "Used")
  })

  it("the highest id is used once", () => {
    const ids = new PeerStreamIds("even", MAX_INTERVALS)
    assert.strictEqual(ids.use(2), "New")
    assert.strictEqual(ids.use(2), "Used")
    assert.strictEqual(ids.highest, 2)
  })
})

it("an id of the peer was used if it was marked: not in a gap, and not above the highest", () => {
  const ids = new PeerStreamIds("odd", MAX_INTERVALS)
  const used = (): ReadonlyArray<number> => [1, 3, 5, 7, 9, 11, 13].filter((id) => ids.isUsed(id))
  assert.deepStrictEqual(used(), [])
  for (const id of [1, 7, 11]) ids.use(id)
  assert.deepStrictEqual(used(), [1, 7, 11])
  ids.use(5)
  assert.deepStrictEqual(used(), [1, 5, 7, 11])
})

describe("ids of the peer out of order", () => {
  it("a skipped id is new once, and does not change the highest id", () => {
    const ids = new PeerStreamIds("odd", MAX_INTERVALS)
    assert.strictEqual(ids.use(5), "New")
    assert.strictEqual(ids.use(3), "New")
    assert.strictEqual(ids.highest, 5)
    assert.strictEqual(ids.use(3), "Used")
    assert.strictEqual(ids.use(5), "Used")
  })

  it("a gap shrinks from its start and its end, and is split in the middle", () => {
    const ids = new PeerStreamIds("even", MAX_INTERVALS)
    ids.use(20) // 2 to 18 are skipped
    assert.strictEqual(ids.use(2), "New")
    assert.strictEqual(ids.use(18), "New")
    assert.strictEqual(ids.size, 1)
    assert.strictEqual(ids.use(10), "New") // 4 to 8, 12 to 16
    assert.strictEqual(ids.size, 2)
    assert.deepStrictEqual(
      [2, 10, 18, 20].map((id) => ids.use(id)),
      ["Used", "Used", "Used", "Used"]
    )
    assert.deepStrictEqual(
      [4, 8, 6, 12, 16, 14].map((id) => ids.use(id)),
      ["New", "New", "New", "New", "New", "New"]
    )
    assert.strictEqual(ids.size, 0)
  })

  it("the highest possible id can come first", () => {
    const ids = new PeerStreamIds("odd", MAX_INTERVALS)
    assert.strictEqual(ids.use(MAX_UINT31), "New")
    assert.strictEqual(ids.highest, MAX_UINT31)
    assert.strictEqual(ids.size, 1)
    assert.strictEqual(ids.use(MAX_UINT31 - 2), "New")
    assert.strictEqual(ids.use(MAX_UINT31), "Used")
  })
})

describe("the limit on gaps between ids", () => {
  it("is 1024", () => {
    assert.strictEqual(MAX_INTERVALS, 1024)
  })

  it("one more gap above the highest id is too many, and changes nothing", () => {
    const ids = full()
    const { highest } = ids
    assert.strictEqual(ids.use(highest + 4), "TooManyGaps")
    assert.strictEqual(ids.highest, highest)
    assert.strictEqual(ids.size, MAX_INTERVALS)
    assert.strictEqual(ids.use(highest + 2), "New")
    assert.strictEqual(ids.size, MAX_INTERVALS)
  })

  it("one more gap by a split is too many, and changes nothing", () => {
    const ids = new PeerStreamIds("odd", MAX_INTERVALS)
    ids.use(9) // 1 to 7 are skipped: splitting them needs one gap more
    for (let i = 1; i < MAX_INTERVALS; i++) ids.use(9 + 4 * i)
    assert.strictEqual(ids.size, MAX_INTERVALS)
    assert.strictEqual(ids.use(3), "TooManyGaps")
    assert.strictEqual(ids.size, MAX_INTERVALS)
    assert.strictEqual(ids.use(1), "New")
    assert.strictEqual(ids.use(3), "New")
    assert.strictEqual(ids.use(7), "New")
    assert.strictEqual(ids.use(5), "New")
    assert.strictEqual(ids.size, MAX_INTERVALS - 1)
  })

  it("a gap that is filled leaves space for another", () => {
    const ids = full()
    assert.strictEqual(ids.use(7), "New")
    assert.strictEqual(ids.size, MAX_INTERVALS - 1)
    assert.strictEqual(ids.use(ids.highest + 4), "New")
    assert.strictEqual(ids.use(ids.highest + 4), "TooManyGaps")
  })

  it("descending ids with gaps between them are accepted up to the limit", () => {
    const ids = new PeerStreamIds("odd", MAX_INTERVALS)
    let id = MAX_UINT31
    let taken = 0
    while (ids.use(id) === "New") {
      taken++
      id -= 4
    }
    assert.strictEqual(taken, MAX_INTERVALS)
    assert.strictEqual(ids.use(id), "TooManyGaps")
  })
})

it("the ids of the peer behave like a set of used ids, in any order", () => {
  const parity = fc.constantFrom("odd" as const, "even" as const)
  fc.assert(
    fc.property(parity, fc.array(fc.nat(60), { maxLength: 120 }), (parity, picks) => {
      const ids = new PeerStreamIds(parity, MAX_INTERVALS)
      const first = parity === "odd" ? 1 : 2
      const used = new Set<number>()
      let highest = parity === "odd" ? -1 : 0
      for (const pick of picks) {
        const id = first + 2 * pick
        assert.strictEqual(ids.use(id), used.has(id) ? "Used" : "New")
        used.add(id)
        highest = Math.max(highest, id)
        assert.strictEqual(ids.highest, highest)
        assert.strictEqual(ids.size, countGaps(used, first, highest))
      }
    }),
    { numRuns: 300 }
  )
})
