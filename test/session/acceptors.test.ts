import { assert, it } from "@effect/vitest"
import { Acceptors } from "../../src/internal/session/acceptors.js"
import type { StreamHandle } from "../../src/internal/stream/streamHandle.js"
import type { Connection } from "../../src/protocol/connection.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import { wrong } from "../support/wrong.js"

it("a stream that no server takes any more is refused with AcceptQueueFull once the backlog is full", () => {
  const connection = wrong<Connection>({ accept: () => undefined, setAcceptCapacity: () => undefined })
  const acceptors = new Acceptors(
    { connection, step: (f) => f(connection), error: () => assert.fail("nothing fails") },
    1
  )
  const started: Array<string> = []
  const refused: Array<string> = []
  const stream = (name: string): StreamHandle =>
    wrong({ name, core: {}, refuse: (code?: ErrorCode) => refused.push(`${name} with ${code}`) })
  const server = { free: 3, start: (handle: StreamHandle) => started.push(wrong<{ name: string }>(handle).name) }
  acceptors.subscribe(server)
  acceptors.offer(stream("the first"))
  acceptors.unsubscribe(server)
  acceptors.offer(stream("the second"))
  acceptors.offer(stream("the third"))
  assert.deepStrictEqual(started, ["the first"])
  assert.deepStrictEqual(refused, [`the third with ${ErrorCode.AcceptQueueFull}`])
})
