/** 3.1 to 3.4: stream ids, opening, and half-close. */
import * as Effect from "effect/Effect"
import { exchange } from "../bulk.js"
import { Code, data, fin, FrameType, isFin, noise, text, windowIncrement } from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import { blocked, echoOn, ROUNDS } from "./steps.js"

export const ids: ReadonlyArray<Row> = [
  row("S-01", {
    section: "3.1",
    rule: "Ids may be skipped",
    run: (wire) => Effect.forEach([0, 3, 49, 20_000], (n) => echoOn(wire, wire.id(n)), { discard: true })
  }),
  row("S-02", {
    section: "3.1",
    rule: "Streams may open in another order than that of their ids",
    run: (wire) => Effect.forEach([4, 1, 3, 0, 2], (n) => echoOn(wire, wire.id(n)), { discard: true })
  }),
  row("S-03", {
    section: "3.1",
    level: "SHOULD",
    rule: "A client's stream 1 is accepted, although clients begin with 3",
    run: (wire) => echoOn(wire, wire.role === "client" ? 1 : wire.id(0))
  }),
  row("S-04", {
    section: "3.1",
    rule: "The last id, 2,147,483,647 or 2,147,483,646, is accepted like any other id",
    run: (wire) =>
      Effect.gen(function* () {
        yield* echoOn(wire, wire.role === "client" ? 0x7fffffff : 0x7ffffffe)
        yield* wire.proveAlive()
      })
  }),
  row("S-05", {
    section: "3.2",
    rule: "A SYN may have no payload, and bytes may follow in later frames",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id))
        yield* wire.proveAlive()
        yield* wire.send(data(id, text("hello")))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(fin(id))
        yield* wire.expectFin(id)
      })
  }),
  row("S-06", {
    section: "3.2",
    rule: "A SYN may carry payload, which is the stream's first",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("hello")))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(fin(id))
        yield* wire.expectFin(id)
      })
  }),
  row("S-07", {
    section: "3.2",
    rule: "SYN and FIN in one frame open a half-closed stream, which is still answered",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("hello"), { fin: true }))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("S-08", {
    section: "3.2",
    rule: "SYN and FIN without payload are an empty stream, which is answered by FIN",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, undefined, { fin: true }))
        yield* wire.expectFin(id)
        yield* wire.proveAlive()
      })
  })
]

export const halfClose: ReadonlyArray<Row> = [
  row("S-09", {
    section: "3.4",
    rule: "FIN may be in the frame of the last payload, which is delivered",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("he")), data(id, text("llo"), { fin: true }))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("S-10", {
    section: "3.4",
    rule: "FIN may be in a frame without payload",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("hello")))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.assert("no FIN before ours", (seen) => seen.stream(id).fins === 0 || "FIN")
        yield* wire.send(fin(id))
        yield* wire.expectFin(id)
      })
  }),
  row("S-11", {
    section: "3.4",
    rule: "FIN ends only one direction; the other one continues, and still gets credit",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const bytes = yield* blocked(wire, id)
        yield* wire.send(fin(id))
        yield* wire.proveAlive()
        yield* wire.send(windowIncrement(id, 65_536))
        yield* wire.expectEcho(id, bytes)
      })
  }),
  row("S-12", {
    section: "3.4",
    rule: "A second FIN is ignored",
    run: (wire) =>
      Effect.gen(function* () {
        const [id, held] = [wire.id(0), wire.id(1)]
        yield* wire.send(wire.syn(id, text("hello")), fin(id), fin(id), fin(id))
        yield* wire.expectEcho(id, text("hello"))
        // one that is half-closed for as long as the target lacks credit
        const bytes = yield* blocked(wire, held, 10)
        yield* wire.send(fin(held), fin(held))
        yield* wire.proveAlive()
        yield* wire.send(windowIncrement(held, 10))
        yield* wire.expectEcho(held, bytes)
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  }),
  row("S-13", {
    section: "3.4",
    rule: "After its FIN a side sends no payload on the stream",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* exchange(wire, id, noise(300_000))
        yield* wire.proveAlive(ROUNDS)
        const sent = wire.seen.frames.filter(({ streamId }) => streamId === id)
        const late = sent
          .slice(sent.findIndex(isFin) + 1)
          .filter(({ payload, type }) => type === FrameType.Data && payload.length > 0)
        yield* wire.assert("FIN behind all payload", () => late.length === 0 || "payload after FIN")
      })
  }),
  row("S-14", {
    section: "3.4",
    level: "SHOULD",
    rule: "FIN is sent once",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* echoOn(wire, id)
        yield* wire.proveAlive(ROUNDS)
        yield* wire.assert("one FIN", (seen) => seen.stream(id).fins === 1 || "a second FIN")
      })
  }),
  row("S-15", {
    section: "3.4",
    rule: "A stream that both sides have finished ends without RST",
    run: (wire) =>
      Effect.gen(function* () {
        yield* echoOn(wire, wire.id(0))
        yield* exchange(wire, wire.id(1), noise(300_000))
        yield* wire.proveAlive(ROUNDS)
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  }),
  row("S-16", {
    section: "3.4",
    rule: "Payload after FIN, while the other direction is open, is answered by RST StreamClosed",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* blocked(wire, id)
        yield* wire.send(fin(id), data(id, text("late")))
        yield* wire.expectReset(id, Code.StreamClosed)
        yield* wire.proveAlive()
      })
  })
]
