import { assert, it } from "@effect/vitest"
import { ErrorCode, errorCodeName, showErrorCode } from "../../src/protocol/wire/errorCode.js"

const names = [
  "NoError",
  "ProtocolError",
  "InternalError",
  "FlowControlError",
  "StreamClosed",
  "StreamRefused",
  "StreamCancelled",
  "StreamReset",
  "FrameSizeError",
  "AcceptQueueFull",
  "EnhanceYourCalm",
  "RemoteGoneAway",
  "StreamsExhausted",
  "WriteTimeout",
  "SessionClosed",
  "PeerEOF"
]

it("the codes have the numbers of the wire", () => {
  assert.deepStrictEqual(
    Object.entries(ErrorCode),
    [...names.entries()].map(([code, name]) => [name, code])
  )
})

it("every known code has its name", () => {
  assert.deepStrictEqual(
    names.map((_, code) => errorCodeName(code)),
    names
  )
})

it("a code without a name is shown in hexadecimal", () => {
  assert.strictEqual(errorCodeName(16), "0x10")
  assert.strictEqual(errorCodeName(0xff), "0xff")
  assert.strictEqual(errorCodeName(0xffffffff), "0xffffffff")
})

it("a code is shown with its name and its number", () => {
  assert.strictEqual(showErrorCode(ErrorCode.InternalError), "InternalError (2)")
  assert.strictEqual(showErrorCode(0x63), "0x63 (99)")
})
