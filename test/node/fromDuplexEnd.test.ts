import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import { Duplex } from "node:stream"
import { NodeTransport } from "../../src/node/index.js"
import {
  bytes,
  census,
  duplexPair,
  failed,
  failure,
  isDone,
  pair,
  readToEnd,
  text,
  turns
} from "../support/node/support.js"

describe("ending a Duplex", () => {
  it.scoped("an end event after this side has destroyed the socket does not count as the peer's end", () =>
    Effect.gen(function* () {
      const socket = new Net.Socket()
      const transport = yield* NodeTransport.fromDuplex(socket)
      socket.destroy()
      // Bun does so
      socket.emit("end")
      assert.strictEqual(yield* failure(transport.read), "Read Local maybe")
    })
  )

  it.scoped("each side ends on its own, also on a Duplex made without half-open", () =>
    Effect.gen(function* () {
      const { a, b, near } = yield* pair
      assert.isTrue(near.allowHalfOpen)
      yield* b.end
      assert.strictEqual(yield* failure(a.read), "Ended Remote maybe")
      yield* turns(3)
      yield* a.write([bytes("answer")])
      assert.strictEqual(text(yield* b.read), "answer")
      yield* a.end
      assert.strictEqual(yield* failure(b.read), "Ended Remote maybe")
    })
  )

  it.scoped("end waits until all bytes are written, can be interrupted, and can be called twice", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      yield* Effect.fork(a.write([new Uint8Array(40_000), new Uint8Array(40_000)]))
      yield* turns(2)
      const first = yield* Effect.fork(a.end)
      const second = yield* Effect.fork(a.end)
      yield* turns(5)
      assert.isFalse(isDone(first))
      yield* Fiber.interrupt(second)
      assert.strictEqual((yield* readToEnd(b)).length, 80_000)
      yield* Fiber.join(first)
      yield* a.end
    })
  )

  it.scoped("end never fails: an error, a close or a destroy completes it", () =>
    Effect.gen(function* () {
      for (const how of ["error", "close", "destroy"]) {
        const { a, near } = yield* pair
        yield* Effect.fork(Effect.ignore(a.write([new Uint8Array(40_000), new Uint8Array(40_000)])))
        yield* turns(2)
        const end = yield* Effect.fork(a.end)
        yield* turns(5)
        assert.isFalse(isDone(end))
        if (how === "destroy") yield* a.destroy
        else near.destroy(how === "error" ? new Error("cut") : undefined)
        yield* Fiber.join(end)
        yield* a.end
      }
    })
  )
})

describe("destroying a Duplex", () => {
  it.scoped("pending reads and writes fail at once, and buffered bytes are dropped", () =>
    Effect.gen(function* () {
      const { a, near } = yield* pair
      const reader = yield* Effect.fork(failure(a.read))
      const writer = yield* Effect.fork(failure(a.write([new Uint8Array(40_000), new Uint8Array(40_000)])))
      yield* turns(5)
      assert.isFalse(isDone(reader) || isDone(writer))
      Effect.runSync(a.destroy)
      Effect.runSync(a.destroy)
      assert.isTrue(near.destroyed)
      assert.strictEqual(yield* Fiber.join(reader), "Read Local maybe")
      assert.strictEqual(yield* Fiber.join(writer), "Write Local maybe")
    })
  )

  it.scoped("buffered bytes are not read after it", () =>
    Effect.gen(function* () {
      const { a, far } = yield* pair
      far.write("unread")
      yield* turns(2)
      yield* a.destroy
      assert.strictEqual(failed(Effect.runSyncExit(a.read)), "Read Local maybe")
      assert.strictEqual(failed(Effect.runSyncExit(a.write([bytes("x")]))), "Write Local maybe")
    })
  )

  it.effect("closing the scope destroys the Duplex, fails pending operations, and removes all listeners", () =>
    Effect.gen(function* () {
      const [near] = duplexPair()
      const before = census(near)
      const scope = yield* Scope.make()
      const a = yield* Scope.extend(NodeTransport.fromDuplex(near), scope)
      const reader = yield* Effect.fork(failure(a.read))
      const writer = yield* Effect.fork(failure(a.write([new Uint8Array(40_000), new Uint8Array(40_000)])))
      yield* turns(2)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(reader), "Read Local maybe")
      assert.strictEqual(yield* Fiber.join(writer), "Write Local maybe")
      yield* turns(2)
      assert.isTrue(near.closed)
      assert.deepStrictEqual(census(near), before)
    })
  )

  it.effect("interrupted reads, writes and ends leave no listener", () =>
    Effect.gen(function* () {
      const [near] = duplexPair()
      const scope = yield* Scope.make()
      const a = yield* Scope.extend(NodeTransport.fromDuplex(near), scope)
      const made = census(near)
      for (const effect of [a.read, a.write([new Uint8Array(40_000), new Uint8Array(40_000)]), a.end]) {
        const fiber = yield* Effect.fork(Effect.exit<unknown, unknown, never>(effect))
        yield* turns(2)
        assert.isFalse(isDone(fiber))
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(census(near), made)
      }
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("an error after the scope has closed is ignored, by a listener that is removed on close", () =>
    Effect.gen(function* () {
      const late = new Duplex({
        read: () => {},
        write: (_chunk, _encoding, done) => done(),
        destroy: (_error, done) => void setImmediate(() => setImmediate(() => done(new Error("late"))))
      })
      let errors = 0
      yield* Effect.scoped(NodeTransport.fromDuplex(late))
      assert.deepStrictEqual(census(late), { error: 1, close: 1 })
      late.once("error", () => errors++)
      yield* turns(5)
      assert.strictEqual(errors, 1)
      assert.deepStrictEqual(census(late), {})
    })
  )

  it.scoped("an error after the end is ignored", () =>
    Effect.gen(function* () {
      const { a, b, near } = yield* pair
      yield* b.end
      yield* failure(a.read)
      near.destroy(new Error("late"))
      yield* turns(2)
      assert.strictEqual(yield* failure(a.read), "Ended Remote maybe")
      assert.strictEqual(yield* failure(a.write([bytes("x")])), "Write Remote maybe")
    })
  )

  it.scoped("on a Duplex that has already ended every operation fails, and none hangs", () =>
    Effect.gen(function* () {
      const [closed] = duplexPair()
      closed.destroy()
      yield* turns(2)
      const one = yield* NodeTransport.fromDuplex(closed)
      assert.strictEqual(yield* failure(one.read), "Read Remote maybe")
      assert.strictEqual(yield* failure(one.write([bytes("x")])), "Write Remote maybe")
      yield* one.end
      const [broken] = duplexPair()
      broken.destroy(new Error("cut"))
      const two = yield* NodeTransport.fromDuplex(broken)
      assert.strictEqual((yield* Effect.flip(two.read)).message, "The transport failed while reading: cut")
      const [ended, far] = duplexPair()
      far.end()
      ended.resume()
      yield* turns(3)
      const three = yield* NodeTransport.fromDuplex(ended)
      assert.strictEqual(yield* failure(three.read), "Ended Remote maybe")
    })
  )
})
