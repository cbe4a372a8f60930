import { assert, describe, it } from "@effect/vitest"
import type { OpenResult } from "../../src/protocol/results.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import type { Frame } from "../../src/protocol/wire/frame.js"
import { data, rst } from "../../src/protocol/wire/frame.js"
import { Scripted } from "../support/protocol/scripted.js"
import { bytesOf, FILLER } from "../support/protocol/text.js"

const syn = (id: number, payload = ""): Frame => data(id, bytesOf(payload), { syn: true })

/** What a violation with nothing else to send looks like on the wire. */
const goodbye = (last: number, code: number): ReadonlyArray<string> => [`GOAWAY last ${last} code ${code}`, FILLER]

describe("ids of the peer", () => {
  it("an even id to a server is a protocol error", () => {
    const server = new Scripted("server").hex("000000 12 00000002")
    assert.deepStrictEqual(server.sent(), goodbye(0, 1))
    assert.deepStrictEqual(server.events(), ["Ended: Violation 1 by Local"])
  })

  it("an odd id to a client is a protocol error", () => {
    const client = new Scripted("client").receive(syn(2), syn(5))
    assert.deepStrictEqual(client.sent(), goodbye(2, 1))
    assert.deepStrictEqual(client.events(), [
      "Opened 2",
      "Failed 2: SessionEnded (Violation 1 by Local), processed maybe",
      "Ended: Violation 1 by Local"
    ])
  })

  it("a second SYN on a live stream is a protocol error, and its first reader fails instead of hanging", () => {
    const server = new Scripted("server").hex("000003 12 00000009 6f6e65")
    const stream = server.stream(9)
    assert.deepStrictEqual([server.read(stream), server.read(stream)], ['"one"', "Blocked"])
    server.events()
    server.hex("000003 12 00000009 74776f")
    assert.deepStrictEqual(server.sent(), goodbye(9, 1))
    assert.deepStrictEqual(server.events(), [
      "Failed 9: SessionEnded (Violation 1 by Local), processed maybe",
      "Ended: Violation 1 by Local"
    ])
    assert.strictEqual(server.read(stream), "SessionEnded (Violation 1 by Local), processed maybe")
  })

  it("an id whose stream has ended cannot be opened again", () => {
    const server = new Scripted("server").receive(syn(3), rst(3, 6), syn(3))
    assert.deepStrictEqual(server.sent(), goodbye(3, 1))
  })

  it("an id that was refused cannot be opened again", () => {
    const server = new Scripted("server", { maxInboundStreams: 1 }).receive(syn(3), syn(5))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 5"])
    server.receive(syn(5))
    assert.deepStrictEqual(server.sent(), goodbye(5, 1))
  })

  it("ids arrive out of order: Go takes the id at open, and sends its SYN at the first write", () => {
    const server = new Scripted("server").receive(syn(5), syn(3), syn(11), syn(9), syn(7))
    assert.deepStrictEqual(server.events(), ["Opened 5", "Opened 3", "Opened 11", "Opened 9", "Opened 7"])
    server.receive(syn(9))
    assert.deepStrictEqual(server.sent(), goodbye(11, 1))
  })

  it("id 1 is accepted too, and id 0 never", () => {
    const server = new Scripted("server").receive(syn(1))
    assert.deepStrictEqual(server.events(), ["Opened 1"])
    assert.strictEqual(server.connection.stats().idGaps, 0)
    server.hex("000000 12 00000000")
    assert.deepStrictEqual(server.sent(), goodbye(1, 1))
  })

  it("the reserved bit of an id is masked, and never sent back", () => {
    const server = new Scripted("server").hex("000001 12 80000003 61")
    assert.deepStrictEqual(server.events(), ["Opened 3"])
    server.connection.reset(server.stream(3), 6)
    assert.deepStrictEqual(server.sent(), ["RST 3 code 6"])
  })

  it("the highest possible id opens a stream", () => {
    const server = new Scripted("server").receive(syn(0x7fffffff))
    assert.deepStrictEqual(server.events(), ["Opened 2147483647"])
    server.connection.close()
    assert.deepStrictEqual(server.sent(), goodbye(0x7fffffff, 0))
  })

  it("a peer that leaves more than 1024 gaps between its ids ends the session with EnhanceYourCalm", () => {
    const server = new Scripted("server", { maxInboundStreams: 10_000, acceptBacklog: 10_000 })
    server.receive(syn(0x7fffffff))
    let id = 0x7fffffff
    for (let gaps = 1; gaps < 1024; gaps++) server.receive(syn((id -= 4)))
    assert.strictEqual(server.connection.stats().idGaps, 1024)
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.events().length, 1024)
    server.receive(syn(id - 4))
    assert.deepStrictEqual(server.sent(), goodbye(0x7fffffff, 10))
    assert.strictEqual(server.connection.stats().tableSize, 0)
  })

  it("gaps that are filled are forgotten", () => {
    const server = new Scripted("server").receive(syn(9))
    assert.strictEqual(server.connection.stats().idGaps, 1)
    server.receive(syn(5))
    assert.strictEqual(server.connection.stats().idGaps, 2)
    server.receive(syn(7), syn(3), syn(1))
    assert.strictEqual(server.connection.stats().idGaps, 0)
  })
})

describe("bytes that break a rule", () => {
  const cases: ReadonlyArray<readonly [name: string, hex: string, code: number]> = [
    ["DATA on stream 0", "000001 10 00000000 61", 1],
    ["RST on stream 0", "000004 00 00000000 00000006", 1],
    ["WNDINC on stream 0: there is no session window", "000004 20 00000000 00000001", 1],
    ["GOAWAY on a stream", "000008 30 00000003 0000000000000000", 1],
    ["an RST of 3 bytes, before its payload arrives", "000003 00 00000003", 8],
    ["an RST of no bytes", "000000 00 00000003", 8],
    ["an RST of 5 bytes, before its payload arrives", "000005 00 00000003", 8],
    ["an RST of 16 MiB, before its payload arrives", "ffffff 00 00000003", 8],
    ["a WNDINC of 5 bytes", "000005 20 00000003 0000000001", 8]
  ]
  for (const [name, hex, code] of cases) {
    it(`${name}: GOAWAY ${code}, and nothing else is received or sent`, () => {
      const server = new Scripted("server").receive(syn(3, "hi"))
      const stream = server.stream(3)
      server.write(stream, "never sent")
      server.events()
      server.hex(hex)
      assert.deepStrictEqual(server.events(), [
        `Failed 3: SessionEnded (Violation ${code} by Local), processed maybe`,
        `Ended: Violation ${code} by Local`
      ])
      assert.deepStrictEqual(server.sent(), goodbye(3, code))
      assert.isFalse(server.connection.hasFrames)
      server.connection.receive(syn(5))
      assert.deepStrictEqual(server.events(), [])
      assert.deepStrictEqual(server.sent(), [])
      assert.strictEqual(server.read(stream), '"hi"')
      assert.strictEqual(server.read(stream), `SessionEnded (Violation ${code} by Local), processed maybe`)
      assert.strictEqual(server.connection.nextDeadline(), Infinity)
      assert.strictEqual(server.connection.end?._tag, "Violation")
    })
  }

  it("a violation names the fault in its GOAWAY and in its end", () => {
    const server = new Scripted("server").hex("000000 12 00000002")
    const [frame] = server.frames()
    assert(frame?._tag === "GoAway")
    assert.match(new TextDecoder().decode(frame.debug), /SYN on stream 2/)
    const [end] = [server.connection.end]
    assert(end?._tag === "Violation")
    assert.match(end.detail, /SYN on stream 2/)
  })

  it("an unknown frame is skipped with its payload of up to 16 MiB, and the next frame is read", () => {
    const server = new Scripted("server").hex("ffffff f0 00000003")
    const chunk = new Uint8Array(65_793)
    for (let i = 0; i < 255; i++) server.push(chunk)
    server.receive(syn(3))
    assert.deepStrictEqual(server.events(), ["Opened 3"])
    assert.deepStrictEqual(server.sent(), [])
  })

  it("undefined flags are ignored", () => {
    const server = new Scripted("server").hex("000001 1e 00000003 61 000004 0f 00000003 00000006")
    assert.deepStrictEqual(server.events(), ["Opened 3", "Failed 3: Reset 6 by Remote, processed maybe"])
    assert.strictEqual(server.read(server.stream(3)), '"a"')
  })
})

const opened = (result: OpenResult): StreamCore => {
  if (result instanceof StreamCore) return result
  return assert.fail(`not opened: ${result._tag}`)
}

describe("streams that end before their SYN is sent", () => {
  it("leave no gap in the ids, with any number of streams", () => {
    const client = new Scripted("client")
    const { connection } = client
    for (let round = 0; round < 3000; round++) {
      const cancelled = opened(connection.open(undefined))
      const used = opened(connection.open(undefined))
      connection.reset(cancelled, 6)
      connection.reset(used, 6)
      const kept = opened(connection.open(undefined))
      client.frames()
      connection.reset(kept, 6)
      client.frames()
    }
    // one id at a time was announced, so none above the second was ever needed
    assert.isAtMost(opened(connection.open(undefined)).id, 3 + 2 * 3001)
    const announced = new Set<number>()
    const server = new Scripted("server", { resetBudget: { burst: 2000, perSecond: 0 } })
    const other = new Scripted("client")
    for (let round = 0; round < 2000; round++) {
      other.connection.reset(opened(other.connection.open(undefined)), 6)
      const used = opened(other.connection.open(undefined))
      for (const frame of other.frames()) {
        if (frame._tag === "Data") announced.add(frame.streamId)
        server.receive(frame)
      }
      other.connection.reset(used, 6)
      server.receive(...other.frames())
    }
    assert.strictEqual(announced.size, 2000)
    assert.isAtMost(server.connection.stats().idGaps, 1)
    assert.strictEqual(server.connection.end, undefined)
  })

  it("return ids that work like new ones", () => {
    const client = new Scripted("client")
    const first = opened(client.connection.open(undefined))
    client.connection.reset(first, 6)
    const second = opened(client.connection.open(undefined))
    assert.strictEqual(second.id, first.id)
    client.frames()
    client.receive(data(second.id, Uint8Array.of(1)))
    assert.deepStrictEqual(client.connection.read(second), { _tag: "Bytes", bytes: Uint8Array.of(1) })
  })
})

it("the reason of a session that ends for an id names the id and its fault", () => {
  const details = [
    new Scripted("server").receive(syn(4)),
    new Scripted("server").receive(syn(3), syn(3)),
    new Scripted("server", { maxIdGaps: 0 }).receive(syn(9))
  ].map(({ connection: { end } }) => (end?._tag === "Violation" ? end.detail : end?._tag))
  assert.deepStrictEqual(details, [
    "SYN on stream 4: its sender may not open ids of this parity",
    "SYN on stream 3, which was used before",
    "SYN on stream 9 leaves more gaps in the stream ids than maxIdGaps allows"
  ])
})

describe("the suspicion that only one side is typed", () => {
  const fin = (id: number): Frame => data(id, bytesOf("hi"), { syn: true, fin: true })
  const heartbeat = (id: number): Frame => data(id, Uint8Array.of(255, 255, 255, 255), { syn: true })

  it("arises on a typed side if a stream ends before its type, and names the first such stream", () => {
    const server = new Scripted("server", { typed: true })
    server.receive(data(3, Uint8Array.of(0, 0, 0, 1), { syn: true, fin: true }))
    assert.isUndefined(server.connection.suspicion)
    server.receive(fin(5), fin(7))
    assert.strictEqual(
      server.connection.suspicion,
      "stream 5 ended before its 4-byte type: the peer seems to be untyped, and this side is typed"
    )
  })

  it("arises on an untyped side if a stream starts with the type of heartbeats, and names the first such stream", () => {
    const server = new Scripted("server").receive(syn(3, "hello"))
    assert.isUndefined(server.connection.suspicion)
    server.receive(heartbeat(5), heartbeat(7))
    assert.strictEqual(
      server.connection.suspicion,
      "stream 5 starts with the heartbeat type: the peer seems to be typed, and this side is untyped"
    )
  })
})
