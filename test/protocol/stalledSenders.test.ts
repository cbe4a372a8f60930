import { assert, describe, it } from "@effect/vitest"
import { StalledSenders } from "../../src/protocol/receiving/stalledSenders.js"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { pattern } from "../support/bytes.js"
import type { End } from "../support/protocol/pair.js"
import { Pair } from "../support/protocol/pair.js"

describe("the queue of stalled senders", () => {
  it("returns a stream after 10 ms, or after 200 ms if its peer has credit left", () => {
    const watch = new StalledSenders<string>()
    watch.add("out of credit", false, 1000)
    watch.add("with credit", true, 1000)
    assert.strictEqual(watch.next(), 1010)
    assert.deepStrictEqual(watch.takeDue(1009), [])
    assert.deepStrictEqual(watch.takeDue(1010), ["out of credit"])
    assert.strictEqual(watch.next(), 1200)
    assert.deepStrictEqual(watch.takeDue(1200), ["with credit"])
    assert.strictEqual(watch.next(), Infinity)
  })

  it("uses the delay of the last call for a stream", () => {
    const watch = new StalledSenders<string>()
    watch.add("a", true, 0)
    watch.add("a", false, 100)
    assert.deepStrictEqual(watch.takeDue(110), ["a"])
    assert.strictEqual(watch.next(), Infinity)
    watch.add("a", false, 200)
    watch.add("a", true, 200)
    assert.strictEqual(watch.next(), 400)
  })

  it("removes one stream, or all", () => {
    const watch = new StalledSenders<string>()
    for (const hasCredit of [true, false]) {
      watch.add("a", hasCredit, 0)
      watch.delete("a")
      assert.strictEqual(watch.next(), Infinity)
      watch.add("b", hasCredit, 0)
      watch.clear()
      assert.strictEqual(watch.next(), Infinity)
    }
  })
})

it("a stream of small messages does not set a timer every 10 ms", () => {
  const pair = new Pair()
  const stream = pair.client.open()
  let incoming: StreamCore | undefined
  const read = (end: End): void => {
    if (end !== pair.server || incoming === undefined) return
    while (pair.server.connection.read(incoming)._tag === "Bytes");
  }
  const send = (length: number): void => {
    pair.client.connection.write(stream, pattern(length))
    pair.settle((end, event) => {
      if (event._tag === "Opened") incoming = event.stream
      read(end)
    })
    read(pair.server)
  }
  send(100)
  assert.strictEqual(pair.server.connection.nextDeadline(), 10, "the peer may have a window of 100 bytes")
  pair.toNextDeadline(10)
  pair.settle()
  for (let message = 0; message < 50; message++) {
    pair.clock.now += 5
    const began = pair.clock.now
    send(2)
    // each leaves more of the 100 bytes that the peer once had on their way
    assert.isAtLeast(pair.server.connection.nextDeadline() - began, message < 49 ? 190 : 10, `${message}`)
  }
})
