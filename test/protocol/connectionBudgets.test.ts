import { assert, describe, it } from "@effect/vitest"
import { encodeUint32, HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import { data, goAway, goAwayFiller, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import type { Overrides } from "../support/protocol/options.js"
import { Scripted } from "../support/protocol/scripted.js"
import { bytesOf } from "../support/protocol/text.js"

const syn = (id: number, payload = "") => data(id, bytesOf(payload), { syn: true })
const empty = (id: number, fin = false) => data(id, undefined, { fin })

const CALM = (detail: string) => ({ _tag: "Violation", code: 10, detail, initiator: "Local" }) as const

/** Does it until the session is over, and says how often that was. */
const untilOver = (server: Scripted, once: (round: number) => void, most = 20_000): number => {
  for (let round = 0; round < most; round++) {
    if (server.connection.end !== undefined) return round
    once(round)
    server.sent()
    server.events()
  }
  return Infinity
}

const serverWith = (overrides: Overrides = {}) =>
  new Scripted("server", {
    resetBudget: { burst: 20, perSecond: 10 },
    refusalBudget: { burst: 20, perSecond: 10 },
    uselessFrameBudget: { burst: 20, perSecond: 10 },
    spareIncrements: 20,
    ...overrides
  })

const id = (round: number): number => 2 * round + 3

const beat = (id: number, fin = false) => data(id, Uint8Array.of(255, 255, 255, 255), { syn: true, fin })

describe("the budget of resets", () => {
  const attacks: ReadonlyArray<readonly [string, (server: Scripted, round: number) => void]> = [
    ["a stream that the peer opens and resets", (server, round) => server.receive(syn(id(round)), rst(id(round), 6))],
    ["an increment of 0", (server, round) => server.receive(syn(id(round)), windowIncrement(id(round), 0))],
    [
      "more than the window at once",
      (server, round) => server.receive(data(id(round), new Uint8Array(262_145), { syn: true }))
    ],
    [
      "DATA after FIN",
      (server, round) => server.receive(syn(id(round)), empty(id(round), true), data(id(round), bytesOf("x")))
    ],
    ["DATA on a stream that was never opened", (server, round) => server.receive(data(id(round), bytesOf("x")))]
  ]
  for (const [what, once] of attacks) {
    it(`${what} is charged: 20 at once, then the session ends with EnhanceYourCalm`, () => {
      const server = serverWith({ spareIncrements: 1000 })
      assert.strictEqual(
        untilOver(server, (round) => once(server, round)),
        21
      )
      assert.deepStrictEqual(server.connection.end, CALM("streams were reset faster than resetBudget allows"))
    })
  }

  it("drains with time", () => {
    const server = serverWith()
    const round = (number: number) => server.receive(syn(id(number)), rst(id(number), 6))
    for (let number = 0; number < 20; number++) round(number)
    assert.strictEqual(server.connection.stats().charged.resets, 20)
    for (let number = 20; number < 200; number++) {
      server.now += 100
      round(number)
      server.tick(0)
    }
    assert.isUndefined(server.connection.end)
    assert.strictEqual(server.connection.stats(server.now + 60_000).charged.resets, 0)
  })

  it("is not charged for resets of this side's own streams", () => {
    const client = new Scripted("client", { resetBudget: { burst: 1, perSecond: 0 } })
    for (let round = 0; round < 100; round++) {
      const stream = client.open()
      client.sent()
      client.receive(rst(stream.id, 6))
    }
    assert.isUndefined(client.connection.end)
  })

  it("is not charged for the RST that answers late DATA after the application has closed the stream", () => {
    const server = serverWith()
    const over = untilOver(
      server,
      (round) => {
        server.receive(syn(id(round), "request"))
        const stream = server.stream(id(round))
        server.connection.accept(stream)
        server.connection.finish(stream)
        server.sent()
        server.connection.stopReading(stream)
        server.receive(data(id(round), bytesOf("the rest of it")))
        assert.deepStrictEqual(
          server.sent().filter((line) => line.startsWith("RST")),
          [`RST ${id(round)} code 4`]
        )
      },
      500
    )
    assert.strictEqual(over, Infinity)
  })

  it("heartbeat streams that end with their SYN do not queue endless RSTs for a peer that reads none", () => {
    const server = new Scripted("server", { typed: true })
    for (let round = 0; round < 10_000; round++) server.receive(beat(id(round), true))
    assert.deepStrictEqual(server.connection.end, CALM("streams were reset faster than resetBudget allows"))
  })

  it("RSTs of streams whose handlers failed do not queue without limit for a peer that reads none", () => {
    const server = new Scripted("server", { maxInboundStreams: 10 })
    for (let round = 0; round < 10_000; round++) {
      server.receive(syn(id(round)))
      if (server.connection.end !== undefined) break
      server.connection.accept(server.stream(id(round)))
      server.connection.reset(server.stream(id(round)), 6)
    }
    assert.deepStrictEqual(server.connection.end, CALM("too many RSTs wait to be sent"))
  })

  it("late bytes of forgotten streams are charged as refusals, not as resets", () => {
    const server = new Scripted("server", { maxInboundStreams: 10_000, acceptBacklog: 10_000 })
    const streams = Array.from({ length: 9000 }, (_, round) => {
      server.receive(syn(id(round)))
      return server.stream(id(round))
    })
    for (const stream of streams) {
      server.connection.finish(stream)
      server.sent()
      server.connection.stopReading(stream)
    }
    for (let round = 0; round < 800; round++) {
      server.receive(data(id(round), bytesOf("late")))
      server.sent()
    }
    assert.isUndefined(server.connection.end)
    assert.strictEqual(server.connection.stats().charged.resets, 0)
  })
})

describe("the budget of refusals", () => {
  it("is charged: a peer that keeps opening streams over the limit ends the session with EnhanceYourCalm", () => {
    const server = serverWith({ maxInboundStreams: 1 })
    assert.strictEqual(
      untilOver(server, (round) => server.receive(syn(id(round)))),
      22
    )
    assert.deepStrictEqual(server.connection.end, CALM("streams were refused faster than refusalBudget allows"))
  })

  it("is not charged while this side drains, because the peer does not know it: a drain under load loses nothing", () => {
    const server = serverWith()
    server.receive(syn(1))
    server.connection.drain()
    assert.strictEqual(
      untilOver(server, (round) => server.receive(syn(id(round))), 5000),
      Infinity
    )
  })

  it.each([
    ["streams beyond the backlog", 5],
    ["heartbeat streams beyond the first", HEARTBEAT_TYPE]
  ])("refusals of %s end the session if the peer reads none of them", (_, type) => {
    const server = new Scripted("server", { typed: true, acceptBacklog: 1 })
    for (let id = 3; id < 20_000 && server.connection.end === undefined; id += 2) {
      server.receive(data(id, encodeUint32(type), { syn: true }))
    }
    assert.strictEqual(server.connection.end?._tag, "Violation")
    assert.deepStrictEqual(
      server.frames().map((frame) => frame._tag),
      ["GoAway", "Unknown"]
    )
  })
})

describe("the budget of useless frames", () => {
  const attacks: ReadonlyArray<readonly [string, (server: Scripted, round: number) => void]> = [
    ["empty DATA", (server) => server.receive(empty(1))],
    ["a frame of an unknown type", (server) => server.hex("000000 40 00000000")],
    ["an RST on a stream that was never opened", (server, round) => server.receive(rst(id(round), 0))],
    ["a FIN on a stream that was never opened", (server, round) => server.receive(empty(id(round), true))],
    ["a GOAWAY after the first", (server) => server.hex("000008 30 00000000 00000000 00000000")]
  ]
  for (const [what, once] of attacks) {
    it(`${what} is charged: 20 at once, then the session ends with EnhanceYourCalm`, () => {
      const server = serverWith().receive(syn(1))
      const rounds = untilOver(server, (round) => once(server, round))
      // the one stream has paid for 4
      assert.isAtLeast(rounds, 25)
      assert.isAtMost(rounds, 26)
      assert.strictEqual(server.connection.end?._tag, "Violation")
    })
  }

  it("is not charged for second FINs and for RSTs that crossed ours: each stream pays for its own", () => {
    const server = serverWith()
    const over = untilOver(
      server,
      (round) => {
        server.receive(syn(id(round)), empty(id(round), true))
        const stream = server.stream(id(round))
        server.connection.accept(stream)
        server.connection.finish(stream)
        server.sent()
        server.receive(empty(id(round), true), rst(id(round), 6))
      },
      500
    )
    assert.strictEqual(over, Infinity)
  })

  it("DATA that was in transit when its stream was reset is ignored; more than one window of it is charged", () => {
    const server = serverWith({ window: 1000 }).receive(syn(1))
    server.connection.reset(server.stream(1), 6)
    for (let i = 0; i < 1000; i++) server.receive(data(1, bytesOf("x")))
    assert.strictEqual(server.connection.stats().charged.uselessFrames, 0)
    assert.strictEqual(
      untilOver(server, () => server.receive(data(1, bytesOf("x")))),
      25
    )
  })

  it("Go and Rust, which answer each DATA frame on a closed stream with an RST, do not exceed it", () => {
    const client = new Scripted("client", { uselessFrameBudget: { burst: 20, perSecond: 0 } })
    const stream = client.open()
    client.write(stream, "x")
    client.sent()
    for (let i = 0; i < 100; i++) {
      client.write(stream, "x")
      client.sent()
    }
    for (let i = 0; i < 100; i++) client.receive(rst(stream.id, 4))
    assert.isUndefined(client.connection.end)
    assert.strictEqual(client.connection.stats().charged.uselessFrames, 0)
  })

  it("one second FIN for each live stream does not exceed it", () => {
    const server = new Scripted("server", { uselessFrameBudget: { burst: 1024, perSecond: 0 }, acceptBacklog: 1024 })
    for (let round = 0; round < 1024; round++) server.receive(syn(id(round)), empty(id(round), true))
    for (let round = 0; round < 1024; round++) server.receive(empty(id(round), true))
    assert.isUndefined(server.connection.end)
  })

  it("FINs of the peer for many streams that are closed together do not exceed it", () => {
    const client = new Scripted("client", { maxOutboundStreams: 10_000 })
    const streams = Array.from({ length: 6000 }, () => client.open())
    client.sent()
    for (const stream of streams) {
      client.connection.finish(stream)
      client.connection.stopReading(stream)
    }
    client.sent()
    for (const stream of streams) client.receive(empty(stream.id, true))
    assert.isUndefined(client.connection.end)
    assert.strictEqual(client.connection.stats().charged.uselessFrames, 0)
  })
})

describe("what is not charged", () => {
  const useless = (session: Scripted): number => session.connection.stats().charged.uselessFrames

  it("the first GOAWAY; later ones are", () => {
    const client = new Scripted("client").receive(goAway(0, 0))
    assert.strictEqual(useless(client), 0)
    client.receive(goAway(0, 0))
    assert.strictEqual(useless(client), 1)
  })

  it("a FIN on the heartbeat stream of this side", () => {
    const client = new Scripted("client", { typed: true })
    client.connection.ping(1, 0)
    client.sent()
    client.receive(data(3, undefined, { fin: true }))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 6"])
    assert.strictEqual(client.connection.stats().charged.resets, 0)
  })
})

it("a frame on a stream whose SYN was not sent is useless, and does nothing to the stream", () => {
  for (const frame of [windowIncrement(3, 5), windowIncrement(3, 0), rst(3, 6), data(3, new Uint8Array(9))]) {
    const client = new Scripted("client")
    const stream = client.open()
    client.receive(frame)
    assert.deepStrictEqual([stream.failure, stream.answered, stream.sendWindow.credit], [undefined, false, 262_144])
    assert.deepStrictEqual(client.sent(), ["SYN 3 (0)"])
    // the stream has paid for 4 useless frames in advance, and each one was charged
    for (let i = 0; i < 4; i++) client.receive(goAwayFiller)
    assert.strictEqual(client.connection.stats().charged.uselessFrames, 1)
  }
})

describe("the budget of increments", () => {
  it("allows one for the stream, one for each sent byte, and 20 more", () => {
    const server = serverWith().receive(syn(3))
    server.write(server.stream(3), 100)
    server.sent()
    assert.strictEqual(
      untilOver(server, () => server.receive(windowIncrement(3, 1))),
      122
    )
    assert.deepStrictEqual(
      server.connection.end,
      CALM("more window increments came than streams, sent bytes and spareIncrements allow")
    )
  })
})

describe("the limit on unread bytes", () => {
  it("holds for all streams together: the stream that holds most is reset, and the others continue", () => {
    const server = new Scripted("server", { window: 1000, maxReceiveBuffer: 2500 })
    server.receive(syn(3, "x".repeat(900)), syn(5, "x".repeat(1000)), syn(7, "x".repeat(500)))
    const { bufferedBytes, heldBytes } = server.connection.stats()
    assert.deepStrictEqual([bufferedBytes, heldBytes], [2400, 2400])
    server.receive(data(7, new Uint8Array(300)))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 10"])
    assert.strictEqual(server.connection.stats().heldBytes, 1700)
    assert.deepStrictEqual(server.readAll(server.stream(7)), { length: 800, then: "Blocked" })
    assert.deepStrictEqual(server.readAll(server.stream(5)), { length: 0, then: "Reset 10 by Local, processed maybe" })
    assert.deepStrictEqual(server.readAll(server.stream(3)), { length: 900, then: "Blocked" })
    assert.strictEqual(server.connection.stats().heldBytes, 0)
    assert.strictEqual(server.connection.stats().charged.resets, 0)
  })

  it("includes ended streams; if only they hold bytes, new bytes are refused", () => {
    const server = new Scripted("server", { window: 1000, maxReceiveBuffer: 2000 })
    for (const stream of [3, 5]) {
      server.receive(data(stream, new Uint8Array(1000), { syn: true }), empty(stream, true))
      server.connection.finish(server.stream(stream))
      server.sent()
    }
    assert.strictEqual(server.connection.stats().tableSize, 0)
    server.receive(syn(7, "x"))
    assert.deepStrictEqual(server.sent(), ["RST 7 code 5"])
    server.receive(syn(9))
    server.receive(data(9, bytesOf("x")))
    assert.deepStrictEqual(server.sent(), ["RST 9 code 10"])
    assert.deepStrictEqual(server.readAll(server.stream(3)), { length: 1000, then: "End" })
    server.receive(syn(11, "x"))
    assert.deepStrictEqual(server.sent(), [])
  })

  it("a session that ends while it frees space for a SYN opens no stream after its end", () => {
    const server = new Scripted("server", {
      window: 1000,
      maxReceiveBuffer: 1000,
      maxInboundStreams: 2,
      resetBudget: { burst: 100_000, perSecond: 0 }
    })
    server.receive(syn(3, "x".repeat(1000)))
    for (let round = 10; round < 10 + 4098; round++) server.receive(data(id(round), bytesOf("x")))
    assert.isUndefined(server.connection.end)
    server.receive(syn(9001, "x"))
    assert.deepStrictEqual(server.connection.end, CALM("too many RSTs wait to be sent"))
    assert.deepStrictEqual(server.events(), [
      "Opened 3",
      "Failed 3: Reset 10 by Local, processed maybe",
      "Ended: Violation 10 by Local"
    ])
    assert.strictEqual(server.connection.stats().tableSize, 0)
  })

  it("no stream is reset for bytes that would not fit anyway, and no stream is reset twice", () => {
    const server = new Scripted("server", { window: 1000, maxReceiveBuffer: 1500 })
    server.receive(data(3, new Uint8Array(1000), { syn: true }), empty(3, true))
    server.connection.finish(server.stream(3))
    server.sent()
    server.receive(syn(5, "x".repeat(10)), syn(7, "x".repeat(10)))
    server.events()
    server.receive(data(7, new Uint8Array(900)))
    assert.deepStrictEqual(server.sent(), ["RST 7 code 10"])
    assert.deepStrictEqual(server.events(), ["Failed 7: Reset 10 by Local, processed maybe"])
    assert.deepStrictEqual(server.readAll(server.stream(5)), { length: 10, then: "Blocked" })
  })

  it("bytes of a stream whose reading has stopped use no space of other streams", () => {
    const server = new Scripted("server", { window: 1000, maxReceiveBuffer: 1000 })
    server.receive(syn(3, "x".repeat(600)), syn(5))
    server.connection.stopReading(server.stream(5))
    server.receive(data(5, new Uint8Array(900)))
    assert.deepStrictEqual(
      server.sent().filter((line) => line.startsWith("RST")),
      []
    )
  })
})

it("gaps in the stream ids are limited by maxIdGaps", () => {
  const server = new Scripted("server", { maxIdGaps: 2 })
  server.receive(syn(7), syn(11))
  assert.isUndefined(server.connection.end)
  server.receive(syn(15))
  assert.deepStrictEqual(
    server.connection.end,
    CALM("SYN on stream 15 leaves more gaps in the stream ids than maxIdGaps allows")
  )
})
