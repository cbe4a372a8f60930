/** The soak, so short that it shows no more than that it works: `npm run soak` is the real one. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Census } from "../../tools/soak/classes.js"
import { censusOf, growth } from "../../tools/soak/classes.js"
import { makeFibers } from "../../src/testing/internal/fibers.js"
import { measureIdle } from "../../tools/soak/idle.js"
import { makePlant } from "../../tools/soak/pair.js"
import { plot } from "../../tools/soak/plot.js"
import { regress } from "../../tools/soak/regression.js"
import { inWords } from "../../tools/soak/report.js"
import type { Sample } from "../../tools/soak/sample.js"
import { SampleLog } from "../../tools/soak/sampleLog.js"
import { soak } from "../../tools/soak/soak.js"
import { judge } from "../../tools/soak/verdict.js"
import { leavesNothing } from "../support/census.js"

const PLAN = { streams: 1500, seconds: 0, batch: 300, concurrency: 32, batchesPerConnection: 1, snapshots: undefined }

it.live("streams of every kind, over connections that end in every way, leave nothing", () =>
  Effect.gen(function* () {
    const fibers = makeFibers()
    const found = yield* Effect.gen(function* () {
      const plant = yield* makePlant()
      const progress = yield* soak(plant, PLAN, fibers, () => undefined)
      return { progress, idle: yield* measureIdle(plant, 50) }
    }).pipe(Effect.scoped, fibers.watch, leavesNothing)
    const { idle, progress } = found
    const endings = [...progress.endings]
    assert.isTrue(
      endings.some(([, often]) => often > 0),
      "some connections ended"
    )
    const verdict = judge(progress.samples.all())
    // without a garbage collector at hand the heap says nothing
    assert.deepStrictEqual(
      verdict.faults.filter((fault) => !fault.startsWith("the heap")),
      []
    )
    assert.match(plot(progress.samples.all(), verdict, "streams"), /^<svg [^]*<\/svg>\n$/)
    assert.include(inWords(progress, idle, verdict), "| streams opened and closed |")
  })
)

const sample = (number: number, what: Partial<Sample>): Sample => ({
  seconds: number,
  streams: 10_000 * number,
  connections: 1,
  heapUsed: 20_000_000,
  code: 3_000_000,
  rss: 100_000_000,
  external: 0,
  arrayBuffers: 0,
  handles: 9,
  fibers: 21,
  streamsOpen: 0,
  bytesHeld: 0,
  gapsInIds: 1,
  ...what
})

const samples = (what: (number: number) => Partial<Sample>) =>
  Array.from({ length: 100 }, (_, i) => sample(i + 1, what(i)))

describe("the verdict of a soak run", () => {
  it("is that nothing grew when nothing did", () => {
    const noise = samples((i) => ({ heapUsed: 20_000_000 + ((i * 7919) % 100_000) }))
    assert.deepStrictEqual(judge(noise, undefined).faults, [])
  })

  it("finds 16 bytes that stay of each stream, under a noise of a thousand times that much", () => {
    const leak = samples((i) => ({ heapUsed: 20_000_000 + 160_000 * i + ((i * 7919) % 160_000) }))
    assert.match(judge(leak, undefined).faults.join(), /^the heap grows by 1\d{7} bytes/)
  })

  it("finds a handle, a fiber, a stream, a byte that is left", () => {
    assert.lengthOf(
      judge(
        samples((i) => ({ handles: 9 + Math.floor(i / 40) })),
        undefined
      ).faults,
      1
    )
    assert.lengthOf(
      judge(
        samples((i) => ({ fibers: 21 + Math.floor(i / 40) })),
        undefined
      ).faults,
      1
    )
    assert.lengthOf(
      judge(
        samples((i) => ({ streamsOpen: i === 50 ? 1 : 0 })),
        undefined
      ).faults,
      1
    )
    assert.lengthOf(
      judge(
        samples((i) => ({ bytesHeld: i === 50 ? 1 : 0 })),
        undefined
      ).faults,
      1
    )
  })

  it("is not about code, however much of that there is", () => {
    const compiling = samples((i) => ({ heapUsed: 20_000_000 + 160_000 * i, code: 3_000_000 + 160_000 * i }))
    assert.deepStrictEqual(judge(compiling).faults, [])
  })

  it("finds objects that stay, but not what the engine learns", () => {
    const grown = (count: number, ofEngine: boolean) => ({ name: "object Stream", ofEngine, count, bytes: 80 * count })
    const verdict = (...growth: ReadonlyArray<ReturnType<typeof grown>>) =>
      judge(
        samples(() => ({})),
        undefined,
        { streams: 500_000, growth }
      ).faults
    assert.deepStrictEqual(verdict(grown(601, false)), ["601 more of object Stream after 500000 more streams"])
    assert.deepStrictEqual(verdict(grown(600, false), grown(-9000, false), grown(9000, true)), [])
  })

  it("finds idle streams of which something is left", () => {
    const idle = { streams: 10_000, before: 1_000_000, open: 99_000_000, after: 2_500_000 }
    assert.lengthOf(
      judge(
        samples(() => ({})),
        idle
      ).faults,
      1
    )
    assert.lengthOf(
      judge(
        samples(() => ({})),
        { ...idle, after: 2_000_000 }
      ).faults,
      0
    )
  })
})

describe("a census of objects", () => {
  const write = (nodes: ReadonlyArray<ReadonlyArray<number>>): Census => {
    const directory = mkdtempSync(join(tmpdir(), "muxado-census-"))
    const file = join(directory, "heap.heapsnapshot")
    const meta = { node_fields: ["type", "name", "self_size"], node_types: [["object", "string", "code"]] }
    writeFileSync(
      file,
      JSON.stringify({ snapshot: { meta }, nodes: nodes.flat(), strings: ["Stream", "hello", "there"] })
    )
    const census = censusOf(file)
    rmSync(directory, { recursive: true })
    return census
  }

  it("counts objects by class, strings as one, and the engine's apart", () => {
    const before = write([
      [0, 0, 80],
      [1, 1, 16],
      [2, 1, 100]
    ])
    const after = write([
      [0, 0, 80],
      [0, 0, 96],
      [1, 1, 16],
      [1, 2, 24],
      [2, 1, 90]
    ])
    assert.deepStrictEqual(growth(before, after), [
      { name: "object Stream", ofEngine: false, count: 1, bytes: 96 },
      { name: "string", ofEngine: false, count: 1, bytes: 24 },
      { name: "code", ofEngine: true, count: 0, bytes: -10 }
    ])
    assert.deepStrictEqual(
      growth(after, new Map()).map(({ count }) => count),
      [-2, -1, -2]
    )
  })
})

describe("the samples of a soak run", () => {
  it("are all there, in order, however many they are", () => {
    const log = new SampleLog()
    for (let i = 0; i < 10_000; i++) log.push(sample(i, { seconds: i / 3 }))
    const all = log.all()
    assert.lengthOf(all, 10_000)
    assert.deepStrictEqual(all[9_999], sample(9_999, { seconds: 3333 }))
  })
})

describe("the regression line of a soak run", () => {
  it("is that of points on a line, and sure of it", () => {
    const { intercept, margin, slope } = regress([1, 2, 3, 4, 5].map((x) => [x, 3 * x + 7]))
    assert.closeTo(slope, 3, 1e-9)
    assert.closeTo(intercept, 7, 1e-9)
    assert.closeTo(margin, 0, 1e-9)
  })

  it("is unsure of points that say nothing", () => {
    assert.strictEqual(regress([[1, 1]]).margin, Infinity)
  })
})
