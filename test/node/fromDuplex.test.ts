import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import { Duplex, PassThrough } from "node:stream"
import { NodeTransport } from "../../src/node/index.js"
import { BYTES_PER_TURN } from "../../src/node/internal/turns.js"
import { noise } from "../support/bytes.js"
import { boom } from "../support/failing.js"
import { bytes, failed, failure, isDone, pair, readToEnd, text, turns, writeAll } from "../support/node/support.js"
import { echoWhole, ending } from "../support/session/sessionTest.js"
import { assertCarriesOneSession, listening } from "../support/session/tcp.js"

describe("reading from a Duplex", () => {
  it.scoped("reads return all buffered bytes without suspending", () =>
    Effect.gen(function* () {
      const { a, far } = yield* pair
      far.write("one ")
      far.write("two")
      yield* turns(2)
      assert.strictEqual(text(Effect.runSync(a.read)), "one two")
    })
  )

  it.scoped("a pending read gets bytes that arrive later", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      const reader = yield* Effect.fork(a.read)
      yield* turns(3)
      assert.isFalse(isDone(reader))
      yield* b.write([bytes("late")])
      assert.strictEqual(text(yield* Fiber.join(reader)), "late")
    })
  )

  it.scoped("20 MB arrive in order both ways at once", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      const there = noise(20_000_000, 1)
      const back = noise(20_000_000, 2)
      const [, , atB, atA] = yield* Effect.all(
        [
          Effect.zipRight(writeAll(a, there), a.end),
          Effect.zipRight(writeAll(b, back), b.end),
          readToEnd(b),
          readToEnd(a)
        ],
        { concurrency: "unbounded" }
      )
      assert.isTrue(Buffer.from(there).equals(atB))
      assert.isTrue(Buffer.from(back).equals(atA))
    })
  )

  it.scoped("every read after the last byte fails with Ended", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      yield* b.write([bytes("last")])
      yield* b.end
      assert.strictEqual(text(yield* a.read), "last")
      assert.strictEqual(yield* failure(a.read), "Ended Remote maybe")
      assert.strictEqual(yield* failure(a.read), "Ended Remote maybe")
    })
  )

  it.scoped("the peer's end wakes a pending read", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      const reader = yield* Effect.fork(failure(a.read))
      yield* turns(2)
      yield* b.end
      assert.strictEqual(yield* Fiber.join(reader), "Ended Remote maybe")
    })
  )

  it.scoped("bytes that came before an error are still read", () =>
    Effect.gen(function* () {
      const { a, near, far } = yield* pair
      far.write("before")
      yield* turns(2)
      near.destroy(new Error("cut"))
      yield* turns(2)
      assert.strictEqual(text(yield* a.read), "before")
      const error = yield* Effect.flip(a.read)
      assert.strictEqual(error.reason, "Read")
      assert.strictEqual(error.initiator, "Remote")
      assert.strictEqual(error.message, "The transport failed while reading: cut")
    })
  )

  it.scoped("a close without an end fails reads with Read, not with Ended", () =>
    Effect.gen(function* () {
      const { a, near } = yield* pair
      const reader = yield* Effect.fork(failure(a.read))
      yield* turns(2)
      near.destroy()
      assert.strictEqual(yield* Fiber.join(reader), "Read Remote maybe")
      assert.strictEqual(yield* failure(a.read), "Read Remote maybe")
    })
  )

  it.scoped("interrupting a read loses no bytes at any moment", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      const sent = noise(400, 3)
      const got: Array<Uint8Array> = []
      for (let at = 0; at < sent.length; at += 4) {
        // The chunk and the interruption reach the reader in every order.
        const reader = yield* Effect.fork(
          Effect.flatMap(a.read, (chunk) => {
            got.push(chunk)
            return Effect.void
          })
        )
        if (at % 8 === 0) yield* turns(1)
        yield* b.write([sent.subarray(at, at + 4)])
        for (let step = 0; step < at % 5; step++) yield* Effect.promise(() => Promise.resolve())
        yield* Fiber.interrupt(reader)
      }
      yield* b.end
      got.push(yield* readToEnd(a))
      assert.isTrue(Buffer.from(sent).equals(Buffer.concat(got)))
    })
  )

  it.scoped("a read that is interrupted while it takes a chunk leaves the chunk for the next read", () =>
    Effect.gen(function* () {
      const { a, far } = yield* pair
      const got: Array<string> = []
      // A fiber yields after 2 048 steps: the padding makes it yield at each step of the read in turn.
      for (let padding = 2_030; padding < 2_060; padding++) {
        far.write("x")
        yield* turns(1)
        const reader = yield* Effect.fork(
          Effect.forEach(Array.from({ length: padding }), () => Effect.void, { discard: true }).pipe(
            Effect.zipRight(
              Effect.flatMap(a.read, (chunk) => {
                got.push(text(chunk))
                return Effect.void
              })
            )
          )
        )
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(reader)
      }
      yield* Effect.promise(() => Promise.resolve(far.end()))
      got.push(text(yield* readToEnd(a)))
      assert.strictEqual(got.join(""), "x".repeat(30))
    })
  )

  it.scoped("a Duplex that is not read stays paused, and buffers a bounded amount", () =>
    Effect.gen(function* () {
      const { a, b, near, far } = yield* pair
      const chunk = new Uint8Array(1_000)
      let accepted = 0
      const writer = yield* Effect.fork(
        Effect.forever(Effect.tap(b.write([chunk]), () => void (accepted += chunk.length)))
      )
      yield* turns(50)
      assert.isFalse(isDone(writer))
      const stuck = accepted
      yield* turns(50)
      assert.strictEqual(accepted, stuck)
      assert.isAtMost(near.readableLength, 16_384 + chunk.length)
      assert.isAtMost(far.writableLength, 16_384 + chunk.length)
      yield* a.read
      yield* turns(50)
      assert.isAbove(accepted, stuck)
      yield* Fiber.interrupt(writer)
    })
  )

  it.scoped("a Duplex of strings is refused", () =>
    Effect.gen(function* () {
      const stream = new PassThrough()
      stream.setEncoding("utf8")
      const transport = yield* NodeTransport.fromDuplex(stream)
      stream.write("text")
      yield* turns(2)
      const error = yield* Effect.flip(transport.read)
      assert.strictEqual(error.reason, "Read")
      assert.instanceOf(error.cause, TypeError)
      assert.isTrue(stream.destroyed)
    })
  )
})

describe("writing to a Duplex", () => {
  it.scoped("a batch is one writev, without its empty chunks", () =>
    Effect.gen(function* () {
      const batches: Array<Array<string>> = []
      const sink = new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          batches.push([chunk.toString()])
          done()
        },
        writev: (chunks, done) => {
          batches.push(chunks.map(({ chunk }) => String(chunk)))
          done()
        }
      })
      const transport = yield* NodeTransport.fromDuplex(sink)
      yield* transport.write([bytes("a"), new Uint8Array(0), bytes("b"), bytes("c")])
      yield* transport.write([bytes("d")])
      yield* transport.write([new Uint8Array(0)])
      yield* transport.write([])
      assert.deepStrictEqual(batches, [["a", "b", "c"], ["d"]])
    })
  )

  it.scoped("a write below the high water mark does not suspend, one above it waits for the drain", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      assert.isTrue(Exit.isSuccess(Effect.runSyncExit(a.write([new Uint8Array(100)]))))
      const writer = yield* Effect.fork(a.write([new Uint8Array(20_000)]))
      yield* turns(10)
      assert.isFalse(isDone(writer))
      let read = 0
      while (read < 20_100) read += (yield* b.read).length
      yield* Fiber.join(writer)
      assert.strictEqual(read, 20_100)
    })
  )

  it.scoped("a pending write that is interrupted still delivers its bytes, and the next write waits for it", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair
      const writer = yield* Effect.fork(a.write([new Uint8Array(40_000), new Uint8Array(40_000)]))
      yield* turns(10)
      assert.isFalse(isDone(writer))
      yield* Fiber.interrupt(writer)
      const next = yield* Effect.fork(a.write([new Uint8Array(1)]))
      yield* turns(10)
      assert.isFalse(isDone(next))
      yield* Effect.fork(Effect.zipRight(Fiber.join(next), a.end))
      assert.strictEqual((yield* readToEnd(b)).length, 80_001)
    })
  )

  for (const pace of ["at once", "in the next tick"]) {
    it.scoped(`a loop of writes that complete ${pace} lets the event loop turn`, () =>
      Effect.gen(function* () {
        let written = 0
        let atTurn = -1
        const sink = new Duplex({
          read: () => {},
          write: (chunk: Buffer, _encoding, done) => {
            written += chunk.length
            if (pace === "at once") done()
            else process.nextTick(done)
          }
        })
        const transport = yield* NodeTransport.fromDuplex(sink)
        setImmediate(() => (atTurn = written))
        const chunk = new Uint8Array(20_000)
        yield* Effect.repeatN(transport.write([chunk]), 49)
        assert.isAtLeast(atTurn, 0)
        assert.isAtMost(atTurn, BYTES_PER_TURN + chunk.length)
        assert.strictEqual(written, 1_000_000)
      })
    )
  }

  it.scoped("a write after the end fails at once", () =>
    Effect.gen(function* () {
      const { a } = yield* pair
      yield* a.end
      assert.strictEqual(failed(Effect.runSyncExit(a.write([bytes("x")]))), "Write Local maybe")
    })
  )

  it.scoped("a write fails at once if other code has ended or destroyed the Duplex", () =>
    Effect.gen(function* () {
      const one = yield* pair
      one.near.end()
      assert.strictEqual(failed(Effect.runSyncExit(one.a.write([bytes("x")]))), "Write Local maybe")
      const two = yield* pair
      two.near.destroy()
      assert.strictEqual(failed(Effect.runSyncExit(two.a.write([bytes("x")]))), "Write Local maybe")
    })
  )

  it.scoped("an error fails a pending write with its cause", () =>
    Effect.gen(function* () {
      const { a, near } = yield* pair
      const writer = yield* Effect.fork(Effect.flip(a.write([new Uint8Array(40_000), new Uint8Array(40_000)])))
      yield* turns(5)
      assert.isFalse(isDone(writer))
      const cause = new Error("cut")
      near.destroy(cause)
      const error = yield* Fiber.join(writer)
      assert.strictEqual(error.reason, "Write")
      assert.strictEqual(error.initiator, "Remote")
      assert.strictEqual(error.cause, cause)
    })
  )

  it.scoped("an end, or a close, fails a pending write", () =>
    Effect.gen(function* () {
      for (const how of ["end", "close"]) {
        const { a, near } = yield* pair
        const writer = yield* Effect.fork(failure(a.write([new Uint8Array(40_000), new Uint8Array(40_000)])))
        yield* turns(5)
        assert.isFalse(isDone(writer))
        yield* Effect.fork(how === "end" ? a.end : Effect.sync(() => near.destroy()))
        assert.strictEqual(yield* Fiber.join(writer), how === "end" ? "Write Local maybe" : "Write Remote maybe")
      }
    })
  )
})

it.scopedLive("a second transport over a Duplex is refused", () =>
  Effect.gen(function* () {
    const port = yield* listening((session) => session.serve(echoWhole))
    const duplex = yield* Effect.acquireRelease(
      Effect.sync(() => Net.connect(port, "127.0.0.1")),
      (duplex) => Effect.sync(() => void duplex.destroy())
    )
    const scope = yield* Effect.scope
    yield* assertCarriesOneSession(Effect.provideService(NodeTransport.fromDuplex(duplex), Scope.Scope, scope))
  })
)

describe("a Duplex given to fromDuplex", () => {
  const throwing = () => {
    throw boom
  }

  it.scopedLive("whose write, final and destroy throw fails every operation, and never throws", () =>
    Effect.gen(function* () {
      const duplex = new Duplex({ read: () => undefined, write: throwing, final: throwing, destroy: throwing })
      const transport = yield* NodeTransport.fromDuplex(duplex)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: .*boom/)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: .*boom/)
      assert.match(yield* ending(transport.read), /^fails TransportFailed: .*boom/)
      assert.strictEqual(yield* ending(transport.end), "ok")
      assert.strictEqual(yield* ending(transport.destroy), "ok")
    })
  )

  it.scopedLive("whose read throws fails its reads and writes", () =>
    Effect.gen(function* () {
      const duplex = new Duplex({ read: throwing, write: (_chunk, _encoding, done) => done() })
      const transport = yield* NodeTransport.fromDuplex(duplex)
      assert.match(yield* ending(transport.read), /^fails TransportFailed: .*boom/)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: /)
    })
  )

  it.scopedLive("that is already destroyed fails at once", () =>
    Effect.gen(function* () {
      const duplex = new Duplex({ read: () => undefined }).destroy()
      const transport = yield* NodeTransport.fromDuplex(duplex)
      assert.match(yield* ending(transport.read), /^fails TransportFailed: /)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: /)
    })
  )

  for (const [name, setUp] of Object.entries({
    strings: (duplex: Duplex) => duplex.setEncoding("utf8").push("héllo"),
    objects: (duplex: Duplex) => duplex.push({ a: 1 })
  })) {
    it.scopedLive(`that gives ${name} fails its read and says so`, () =>
      Effect.gen(function* () {
        const duplex = new Duplex({ objectMode: name === "objects", read: () => undefined })
        const transport = yield* NodeTransport.fromDuplex(duplex)
        setUp(duplex)
        assert.match(yield* ending(transport.read), /^fails TransportFailed: .*not strings \(setEncoding\) or objects/)
      })
    )
  }
})
