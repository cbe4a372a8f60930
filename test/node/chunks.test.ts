import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Duplex } from "node:stream"
import { runInNewContext } from "node:vm"
import type { TransportFailed } from "../../src/MuxadoError.js"
import { NodeTransport } from "../../src/node/index.js"
import { connected, media, pair, text, turns } from "../support/node/support.js"

/** Values that JavaScript callers may pass. */
const wrong: ReadonlyArray<readonly [unknown, string]> = [
  ["héllo", "a string of 5 characters"],
  [new ArrayBuffer(5), "an ArrayBuffer"],
  [Uint16Array.of(500), "a Uint16Array"],
  [null, "null"],
  [5, "5"]
]

const assertNames = (error: TransportFailed, what: string): void => {
  assert.strictEqual(error.reason, "Write")
  assert.instanceOf(error.cause, TypeError)
  assert.include(error.message, what)
}

for (const medium of media) {
  it.scopedLive(
    `${medium}: a batch with a value that is not a Uint8Array fails as a whole, and the next batch is written`,
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* connected(medium)
        for (const [value, what] of wrong) {
          assertNames(yield* Effect.flip(client.write([Uint8Array.of(1), value as never])), what)
          assertNames(yield* Effect.flip(client.write(value as never)), what)
          assert.isFalse(client.fastPath?.tryWrite([Uint8Array.of(1), value as never]))
        }
        const foreign = runInNewContext("Uint8Array.of(104, 105)") as Uint8Array
        assert.notInstanceOf(foreign, Uint8Array)
        yield* client.write([foreign])
        assert.strictEqual(text(yield* server.read), "hi")
      })
  )

  it.scopedLive(`${medium}: memory that is detached between write and its execution fails that write`, () =>
    Effect.gen(function* () {
      const { client, server } = yield* connected(medium)
      const chunk = new Uint8Array(1_000)
      const write = client.write([Uint8Array.of(1), chunk])
      structuredClone(chunk, { transfer: [chunk.buffer] })
      assertNames(yield* Effect.flip(write), "1001 bytes when write was called and have 1 now")
      yield* client.write([Uint8Array.of(2)])
      assert.deepStrictEqual([...(yield* server.read)], [2])
    })
  )
}

it.scoped("bytes that wait in Node's queue are sent even if their memory is detached", () =>
  Effect.gen(function* () {
    const { a, b, far } = yield* pair
    // The first fills the pair, so that the next waits.
    yield* Effect.fork(a.write([new Uint8Array(20_000)]))
    yield* Effect.fork(a.write([new Uint8Array(20_000)]))
    yield* turns(2)
    const chunk = new Uint8Array(500).fill(7)
    yield* Effect.fork(a.write([chunk, chunk.slice()]))
    yield* turns(2)
    structuredClone(chunk, { transfer: [chunk.buffer] })
    yield* Effect.fork(a.end)
    let last = new Uint8Array(0)
    let length = 0
    while (length < 41_000) {
      last = Uint8Array.from(yield* b.read)
      length += last.length
    }
    assert.strictEqual(length, 41_000)
    assert.deepStrictEqual(
      [...last.subarray(-1_000)],
      Array.from({ length: 1_000 }, () => 7)
    )
    assert.isFalse(far.destroyed)
  })
)

it.scoped("a Duplex whose write throws fails the write with that cause, and is destroyed", () =>
  Effect.gen(function* () {
    const cause = new Error("thrown by the Duplex")
    const duplex = new Duplex({ read: () => {} })
    duplex.write = () => {
      throw cause
    }
    const transport = yield* NodeTransport.fromDuplex(duplex)
    const error = yield* Effect.flip(transport.write([Uint8Array.of(1)]))
    assert.deepStrictEqual([error.reason, error.cause], ["Write", cause])
    assert.isTrue(duplex.destroyed)
    assert.strictEqual((yield* Effect.flip(transport.read)).cause, cause)
  })
)
