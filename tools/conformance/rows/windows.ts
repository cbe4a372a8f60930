/** 4: flow control. */
import * as Effect from "effect/Effect"
import { exchange, upload } from "../bulk.js"
import { Code, data, fin, FrameType, noise, text, UINT31, WINDOW, windowIncrement } from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import { blocked, opened } from "./steps.js"

const MORE = 65_536

export const sending: ReadonlyArray<Row> = [
  row("W-01", {
    section: "4.1",
    rule: "Each direction of a stream begins with a window of 262,144 bytes, which its sender uses up and never exceeds",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const bytes = yield* blocked(wire, id)
        yield* wire.proveAlive()
        yield* wire.expectContent(id, bytes.subarray(0, WINDOW))
      })
  }),
  row("W-02", {
    section: "4.1",
    rule: "Windows are counted for each stream: a stream without credit does not block other streams",
    run: (wire) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 6 }, (_, n) => wire.id(n))
        for (const id of ids) yield* blocked(wire, id)
        yield* exchange(wire, wire.id(6), noise(100_000))
      })
  }),
  row("W-03", {
    section: "4.1",
    rule: "Payload of DATA is counted, the type of a typed stream included, and nothing else",
    run: (wire) =>
      Effect.gen(function* () {
        const [id, other] = [wire.id(0), wire.id(1)]
        const bytes = noise(wire.typed ? WINDOW - 4 : WINDOW)
        // as much as there may be, at once and with many frames that cost nothing
        yield* wire.send(wire.syn(id), data(id), data(id), data(id, bytes), data(id), fin(id))
        yield* wire.expectEcho(id, bytes)
        yield* wire.send(wire.syn(other, bytes, { fin: false }), fin(other))
        yield* wire.expectEcho(other, bytes)
      })
  }),
  row("W-04", {
    section: "4.2",
    rule: "An increment of n permits exactly n more bytes",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const bytes = yield* blocked(wire, id)
        yield* wire.send(windowIncrement(id, 10_000))
        yield* wire.expectContent(id, bytes.subarray(0, WINDOW + 10_000))
        yield* wire.proveAlive()
        yield* wire.send(windowIncrement(id, 1))
        yield* wire.expectContent(id, bytes.subarray(0, WINDOW + 10_001))
        yield* wire.proveAlive()
        yield* wire.expectContent(id, bytes.subarray(0, WINDOW + 10_001))
      })
  }),
  row("W-05", {
    section: "4.2",
    rule: "Increments add up, however small",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const bytes = yield* blocked(wire, id)
        yield* wire.send(...Array.from({ length: 100 }, () => windowIncrement(id, 1)))
        yield* wire.expectContent(id, bytes.subarray(0, WINDOW + 100))
      })
  }),
  row("W-06", {
    section: "4.2",
    level: "SHOULD",
    rule: "A window may be raised above its first value, and the sender uses the additional credit",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const bytes = noise(WINDOW + MORE)
        yield* wire.send(wire.syn(id), windowIncrement(id, MORE))
        yield* upload(wire, id, bytes, { opened: true })
        yield* wire.expectContent(id, bytes)
        yield* wire.send(fin(id))
        yield* wire.expectFin(id)
      })
  }),
  row("W-07", {
    section: "4.2",
    rule: "A window may be raised to 2,147,483,647 bytes",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id), windowIncrement(id, UINT31 - WINDOW), data(id, text("hello")), fin(id))
        yield* wire.expectEcho(id, text("hello"))
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  })
]

export const receiving: ReadonlyArray<Row> = [
  row("W-08", {
    section: "4.3",
    rule: "Credit is granted for what was consumed, so that a stream may carry more than its window",
    run: (wire) => exchange(wire, wire.id(0), noise(1_200_000))
  }),
  row("W-09", {
    section: "4.3",
    rule: "A sender with a window of 4,096 bytes gets credit, and never waits forever",
    run: (wire) => exchange(wire, wire.id(0), noise(80_000), { window: 4096 })
  }),
  row("W-10", {
    section: "4.3",
    rule: "A sender with a window of 100 bytes gets credit",
    run: (wire) => exchange(wire, wire.id(0), noise(1500), { window: 100 })
  }),
  row("W-11", {
    section: "4.3",
    needs: "opener",
    rule: "A side also grants credit on the streams that it opened",
    run: (wire) =>
      Effect.gen(function* () {
        const id = yield* opened(wire)
        yield* upload(wire, id, noise(700_000), { opened: true })
        yield* wire.send(fin(id))
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  }),
  row("W-12", {
    section: "4.4",
    rule: "More payload than the window is answered by RST FlowControlError and skipped, and the session continues",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id), data(id, noise(WINDOW + 1)))
        yield* wire.expectReset(id, Code.FlowControlError)
        yield* wire.proveAlive()
      })
  }),
  row("W-13", {
    section: "4.4",
    rule: "Payload beyond the window is detected from the header, before the payload arrives",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const frame = data(id, noise(WINDOW + 1))
        yield* wire.send(wire.syn(id), frame.subarray(0, 8))
        yield* wire.expectReset(id, Code.FlowControlError)
        yield* wire.send(frame.subarray(8))
        yield* wire.proveAlive()
      })
  }),
  row("W-14", {
    section: "4.4",
    rule: "The payload of a SYN counts against the window in the same way",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const frame = wire.syn(id, noise(WINDOW + 1))
        yield* wire.send(frame.subarray(0, 8))
        yield* wire.expectReset(id, Code.FlowControlError)
        yield* wire.send(frame.subarray(8))
        yield* wire.proveAlive()
      })
  }),
  row("W-15", {
    section: "4.4",
    needs: "holder",
    rule: "A window that is used up frame by frame ends at the same byte",
    run: (wire) =>
      Effect.gen(function* () {
        const [first, second] = [wire.id(0), wire.id(1)]
        const bytes = noise(wire.typed ? WINDOW - 4 : WINDOW)
        for (const id of [first, second]) {
          yield* wire.send(wire.syn(id))
          for (let at = 0; at < bytes.length; at += MORE) yield* wire.send(data(id, bytes.subarray(at, at + MORE)))
        }
        yield* wire.send(data(second, text("x")))
        yield* wire.expectReset(second, Code.FlowControlError)
        yield* wire.assert("no RST within the window", (seen) => seen.stream(first).resets.length === 0 || "RST")
        yield* wire.send(data(first, text("x")))
        yield* wire.expectReset(first, Code.FlowControlError)
      })
  }),
  row("W-16", {
    section: "4.4",
    needs: "opener",
    rule: "A side also checks the windows of the streams that it opened",
    run: (wire) =>
      Effect.gen(function* () {
        const id = yield* opened(wire)
        yield* wire.send(data(id, noise(WINDOW + 1)))
        yield* wire.expectReset(id, Code.FlowControlError)
      })
  }),
  row("W-17", {
    section: "4.4",
    rule: "An increment of 0 is answered by RST ProtocolError, and the session continues",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("hello")))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(windowIncrement(id, 0))
        yield* wire.expectReset(id, Code.ProtocolError)
        yield* wire.proveAlive()
      })
  }),
  row("W-18", {
    section: "4.4",
    rule: "A window above 2,147,483,647 bytes is answered by RST FlowControlError, and the session continues",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("hello")))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(windowIncrement(id, UINT31))
        yield* wire.expectReset(id, Code.FlowControlError)
        yield* wire.proveAlive()
      })
  })
]
