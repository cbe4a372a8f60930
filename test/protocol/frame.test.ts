import { assert, it } from "@effect/vitest"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import * as Frame from "../../src/protocol/wire/frame.js"
import { pattern } from "../support/bytes.js"

it("the numbers of the layout are those of the wire", () => {
  assert.strictEqual(Frame.HEADER_LENGTH, 8)
  assert.strictEqual(Frame.MAX_PAYLOAD_LENGTH, 2 ** 24 - 1)
  assert.strictEqual(Frame.MAX_UINT31, 2 ** 31 - 1)
  assert.strictEqual(Frame.MAX_DEBUG_LENGTH, 1024)
  assert.deepStrictEqual({ ...Frame.FrameType }, { Rst: 0, Data: 1, WindowIncrement: 2, GoAway: 3 })
  assert.deepStrictEqual({ ...Frame.Flag }, { Fin: 1, Syn: 2 })
})

it("rst makes an RST frame", () => {
  assert.deepStrictEqual(Frame.rst(3, ErrorCode.StreamCancelled), { _tag: "Rst", streamId: 3, code: 6 })
})

it("data without payload and flags is a whole empty frame", () => {
  assert.deepStrictEqual(Frame.data(3), {
    _tag: "Data",
    streamId: 3,
    syn: false,
    fin: false,
    length: 0,
    payload: new Uint8Array(0),
    first: true,
    last: true
  })
})

it("data keeps its payload by reference, and has its length", () => {
  const payload = pattern(5)
  const frame = Frame.data(4, payload)
  assert.strictEqual(frame.payload, payload)
  assert.strictEqual(frame.length, 5)
})

it("data has exactly the flags of its argument", () => {
  const flags = (given: { readonly syn?: boolean; readonly fin?: boolean }) => {
    const { fin, syn } = Frame.data(3, pattern(1), given)
    return [syn, fin]
  }
  assert.deepStrictEqual(flags({ syn: true }), [true, false])
  assert.deepStrictEqual(flags({ fin: true }), [false, true])
  assert.deepStrictEqual(flags({ syn: true, fin: true }), [true, true])
  assert.deepStrictEqual(flags({ syn: false, fin: false }), [false, false])
})

it("windowIncrement makes a WNDINC frame", () => {
  assert.deepStrictEqual(Frame.windowIncrement(3, 262_144), {
    _tag: "WindowIncrement",
    streamId: 3,
    increment: 262_144
  })
})

it("goAway makes a GOAWAY frame, with and without debug bytes", () => {
  const debug = pattern(3)
  const frame = Frame.goAway(9, ErrorCode.EnhanceYourCalm, debug)
  assert.deepStrictEqual(frame, { _tag: "GoAway", lastStreamId: 9, code: 10, debug })
  assert.strictEqual(frame.debug, debug)
  assert.deepStrictEqual(Frame.goAway(0, 0), { _tag: "GoAway", lastStreamId: 0, code: 0, debug: new Uint8Array(0) })
})

it("the filler after a GOAWAY is an empty frame of type 15 on stream 0", () => {
  assert.deepStrictEqual(Frame.goAwayFiller, { _tag: "Unknown", type: 15, flags: 0, streamId: 0, length: 0 })
})

it("the debug bytes of a text are at most 256, and end with a whole character", () => {
  assert.deepStrictEqual(Frame.debugBytes("größer"), new TextEncoder().encode("größer"))
  assert.strictEqual(Frame.debugBytes("x".repeat(300)).length, 256)
  assert.strictEqual(Frame.debugText(Frame.debugBytes(`x${"ö".repeat(200)}`)), `x${"ö".repeat(127)}`)
})

it("an incomplete last character of debug bytes is not shown", () => {
  const bytes = new TextEncoder().encode("über 日")
  assert.strictEqual(Frame.debugText(bytes), "über 日")
  assert.strictEqual(Frame.debugText(bytes.subarray(0, -1)), "über ")
  assert.strictEqual(Frame.debugText(bytes.subarray(0, 1)), "")
})
