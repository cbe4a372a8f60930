import { assert, describe, it } from "@effect/vitest"
import type { OpenResult } from "../../src/protocol/results.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import type { Frame } from "../../src/protocol/wire/frame.js"
import { data, goAway, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf, FILLER } from "../support/protocol/text.js"

const syn = (id: number, payload = ""): Frame => data(id, bytesOf(payload), { syn: true })
const fin = (id: number): Frame => data(id, undefined, { fin: true })
const ENDED = { _tag: "TransportFailed", reason: "Ended", cause: undefined, initiator: "Remote" } as const

describe("draining a connection", () => {
  it("without open streams emits Idle at once, and only once", () => {
    const server = new Scripted("server")
    server.connection.drain()
    assert.deepStrictEqual(server.events(), ["Idle"])
    server.connection.drain()
    server.tick(1)
    assert.deepStrictEqual(server.events(), [])
    assert.deepStrictEqual(server.sent(), [])
  })

  it("opens and accepts no more streams, and lets open ones continue to their end", () => {
    const server = new Scripted("server").receive(syn(3))
    const [theirs, ours] = [server.stream(3), server.open()]
    server.connection.drain()
    assert.deepStrictEqual(server.connection.open(undefined), { _tag: "Over", end: { _tag: "Closed" } })
    assert.deepStrictEqual(server.connection.refusal, { _tag: "Closed" })
    assert.isUndefined(server.connection.end)
    server.receive(syn(5), fin(3))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 5", "GOAWAY last 3 code 0", FILLER, "SYN 2 (0)"])
    server.receive(fin(2))
    server.write(theirs, "the answer")
    server.connection.finish(theirs)
    server.connection.finish(ours)
    assert.deepStrictEqual(server.events(), ["Opened 3"])
    assert.deepStrictEqual(server.sent(8), ["FIN 3 (10)"])
    assert.deepStrictEqual(server.events(), ["Finished 3"])
    assert.deepStrictEqual(server.sent(), ["FIN 2 (0)"])
    assert.deepStrictEqual(server.events(), ["Finished 2", "Idle"])
  })

  it("waits for the streams of both sides, also if each has as many", () => {
    const server = new Scripted("server").receive(syn(3))
    server.open()
    server.sent()
    server.connection.drain()
    assert.deepStrictEqual(server.events(), ["Opened 3"])
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 3 code 0", FILLER])
  })

  const endings: ReadonlyArray<readonly [name: string, end: (server: Scripted) => void]> = [
    ["a reset by the peer", (server) => server.receive(rst(3, 6))],
    ["a reset by this side", (server) => server.connection.reset(server.stream(3), 6)],
    ["a GOAWAY of the peer", (server) => server.receive(goAway(0, 0), rst(3, 6))],
    [
      "the end of reading",
      (server) => {
        server.connection.finish(server.stream(3))
        server.sent()
        server.connection.stopReading(server.stream(3))
      }
    ],
    ["the peer's FIN", (server) => (server.connection.finish(server.stream(3)), server.sent(), server.receive(fin(3)))]
  ]
  for (const [name, end] of endings) {
    it(`emits Idle after ${name} too`, () => {
      const server = new Scripted("server").receive(syn(3))
      server.connection.drain()
      assert.notInclude(server.events(), "Idle")
      end(server)
      assert.strictEqual(server.events().filter((line) => line === "Idle").length, 1)
    })
  }

  it("emits Idle when the last stream is refused at its type's time limit", () => {
    const server = new Scripted("server", { typed: true }).receive(syn(3))
    server.connection.drain()
    server.tick(10_000)
    assert.deepStrictEqual(server.events(), ["Idle"])
  })

  it("does not wait for heartbeat streams", () => {
    const client = new Scripted("client", { typed: true })
    client.connection.ping(7, 0)
    client.connection.drain()
    assert.deepStrictEqual(client.events(), ["Idle"])
    assert.deepStrictEqual(client.sent(), ["SYN 3 (8)"])
  })

  it("after the end of the session emits nothing", () => {
    const server = new Scripted("server")
    server.connection.abort()
    server.connection.drain()
    assert.deepStrictEqual(server.events(), ["Ended: Closed"])
  })

  it("emits Idle only after the transport has accepted the last bytes", () => {
    const client = new Scripted("client")
    const { connection } = client
    const stream = opened(connection.open(undefined))
    client.frames()
    connection.write(stream, Uint8Array.of(1))
    connection.finish(stream)
    client.receive(data(stream.id, undefined, { fin: true }))
    connection.drain()
    connection.takeFrames(Infinity, 0)
    assert.notInclude(
      connection.takeEvents().map((event) => event._tag),
      "Idle"
    )
    connection.written()
    assert.include(
      connection.takeEvents().map((event) => event._tag),
      "Idle"
    )
  })
})

/** The GOAWAYs that are due, with their texts. */
const goings = (from: Scripted): ReadonlyArray<string> =>
  from
    .frames()
    .flatMap((frame) =>
      frame._tag === "GoAway" ? [`${frame.lastStreamId} ${frame.code} ${new TextDecoder().decode(frame.debug)}`] : []
    )

describe("the announcement of a drain", () => {
  const REASON: readonly [number, string] = [1000, "moving"]

  it("comes first, with the highest id that was taken; a skipped id below it is refused afterwards", () => {
    const server = new Scripted("server").receive(syn(7), syn(3))
    server.connection.drain()
    assert.deepStrictEqual(goings(server), ["7 0 draining"])
    server.receive(syn(5), syn(9))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 5", "RST 9 code 5"])
    server.connection.close()
    assert.deepStrictEqual(goings(server), ["7 0 "])
  })

  it("is left out without announceDrain: the only GOAWAY comes at the end", () => {
    const server = new Scripted("server", { announceDrain: false }).receive(syn(3))
    server.connection.drain()
    server.receive(syn(5))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 5"])
    server.connection.close()
    assert.deepStrictEqual(goings(server), ["5 0 "])
  })

  it("is not made twice: not by a second drain, and not after goAway, whose reason stays", () => {
    const server = new Scripted("server").receive(syn(3))
    server.connection.drain()
    goings(server)
    server.connection.drain()
    assert.deepStrictEqual(server.sent(), [])
    const gone = new Scripted("server").receive(syn(3))
    gone.connection.goAway(...REASON)
    assert.deepStrictEqual(goings(gone), ["3 1000 moving"])
    gone.connection.drain()
    assert.deepStrictEqual(gone.sent(), [])
    assert.deepStrictEqual(gone.connection.refusal, { _tag: "Closed", code: 1000, debug: "moving" })
    gone.connection.close()
    assert.deepStrictEqual(goings(gone), ["3 1000 moving"])
  })

  for (const command of ["goAway", "close"] as const) {
    it(`does not hide the reason of ${command} during the drain, on either side`, () => {
      for (const [code, text] of [REASON, [0, "moving"], [1000, ""]] as const) {
        const server = new Scripted("server").receive(syn(3))
        const client = new Scripted("client")
        client.open()
        client.sent()
        server.connection.drain()
        client.receive(...server.frames())
        assert.deepStrictEqual(client.events(), ["GoneAway last 3 code 0"])
        server.connection[command](code, text)
        client.receive(...server.frames())
        if (command === "goAway") server.connection.close()
        client.receive(...server.frames())
        server.frames()
        assert.deepStrictEqual(server.connection.end, { _tag: "Closed", code, debug: text })
        client.connection.transportFailed(ENDED)
        assert.strictEqual(client.events().at(-1), `Ended: GoneAway last 3 code ${code} "${text}"`)
      }
    })
  }

  it("stays the reason at the peer if nothing else is said, and this side has given none", () => {
    const server = new Scripted("server").receive(syn(3))
    const client = new Scripted("client")
    server.connection.drain()
    client.receive(...server.frames())
    server.connection.close()
    client.receive(...server.frames())
    client.connection.transportFailed(ENDED)
    assert.strictEqual(client.events().at(-1), 'Ended: GoneAway last 3 code 0 "draining"')
    assert.deepStrictEqual(server.connection.end, { _tag: "Closed" })
  })

  it("does not make a violation of the peer look like a drain", () => {
    const server = new Scripted("server").receive(syn(3))
    server.connection.drain()
    goings(server)
    server.hex("000001 10 00000000 61")
    assert.match(goings(server).join(), /^3 1 /)
    assert.strictEqual(server.connection.end?._tag, "Violation")
  })

  it("is not sent while the session closes, or after its end", () => {
    const server = new Scripted("server").receive(syn(3))
    server.connection.close(...REASON)
    server.connection.drain()
    assert.deepStrictEqual(goings(server), ["3 1000 moving"])
    server.connection.drain()
    assert.deepStrictEqual(server.sent(), [])
  })

  for (const announceDrain of [true, false]) {
    it(`or its absence (${announceDrain}): no stream that crosses the drain is charged, however long it takes`, () => {
      const none = { burst: 1, perSecond: 0 }
      const server = new Scripted("server", { announceDrain, typed: true, refusalBudget: none, resetBudget: none })
      server.receive(data(3, bytesOf("type"), { syn: true }))
      server.connection.drain()
      for (let id = 5; id < 4005; id += 2) {
        server.receive(syn(id, "typeand payload"), data(id, bytesOf("more")), data(id, undefined, { fin: true }))
        server.tick(100)
        assert.include(server.sent(), `RST ${id} code 5`)
      }
      assert.isUndefined(server.connection.end)
      const { refusals, resets } = server.connection.stats().charged
      assert.deepStrictEqual([refusals, resets], [0, 0])
    })
  }

  it("lets the peer's heartbeats go on to the end, and refuses a new heartbeat stream", () => {
    const server = new Scripted("server", { typed: true })
    const heartbeat = (id: number) => data(id, Uint8Array.of(255, 255, 255, 255, 1, 2, 3, 4), { syn: true })
    server.receive(heartbeat(3), data(5, bytesOf("type"), { syn: true }))
    server.sent()
    server.connection.drain()
    server.sent()
    for (let i = 0; i < 100; i++) {
      server.tick(10_000).receive(data(3, Uint8Array.of(1, 2, 3, 4)))
      assert.deepStrictEqual(server.sent(), ["DATA 3 (4)"])
    }
    server.receive(heartbeat(7), data(9, undefined, { syn: true }))
    assert.deepStrictEqual(server.sent(), ["RST 7 code 5", "RST 9 code 5"])
  })
})

describe("closing a connection", () => {
  it("sends the accepted bytes and FINs, then GOAWAY, and then ends", () => {
    const server = new Scripted("server").receive(syn(9, "unread"))
    const [finished, open] = [server.open(), server.open()]
    server.open()
    server.write(finished, 150_000)
    server.connection.finish(finished)
    server.write(open, "cut")
    server.events()
    server.connection.close()
    assert.deepStrictEqual(server.events(), [
      "Failed 9: SessionEnded (Closed), processed maybe",
      "Failed 2: SessionEnded (Closed), processed maybe",
      "Failed 4: SessionEnded (Closed), processed maybe",
      "Failed 6: SessionEnded (Closed), processed no"
    ])
    const sent: Array<string> = []
    while (server.connection.hasFrames) {
      assert.isUndefined(server.connection.end)
      sent.push(...server.sent(20_000))
    }
    assert.deepStrictEqual(sent.slice(-2), ["GOAWAY last 9 code 0", FILLER])
    assert.include(sent, "SYN 4 (3)")
    // what has nothing to say is not begun, or "no" would be a lie
    assert.isFalse(sent.some((line) => line.startsWith("SYN 6 ")))
    assert.isTrue(sent.some((line) => line.startsWith("FIN 2 ")))
    assert.isFalse(sent.some((line) => line.startsWith("FIN 4 ")))
    assert.deepStrictEqual(server.events(), ["Ended: Closed"])
    assertAtRest(server.connection)
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
  })

  it("fails reads and writes on this side at once, but keeps received bytes readable", () => {
    const server = new Scripted("server").receive(syn(3, "abc"))
    const stream = server.stream(3)
    server.connection.close()
    assert.strictEqual(server.write(stream, "x"), "SessionEnded (Closed), processed maybe")
    assert.strictEqual(server.connection.writable(stream), 0)
    server.connection.finish(stream)
    assert.strictEqual(server.read(stream), '"abc"')
    assert.strictEqual(server.read(stream), "SessionEnded (Closed), processed maybe")
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 3 code 0", FILLER])
  })

  it("twice has the same effect as once", () => {
    const server = new Scripted("server").receive(syn(3))
    server.connection.close()
    server.connection.close()
    assert.deepStrictEqual(server.events(), ["Opened 3", "Failed 3: SessionEnded (Closed), processed maybe"])
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 3 code 0", FILLER])
    server.connection.close()
    assert.deepStrictEqual(server.sent(), [])
    assert.deepStrictEqual(server.events(), ["Ended: Closed"])
  })

  it("accepts and opens no streams, and drops bytes that still arrive", () => {
    const server = new Scripted("server").receive(syn(3))
    server.write(server.stream(3), 100)
    server.connection.close()
    server.events()
    const over = server.connection.open(undefined)
    assert.deepStrictEqual(over, { _tag: "Over", end: { _tag: "Closed" } })
    server.receive(syn(5), data(3, bytesOf("x")), data(7, bytesOf("x")), windowIncrement(3, 0), goAway(0, 0))
    assert.deepStrictEqual(server.events(), ["GoneAway last 0 code 0"])
    assert.strictEqual(server.connection.stats().bufferedBytes, 0)
    assert.deepStrictEqual(server.sent(), ["RST 5 code 5", "DATA 3 (100)", "GOAWAY last 3 code 0", FILLER])
  })

  it("sends nothing more on a stream that the peer resets meanwhile", () => {
    const server = new Scripted("server").receive(syn(3))
    server.write(server.stream(3), 100)
    server.connection.finish(server.stream(3))
    server.connection.close()
    server.receive(rst(3, 6))
    assert.strictEqual(server.connection.stats().queuedBytes, 0)
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 3 code 0", FILLER])
    assert.deepStrictEqual(server.events(), [
      "Opened 3",
      "Failed 3: SessionEnded (Closed), processed maybe",
      "Ended: Closed"
    ])
  })

  it("completes even if the peer sends GOAWAY meanwhile, and each event comes once", () => {
    const client = new Scripted("client")
    const stream = client.open()
    client.write(stream, "accepted")
    client.connection.close()
    client.receive(goAway(0, 0))
    assert.deepStrictEqual(client.events(), [
      "Failed 3: SessionEnded (Closed), processed maybe",
      "GoneAway last 0 code 0"
    ])
    assert.deepStrictEqual(client.sent(), ["SYN 3 (8)", "GOAWAY last 0 code 0", FILLER])
    assert.deepStrictEqual(client.events(), ["Ended: Closed"])
  })

  it("grants no more credit to streams that it has failed", () => {
    const server = new Scripted("server", { window: 8 }).receive(syn(3, "12345678"))
    server.connection.close()
    assert.strictEqual(server.read(server.stream(3)), '"12345678"')
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 3 code 0", FILLER])
  })

  it("ends with Closed even if the transport fails afterwards", () => {
    const server = new Scripted("server").receive(syn(3))
    server.connection.close()
    server.connection.transportFailed(ENDED)
    assert.deepStrictEqual(server.events().slice(-1), ["Ended: Closed"])
    server.connection.transportFailed(ENDED)
    assert.deepStrictEqual(server.events(), [])
  })

  it("ends with Closed even if the peer becomes silent", () => {
    const server = new Scripted("server").receive(syn(3))
    server.write(server.stream(3), 10)
    server.connection.takeFrames(1, 0)
    server.connection.close()
    server.tick(30_000)
    assert.deepStrictEqual(server.events().slice(-1), ["Ended: Closed"])
  })

  it("causes no later event: none for waiting writers, and none at a time limit", () => {
    const server = new Scripted("server", { maxSendBuffer: 1024, typed: true })
    server.receive(data(3, new Uint8Array(20), { syn: true }), data(5, new Uint8Array(4), { syn: true }), syn(7))
    const [first, second] = [server.stream(3), server.stream(5)]
    server.read(first)
    server.write(first, 1024)
    server.write(second, 10)
    assert.isBelow(server.connection.nextDeadline(), Infinity)
    server.connection.close()
    server.events()
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    server.tick(100_000)
    assert.deepStrictEqual(server.sent(), ["DATA 3 (1024)", "GOAWAY last 7 code 0", FILLER])
    assert.deepStrictEqual(server.events(), ["Ended: Closed"])
  })

  it("loses pending heartbeats", () => {
    const client = new Scripted("client", { typed: true })
    client.connection.ping(7, 0)
    client.connection.close()
    assert.deepStrictEqual(client.events(), ["PingLost 7 on 3: SessionEnded (Closed), processed maybe"])
    assert.isFalse(client.connection.ping(8, 0))
  })

  it("after the end of the session does nothing", () => {
    const server = new Scripted("server")
    server.connection.abort()
    server.connection.close()
    assert.deepStrictEqual(server.sent(), [])
    assert.deepStrictEqual(server.events(), ["Ended: Closed"])
  })
})

describe("when the transport of a connection fails", () => {
  const cuts: ReadonlyArray<readonly [where: string, hex: string]> = [
    ["between frames", ""],
    ["in a header", "00000510"],
    ["in a payload", "000005 10 00000005 6162"]
  ]
  for (const [where, hex] of cuts) {
    it(`${where}: streams fail, but a stream that has received its FIN still ends in order`, () => {
      const server = new Scripted("server").receive(syn(3, "whole"), fin(3), syn(5, "cut"))
      const [whole, cut] = [server.stream(3), server.stream(5)]
      const unsent = server.open()
      server.events()
      if (hex !== "") server.hex(hex)
      server.connection.transportFailed(ENDED)
      const why = "SessionEnded (TransportFailed Ended by Remote), processed"
      assert.deepStrictEqual(server.events(), [
        `Failed 3: ${why} maybe`,
        `Failed 5: ${why} maybe`,
        `Failed 2: ${why} no`,
        "Ended: TransportFailed Ended by Remote"
      ])
      assert.deepStrictEqual(server.readAll(whole), { length: 5, then: "End" })
      assert.strictEqual(server.readAll(cut).then, `${why} maybe`)
      assert.strictEqual(server.read(unsent), `${why} no`)
      assert.strictEqual(server.write(whole, "x"), `${why} maybe`)
      assert.deepStrictEqual(server.sent(), [])
      assert.deepStrictEqual(server.connection.open(undefined), { _tag: "Over", end: ENDED })
      assert.deepStrictEqual(server.connection.refusal, ENDED)
      assertAtRest(server.connection)
    })
  }

  it("blocked readers, writers and opens are woken, and no event follows Ended", () => {
    const client = new Scripted("client", { maxOutboundStreams: 1, window: 10 })
    const stream = client.open()
    client.write(stream, 20)
    client.read(stream)
    client.connection.open(undefined)
    client.sent()
    client.connection.transportFailed(ENDED)
    const events = client.events()
    assert.include(events, "Failed 3: SessionEnded (TransportFailed Ended by Remote), processed maybe")
    assert.strictEqual(events.slice(-1)[0], "Ended: TransportFailed Ended by Remote")
  })

  it("nothing is received, sent or due after the end", () => {
    const server = new Scripted("server", { heartbeat: { interval: 10, tolerance: 10 }, typed: true })
    server.receive(syn(3), goAway(0, 0))
    server.connection.abort()
    server.events()
    server.receive(syn(5), data(3, bytesOf("abcdef")), goAway(0, 0), data(7, bytesOf("x")))
    server.tick(100_000)
    assert.isFalse(server.connection.ping(1, 0))
    server.connection.abort()
    assert.deepStrictEqual(server.events(), [])
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    assertAtRest(server.connection)
  })

  it("an abort drops all unsent bytes", () => {
    const server = new Scripted("server").receive(syn(3, "hi"))
    server.write(server.stream(3), 100)
    server.connection.abort()
    assert.isFalse(server.connection.hasFrames)
    assert.deepStrictEqual(server.events(), [
      "Opened 3",
      "Failed 3: SessionEnded (Closed), processed maybe",
      "Ended: Closed"
    ])
    server.connection.accept(server.stream(3))
    assertAtRest(server.connection)
  })
})

const opened = (result: OpenResult): StreamCore => {
  if (result instanceof StreamCore) return result
  return assert.fail(`not opened: ${result._tag}`)
}

const processed = (stream: StreamCore): string => stream.failure?.processed ?? "it has not failed"

describe("whether the peer may have processed a failed stream", () => {
  it("is maybe for a stream whose bytes close still sends, and no for one whose SYN is not sent", () => {
    const client = new Scripted("client")
    const written = opened(client.connection.open(undefined))
    const finished = opened(client.connection.open(undefined))
    const idle = opened(client.connection.open(undefined))
    client.connection.write(written, Uint8Array.of(1, 2))
    client.connection.finish(finished)
    client.connection.close()
    assert.strictEqual(processed(written), "maybe")
    assert.strictEqual(processed(finished), "maybe")
    assert.strictEqual(processed(idle), "no")
    const ids = client.frames().map((frame) => ("streamId" in frame ? frame.streamId : 0))
    assert.include(ids, written.id)
    assert.include(ids, finished.id)
    assert.notInclude(ids, idle.id)
  })

  it.each([
    ["bytes", data(3, Uint8Array.of(1))],
    ["credit", windowIncrement(3, 10)]
  ])("is maybe if the peer has answered with %s, even if its GOAWAY or RST says no", (_, answer) => {
    for (const end of [goAway(0, 0), rst(3, 5), rst(3, 9)]) {
      const client = new Scripted("client")
      const stream = opened(client.connection.open(undefined))
      client.frames()
      client.receive(answer, end)
      assert.strictEqual(processed(stream), "maybe")
    }
  })

  it("is no if the peer sent only GOAWAY or RST", () => {
    for (const end of [goAway(0, 0), rst(3, 5), rst(3, 9)]) {
      const client = new Scripted("client")
      const stream = opened(client.connection.open(undefined))
      client.frames()
      client.receive(end)
      assert.strictEqual(processed(stream), "no")
    }
  })
})
