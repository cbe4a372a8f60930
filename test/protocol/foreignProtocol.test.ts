import { assert, describe, it } from "@effect/vitest"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { foreignProtocol, isTlsAlert } from "../../src/protocol/wire/foreignProtocol.js"
import type { InboundFrame } from "../../src/protocol/wire/frame.js"
import { concat, fromHex } from "../support/bytes.js"
import { bytesOf } from "../support/protocol/text.js"

const WNDINC = fromHex("0000042000000003 00040000")

const begins = (text: string): string | undefined => foreignProtocol(bytesOf(text).subarray(0, 8))

const replaced = (bytes: Uint8Array, at: number, byte: number): Uint8Array => bytes.map((b, i) => (i === at ? byte : b))

describe("HTTP is detected", () => {
  it.each([
    "GET / HTTP/1.1",
    "POST / HTTP/1.1",
    "PUT / HTTP/1.1",
    "HEAD / HTTP/1.1",
    "DELETE / HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "PATCH / HTTP/1.1",
    "CONNECT example.org:443 HTTP/1.1",
    "PRI * HTTP/2.0",
    "HTTP/1.1 400 Bad Request",
    "HTTP/1.0 400 Bad Request"
  ])("by %s", (text) => {
    assert.strictEqual(begins(text), "HTTP")
  })

  it.each(["GETTERS!", " GET / H", "a GET / ", "xxxxGET ", "get / HT", "HTTP/2.0"])("but not by %j", (text) => {
    assert.isUndefined(begins(text))
  })
})

describe("SSH is detected", () => {
  it.each(["SSH-2.0-OpenSSH_9.6", "SSH-1.99-Cisco"])("by %s", (text) => {
    assert.strictEqual(begins(text), "SSH")
  })

  it.each(["SSHxSSH-", "xxxxSSH-", " SSH-2.0", "ssh-2.0-"])("but not by %j", (text) => {
    assert.isUndefined(begins(text))
  })
})

describe("TLS is detected", () => {
  const hello = (minor: number, message: number) => Uint8Array.of(0x16, 3, minor, 2, 0, message, 0, 1)

  it.each([0, 1, 2, 3, 4])("by a ClientHello and a ServerHello of version 3.%i", (minor) => {
    assert.strictEqual(foreignProtocol(hello(minor, 1)), "TLS")
    assert.strictEqual(foreignProtocol(hello(minor, 2)), "TLS")
  })

  it.each([
    ["another record type", 0, 0x17],
    ["version 2", 1, 2],
    ["version 3.5", 2, 5],
    ["a HelloRequest", 5, 0],
    ["another handshake message", 5, 11]
  ])("but not by %s", (_, at, byte) => {
    assert.isUndefined(foreignProtocol(replaced(hello(1, 1), at, byte)))
  })

  it.each([0, 1, 2, 3, 4])("by an alert of version 3.%i, from its fifth byte", (minor) => {
    const alert = Uint8Array.of(0x15, 3, minor, 0, 2, 2, 70)
    for (let length = 0; length <= alert.length; length++) {
      assert.strictEqual(isTlsAlert(alert.subarray(0, length)), length >= 5)
    }
  })

  it.each([
    ["another record type", 0, 0x17],
    ["version 2", 1, 2],
    ["version 3.5", 2, 5],
    ["a length above 255", 3, 1],
    ["a length that is not 2", 4, 3]
  ])("but not by an alert with %s", (_, at, byte) => {
    assert.isFalse(isTlsAlert(replaced(Uint8Array.of(0x15, 3, 3, 0, 2, 2, 70), at, byte)))
  })
})

describe("a peer of another protocol", () => {
  const fault = (type: number, streamId: number, length: number, name: string): InboundFrame => ({
    _tag: "Malformed",
    code: 1,
    type,
    streamId,
    length,
    message: `the first bytes are ${name}, not muxado`
  })

  const peers: ReadonlyArray<readonly [string, Uint8Array, number, InboundFrame]> = [
    ["an HTTP client", bytesOf("GET / HTTP/1.1\r\n\r\n"), 8, fault(2, 0x2f204854, 0x474554, "HTTP")],
    ["an SSH server", bytesOf("SSH-2.0-OpenSSH_9.6\r\n"), 8, fault(2, 0x322e302d, 0x535348, "SSH")],
    ["a TLS client", fromHex("160301 0200 01 0001fc 0303"), 8, fault(0, 0x00010001, 0x160301, "TLS")]
  ]

  it.each(peers)("%s is named at once, and nothing of it is decoded", (_, bytes, needed, expected) => {
    assert.deepStrictEqual(new Decoder().push(concat([bytes, WNDINC])), [expected])
    const decoder = new Decoder()
    for (const [i, byte] of bytes.entries()) {
      assert.deepStrictEqual(decoder.push(Uint8Array.of(byte)), i + 1 === needed ? [expected] : [])
    }
    assert.isFalse(decoder.midFrame)
  })

  it("a TLS server's alert of 7 bytes is named, although it is shorter than a header", () => {
    const alert = fromHex("1503030002 0246")
    for (const chunks of [
      [alert],
      [alert.subarray(0, 5), alert.subarray(5)],
      [alert.subarray(0, 2), alert.subarray(2)]
    ]) {
      const decoder = new Decoder()
      const frames = chunks.flatMap((chunk) => decoder.push(chunk))
      assert.deepStrictEqual(
        frames.map((frame) => (frame._tag === "Malformed" ? frame.message : frame._tag)),
        ["the first bytes are TLS, not muxado"]
      )
    }
  })

  it("is not suspected after a first frame", () => {
    const later: ReadonlyArray<readonly [string, Uint8Array, InboundFrame["_tag"]]> = [
      ["POST / H", bytesOf("POST / H"), "Unknown"],
      ["PATCH / ", bytesOf("PATCH / "), "Unknown"],
      ["a hello", fromHex("160301 10 00010001"), "Data"]
    ]
    for (const [name, bytes, tag] of later) {
      for (const chunks of [[concat([WNDINC, bytes])], [WNDINC, bytes.subarray(0, 6), bytes.subarray(6)]]) {
        const decoder = new Decoder()
        assert.deepStrictEqual(
          chunks.flatMap((chunk) => decoder.push(chunk)).map(({ _tag }) => _tag),
          ["WindowIncrement", tag],
          name
        )
      }
    }
  })

  it("is not suspected by an alert's bytes after a first frame: they are an RST of a wrong length", () => {
    const [, frame] = new Decoder().push(concat([WNDINC, fromHex("1503030002000003")]))
    assert(frame?._tag === "Malformed")
    assert.strictEqual(frame.message, "RST of 1377027 bytes instead of 4")
  })
})
