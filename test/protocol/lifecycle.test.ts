import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { GoneAway, SessionEnd } from "../../src/protocol/endReason.js"
import { Lifecycle } from "../../src/protocol/lifecycle.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"

const LOST: SessionEnd = { _tag: "TransportFailed", reason: "Ended", cause: undefined, initiator: "Remote" }
const OTHER: SessionEnd = { _tag: "Violation", code: ErrorCode.ProtocolError, detail: "", initiator: "Local" }

const COMMANDS = {
  drain: (lifecycle: Lifecycle) => lifecycle.drain(),
  close: (lifecycle: Lifecycle) => lifecycle.close(),
  finish: (lifecycle: Lifecycle) => lifecycle.finish(LOST)
}
type Command = keyof typeof COMMANDS

const answers = (lifecycle: Lifecycle) => ({
  isOver: lifecycle.isOver,
  isClosing: lifecycle.isClosing,
  isLeaving: lifecycle.isLeaving,
  takesStreams: lifecycle.takesStreams,
  isTalking: lifecycle.isTalking,
  awaitsIdle: lifecycle.awaitsIdle,
  end: lifecycle.end,
  refusal: lifecycle.refusal
})

const CLOSED: SessionEnd = { _tag: "Closed" }

const OPEN = {
  isOver: false,
  isClosing: false,
  isLeaving: false,
  takesStreams: true,
  isTalking: true,
  awaitsIdle: false,
  end: undefined,
  refusal: undefined
}
const DRAINING = { ...OPEN, isLeaving: true, takesStreams: false, awaitsIdle: true, refusal: CLOSED }
const CLOSING = { ...DRAINING, isClosing: true, isTalking: false, awaitsIdle: false }
const ENDED = { ...CLOSING, isOver: true, isClosing: false, end: LOST, refusal: LOST }

/** Each phase, every way into it, and what each command makes of it; `undefined` where it changes nothing. */
const PHASES = {
  Open: { paths: [[]], answers: OPEN, drain: DRAINING, close: CLOSING, finish: ENDED },
  Draining: { paths: [["drain"]], answers: DRAINING, drain: undefined, close: CLOSING, finish: ENDED },
  Closing: {
    paths: [["close"], ["drain", "close"]],
    answers: CLOSING,
    drain: undefined,
    close: undefined,
    finish: ENDED
  },
  Ended: {
    paths: [["finish"], ["drain", "finish"], ["close", "finish"], ["drain", "close", "finish"]],
    answers: ENDED,
    drain: undefined,
    close: undefined,
    finish: undefined
  }
} as const

const at = (path: ReadonlyArray<Command>): Lifecycle => {
  const lifecycle = new Lifecycle()
  for (const command of path) assert.isTrue(COMMANDS[command](lifecycle), `${command} of ${path.join(", ")}`)
  return lifecycle
}

describe("the phase of a session", () => {
  for (const [name, phase] of Object.entries(PHASES)) {
    for (const path of phase.paths) {
      const reached = path.length === 0 ? "at first" : `by ${path.join(", ")}`
      it(`${name}, ${reached}, gives the right answer for every query`, () => {
        assert.deepStrictEqual(answers(at(path)), phase.answers)
      })
      for (const command of ["drain", "close", "finish"] as const) {
        const after = phase[command]
        it(`${name}, ${reached}: ${command} ${after === undefined ? "changes nothing" : "moves it on"}`, () => {
          const lifecycle = at(path)
          assert.strictEqual(COMMANDS[command](lifecycle), after !== undefined)
          assert.deepStrictEqual(answers(lifecycle), after ?? phase.answers)
        })
      }
    }
  }

  it("a draining session is seen idle once", () => {
    const lifecycle = at(["drain"])
    lifecycle.seeIdle()
    assert.isFalse(lifecycle.awaitsIdle)
    assert.isTrue(lifecycle.isTalking)
  })

  it("ends once: a later reason is not the reason", () => {
    const lifecycle = at(["finish"])
    assert.isFalse(lifecycle.finish(OTHER))
    assert.strictEqual(lifecycle.end, LOST)
  })
})

describe("the reasons of the two sides", () => {
  it("the first reason with a code or text stays, in every phase", () => {
    const lifecycle = new Lifecycle()
    lifecycle.say(ErrorCode.NoError, "")
    assert.deepStrictEqual(lifecycle.closed, { _tag: "Closed" })
    lifecycle.say(ErrorCode.NoError, "restart")
    lifecycle.say(ErrorCode.InternalError, "broken")
    assert.deepStrictEqual(lifecycle.closed, { _tag: "Closed", code: ErrorCode.NoError, debug: "restart" })
    lifecycle.drain()
    assert.deepStrictEqual(lifecycle.refusal, lifecycle.closed)
  })

  it("after our first GOAWAY streams are not accepted but may be opened, and the last id is never raised", () => {
    const lifecycle = new Lifecycle()
    assert.strictEqual(lifecycle.goAwayFrame(7, ErrorCode.NoError, "").lastStreamId, 7)
    assert.isFalse(lifecycle.takesStreams)
    assert.isUndefined(lifecycle.refusal)
    assert.isFalse(lifecycle.isLeaving)
    assert.strictEqual(lifecycle.goAwayFrame(9, ErrorCode.NoError, "").lastStreamId, 7)
  })

  it("a GOAWAY of the peer changes no phase, and one for a broken rule is a violation by this side", () => {
    const lifecycle = new Lifecycle()
    assert.isUndefined(lifecycle.remoteEnd)
    const goneAway: GoneAway = {
      _tag: "GoneAway",
      lastStreamId: 5,
      code: ErrorCode.ProtocolError,
      debug: new TextEncoder().encode("parity")
    }
    assert.deepStrictEqual(lifecycle.hear(goneAway), goneAway)
    assert.deepStrictEqual(lifecycle.remoteGoAway, goneAway)
    assert.deepStrictEqual(answers(lifecycle), OPEN)
    assert.deepStrictEqual(lifecycle.remoteEnd, {
      _tag: "Violation",
      code: ErrorCode.ProtocolError,
      detail: "parity",
      initiator: "Remote"
    })
  })
})

// --- any commands in any order

const code = fc.constantFrom(ErrorCode.NoError, ErrorCode.InternalError, ErrorCode.EnhanceYourCalm)
const step = fc.oneof(
  fc.constantFrom({ _tag: "drain" } as const, { _tag: "close" } as const, { _tag: "seeIdle" } as const),
  fc.record({ _tag: fc.constant("finish" as const), detail: fc.string() }),
  fc.record({ _tag: fc.constant("say" as const), code, debug: fc.string({ maxLength: 3 }) }),
  fc.record({ _tag: fc.constant("goAway" as const), highest: fc.nat(100) }),
  fc.record({ _tag: fc.constant("hear" as const), last: fc.nat(100), code })
)

/** The phase as its queries tell it: exactly one of the four must fit. */
const phaseOf = (lifecycle: Lifecycle): number => {
  const fits = [
    !lifecycle.isLeaving && lifecycle.isTalking && lifecycle.refusal === undefined,
    lifecycle.isLeaving && lifecycle.isTalking && lifecycle.refusal === lifecycle.closed,
    lifecycle.isLeaving && lifecycle.isClosing && lifecycle.refusal === lifecycle.closed,
    lifecycle.isLeaving && lifecycle.isOver && lifecycle.refusal === lifecycle.end
  ]
  assert.strictEqual(fits.filter((fit) => fit).length, 1, "one phase")
  assert.strictEqual(lifecycle.isOver, lifecycle.end !== undefined)
  return fits.indexOf(true)
}

it("no order of commands leads back to an earlier phase, or loses the first reason", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const lifecycle = new Lifecycle()
      let phase = 0
      let end: SessionEnd | undefined
      let said: SessionEnd = { _tag: "Closed" }
      let lastTaken: number | undefined
      let lastHeard = Infinity
      for (const step of steps) {
        switch (step._tag) {
          case "finish": {
            const given: SessionEnd = { ...OTHER, detail: step.detail }
            assert.strictEqual(lifecycle.finish(given), end === undefined)
            end ??= given
            break
          }
          case "say":
            lifecycle.say(step.code, step.debug)
            if (!("code" in said) && (step.code !== ErrorCode.NoError || step.debug !== "")) {
              said = { _tag: "Closed", code: step.code, debug: step.debug }
            }
            break
          case "goAway":
            lastTaken ??= step.highest
            assert.strictEqual(lifecycle.goAwayFrame(step.highest, ErrorCode.NoError, "").lastStreamId, lastTaken)
            break
          case "hear":
            lastHeard = Math.min(lastHeard, step.last)
            lifecycle.hear({ _tag: "GoneAway", lastStreamId: step.last, code: step.code, debug: new Uint8Array(0) })
            assert.strictEqual(lifecycle.remoteGoAway?.lastStreamId, lastHeard)
            break
          default:
            lifecycle[step._tag]()
        }
        const next = phaseOf(lifecycle)
        assert.isAtLeast(next, phase)
        phase = next
        assert.strictEqual(lifecycle.end, end)
        assert.deepStrictEqual(lifecycle.closed, said)
        assert.strictEqual(lifecycle.takesStreams, phase === 0 && lastTaken === undefined)
      }
    }),
    { numRuns: 300 }
  )
})
