import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { LivenessOptions } from "../../src/protocol/liveness.js"
import { Liveness } from "../../src/protocol/liveness.js"

const options: LivenessOptions = {
  heartbeat: { interval: 10_000, tolerance: 15_000 },
  writeTimeout: 30_000,
  partialFrameTimeout: 40_000
}
const silent: LivenessOptions = { ...options, heartbeat: undefined }

const START = 1_000_000

const make = (given: LivenessOptions = options): Liveness => new Liveness(given, START)

/** All times below are relative to the start. */
const check = (liveness: Liveness, at: number) => liveness.check(START + at)
const next = (liveness: Liveness): number => liveness.next() - START

const dead = (reason: "Heartbeat" | "WriteStalled" | "PartialFrame", silentFor: number, since: number) => ({
  _tag: "Dead" as const,
  reason,
  silentFor,
  since: START + since
})

describe("the time limits of a heartbeat", () => {
  it("a heartbeat is due after the interval of silence, not before", () => {
    const liveness = make()
    assert.strictEqual(liveness.lastHeard, START)
    assert.strictEqual(next(liveness), 10_000)
    assert.strictEqual(check(liveness, 9_999), "Alive")
    assert.strictEqual(check(liveness, 10_000), "Probe")
  })

  it("a peer that does not answer is dead after interval plus tolerance, not before", () => {
    const liveness = make()
    check(liveness, 10_000)
    assert.strictEqual(next(liveness), 25_000)
    assert.strictEqual(check(liveness, 24_999), "Alive")
    assert.deepStrictEqual(check(liveness, 25_000), dead("Heartbeat", 25_000, 0))
  })

  it("a heartbeat is not sent twice while its answer is pending", () => {
    const liveness = make()
    assert.deepStrictEqual(
      [10_000, 10_001, 20_000].map((at) => check(liveness, at)),
      ["Probe", "Alive", "Alive"]
    )
  })

  it("any byte is proof of life, before the heartbeat and after it", () => {
    const liveness = make()
    liveness.heard(false, START + 9_999)
    assert.strictEqual(liveness.lastHeard, START + 9_999)
    assert.strictEqual(next(liveness), 19_999)
    assert.strictEqual(check(liveness, 19_998), "Alive")
    assert.strictEqual(check(liveness, 19_999), "Probe")
    liveness.heard(false, START + 34_998)
    assert.strictEqual(next(liveness), 44_998)
    assert.strictEqual(check(liveness, 44_997), "Alive")
    assert.strictEqual(check(liveness, 44_998), "Probe")
    assert.deepStrictEqual(check(liveness, 59_998), dead("Heartbeat", 25_000, 34_998))
  })

  it("the tolerance starts when the heartbeat is sent, even if that is late", () => {
    const liveness = make()
    assert.strictEqual(check(liveness, 10_700), "Probe")
    assert.strictEqual(next(liveness), 25_700)
    assert.strictEqual(check(liveness, 25_699), "Alive")
    assert.deepStrictEqual(check(liveness, 25_700), dead("Heartbeat", 25_700, 0))
  })

  it("if a check runs a second late, the peer gets another heartbeat and is not declared dead", () => {
    const liveness = make()
    check(liveness, 10_000)
    assert.strictEqual(check(liveness, 26_000), "Probe")
    assert.strictEqual(next(liveness), 41_000)
    assert.deepStrictEqual(check(liveness, 41_999), dead("Heartbeat", 41_999, 0))
  })

  it("a check that runs less than a second late still counts", () => {
    const liveness = make()
    check(liveness, 10_000)
    assert.deepStrictEqual(check(liveness, 25_999), dead("Heartbeat", 25_999, 0))
  })

  it("a process that slept for hours before its first heartbeat sends it", () => {
    const liveness = make()
    assert.strictEqual(check(liveness, 36_000_000), "Probe")
    assert.strictEqual(next(liveness), 36_015_000)
  })

  it("silence does not make the peer dead if no heartbeat is sent", () => {
    const liveness = make(silent)
    assert.strictEqual(next(liveness), Infinity)
    assert.strictEqual(check(liveness, 1e12), "Alive")
  })
})

describe("the time limit of a write", () => {
  it("a write that the transport does not accept stalls at its limit, not before", () => {
    const liveness = make(silent)
    liveness.writeBegan(START + 500)
    assert.strictEqual(next(liveness), 30_500)
    assert.strictEqual(check(liveness, 30_499), "Alive")
    assert.deepStrictEqual(check(liveness, 30_500), dead("WriteStalled", 30_000, 500))
  })

  it("a write is in progress until the transport has accepted it", () => {
    const liveness = make()
    const seen = [liveness.isWriting]
    liveness.writeBegan(START)
    seen.push(liveness.isWriting)
    liveness.writeEnded()
    seen.push(liveness.isWriting)
    assert.deepStrictEqual(seen, [false, true, false])
  })

  it("an accepted write has no limit", () => {
    const liveness = make(silent)
    liveness.writeBegan(START)
    liveness.writeEnded()
    assert.strictEqual(next(liveness), Infinity)
    assert.strictEqual(check(liveness, 30_000), "Alive")
  })

  it("a second batch does not extend the limit of an unfinished write", () => {
    const liveness = make(silent)
    liveness.writeBegan(START)
    liveness.writeBegan(START + 20_000)
    assert.strictEqual(next(liveness), 30_000)
    assert.deepStrictEqual(check(liveness, 30_000), dead("WriteStalled", 30_000, 0))
  })

  it("a write stalls even if bytes arrive", () => {
    const liveness = make()
    liveness.writeBegan(START)
    liveness.heard(false, START + 29_000)
    assert.deepStrictEqual(check(liveness, 30_999), dead("WriteStalled", 30_999, 0))
  })

  it("a write that is checked a second late gets its limit again, and then the peer is dead", () => {
    const liveness = make(silent)
    liveness.writeBegan(START)
    assert.strictEqual(check(liveness, 31_000), "Alive")
    assert.strictEqual(next(liveness), 61_000)
    assert.strictEqual(check(liveness, 60_999), "Alive")
    assert.deepStrictEqual(check(liveness, 61_000), dead("WriteStalled", 30_000, 31_000))
  })
})

describe("the time limit of an unfinished frame", () => {
  it("an unfinished frame makes the peer dead at its limit after the last byte, not before", () => {
    const liveness = make(silent)
    assert.strictEqual(next(liveness), Infinity)
    liveness.heard(true, START + 300)
    assert.strictEqual(next(liveness), 40_300)
    assert.strictEqual(check(liveness, 40_299), "Alive")
    assert.deepStrictEqual(check(liveness, 40_300), dead("PartialFrame", 40_000, 300))
  })

  it("each byte of a frame restarts its limit, and a complete frame has none", () => {
    const liveness = make(silent)
    liveness.heard(true, START)
    liveness.heard(true, START + 39_999)
    assert.strictEqual(next(liveness), 79_999)
    assert.strictEqual(check(liveness, 40_000), "Alive")
    liveness.heard(false, START + 50_000)
    assert.strictEqual(next(liveness), Infinity)
    assert.strictEqual(check(liveness, 1e12), "Alive")
  })

  it("a frame that is checked a second late gets its limit again, and then the peer is dead since its last byte", () => {
    const liveness = make(silent)
    liveness.heard(true, START)
    assert.strictEqual(check(liveness, 41_000), "Alive")
    assert.strictEqual(next(liveness), 81_000)
    assert.deepStrictEqual(check(liveness, 81_000), dead("PartialFrame", 81_000, 0))
  })

  it("a frame that is checked less than a second late makes the peer dead", () => {
    const liveness = make(silent)
    liveness.heard(true, START)
    assert.deepStrictEqual(check(liveness, 40_999), dead("PartialFrame", 40_999, 0))
  })

  it("an unfinished frame makes the peer dead at its own limit, even if that is before the heartbeat's", () => {
    const liveness = make({ ...options, partialFrameTimeout: 5_000 })
    liveness.heard(true, START)
    assert.strictEqual(next(liveness), 5_000)
    assert.deepStrictEqual(check(liveness, 5_000), dead("PartialFrame", 5_000, 0))
  })
})

it("the earliest of the three limits is next", () => {
  const liveness = make({ ...options, partialFrameTimeout: 9_000 })
  assert.strictEqual(next(liveness), 10_000)
  liveness.heard(true, START + 1_000)
  assert.strictEqual(next(liveness), 10_000)
  liveness.heard(true, START + 2_000)
  assert.strictEqual(next(liveness), 11_000)
  liveness.heard(false, START + 25_000)
  liveness.writeBegan(START + 3_000)
  assert.strictEqual(next(liveness), 33_000)
})

it("a late check after a long sleep does not make a peer dead that has reached every limit", () => {
  const liveness = make()
  liveness.heard(true, START)
  liveness.writeBegan(START)
  assert.strictEqual(check(liveness, 10_000), "Probe")
  assert.strictEqual(check(liveness, 3_600_000), "Probe")
  assert.strictEqual(next(liveness), 3_615_000)
})

it("with checks on time, a peer is never dead before a limit, and always at it", () => {
  const event = fc.record({
    wait: fc.integer({ min: 1, max: 9_000 }),
    what: fc.constantFrom("heard" as const, "partial" as const, "write" as const, "written" as const)
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const liveness = make()
      let now = START
      let heard = now
      let probed: number | undefined
      let writing: number | undefined
      let partial = false
      const due = () =>
        Math.min(
          probed === undefined ? heard + 10_000 : probed + 15_000,
          writing === undefined ? Infinity : writing + 30_000,
          partial ? heard + 40_000 : Infinity
        )
      for (const { wait, what } of events) {
        const until = now + wait
        while (due() <= until) {
          now = due()
          assert.strictEqual(liveness.next(), now)
          const verdict = liveness.check(now)
          const stalled = writing !== undefined && now >= writing + 30_000 ? writing : undefined
          if (stalled === undefined && probed === undefined) {
            assert.strictEqual(verdict, "Probe")
            probed = now
          } else {
            const since = stalled ?? heard
            const reason = stalled === undefined ? "Heartbeat" : "WriteStalled"
            assert.deepStrictEqual(verdict, { _tag: "Dead", reason, silentFor: now - since, since })
            return
          }
        }
        now = until
        assert.strictEqual(liveness.check(now), "Alive")
        if (what === "write") {
          liveness.writeBegan(now)
          writing ??= now
        } else if (what === "written") {
          liveness.writeEnded()
          writing = undefined
        } else {
          partial = what === "partial"
          liveness.heard(partial, now)
          heard = now
          probed = undefined
        }
      }
    })
  )
})
