import { assert, describe, it } from "@effect/vitest"
import { data, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf } from "../support/protocol/text.js"

/** A server with stream 3, whose SYN carried `sent` bytes. */
const serving = (window: number, sent: number) => {
  const server = new Scripted("server", { window }).receive(data(3, new Uint8Array(sent), { syn: true }))
  const stream = server.stream(3)
  server.events()
  return { server, stream }
}

/** A client with stream 3, whose SYN is out. */
const opened = (window: number, maxSendBuffer = 1_048_576) => {
  const client = new Scripted("client", { window, maxSendBuffer })
  const stream = client.open()
  client.sent()
  return { client, stream }
}

describe("windows that differ on the two sides", () => {
  it("sent bytes follow the peer's window, and received bytes follow this side's", () => {
    const client = new Scripted("client", { window: 1000, peerWindow: 100 })
    const stream = client.open()
    assert.strictEqual(client.connection.write(stream, new Uint8Array(500)), 100)
    assert.deepStrictEqual(client.sent(), ["SYN 3 (100)"])
    client.receive(data(3, new Uint8Array(1000)))
    assert.deepStrictEqual(client.sent(), [])
    client.receive(data(3, new Uint8Array(1)))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 3"])
  })

  it("hold for the streams of the peer too", () => {
    const server = new Scripted("server", { window: 1000, peerWindow: 100 })
    server.receive(data(3, new Uint8Array(1000), { syn: true }))
    assert.strictEqual(server.connection.write(server.stream(3), new Uint8Array(500)), 100)
    assert.deepStrictEqual(server.sent(), ["DATA 3 (100)"])
  })
})

describe("the receive window", () => {
  it("may be used to its last byte; one more is a FlowControlError, and the bytes within it stay readable", () => {
    const { server, stream } = serving(262_144, 262_144)
    assert.deepStrictEqual(server.sent(), [])
    server.receive(data(3, bytesOf("x")))
    assert.deepStrictEqual(server.sent(), ["RST 3 code 3"])
    assert.deepStrictEqual(server.events(), ["Failed 3: Reset 3 by Local, processed maybe"])
    assert.deepStrictEqual(server.readAll(stream), { length: 262_144, then: "Reset 3 by Local, processed maybe" })
    server.receive(data(3, bytesOf("x")), data(3, undefined, { fin: true }))
    assert.deepStrictEqual(server.sent(), [])
    assertAtRest({ stats: () => ({ ...server.connection.stats(), backlog: 0 }) })
  })

  it("is checked at the header: a frame that exceeds it is refused before its first payload byte", () => {
    const { server, stream } = serving(100, 60)
    server.hex("000029 10 00000003")
    assert.deepStrictEqual(server.sent(), ["RST 3 code 3"])
    server.push(new Uint8Array(41))
    assert.strictEqual(server.connection.stats().bufferedBytes, 0)
    assert.deepStrictEqual(server.readAll(stream), { length: 60, then: "Reset 3 by Local, processed maybe" })
    server.receive(data(5, bytesOf("next"), { syn: true }))
    assert.deepStrictEqual(server.events(), ["Failed 3: Reset 3 by Local, processed maybe", "Opened 5"])
  })

  it("a SYN of 16 MiB is refused at its header, its payload is skipped, and other streams continue", () => {
    const { server, stream } = serving(262_144, 3)
    server.hex("ffffff 12 00000005")
    assert.deepStrictEqual(server.sent(), ["RST 5 code 3"])
    const chunk = new Uint8Array(65_793)
    for (let i = 0; i < 255; i++) server.push(chunk)
    server.receive(data(3, bytesOf("abc")))
    assert.deepStrictEqual(server.sent(), [])
    assert.deepStrictEqual(server.events(), [])
    assert.deepStrictEqual(server.readAll(stream), { length: 6, then: "Blocked" })
    assert.strictEqual(server.connection.stats().tableSize, 1)
  })

  it("a SYN that fills the window opens the stream", () => {
    const { server, stream } = serving(100, 100)
    assert.deepStrictEqual(server.readAll(stream), { length: 100, then: "Blocked" })
  })

  it("a FIN, a SYN and an empty frame use no credit", () => {
    const { server, stream } = serving(100, 100)
    server.receive(data(3), data(3, undefined, { fin: true }))
    assert.deepStrictEqual(server.sent(), [])
    assert.deepStrictEqual(server.readAll(stream), { length: 100, then: "End" })
  })

  it("is granted again in one increment when half of it was read", () => {
    const server = new Scripted("server", { window: 100 }).receive(data(3, new Uint8Array(49), { syn: true }))
    const stream = server.stream(3)
    server.readAll(stream)
    assert.deepStrictEqual(server.sent(), [])
    server.receive(data(3, new Uint8Array(1)))
    server.readAll(stream)
    assert.deepStrictEqual(server.sent(), ["WNDINC 3 +50"])
    server.receive(data(3, new Uint8Array(100)))
    assert.deepStrictEqual(server.sent(), [])
  })

  it("unsent increments of one stream become one", () => {
    const server = new Scripted("server", { window: 100 }).receive(data(3, new Uint8Array(50), { syn: true }))
    const stream = server.stream(3)
    server.readAll(stream)
    server.receive(data(3, new Uint8Array(50)))
    server.readAll(stream)
    assert.deepStrictEqual(server.sent(), ["WNDINC 3 +100"])
  })

  it("the rest is granted when the buffer has stayed empty, because the peer may have a smaller window", () => {
    const server = new Scripted("server", { window: 100 }).receive(data(3, new Uint8Array(16), { syn: true }))
    const stream = server.stream(3)
    server.readAll(stream)
    assert.strictEqual(server.connection.nextDeadline(), 10)
    server.tick(9)
    assert.deepStrictEqual(server.sent(), [])
    server.tick(1)
    assert.deepStrictEqual(server.sent(), ["WNDINC 3 +16"])
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
  })

  it("a peer that stalls and sends an empty frame still gets its credit", () => {
    const server = new Scripted("server", { window: 100 }).receive(data(3, new Uint8Array(16), { syn: true }))
    server.readAll(server.stream(3))
    server.receive(data(3))
    server.tick(10)
    assert.deepStrictEqual(server.sent(), ["WNDINC 3 +16"])
  })

  it("a peer that continues to send gets no early grant", () => {
    const server = new Scripted("server", { window: 100 }).receive(data(3, new Uint8Array(16), { syn: true }))
    const stream = server.stream(3)
    server.readAll(stream)
    server.tick(9)
    server.receive(data(3, new Uint8Array(16)))
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    server.tick(9)
    assert.deepStrictEqual(server.sent(), [])
    server.readAll(stream)
    server.tick(10)
    assert.deepStrictEqual(server.sent(), ["WNDINC 3 +32"])
  })

  it("while unread bytes remain, the peer does not count as stalled, and the rest is granted later", () => {
    const server = new Scripted("server", { window: 20_000 })
    server.receive(data(3, new Uint8Array(3000), { syn: true }), data(3, new Uint8Array(3000)))
    const stream = server.stream(3)
    server.read(stream)
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    server.read(stream)
    assert.strictEqual(server.connection.nextDeadline(), 10)
  })

  it("a small piece of a large chunk does not keep the chunk alive, and a large piece is not copied", () => {
    const server = new Scripted("server")
    const chunk = new Uint8Array(20_000)
    for (const [id, length] of [
      [3, 10],
      [5, 9999],
      [7, 10_000],
      [9, 20_000]
    ] as const) {
      server.connection.receive(data(id, chunk.subarray(0, length), { syn: true }))
      const result = server.connection.read(server.stream(id))
      assert(result._tag === "Bytes")
      assert.strictEqual(result.bytes.buffer === chunk.buffer, length >= 10_000, `a piece of ${length} bytes`)
    }
  })

  it("nothing is granted to a peer that has ended its direction", () => {
    const server = new Scripted("server", { window: 100 })
    server.receive(data(3, new Uint8Array(100), { syn: true }), data(3, undefined, { fin: true }))
    server.readAll(server.stream(3))
    server.tick(10)
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    const late = new Scripted("server", { window: 100 }).receive(data(3, new Uint8Array(16), { syn: true }))
    late.readAll(late.stream(3))
    late.receive(data(3, undefined, { fin: true }))
    assert.strictEqual(late.connection.nextDeadline(), Infinity)
    assert.deepStrictEqual(late.tick(10).sent(), [])
  })

  it("the 4 bytes of a type are granted again with the first bytes that are read", () => {
    const server = new Scripted("server", { window: 16, typed: true })
    server.receive(data(3, new Uint8Array(4), { syn: true }))
    assert.deepStrictEqual(server.tick(10).sent(), [])
    server.receive(data(3, new Uint8Array(4)))
    server.readAll(server.stream(3))
    assert.deepStrictEqual(server.sent(), ["WNDINC 3 +8"])
  })
})

describe("the send window", () => {
  it("stops the writer at its last byte, and an increment wakes it", () => {
    const { client, stream } = opened(100)
    assert.strictEqual(client.connection.writable(stream), 100)
    assert.strictEqual(client.write(stream, 120), "took 100")
    assert.strictEqual(client.connection.writable(stream), 0)
    assert.strictEqual(client.write(stream, 20), "took 0")
    assert.deepStrictEqual(client.sent(), ["DATA 3 (100)"])
    client.receive(windowIncrement(3, 50))
    assert.deepStrictEqual(client.events(), ["Writable 3"])
    assert.strictEqual(client.write(stream, 20), "took 20")
    assert.strictEqual(client.connection.writable(stream), 30)
  })

  it("an increment that no writer waits for wakes none", () => {
    const { client } = opened(100)
    client.receive(windowIncrement(3, 50))
    assert.deepStrictEqual(client.events(), [])
    assert.strictEqual(client.connection.nextDeadline(), Infinity)
  })

  it("an increment of 0 resets only its stream", () => {
    const { client, stream } = opened(100)
    client.hex("000004 20 00000003 00000000")
    assert.deepStrictEqual(client.sent(), ["RST 3 code 1"])
    assert.deepStrictEqual(client.events(), ["Failed 3: Reset 1 by Local, processed maybe"])
    assert.strictEqual(client.read(stream), "Reset 1 by Local, processed maybe")
    assert.strictEqual(client.open().id, 5)
  })

  it("an increment for a stream of the peer wakes its writer, and does not change the received bytes", () => {
    const server = new Scripted("server", { window: 100 }).receive(data(3, bytesOf("unread"), { syn: true }))
    const stream = server.stream(3)
    server.events()
    assert.strictEqual(server.write(stream, 120), "took 100")
    assert.deepStrictEqual(server.sent(), ["DATA 3 (100)"])
    server.receive(windowIncrement(3, 100))
    assert.deepStrictEqual(server.events(), ["Writable 3"])
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.read(stream), '"unread"')
  })

  it("the reserved bit of an increment is masked", () => {
    const { client, stream } = opened(100)
    client.hex("000004 20 00000003 80000001")
    assert.strictEqual(client.connection.writable(stream), 101)
    client.hex("000004 20 00000003 80000000")
    assert.deepStrictEqual(client.sent(), ["RST 3 code 1"])
  })

  it("may grow to 2^31-1 and not beyond", () => {
    const { client, stream } = opened(100)
    client.receive(windowIncrement(3, 0x7fffffff - 100))
    assert.deepStrictEqual(client.sent(), [])
    assert.strictEqual(client.connection.writable(stream), 1_048_576)
    client.receive(windowIncrement(3, 1))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 3"])
    assert.deepStrictEqual(client.events(), ["Failed 3: Reset 3 by Local, processed maybe"])
  })

  it("includes unsent bytes, as the peer counts it", () => {
    const { client, stream } = opened(100)
    client.write(stream, 60)
    client.receive(windowIncrement(3, 0x7fffffff - 99))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 3"])
    const other = opened(100)
    other.client.write(other.stream, 60)
    other.client.sent()
    other.client.receive(windowIncrement(3, 0x7fffffff - 40))
    assert.deepStrictEqual(other.client.sent(), [])
  })

  it("withdrawn bytes are never sent, and their credit is free again", () => {
    const { client, stream } = opened(100)
    client.write(stream, "keep")
    client.write(stream, "forget")
    assert.isTrue(client.connection.withdraw(stream, 6))
    assert.strictEqual(client.connection.writable(stream), 96)
    assert.strictEqual(client.connection.stats().queuedBytes, 4)
    assert.deepStrictEqual(client.sent(), ["DATA 3 (4)"])
    assert.isFalse(client.connection.withdraw(stream, 1))
    assert.strictEqual(client.connection.writable(stream), 96)
  })

  it("a withdrawal leaves nothing to send except a SYN and a FIN", () => {
    const { client, stream } = opened(100)
    client.write(stream, "x")
    assert.isTrue(client.connection.withdraw(stream, 1))
    assert.isFalse(client.connection.hasFrames)
    const fresh = client.open()
    client.write(fresh, "x")
    client.connection.withdraw(fresh, 1)
    assert.deepStrictEqual(client.sent(), ["SYN 5 (0)"])
    client.write(fresh, "x")
    client.connection.finish(fresh)
    client.connection.withdraw(fresh, 1)
    assert.deepStrictEqual(client.sent(), ["FIN 5 (0)"])
  })

  it("a withdrawal from a failed stream returns false", () => {
    const { client, stream } = opened(100)
    client.write(stream, "x")
    client.receive(rst(3, 6))
    assert.isFalse(client.connection.withdraw(stream, 0))
    assert.strictEqual(client.connection.stats().queuedBytes, 0)
  })

  it("a withdrawal wakes the writer of its stream and writers that wait for capacity", () => {
    const { client, stream } = opened(100, 1024)
    client.write(stream, 100)
    assert.strictEqual(client.write(stream, 10), "took 0")
    assert.isTrue(client.connection.withdraw(stream, 100))
    assert.deepStrictEqual(client.events(), ["Writable 3"])

    const crowd = opened(2000, 1024)
    const other = crowd.client.open()
    crowd.client.write(crowd.stream, 1024)
    assert.strictEqual(crowd.client.write(other, 10), "took 0")
    crowd.client.connection.withdraw(crowd.stream, 1024)
    assert.deepStrictEqual(crowd.client.events(), ["Writable 5"])
  })

  it("an unblocked writer is not woken", () => {
    const { client, stream } = opened(100)
    client.write(stream, 200)
    client.connection.unblockWriter(stream)
    client.receive(windowIncrement(3, 100))
    assert.deepStrictEqual(client.events(), [])
  })
})

describe("a peer that grants single bytes", () => {
  it("gets no single-byte frames: the writer waits for a quarter of the window, or for 5 ms", () => {
    const { client, stream } = opened(100)
    client.write(stream, 200)
    client.sent()
    for (let i = 0; i < 24; i++) client.receive(windowIncrement(3, 1))
    assert.deepStrictEqual(client.events(), [])
    assert.strictEqual(client.write(stream, 100), "took 0")
    client.receive(windowIncrement(3, 1))
    assert.deepStrictEqual(client.events(), ["Writable 3"])
    assert.strictEqual(client.write(stream, 100), "took 25")
  })

  it("gets the available credit used in one frame after 5 ms", () => {
    const { client, stream } = opened(100)
    client.write(stream, 200)
    client.sent()
    client.receive(windowIncrement(3, 1), windowIncrement(3, 2))
    assert.strictEqual(client.connection.nextDeadline(), 5)
    client.tick(4)
    assert.deepStrictEqual(client.events(), [])
    client.tick(1)
    assert.deepStrictEqual(client.events(), ["Writable 3"])
    assert.strictEqual(client.write(stream, 100), "took 3")
    assert.deepStrictEqual(client.sent(), ["DATA 3 (3)"])
    client.receive(windowIncrement(3, 1))
    assert.strictEqual(client.write(stream, 97), "took 0")
  })

  it("gets the available credit used after 5 ms even if the write comes after the credit", () => {
    const { client, stream } = opened(100)
    client.write(stream, 100)
    client.sent()
    client.receive(windowIncrement(3, 3))
    assert.strictEqual(client.connection.nextDeadline(), Infinity)
    assert.strictEqual(client.write(stream, 10), "took 0")
    assert.strictEqual(client.connection.nextDeadline(), 5)
    client.sent()
    assert.deepStrictEqual(client.events(), [])
    client.tick(5)
    assert.deepStrictEqual(client.events(), ["Writable 3"])
    assert.strictEqual(client.write(stream, 10), "took 3")
    client.receive(windowIncrement(3, 100))
    assert.deepStrictEqual(client.events(), ["Writable 3"])
    assert.strictEqual(client.connection.nextDeadline(), Infinity)
  })

  it("a woken writer that does not write again is not woken again", () => {
    const { client, stream } = opened(100)
    client.write(stream, 200)
    client.receive(windowIncrement(3, 100), windowIncrement(3, 100))
    assert.deepStrictEqual(client.events(), ["Writable 3"])
  })

  it("never makes a write wait for more than 1 KiB of credit, with any window", () => {
    const { client, stream } = opened(262_144)
    client.write(stream, 262_144)
    assert.strictEqual(client.write(stream, 5000), "took 0")
    client.sent()
    client.receive(windowIncrement(3, 1023))
    assert.deepStrictEqual(client.events(), [])
    client.receive(windowIncrement(3, 1))
    assert.deepStrictEqual(client.events(), ["Writable 3"])
  })

  it("a write that fits in the credit is sent at once, even if it is small", () => {
    const { client, stream } = opened(100)
    client.write(stream, 100)
    client.sent()
    client.receive(windowIncrement(3, 2))
    assert.strictEqual(client.write(stream, 2), "took 2")
    assert.deepStrictEqual(client.sent(), ["DATA 3 (2)"])
  })

  it("an unblocked writer leaves no deadline", () => {
    const { client, stream } = opened(100)
    client.write(stream, 200)
    client.receive(windowIncrement(3, 1))
    assert.strictEqual(client.connection.nextDeadline(), 5)
    client.connection.unblockWriter(stream)
    assert.strictEqual(client.connection.nextDeadline(), Infinity)
  })

  it("a stream that ends leaves no deadline", () => {
    const { client, stream } = opened(100)
    client.write(stream, 200)
    client.receive(windowIncrement(3, 1))
    client.connection.reset(stream, 6)
    assert.strictEqual(client.connection.nextDeadline(), Infinity)
  })
})

it("small views of large chunks do not keep the chunks in memory", () => {
  const server = new Scripted("server")
  server.receive(data(3, undefined, { syn: true }))
  const chunk = new Uint8Array(65_536)
  server.connection.receive(data(3, chunk.subarray(0, 2049)))
  const result = server.connection.read(server.stream(3))
  assert(result._tag === "Bytes")
  assert.isBelow(result.bytes.buffer.byteLength, 4096)
})
