import { assert, describe, it, vi } from "@effect/vitest"
import * as MsgPack from "@effect/platform/MsgPack"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import type { Frames } from "../../src/internal/messages/frames.js"
import { LineFrames, PrefixedFrames, TooLarge } from "../../src/internal/messages/frames.js"
import { msgPackFault } from "../../src/internal/messages/plainMsgPack.js"
import { decoded, encoded } from "../support/session/sessions.js"

const take = (frames: Frames, maxBytes = 100): ReadonlyArray<string | number> => {
  const found: Array<string | number> = []
  for (;;) {
    const next = frames.next(maxBytes)
    if (next === undefined) return found
    if (next instanceof TooLarge) return [...found, next.size]
    found.push(decoded(next))
  }
}

const prefixed = (text: string): Uint8Array => {
  const bytes = encoded(text)
  return new Uint8Array([0, 0, bytes.length >> 8, bytes.length & 255, ...bytes])
}

const pack = Schema.encodeSync(MsgPack.schema(Schema.Unknown))

describe.each([
  ["lines", () => new LineFrames(), (text: string) => encoded(`${text}\n`), 0],
  ["prefixed messages", () => new PrefixedFrames(), prefixed, 4]
] as const)("%s", (_, make, frame, prefix) => {
  it("are found however they are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[^\n]{0,20}$/u)), fc.integer({ min: 1, max: 9 }), (texts, size) => {
        const whole = texts.flatMap((text) => [...frame(text)])
        const frames = make()
        const found: Array<string | number> = []
        for (let at = 0; at < whole.length; at += size) {
          frames.push(new Uint8Array(whole.slice(at, at + size)))
          found.push(...take(frames))
        }
        assert.deepStrictEqual(found, texts)
        assert.strictEqual(frames.rest, 0)
      })
    )
  })

  it("may have exactly the limit, and one byte more is too large before the message is complete", () => {
    const frames = make()
    frames.push(frame("x".repeat(10)))
    assert.deepStrictEqual(take(frames, 10), ["x".repeat(10)])
    frames.push(
      frame("x".repeat(11))
        .subarray(0, -1)
        .subarray(0, prefix + 11)
    )
    assert.deepStrictEqual(take(frames, 10), [11])
  })

  it("say how many bytes of an incomplete message there are", () => {
    const frames = make()
    frames.push(frame("hello").subarray(0, prefix + 3))
    assert.deepStrictEqual(take(frames), [])
    assert.strictEqual(frames.rest, prefix + 3)
  })

  it("a message in 16,384 chunks of 1 KiB is copied a few times, and not once for each chunk", () => {
    const frames = make()
    const size = 16 * 1024 * 1024
    const set = vi.spyOn(Uint8Array.prototype, "set")
    try {
      if (prefix > 0) {
        frames.push(new Uint8Array([1, 0, 0, 0]))
        assert.isUndefined(frames.next(size))
      }
      for (let sent = 0; sent < size; sent += 1024) {
        frames.push(new Uint8Array(1024).fill(120))
        const next = frames.next(size)
        if (next instanceof Uint8Array) assert.strictEqual(next.length, size)
      }
      if (prefix === 0) {
        frames.push(encoded("\n"))
        assert.strictEqual((frames.next(size) as Uint8Array).length, size)
      }
      const copied = set.mock.calls.reduce((sum, [source]) => sum + source.length, 0)
      assert.isAtMost(copied, 4 * size)
    } finally {
      set.mockRestore()
    }
  })
})

it("an announced length reserves no memory before the bytes arrive", () => {
  const frames = new PrefixedFrames()
  frames.push(new Uint8Array([0xff, 0xff, 0xff, 0xff, 1]))
  const before = process.memoryUsage().arrayBuffers
  assert.isUndefined(frames.next(0xffffffff))
  assert.isBelow(process.memoryUsage().arrayBuffers - before, 1024 * 1024)
})

describe("a MessagePack value", () => {
  it("that msgpackr packs from plain data passes the check, and no shorter or longer one does", () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      fc.array(fc.uint8Array({ maxLength: 300 }))
    )
    fc.assert(
      fc.property(value, (some) => {
        const bytes = pack(some)
        const parts = JSON.stringify(some, (_, part: unknown) => (typeof part === "bigint" ? 0 : part))
        if (parts.includes("__proto__")) return
        assert.isUndefined(msgPackFault(bytes))
        assert.isString(msgPackFault(bytes.subarray(0, -1)))
        assert.isString(msgPackFault(new Uint8Array([...bytes, 0])))
      })
    )
  })

  it.each([
    ["an array that announces 33 million values", [0xdd, 0x01, 0xff, 0xff, 0xff], "the value is cut"],
    ["a map that announces 4 billion pairs", [0xdf, 0xff, 0xff, 0xff, 0xff], "the value is cut"],
    ["a length that is cut", [0xdb, 0, 0], "the value is cut"],
    ["a record definition", [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1], "no plain data"],
    ["a regular expression", [0xc7, 3, 0x78, 0x92, 0xa0, 0xa0], "no plain data"],
    ["the byte that no value begins with", [0xc1], "no plain data"],
    ["a text that is not UTF-8", [0xa1, 0xff], "not UTF-8"],
    ["a key __proto__", [0x81, 0xa9, ...encoded("__proto__"), 0x80], "the key __proto__"],
    ["300 nested arrays", [...Array<number>(300).fill(0x91), 1], "nested more than 256 deep"],
    ["nothing", [], "the value is cut"]
  ])("with %s is refused", (_, bytes, fault) => {
    assert.include(msgPackFault(new Uint8Array(bytes)), fault)
  })

  it("may have __proto__ as a text, and 256 levels", () => {
    assert.isUndefined(msgPackFault(pack({ key: "__proto__" })))
    assert.isUndefined(msgPackFault(new Uint8Array([...Array<number>(256).fill(0x91), 1])))
  })
})
