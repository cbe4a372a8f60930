import { assert, describe, it } from "@effect/vitest"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import type { StreamState, Transition } from "../../src/protocol/streams/streamState.js"
import { canReceive, next } from "../../src/protocol/streams/streamState.js"

const transitions: ReadonlyArray<[StreamState, Transition, StreamState | undefined]> = [
  ["Open", "SendFin", "HalfClosedLocal"],
  ["Open", "ReceiveFin", "HalfClosedRemote"],
  ["Open", "Release", undefined],
  ["Open", "Reset", "Closed"],
  ["HalfClosedLocal", "SendFin", undefined],
  ["HalfClosedLocal", "ReceiveFin", "Closed"],
  ["HalfClosedLocal", "Release", "Closed"],
  ["HalfClosedLocal", "Reset", "Closed"],
  ["HalfClosedRemote", "SendFin", "Closed"],
  ["HalfClosedRemote", "ReceiveFin", undefined],
  ["HalfClosedRemote", "Release", undefined],
  ["HalfClosedRemote", "Reset", "Closed"],
  ["Closed", "SendFin", undefined],
  ["Closed", "ReceiveFin", undefined],
  ["Closed", "Release", undefined],
  ["Closed", "Reset", "Closed"]
]

describe("the state of a stream", () => {
  it.each(transitions)("%s + %s -> %s", (from, transition, to) => {
    assert.strictEqual(next(from, transition), to)
  })
})

it("the peer may send until its own FIN or a reset, even after the FIN of this side", () => {
  assert.deepStrictEqual((["Open", "HalfClosedLocal", "HalfClosedRemote", "Closed"] as const).filter(canReceive), [
    "Open",
    "HalfClosedLocal"
  ])
})

it("a transition that the wire does not allow throws, and does not change the state", () => {
  const stream = new StreamCore(3, "Remote", { window: 1024, peerWindow: 1024 }, undefined)
  stream.move("ReceiveFin")
  assert.throws(() => stream.move("ReceiveFin"), "stream 3 is HalfClosedRemote, which does not allow ReceiveFin")
  assert.strictEqual(stream.state, "HalfClosedRemote")
})
