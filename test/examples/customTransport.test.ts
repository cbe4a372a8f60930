/** The transport that `examples/customTransport.ts` makes by hand keeps the contract of every transport. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { MessageChannel } from "node:worker_threads"
import { fromMessagePort } from "../../examples/customTransport/messagePort.js"
import { transportSuite } from "../support/transport/suite.js"

const pair = Effect.suspend(() => {
  const { port1, port2 } = new MessageChannel()
  return Effect.all({ client: fromMessagePort(port1), server: fromMessagePort(port2) })
})

transportSuite("a pair of MessagePorts", pair)

it.scopedLive("a MessagePort that is not read makes its writer wait", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair
    yield* client.write([new Uint8Array(256 * 1024)])
    const waiting = yield* Effect.fork(client.write([new Uint8Array(1)]))
    yield* Effect.sleep("20 millis")
    assert.isNull(waiting.unsafePoll())
    yield* server.read
    yield* Fiber.join(waiting)
  })
)

it.scopedLive("a MessagePort copies the bytes that it is given, and the caller can still use their memory", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair
    const memory = new Uint8Array([1, 2, 3, 4])
    yield* client.write([memory.subarray(1, 3)])
    memory.fill(9)
    assert.strictEqual(memory.byteLength, 4)
    const read = yield* server.read
    assert.deepStrictEqual([...read], [2, 3])
    assert.strictEqual(read.buffer.byteLength, 2)
  })
)

it.scopedLive("a chunk that is not a Uint8Array fails a write to a MessagePort with a TypeError", () =>
  Effect.gen(function* () {
    const { client } = yield* pair
    const chunks: Array<Uint8Array> = []
    Reflect.set(chunks, 0, "no bytes")
    assert.instanceOf((yield* Effect.flip(client.write(chunks))).cause, TypeError)
  })
)
