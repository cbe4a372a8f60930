import { assert, it } from "@effect/vitest"
import { CreditPolicy } from "../../src/protocol/receiving/creditPolicy.js"
import { SendCapacity } from "../../src/protocol/sending/sendCapacity.js"
import { Scheduler } from "../../src/protocol/sending/scheduler.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { StreamTable } from "../../src/protocol/streams/streamTable.js"
import { connectionOptions } from "../support/protocol/options.js"

const KIB = 1024

/** KiB that are consumed of a window of 256 + 512 KiB until an increment is due, at a round trip in milliseconds. */
const untilGranted = (roundTrip: number): number => {
  const options = connectionOptions("server")
  const outbound = new Scheduler(
    new SendCapacity(Infinity),
    () => undefined,
    () => undefined
  )
  const credit = new CreditPolicy(options, new StreamTable(options), outbound)
  const stream = new StreamCore(3, "Remote", options, undefined)
  credit.timed(roundTrip)
  stream.receiveWindow.grow(512 * KIB)
  for (let consumed = 1; ; consumed++) {
    stream.receiveWindow.receive(KIB)
    credit.consumed(stream, KIB, 0)
    if (outbound.hasFrames) return consumed
  }
}

it("windows of far peers grow at the full rate, because only near peers wait for larger increments", () => {
  assert.deepStrictEqual([0.2, 1, 1.1, 100, Infinity].map(untilGranted), [256, 256, 128, 128, 128])
})
