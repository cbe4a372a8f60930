import { assert, describe, it } from "@effect/vitest"
import type { StreamState, Transition } from "../../src/protocol/streams/streamState.js"
import { canReceive, next } from "../../src/protocol/streams/streamState.js"

const transitions: ReadonlyArray<[StreamState, Transition, StreamState | undefined]> = [
  ["Open", "SendFin", "HalfClosedLocal"],
  ["Open", "ReceiveFin", "HalfClosedRemote"],
  ["Open", "Reset", "Closed"],
  ["HalfClosedLocal", "SendFin", undefined],
  ["HalfClosedLocal", "ReceiveFin", "Closed"],
  ["HalfClosedLocal", "Reset", "Closed"],
  ["HalfClosedRemote", "SendFin", "Closed"],
  ["HalfClosedRemote", "ReceiveFin", undefined],
  ["HalfClosedRemote", "Reset", "Closed"],
  ["Closed", "SendFin", undefined],
  ["Closed", "ReceiveFin", undefined],
  ["Closed", "Reset", "Closed"]
]

describe("next", () => {
  it.each(transitions)("%s + %s -> %s", (from, transition, to) => {
    assert.strictEqual(next(from, transition), to)
  })
})

it("the peer may send until its own FIN or a reset, whatever this side did", () => {
  assert.deepStrictEqual((["Open", "HalfClosedLocal", "HalfClosedRemote", "Closed"] as const).filter(canReceive), [
    "Open",
    "HalfClosedLocal"
  ])
})
