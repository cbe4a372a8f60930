/** 3.5 and 3.6: RST, and frames on streams that are over or never were. */
import * as Effect from "effect/Effect"
import { Code, data, fin, FrameType, noise, rst, text, WINDOW, windowIncrement } from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import { blocked, echoOn, ROUNDS } from "./steps.js"

export const reset: ReadonlyArray<Row> = [
  row("R-01", {
    section: "3.5",
    rule: "An RST is not answered by an RST",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("hello")))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(rst(id, Code.StreamCancelled))
        yield* wire.proveAlive(ROUNDS)
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  }),
  row("R-02", {
    section: "3.5",
    rule: "A side that has received an RST sends no more payload on the stream, in spite of its credit",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* blocked(wire, id)
        yield* wire.send(rst(id, Code.StreamCancelled), windowIncrement(id, 65_536))
        yield* wire.proveAlive(ROUNDS)
        yield* wire.assert("no payload after RST", (seen) => seen.stream(id).length === WINDOW || "more payload")
      })
  }),
  row("R-03", {
    section: "3.5",
    level: "SHOULD",
    rule: "A side that has received an RST sends no frame on the stream",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* blocked(wire, id)
        const on = () =>
          wire.seen.frames.filter((frame) => frame.streamId === id && frame.type !== FrameType.WindowIncrement)
        const before = on().length
        yield* wire.send(rst(id, Code.StreamCancelled))
        yield* wire.proveAlive(ROUNDS)
        yield* wire.assert(
          "no frame after RST",
          (seen) => on().length === before || (seen.stream(id).fins > 0 ? "FIN after RST" : "a frame after RST")
        )
      })
  }),
  row("R-04", {
    section: "3.5",
    rule: "An RST ends only its own stream; the others continue",
    run: (wire) =>
      Effect.gen(function* () {
        const [gone, stays] = [wire.id(0), wire.id(1)]
        yield* wire.send(wire.syn(gone, text("hello")), wire.syn(stays, text("he")))
        yield* wire.expectContent(stays, text("he"))
        yield* wire.send(rst(gone, Code.InternalError), data(stays, text("llo")), fin(stays))
        yield* wire.expectEcho(stays, text("hello"))
      })
  }),
  row("R-05", {
    section: "3.5",
    rule: "A stream may be reset directly after its SYN, many times",
    run: (wire) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 100 }, (_, n) => wire.id(n))
        yield* wire.send(...ids.flatMap((id) => [wire.syn(id), rst(id, Code.StreamCancelled)]))
        yield* wire.proveAlive()
      })
  }),
  row("R-06", {
    section: "3.5",
    rule: "After its own RST, a side skips further frames on the stream and sends no second RST",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id), data(id, noise(WINDOW + 1)))
        yield* wire.expectReset(id, Code.FlowControlError)
        yield* wire.proveAlive(ROUNDS)
        yield* wire.send(data(id, noise(50_000)), data(id, text("late")), windowIncrement(id, 1), fin(id))
        yield* wire.proveAlive()
        yield* wire.assert("one RST", (seen) => seen.stream(id).resets.length === 1 || "a second RST")
      })
  })
]

export const over: ReadonlyArray<Row> = [
  row("S-17", {
    section: "3.6",
    rule: "Payload on a stream that both sides have finished is answered by RST StreamClosed",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* echoOn(wire, id)
        yield* wire.send(data(id, text("late")))
        yield* wire.expectReset(id, Code.StreamClosed)
        yield* wire.proveAlive()
      })
  }),
  row("S-18", {
    section: "3.6",
    rule: "Payload on a stream that was never opened is answered by RST StreamClosed, and skipped",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(50)
        yield* wire.send(data(id, noise(100_000)))
        yield* wire.expectReset(id, Code.StreamClosed)
        yield* wire.proveAlive()
      })
  }),
  row("S-19", {
    section: "3.6",
    rule: "A side sends only one RST for such a stream, however many frames arrive",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(50)
        yield* wire.send(data(id, text("one")), data(id, text("two")), data(id, text("three"), { fin: true }))
        yield* wire.expectReset(id, Code.StreamClosed)
        yield* wire.proveAlive()
        yield* wire.assert("one RST", (seen) => seen.stream(id).resets.length === 1 || "a second RST")
      })
  }),
  row("S-20", {
    section: "3.6",
    rule: "An empty FIN, a WNDINC and an RST on a stream that is over are ignored",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* echoOn(wire, id)
        yield* wire.send(fin(id), windowIncrement(id, 1000), rst(id, Code.StreamCancelled))
        yield* wire.proveAlive()
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  }),
  row("S-21", {
    section: "3.6",
    rule: "An empty FIN, a WNDINC and an RST on a stream that was never opened are ignored",
    run: (wire) =>
      Effect.gen(function* () {
        const ids = [wire.id(50), wire.id(50) + 1]
        yield* wire.send(...ids.flatMap((id) => [fin(id), windowIncrement(id, 1000), rst(id, Code.StreamCancelled)]))
        yield* wire.proveAlive()
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  })
]
