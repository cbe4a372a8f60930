import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Bytes from "../../tools/attacks/bytes.js"
import { underAttack, virtually } from "../../tools/attacks/simulated.js"

const KIB = 1024

/** The bytes of a stream up to its end, or to the failure that is not one. */
const drained = (stream: MuxStream.MuxStream) =>
  Effect.gen(function* () {
    let length = 0
    while (true) {
      const chunk = yield* Effect.either(MuxStream.read(stream))
      if (chunk._tag === "Left") return { length, then: chunk.left }
      if (Option.isNone(chunk.right)) return { length, then: "End" as const }
      length += chunk.right.value.length
    }
  })

describe("what the application sees of an attack", () => {
  it.effect("A12: after a second SYN: the first bytes, then a violation", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("server")
      yield* peer.send(Bytes.syn(9, Bytes.hex("6f6e65")))
      const reading = yield* Effect.fork(drained(yield* session.accept))
      yield* peer.send(Bytes.syn(9, Bytes.hex("74776f")))
      const { length, then } = yield* Fiber.join(reading)
      assert.strictEqual(length, 3)
      assert.containSubset(then, { _tag: "ProtocolViolation", code: 1, initiator: "Local" })
    }).pipe(virtually)
  )

  it.effect("A29: after more bytes than the window: all bytes within it, then the reset", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("server")
      yield* peer.send(
        Bytes.syn(3),
        ...Array.from({ length: 15 }, () => Bytes.data(3, Bytes.zeros(16 * KIB))),
        Bytes.data(3, Bytes.zeros(16 * KIB - 4)),
        Bytes.data(3, Bytes.zeros(1))
      )
      yield* peer.fence
      const { length, then } = yield* drained(yield* session.accept)
      assert.strictEqual(length, Bytes.WINDOW - 4)
      assert.containSubset(then, { _tag: "StreamReset", code: 3, initiator: "Local" })
    }).pipe(virtually)
  )

  it.effect("A41: after wrong or second answers to heartbeats: nothing; without answers: SessionDead", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("client", { heartbeat: false })
      const answered = yield* Effect.fork(session.ping)
      yield* peer.until((seen) => seen.answer(3).bytes === 8)
      const nonce = peer.seen.answer(3).last
      yield* peer.send(Bytes.data(3, Bytes.uint32s(~nonce)), Bytes.data(3, Bytes.uint32s(nonce, nonce, nonce)))
      yield* Fiber.join(answered)
      yield* peer.fence
      const dying = yield* underAttack("client")
      const error = yield* dying.session.closed
      assert.containSubset(error, { _tag: "SessionDead", reason: "Heartbeat", silentFor: 25_000 })
    }).pipe(virtually)
  )

  it.effect("A44: if the peer grants no credit: a write that fails when the limits of drain and close are over", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("server")
      yield* peer.send(Bytes.syn(3))
      const stream = yield* session.accept
      const writing = yield* Effect.fork(Effect.flip(MuxStream.write(stream, Bytes.zeros(2 * Bytes.WINDOW))))
      yield* peer.until((seen) => seen.answer(3).bytes === Bytes.WINDOW)
      yield* Effect.fork(
        Effect.zipRight(
          peer.until(() => false),
          peer.end
        )
      )
      const [took] = yield* Effect.timed(session.drain("1 second"))
      assert.strictEqual(Duration.toMillis(took), 1000)
      assert.containSubset(yield* Fiber.join(writing), { _tag: "StreamReset", code: 6, initiator: "Local" })
      assert.strictEqual(peer.seen.resets.get(3), 6)
    }).pipe(virtually)
  )

  it.effect("A48: at the end of the transport: the end of streams with a FIN, and a failure of all others", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("server")
      yield* peer.send(Bytes.syn(3, Bytes.hex("61")), Bytes.fin(3), Bytes.syn(5, Bytes.hex("6161")))
      const whole = yield* session.accept
      const cut = yield* session.accept
      yield* peer.send(Bytes.header(9, Bytes.DATA, 0, 5), Bytes.hex("61"))
      yield* peer.end
      const failed = { _tag: "TransportFailed", reason: "Ended", initiator: "Remote" }
      assert.containSubset(yield* session.closed, failed)
      assert.deepStrictEqual(yield* drained(whole), { length: 1, then: "End" })
      const { length, then } = yield* drained(cut)
      assert.strictEqual(length, 3)
      assert.containSubset(then, failed)
    }).pipe(virtually)
  )

  it.effect("A52: after EnhanceYourCalm from the peer: an error with its code for each new stream", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("client")
      yield* session.open()
      yield* peer.send(Bytes.goAway(0, 10))
      yield* session.draining
      const error = yield* Effect.flip(session.open())
      assert.containSubset(error, { _tag: "RemoteGoneAway", code: 10, initiator: "Remote", processed: "no" })
      yield* peer.end
      assert.containSubset(yield* session.closed, { _tag: "RemoteGoneAway", code: 10 })
    }).pipe(virtually)
  )
})

describe("a session that drains under attack", () => {
  it.effect("A20: refuses new streams without a charge, and ends within its limits", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("server")
      yield* Effect.forkScoped(session.serve(() => Effect.never))
      yield* peer.send(Bytes.syn(3))
      yield* peer.fence
      const leaving = yield* Effect.fork(Effect.timed(session.drain("3 seconds")))
      yield* session.draining
      const rounds = yield* peer.flood(20_000, (n) => {
        const id = Bytes.odd(n + 1)
        return [Bytes.syn(id), Bytes.fin(id), Bytes.data(id, Bytes.zeros(1))]
      })
      assert.strictEqual(rounds, 20_000)
      assert.strictEqual((yield* session.stats).accepted, 1)
      yield* peer.until((seen) => seen.goAway !== undefined)
      assert.strictEqual(peer.seen.goAway?.code, 0)
      yield* peer.end
      const [took] = yield* Fiber.join(leaving)
      assert.isAtMost(Duration.toMillis(took), 3000)
    }).pipe(virtually)
  )

  it.effect("ends within its limits even if the attacker never stops", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* underAttack("server")
      yield* peer.fence
      yield* peer.send(Bytes.syn(2))
      assert.strictEqual((yield* session.closed)._tag, "ProtocolViolation")
      let sent = 0
      while (yield* peer.send(Bytes.zeros(KIB))) {
        sent++
        yield* Effect.sleep("50 millis")
      }
      // the two seconds of `closeTimeout`
      assert.isAtMost(sent, 41)
      assert.isTrue(peer.seen.ended)
    }).pipe(virtually)
  )
})
