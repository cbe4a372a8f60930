import { assert, describe, it } from "@effect/vitest"
import { data, windowIncrement } from "../../src/protocol/wire/frame.js"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"

const LIMIT = 65_536

/** A client with some streams whose SYNs are out. */
const opened = (streams: number, maxSendBuffer = LIMIT) => {
  const client = new Scripted("client", { maxSendBuffer })
  const all = Array.from({ length: streams }, () => client.open())
  client.sent()
  return { client, all }
}

describe("the limit on unsent bytes", () => {
  it("lets one stream have all of it, and no more", () => {
    const { all, client } = opened(1)
    const [stream] = all
    assert(stream !== undefined)
    assert.strictEqual(client.connection.writable(stream), LIMIT)
    assert.strictEqual(client.write(stream, LIMIT + 1), `took ${LIMIT}`)
    assert.strictEqual(client.connection.writable(stream), 0)
    assert.strictEqual(client.connection.stats().queuedBytes, LIMIT)
    assert.strictEqual(client.write(stream, 1), "took 0")
  })

  it("reserves an eighth for streams without unsent bytes", () => {
    const { all, client } = opened(3)
    const [first, second, third] = all
    assert(first !== undefined && second !== undefined && third !== undefined)
    client.write(first, 1)
    assert.strictEqual(client.connection.writable(first), (LIMIT * 7) / 8 - 1)
    assert.strictEqual(client.write(first, LIMIT), `took ${(LIMIT * 7) / 8 - 1}`)
    assert.strictEqual(client.write(second, 100), "took 100")
    assert.strictEqual(client.write(second, 1), "took 0")
    assert.strictEqual(client.write(third, LIMIT), `took ${LIMIT / 8 - 100}`)
    assert.strictEqual(client.connection.stats().queuedBytes, LIMIT)
  })

  it("wakes waiting writers when half of it is sent, and not before", () => {
    const { all, client } = opened(2, 262_144)
    const [first, second] = all
    assert(first !== undefined && second !== undefined)
    client.write(first, 262_144)
    assert.strictEqual(client.write(second, 1), "took 0")
    client.sent(1)
    assert.strictEqual(client.connection.stats().queuedBytes, 262_144 - 65_536)
    assert.deepStrictEqual(client.events(), [])
    client.sent(1)
    assert.strictEqual(client.connection.stats().queuedBytes, 131_072)
    assert.deepStrictEqual(client.events(), ["Writable 5"])
    assert.strictEqual(client.write(second, 1), "took 1")
  })

  it("an increment does not wake a writer that waits for capacity", () => {
    const { all, client } = opened(1)
    const [stream] = all
    assert(stream !== undefined)
    client.write(stream, LIMIT + 1)
    client.receive(windowIncrement(3, 100_000))
    assert.deepStrictEqual(client.events(), [])
    client.sent()
    assert.deepStrictEqual(client.events(), ["Writable 3"])
  })

  it("an unblocked writer is not woken", () => {
    const { all, client } = opened(1)
    const [stream] = all
    assert(stream !== undefined)
    client.write(stream, LIMIT + 1)
    client.connection.unblockWriter(stream)
    client.sent()
    assert.deepStrictEqual(client.events(), [])
  })

  it("a writer that finds neither credit nor capacity is woken when it has both", () => {
    const client = new Scripted("client", { maxSendBuffer: 1024, window: 1024 })
    const [first, second] = [client.open(), client.open()]
    client.sent()
    client.write(first, 1024)
    client.sent()
    client.write(second, 1024)
    assert.strictEqual(client.write(first, 10), "took 0")
    client.receive(windowIncrement(3, 1024))
    assert.deepStrictEqual(client.events(), ["Writable 3"])
    assert.strictEqual(client.write(first, 10), "took 0")
    client.sent()
    assert.deepStrictEqual(client.events(), ["Writable 3"])
    assert.strictEqual(client.write(first, 10), "took 10")
  })

  it("is exceeded only by heartbeats and their answers", () => {
    const client = new Scripted("client", { maxSendBuffer: 1024, typed: true })
    const stream = client.open(0)
    client.write(stream, 1024)
    client.connection.ping(1, 0)
    assert.strictEqual(client.connection.stats().queuedBytes, 1028)
    assert.strictEqual(client.connection.writable(stream), 0)
    client.sent()
    assert.strictEqual(client.connection.stats().queuedBytes, 0)
  })

  it("starves no writer: each of many writers gets its share, in any order", () => {
    for (const count of [2, 3, 5, 20]) {
      const { all, client } = opened(count)
      const sent = new Map<number, number>(all.map((stream) => [stream.id, 0]))
      const pump = (stream: StreamCore): void => void client.connection.write(stream, new Uint8Array(200_000))
      for (const stream of all) pump(stream)
      for (let round = 0; round < 40 * count; round++) {
        for (const frame of client.connection.takeFrames(16_384, 0)) {
          if (frame._tag !== "Data") continue
          sent.set(frame.streamId, (sent.get(frame.streamId) ?? 0) + frame.payload.length)
          client.connection.receive(windowIncrement(frame.streamId, frame.payload.length))
        }
        for (const event of client.connection.takeEvents()) if (event._tag === "Writable") pump(event.stream)
        assert.isAtMost(client.connection.stats().queuedBytes, LIMIT)
      }
      const shares = [...sent.values()]
      const total = shares.reduce((a, b) => a + b, 0)
      assert.isAbove(Math.min(...shares), total / count / 4, `of ${count} writers: ${shares.join(" ")}`)
    }
  })
  it("gives a waiting writer its turn while other writers come and go", () => {
    const { all, client } = opened(1)
    const [greedy] = all
    assert(greedy !== undefined)
    // small streams, each of which finds room, keep more than half of the bound in use
    const fill = (): void => {
      while (client.connection.stats().queuedBytes < LIMIT) {
        const passing = client.open()
        assert.isAbove(Number(client.connection.write(passing, new Uint8Array(4000))), 0)
        client.connection.finish(passing)
      }
    }
    fill()
    assert.strictEqual(client.write(greedy, 10), "took 0")
    let rounds = 0
    for (; rounds < 100; rounds++) {
      client.connection.takeFrames(16_384, 0)
      assert.isAbove(client.connection.stats().queuedBytes, LIMIT / 2)
      if (client.events().includes("Writable 3")) break
      fill()
    }
    // as much as may wait has passed it by, and not one frame less
    assert.strictEqual(rounds, 3)
    assert.strictEqual(client.write(greedy, 10), "took 10")
  })

  it("does not count bytes that were sent before a writer waited", () => {
    const { all, client } = opened(2)
    const [first, second] = all
    assert(first !== undefined && second !== undefined)
    for (let i = 0; i < 3; i++) {
      client.write(first, LIMIT)
      client.frames()
    }
    client.write(second, LIMIT)
    const third = client.open()
    client.write(third, 20_000)
    assert.strictEqual(client.write(third, 1), "took 0")
    client.frames(1)
    assert.isAbove(client.connection.stats().queuedBytes, LIMIT / 2)
    assert.deepStrictEqual(client.events(), [])
  })
})

describe("the order of sent frames", () => {
  it("is control, then interactive streams, then bulk in pieces of 16 KiB", () => {
    const { all, client } = opened(3, 1_048_576)
    const [bulk, other, idle] = all
    assert(bulk !== undefined && other !== undefined && idle !== undefined)
    client.write(bulk, 200_000)
    client.write(other, 200_000)
    client.sent(1)
    client.write(idle, 1)
    client.receive(data(2, new Uint8Array(262_144), { syn: true }))
    client.readAll(client.stream(2))
    const sent = client.sent(100_000)
    assert.strictEqual(sent[0], "WNDINC 2 +262144")
    assert.include(sent.slice(1, 3), "DATA 7 (1)")
    for (const line of sent.filter((line) => /DATA [35]/.test(line))) {
      assert.isAtMost(Number(/\((\d+)\)/.exec(line)?.[1]), 16_384)
    }
  })

  it("lets a stream that is alone send up to 64 KiB at a time", () => {
    const { all, client } = opened(1, 1_048_576)
    const [stream] = all
    assert(stream !== undefined)
    client.write(stream, 200_000)
    assert.strictEqual(client.sent(1)[0], "DATA 3 (65536)")
  })

  it("ends a batch at about its budget, and keeps the rest", () => {
    const { all, client } = opened(1, 1_048_576)
    const [stream] = all
    assert(stream !== undefined)
    client.write(stream, 200_000)
    client.sent(60_000)
    const { queuedBytes } = client.connection.stats()
    assert.isAtLeast(queuedBytes, 200_000 - 60_000 - 65_536)
    assert.isBelow(queuedBytes, 200_000)
    assert.isTrue(client.connection.hasFrames)
    client.sent()
    assert.isFalse(client.connection.hasFrames)
    client.connection.reset(stream, 6)
    client.sent()
    assertAtRest(client.connection)
  })
})
