import { assert, describe, it } from "@effect/vitest"
import type { Frame } from "../../src/protocol/wire/frame.js"
import { data, goAway } from "../../src/protocol/wire/frame.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf, FILLER } from "../support/protocol/text.js"

const syn = (id: number, payload = ""): Frame => data(id, bytesOf(payload), { syn: true })

/** A client with the streams 3, 5 and 7 of its own, and 2 of the server. */
const client3 = () => {
  const client = new Scripted("client").receive(syn(2))
  const streams = [client.open(), client.open(), client.open()] as const
  client.sent()
  client.events()
  return { client, streams }
}

describe("a GOAWAY from the peer", () => {
  it("fails the streams that the peer did not process, with processed no; the others continue", () => {
    const { client, streams } = client3()
    client.hex("00000a 30 00000000 00000003 00000000 6f68")
    const failure = 'SessionEnded (GoneAway last 3 code 0 "oh"), processed no'
    assert.deepStrictEqual(client.events(), ["GoneAway last 3 code 0", `Failed 5: ${failure}`, `Failed 7: ${failure}`])
    assert.deepStrictEqual(client.sent(), [])
    assert.strictEqual(client.read(streams[1]), failure)
    assert.strictEqual(client.write(streams[2], "x"), failure)
    assert.strictEqual(client.write(streams[0], "x"), "took 1")
    client.receive(data(3, bytesOf("fine"), { fin: true }))
    assert.deepStrictEqual(client.readAll(streams[0]), { length: 4, then: "End" })
    assert.strictEqual(client.connection.stats().outboundStreams, 1)
    assert.strictEqual(client.connection.stats().inboundStreams, 1)
  })

  it("ends opening streams, but not accepting them", () => {
    const { client } = client3()
    client.receive(goAway(7, 0))
    assert.deepStrictEqual(client.events(), ["GoneAway last 7 code 0"])
    const result = client.connection.open(undefined)
    assert("_tag" in result && result._tag === "Over")
    assert.strictEqual(result.end._tag, "GoneAway")
    assert.isUndefined(client.connection.refusal)
    assert.isUndefined(client.connection.end)
    client.receive(syn(4))
    assert.deepStrictEqual(client.events(), ["Opened 4"])
  })

  it("that comes second can lower the last stream id, but not raise it", () => {
    const { client } = client3()
    client.receive(goAway(5, 0), goAway(7, 0), goAway(3, 10))
    assert.deepStrictEqual(client.events(), [
      "GoneAway last 5 code 0",
      'Failed 7: SessionEnded (GoneAway last 5 code 0 ""), processed no',
      "GoneAway last 5 code 0",
      "GoneAway last 3 code 10",
      'Failed 5: SessionEnded (GoneAway last 3 code 10 ""), processed no'
    ])
  })

  it("has the reserved bit of its last id masked", () => {
    const { client } = client3()
    client.hex("000008 30 00000000 80000007 00000000")
    assert.deepStrictEqual(client.events(), ["GoneAway last 7 code 0"])
  })

  it("of 16 MiB is not stored, and the next frame is read", () => {
    const { client } = client3()
    client.hex("ffffff 30 00000000 00000007 00000000")
    const debug = new Uint8Array(262_143).fill(0x61)
    for (let i = 0; i < 64; i++) client.push(debug)
    client.push(debug.subarray(0, 0xffffff - 8 - 64 * 262_143))
    assert.deepStrictEqual(client.events(), ["GoneAway last 7 code 0"])
    client.receive(syn(4))
    assert.deepStrictEqual(client.events(), ["Opened 4"])
    client.connection.transportFailed(ENDED)
    assert(client.connection.end?._tag === "GoneAway")
    assert.strictEqual(client.connection.end.debug.length, 1024)
  })

  it("of Rust with a text counts, although the last 8 bytes of the text come after the frame", () => {
    const { client } = client3()
    // "leaving soon": the length leaves out the 8 bytes before the text, and so "ing soon" looks like a WNDINC
    client.hex("00000c 30 00000000 00000000 0000000a 6c656176 696e6720736f6f6e")
    assert.deepStrictEqual(client.events().slice(-1), ['Ended: GoneAway last 0 code 10 "leav"'])
    assert.deepStrictEqual(client.sent(), ["GOAWAY last 2 code 8", FILLER])
  })

  it("that is too short, as Rust sends it, still means that the peer leaves", () => {
    const { client, streams } = client3()
    client.hex("000007 30 00000000")
    assert.deepStrictEqual(client.sent(), ["GOAWAY last 2 code 8", FILLER])
    const end = 'GoneAway last 2147483647 code 0 ""'
    assert.strictEqual(client.read(streams[0]), `SessionEnded (${end}), processed maybe`)
    assert.strictEqual(client.events().slice(-1)[0], `Ended: ${end}`)
  })

  it("that is too short, after a complete one, keeps the reason of the complete one", () => {
    const { client } = client3()
    client.receive(goAway(3, 0)).hex("000000 30 00000000")
    assert.strictEqual(client.events().slice(-1)[0], 'Ended: GoneAway last 3 code 0 ""')
  })

  it("is the reason for the end if the transport ends after it", () => {
    const { client, streams } = client3()
    client.receive(goAway(7, 14, bytesOf("bye")))
    client.connection.transportFailed(ENDED)
    assert.strictEqual(client.events().slice(-1)[0], 'Ended: GoneAway last 7 code 14 "bye"')
    assert.strictEqual(client.read(streams[0]), 'SessionEnded (GoneAway last 7 code 14 "bye"), processed maybe')
  })

  for (const code of [1, 3, 8]) {
    it(`with code ${code} reports a violation by this side`, () => {
      const { client } = client3()
      client.receive(goAway(7, code, bytesOf("you did")))
      client.connection.transportFailed(ENDED)
      assert.strictEqual(client.events().slice(-1)[0], `Ended: Violation ${code} by Remote`)
      assert(client.connection.end?._tag === "Violation")
      assert.strictEqual(client.connection.end.detail, "you did")
    })
  }

  for (const code of [0, 2, 10, 0xff, 0xffffffff]) {
    it(`with code ${code} passes the code on unchanged`, () => {
      const { client } = client3()
      client.receive(goAway(7, code))
      client.connection.transportFailed(ENDED)
      assert.strictEqual(client.events().slice(-1)[0], `Ended: GoneAway last 7 code ${code} ""`)
    })
  }

  it("that exceeds the budget ends the session, and no event follows", () => {
    const client = new Scripted("client", { uselessFrameBudget: { burst: 3, perSecond: 0 } })
    for (let i = 0; i < 10; i++) client.hex("000008 30 00000000 00000000 00000000")
    assert.match(client.events().at(-1) ?? "", /^Ended/)
  })

  it("of Rust, with a text that looks like a frame, and then silence end the session with GoneAway", () => {
    const client = new Scripted("client", { partialFrameTimeout: 1000 })
    // "goodbye, all of you": what runs over the frame begins one of an unknown type
    client.hex("000013 30 00000000 00000000 00000000").push(bytesOf("goodbye, all of you"))
    client.tick(1000)
    assert.strictEqual(client.connection.end?._tag, "GoneAway")
  })
})

describe("a GOAWAY of ours", () => {
  it("is sent at once with the highest id of the peer and the filler; later streams are refused", () => {
    const server = new Scripted("server").receive(syn(9), syn(3, "hi"))
    const stream = server.stream(3)
    server.write(stream, 100)
    server.connection.goAway(11, "so long")
    const frames = server.frames()
    assert.deepStrictEqual(
      frames.map((frame) => frame._tag),
      ["GoAway", "Unknown", "Data"]
    )
    assert(frames[0]?._tag === "GoAway")
    assert.strictEqual(frames[0].lastStreamId, 9)
    assert.strictEqual(frames[0].code, 11)
    assert.deepStrictEqual(frames[0].debug, bytesOf("so long"))
    server.events()
    server.receive(syn(11), data(3, bytesOf("more"), { fin: true }))
    assert.deepStrictEqual(server.sent(), ["RST 11 code 5"])
    assert.deepStrictEqual(server.events(), [])
    assert.deepStrictEqual(server.readAll(stream), { length: 6, then: "End" })
    assert.isUndefined(server.connection.end)
  })

  it("has the last stream id 0 if the peer has opened nothing, to a server and to a client", () => {
    for (const role of ["server", "client"] as const) {
      const session = new Scripted(role)
      session.connection.goAway(0, "")
      assert.deepStrictEqual(session.sent(), ["GOAWAY last 0 code 0", FILLER])
    }
  })

  it("does not stop this side from opening streams", () => {
    const server = new Scripted("server")
    server.connection.goAway(0, "")
    assert.strictEqual(server.open().id, 2)
    assert.isUndefined(server.connection.refusal)
  })

  it("carries at most 256 bytes of UTF-8, never cut inside a character", () => {
    const server = new Scripted("server")
    server.connection.goAway(0, `a${"\u00e9".repeat(1000)}`)
    const [frame] = server.frames()
    assert(frame?._tag === "GoAway")
    assert.strictEqual(new TextDecoder().decode(frame.debug), `a${"\u00e9".repeat(127)}`)
  })

  it("may be sent twice, and is not sent when the session is over or closing", () => {
    const server = new Scripted("server")
    server.connection.goAway(0, "")
    server.sent()
    server.connection.goAway(2, "")
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 0 code 2", FILLER])
    server.connection.close()
    server.connection.goAway(2, "")
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 0 code 2", FILLER])
    server.connection.goAway(2, "")
    assert.deepStrictEqual(server.sent(), [])
    const aborted = new Scripted("server")
    aborted.connection.abort()
    aborted.connection.goAway(2, "")
    assert.deepStrictEqual(aborted.sent(), [])
  })

  it("never raises its last stream id later, because streams after the first GOAWAY are refused", () => {
    const server = new Scripted("server").receive(syn(3))
    server.connection.goAway(0, "")
    server.receive(syn(9))
    server.connection.goAway(10, "")
    assert.deepStrictEqual(server.sent(), ["RST 9 code 5", "GOAWAY last 3 code 10", FILLER])
    server.connection.close()
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 3 code 10", FILLER])
  })

  it("repeats the first code and text that are not empty, also as the reason for the end", () => {
    const server = new Scripted("server")
    server.connection.goAway(0, "")
    server.connection.goAway(99, "maintenance")
    server.connection.goAway(7, "something else")
    server.sent()
    server.connection.close(2, "and again")
    const [frame] = server.frames()
    assert(frame?._tag === "GoAway")
    assert.deepStrictEqual([frame.code, new TextDecoder().decode(frame.debug)], [99, "maintenance"])
    assert.deepStrictEqual(server.connection.end, { _tag: "Closed", code: 99, debug: "maintenance" })
  })

  it("has the code and the text that close is called with", () => {
    const server = new Scripted("server")
    server.connection.close(99, "maintenance")
    const [frame] = server.frames()
    assert(frame?._tag === "GoAway")
    assert.deepStrictEqual([frame.code, new TextDecoder().decode(frame.debug)], [99, "maintenance"])
  })

  it("from both sides at once ends both: neither waits for the other", () => {
    const { client, streams } = client3()
    client.connection.goAway(0, "")
    client.receive(goAway(3, 0))
    assert.deepStrictEqual(client.sent(), ["GOAWAY last 2 code 0", FILLER])
    assert.strictEqual(client.write(streams[0], "x"), "took 1")
    client.connection.resetAll(6)
    client.events()
    assertAtRest({ stats: () => ({ ...client.connection.stats(), backlog: 0 }) })
  })
})

const ENDED = { _tag: "TransportFailed", reason: "Ended", cause: undefined, initiator: "Remote" } as const
