/** The corpus, and a little more than it: `npm run fuzz` goes on from here. */
import { assert, describe, it } from "@effect/vitest"
import { WireRules } from "../support/protocol/wireRules.js"
import { command, parse, peer, print } from "../../tools/fuzz/case.js"
import { loadCorpus } from "../../tools/fuzz/corpus.js"
import type { Mode } from "../../tools/fuzz/fuzzer.js"
import { faultOf, Fuzzer } from "../../tools/fuzz/fuzzer.js"
import { anyCase } from "../../tools/fuzz/generate.js"
import { mutate, raw } from "../../tools/fuzz/mutate.js"
import { Random } from "../../tools/fuzz/random.js"
import { run } from "../../tools/fuzz/run.js"
import { shrink } from "../../tools/fuzz/shrink.js"

const SEED = 7

/** Less than a second, in three ways. */
const EXECUTIONS = 400

const corpus = loadCorpus()

describe("the corpus of the fuzzer", () => {
  for (const { input, name } of corpus) {
    it(`${name} keeps every rule`, () => {
      assert.isUndefined(faultOf(input))
    })
  }

  it("reaches every kind of session end", () => {
    const lines = corpus.flatMap(({ input }) => run(input).log)
    for (const end of ["Violation", "Dead", "GoneAway", "TransportFailed", "Closed"]) {
      assert.isTrue(
        lines.some((line) => line.startsWith(`Ended: ${end}`)),
        end
      )
    }
  })
})

describe("the fuzzer", () => {
  for (const mode of ["structured", "raw", "both"] satisfies ReadonlyArray<Mode>) {
    it(`finds no fault in ${EXECUTIONS} more inputs (${mode})`, () => {
      const fuzzer = new Fuzzer(SEED, mode)
      for (const { input } of corpus) fuzzer.seed(input)
      for (let i = 0; i < EXECUTIONS; i++) {
        const failure = fuzzer.next()
        if (failure !== undefined) assert.fail(`${failure.message}\n${print(failure.input)}`)
      }
      assert.isAbove(fuzzer.corpus.length, corpus.length / 2)
    })
  }

  it("gives the same run for the same seed", () => {
    const inputs = () => {
      const random = new Random(SEED)
      const [one, two] = [anyCase(random), anyCase(random)]
      return [one, two, mutate(random, one, two), raw(random, one, two)].map((input) => print(input))
    }
    assert.deepStrictEqual(inputs(), inputs())
  })

  it("writes inputs as text, and reads them back", () => {
    const random = new Random(SEED)
    for (let i = 0; i < 50; i++) {
      const text = print(anyCase(random))
      assert.strictEqual(print(parse(text)), text)
    }
    assert.throws(() => parse("session client typed small echo auto 1\nleap 1 2"))
    assert.throws(() => parse("peer 00"))
  })

  it("shrinks a failing input to the minimum", () => {
    const random = new Random(SEED)
    const input = {
      ...anyCase(random),
      steps: [...anyCase(random).steps, peer(Uint8Array.of(1, 66, 3)), command("tick", 9)]
    }
    const smaller = shrink(input, ({ steps }) => steps.some((step) => step.name === "peer" && step.bytes.includes(66)))
    assert.deepStrictEqual(smaller.steps, [peer(Uint8Array.of(66))])
  })
})

describe("the frames that the core sends for the corpus", () => {
  it("keep the rules of the other tests of the core, except for inputs with DATA before the SYN", () => {
    for (const { input } of corpus) {
      const rules = new WireRules(input.setting.role)
      run(input, { onSent: (frames, session) => session.rules.early || rules.watch(frames) })
    }
  })
})
