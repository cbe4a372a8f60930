/** 6: typed streams and heartbeats. */
import * as Effect from "effect/Effect"
import type { Deviation } from "../failure.js"
import { Code, concat, data, fin, FrameType, HEARTBEAT, hex, rst, text, word } from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import type { Wire } from "../wire.js"
import { blocked, echoOn, HELLO, ROUNDS } from "./steps.js"

const sessions = "typed"

export const typed: ReadonlyArray<Row> = [
  row("T-01", {
    section: "6.1",
    sessions,
    rule: "Any 32-bit number except 0xFFFFFFFF is a type, and is no part of what the application reads",
    run: (wire) =>
      Effect.forEach(
        [0, 1, 0x68656c6c, 0x80000000, 0xfffffffe].entries(),
        ([n, type]) => {
          const id = wire.id(n)
          return Effect.zipRight(wire.send(wire.syn(id, HELLO, { type }), fin(id)), wire.expectEcho(id, HELLO))
        },
        { discard: true }
      )
  }),
  row("T-02", {
    section: "6.1",
    sessions,
    rule: "The type is the first 4 bytes of a stream, in however many frames they come",
    run: (wire) =>
      Effect.gen(function* () {
        const opening = concat([word(7), text("hello")])
        for (const at of [1, 2, 3, 4]) {
          const id = wire.freshId()
          yield* wire.send(data(id, opening.subarray(0, at), { syn: true }))
          yield* wire.proveAlive()
          yield* wire.send(data(id, opening.subarray(at)), fin(id))
          yield* wire.expectEcho(id, HELLO)
        }
      })
  }),
  row("T-03", {
    section: "6.1",
    sessions,
    rule: "A stream whose type has not arrived does not block other streams",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(data(id, undefined, { syn: true }))
        yield* wire.proveAlive()
        yield* wire.send(data(id, concat([word(7), text("hello")])), fin(id))
        yield* wire.expectEcho(id, HELLO)
      })
  }),
  row("T-04", {
    section: "6.1",
    sessions,
    rule: "A stream that ends before its type is complete is answered by an RST, and the session continues",
    run: (wire) =>
      Effect.gen(function* () {
        const [short, empty] = [wire.id(0), wire.id(1)]
        yield* wire.send(data(short, hex("0000"), { syn: true }), fin(short))
        yield* wire.send(data(empty, undefined, { syn: true, fin: true }))
        for (const id of [short, empty]) {
          yield* wire.until(`RST on stream ${id}`, (seen) => {
            const { fins, resets } = seen.stream(id)
            if (resets.length > 0) return true
            return fins > 0 ? `FIN on stream ${id}` : (seen.death ?? false)
          })
        }
        yield* wire.proveAlive()
      })
  }),
  row("T-05", {
    section: "6.1",
    sessions,
    level: "SHOULD",
    rule: "The code of that RST is ProtocolError",
    run: (wire) =>
      Effect.gen(function* () {
        yield* wire.send(data(wire.id(0), hex("0000"), { syn: true }), fin(wire.id(0)))
        yield* wire.expectReset(wire.id(0), Code.ProtocolError)
      })
  }),
  row("T-06", {
    section: "6.1",
    sessions,
    rule: "A stream may be reset before its type is complete, and the session continues",
    run: (wire) =>
      Effect.gen(function* () {
        const [short, empty] = [wire.id(0), wire.id(1)]
        yield* wire.send(data(short, hex("0000"), { syn: true }), rst(short, Code.StreamCancelled))
        yield* wire.send(data(empty, undefined, { syn: true }), rst(empty, Code.StreamCancelled))
        yield* wire.proveAlive(2)
      })
  })
]

/** Sends on a heartbeat stream, and waits until it has brought exactly `answer` altogether. */
const beat = (wire: Wire, id: number, frame: Uint8Array, answer: string): Effect.Effect<void, Deviation> =>
  Effect.zipRight(wire.send(frame), wire.expectContent(id, hex(answer)))

const opening = (wire: Wire, id: number, payload = "") => wire.syn(id, hex(payload), { type: HEARTBEAT })

export const heartbeats: ReadonlyArray<Row> = [
  row("H-01", {
    section: "6.2",
    sessions,
    rule: "On a stream of type 0xFFFFFFFF, each 4 bytes are answered by the same 4 bytes",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(opening(wire, id))
        yield* beat(wire, id, data(id, hex("01020304")), "01020304")
        yield* beat(wire, id, data(id, hex("00000000")), "0102030400000000")
        yield* beat(wire, id, data(id, hex("ffffffff")), "0102030400000000ffffffff")
        yield* wire.send(rst(id, Code.StreamCancelled))
        yield* wire.proveAlive()
      })
  }),
  row("H-02", {
    section: "6.2",
    sessions,
    rule: "One frame may contain the type and several heartbeats",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* beat(wire, id, opening(wire, id, "a1a2a3a4"), "a1a2a3a4")
        yield* beat(wire, id, data(id, hex("b1b2b3b4c1c2c3c4d1d2d3d4")), "a1a2a3a4b1b2b3b4c1c2c3c4d1d2d3d4")
      })
  }),
  row("H-03", {
    section: "6.2",
    sessions,
    rule: "A heartbeat may come in several frames, and is answered once it is complete",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(opening(wire, id), data(id, hex("0102")))
        yield* wire.proveAlive(ROUNDS)
        yield* beat(wire, id, data(id, hex("030405")), "01020304")
        yield* wire.proveAlive(ROUNDS)
        yield* beat(wire, id, data(id, hex("060708")), "0102030405060708")
      })
  }),
  row("H-04", {
    section: "6.2",
    sessions,
    needs: "holder",
    rule: "Heartbeats are answered even if the application accepts no stream",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(1)
        yield* wire.send(wire.syn(wire.id(0), HELLO))
        yield* beat(wire, id, opening(wire, id, "01020304"), "01020304")
        yield* beat(wire, id, data(id, hex("05060708")), "0102030405060708")
      })
  }),
  row("H-05", {
    section: "6.2",
    sessions,
    rule: "Heartbeats are answered while other streams wait for credit",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(1)
        yield* blocked(wire, wire.id(0))
        yield* beat(wire, id, opening(wire, id, "01020304"), "01020304")
      })
  }),
  row("H-06", {
    section: "6.2",
    sessions,
    rule: "After a FIN on a heartbeat stream, a side sends only its end on it, and the session continues",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* beat(wire, id, opening(wire, id, "01020304"), "01020304")
        yield* wire.send(fin(id))
        yield* wire.proveAlive(ROUNDS)
        yield* wire.assert("no bytes behind FIN", (seen) => seen.stream(id).length === 4 || "more bytes than were sent")
        yield* echoOn(wire, wire.freshId())
      })
  }),
  row("H-07", {
    section: "6.2",
    sessions,
    rule: "An RST ends a heartbeat stream, and another may follow",
    run: (wire) =>
      Effect.gen(function* () {
        const [first, second] = [wire.id(0), wire.id(1)]
        yield* beat(wire, first, opening(wire, first, "01020304"), "01020304")
        yield* wire.send(rst(first, Code.StreamCancelled))
        yield* beat(wire, second, opening(wire, second, "05060708"), "05060708")
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  })
]
