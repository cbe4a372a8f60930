/** Faults that were found and mended, each by its symptom. */
import { assert, describe, it } from "@effect/vitest"
import type { OpenResult } from "../../src/protocol/results.js"
import { data, goAway, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { encodeUint32, HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { Scripted } from "./utils/scripted.js"

const opened = (result: OpenResult): StreamCore => {
  if (result instanceof StreamCore) return result
  return assert.fail(`not opened: ${result._tag}`)
}

const processed = (stream: StreamCore): string => stream.failure?.processed ?? "it has not failed"

describe("streams that end before the peer hears of them", () => {
  it("leave no gap in the ids, however many they are", () => {
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

  it("give back ids that work like new ones", () => {
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

describe("whether the peer may have acted", () => {
  it("is maybe for a stream that close still flushes, and no for one that is not announced", () => {
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
  ])("is maybe once the peer has answered with %s, whatever its GOAWAY or RST says", (_, answer) => {
    for (const end of [goAway(0, 0), rst(3, 5), rst(3, 9)]) {
      const client = new Scripted("client")
      const stream = opened(client.connection.open(undefined))
      client.frames()
      client.receive(answer, end)
      assert.strictEqual(processed(stream), "maybe")
    }
  })

  it("is no when a GOAWAY or RST is all that came back", () => {
    for (const end of [goAway(0, 0), rst(3, 5), rst(3, 9)]) {
      const client = new Scripted("client")
      const stream = opened(client.connection.open(undefined))
      client.frames()
      client.receive(end)
      assert.strictEqual(processed(stream), "no")
    }
  })
})

describe("what a peer can make grow", () => {
  it("answers to heartbeats wait within a small bound, though the peer takes none and grants all", () => {
    const server = new Scripted("server", { typed: true })
    server.receive(data(3, encodeUint32(HEARTBEAT_TYPE), { syn: true }), windowIncrement(3, 0x70000000))
    for (let i = 0; i < 4096; i++) {
      server.receive(data(3, new Uint8Array(60)))
      assert.isAtMost(server.connection.stats().queuedBytes, 1024)
    }
    // all within the window is answered once the peer takes it again
    let answered = 0
    for (let i = 0; i < 1000; i++) {
      for (const frame of server.frames()) if (frame._tag === "Data") answered += frame.payload.length
    }
    assert.strictEqual(answered, 4096 * 60)
    assert.strictEqual(server.connection.stats().queuedBytes, 0)
  })

  it.each([
    ["streams beyond the backlog", 5],
    ["heartbeat streams beyond the first", HEARTBEAT_TYPE]
  ])("refusals of %s end the session when the peer takes none of them", (_, type) => {
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

  it("small views of large chunks do not keep the chunks", () => {
    const server = new Scripted("server")
    server.receive(data(3, undefined, { syn: true }))
    const chunk = new Uint8Array(65_536)
    server.connection.receive(data(3, chunk.subarray(0, 2049)))
    const result = server.connection.read(server.stream(3))
    assert(result._tag === "Bytes")
    assert.isBelow(result.bytes.buffer.byteLength, 4096)
  })
})

describe("our own doing", () => {
  it("resetting thousands of streams at once is not the peer's fault", () => {
    const client = new Scripted("client", { maxOutboundStreams: 10_000 })
    for (let i = 0; i < 5000; i++) client.connection.open(undefined)
    client.frames()
    client.connection.resetAll(6)
    assert.strictEqual(client.connection.end, undefined)
    assert.strictEqual(client.frames().length, 5000)
  })

  it("having no id left for a heartbeat does not make the peer dead", () => {
    const options = { typed: true, firstStreamId: 0x7fffffff, heartbeat: { interval: 1000, tolerance: 2000 } }
    const client = new Scripted("client", options)
    opened(client.connection.open(0))
    client.frames()
    for (let now = 0; now <= 20_000; now += 500) {
      client.connection.tick(now, 7)
      assert.strictEqual(client.connection.end, undefined)
    }
  })

  it("draining is not idle before the transport has taken the last bytes", () => {
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
