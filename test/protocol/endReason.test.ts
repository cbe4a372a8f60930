import { assert, describe, it } from "@effect/vitest"
import type { GoneAway } from "../../src/protocol/endReason.js"
import { endBy, goneAwayAgain } from "../../src/protocol/endReason.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import { bytesOf } from "../support/protocol/text.js"

const { EnhanceYourCalm, FlowControlError, FrameSizeError, InternalError, NoError, ProtocolError } = ErrorCode

const gone = (code: number, text = "", lastStreamId = 9): GoneAway => ({
  _tag: "GoneAway",
  lastStreamId,
  code,
  debug: bytesOf(text)
})

describe("of two GOAWAYs of the peer", () => {
  const second = gone(InternalError, "second")
  const cases: ReadonlyArray<readonly [string, GoneAway, GoneAway, "first" | "next"]> = [
    ["the first one with a code stays", gone(InternalError, "first"), gone(EnhanceYourCalm, "next"), "first"],
    ["one without code and text does not replace an announcement", gone(NoError, "first"), gone(NoError), "first"],
    ["one with a text replaces an announcement", gone(NoError, "first"), gone(NoError, "next"), "next"],
    ["one with a code and no text replaces an announcement", gone(NoError, "first"), gone(InternalError), "next"],
    ["one without code and with a text does not replace a code", second, gone(NoError, "next"), "first"],
    ["a violation replaces a code that reports none", gone(InternalError, "first"), gone(ProtocolError), "next"],
    ["a violation does not replace a violation", gone(ProtocolError), gone(FrameSizeError, "next"), "first"],
    ["a violation of the windows replaces a code, too", second, gone(FlowControlError, "next"), "next"]
  ]

  it.each(cases)("%s", (_, first, next, which) => {
    const { code, debug } = which === "first" ? first : next
    const { code: kept, debug: text } = goneAwayAgain(first, next)
    assert.deepStrictEqual([kept, text], [code, debug])
  })

  it("the lower last id counts", () => {
    const ids = (first: number, next: number) => goneAwayAgain(gone(0, "", first), gone(2, "", next)).lastStreamId
    assert.deepStrictEqual([ids(9, 5), ids(5, 9)], [5, 5])
  })
})

it("a first GOAWAY stays as it is", () => {
  const first = gone(NoError, "bye")
  assert.strictEqual(goneAwayAgain(undefined, first), first)
})

it("a GOAWAY with the code of a violation ends the session as the peer's report of one", () => {
  for (const code of [ProtocolError, FlowControlError, FrameSizeError]) {
    assert.deepStrictEqual(endBy(gone(code, "why")), { _tag: "Violation", code, detail: "why", initiator: "Remote" })
  }
  for (const code of [NoError, InternalError, EnhanceYourCalm]) {
    const said = gone(code, "why")
    assert.strictEqual(endBy(said), said)
  }
})
