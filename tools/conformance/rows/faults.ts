/** 5.4: what ends a session. */
import * as Effect from "effect/Effect"
import type { Deviation } from "../failure.js"
import { Code, data, fin, frame, FrameType, goAway as goAwayFrame, rst, text, windowIncrement } from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import type { Wire } from "../wire.js"
import { echoOn, HELLO, opened } from "./steps.js"

/** A stream lives, then come bytes that are a fault. */
const fault = (bytes: (wire: Wire, live: number) => Uint8Array, code: number) => (wire: Wire) =>
  Effect.gen(function* () {
    const live = wire.id(0)
    yield* wire.send(wire.syn(live, HELLO))
    yield* wire.expectContent(live, HELLO)
    yield* wire.send(bytes(wire, live))
    yield* wire.expectFault(code)
  })

/** The header of a frame, and nothing behind it. */
const headerOf = (type: number, streamId: number, length: number): Uint8Array => frame({ type, streamId, length })

const again = (prepare: (wire: Wire, id: number) => Effect.Effect<void, Deviation>) => (wire: Wire) =>
  Effect.gen(function* () {
    const id = wire.id(0)
    yield* prepare(wire, id)
    yield* wire.send(wire.syn(id, HELLO))
    yield* wire.expectFault(Code.ProtocolError)
  })

export const faults: ReadonlyArray<Row> = [
  row("V-01", {
    section: "5.4",
    rule: "DATA on stream 0 is a ProtocolError",
    run: fault(() => data(0, text("x")), Code.ProtocolError)
  }),
  row("V-02", {
    section: "5.4",
    rule: "RST on stream 0 is a ProtocolError",
    run: fault(() => rst(0, Code.StreamCancelled), Code.ProtocolError)
  }),
  row("V-03", {
    section: "5.4",
    rule: "WNDINC on stream 0 is a ProtocolError",
    run: fault(() => windowIncrement(0, 1), Code.ProtocolError)
  }),
  row("V-04", {
    section: "5.4",
    rule: "GOAWAY on another stream than 0 is a ProtocolError",
    run: fault(
      (_, live) => frame({ type: FrameType.GoAway, streamId: live, payload: goAwayFrame(0, 0).subarray(8) }),
      Code.ProtocolError
    )
  }),
  row("V-05", {
    section: "5.4",
    rule: "An RST whose length is not 4 is a FrameSizeError, detected from the header",
    run: fault((_, live) => headerOf(FrameType.Rst, live, 3), Code.FrameSizeError)
  }),
  row("V-06", {
    section: "5.4",
    rule: "A WNDINC whose length is not 4 is a FrameSizeError, detected from the header",
    run: fault((_, live) => headerOf(FrameType.WindowIncrement, live, 5), Code.FrameSizeError)
  }),
  row("V-07", {
    section: "5.4",
    rule: "A GOAWAY whose length is below 8 is a FrameSizeError, detected from the header",
    run: fault(() => headerOf(FrameType.GoAway, 0, 7), Code.FrameSizeError)
  }),
  row("V-08", {
    section: "5.4",
    rule: "An RST that announces 16 MiB is a FrameSizeError, and the receiver does not wait for its payload",
    run: fault((_, live) => headerOf(FrameType.Rst, live, 0xffffff), Code.FrameSizeError)
  }),
  row("V-09", {
    section: "5.4",
    rule: "A SYN on an id that is the receiver's own to open is a ProtocolError",
    run: fault((wire) => wire.syn(wire.id(3) ^ 1, HELLO), Code.ProtocolError)
  }),
  row("V-10", {
    section: "5.4",
    needs: "opener",
    rule: "The same rule applies to a side that only opens streams",
    run: (wire) =>
      Effect.gen(function* () {
        yield* opened(wire)
        yield* wire.send(wire.syn(wire.id(40) ^ 1, HELLO))
        yield* wire.expectFault(Code.ProtocolError)
      })
  }),
  row("V-11", {
    section: "5.4",
    rule: "A SYN on a stream that is open is a ProtocolError",
    run: fault((wire, live) => wire.syn(live, HELLO), Code.ProtocolError)
  }),
  row("V-12", {
    section: "5.4",
    rule: "A SYN on the id of a stream that both sides have finished is a ProtocolError",
    run: again(echoOn)
  }),
  row("V-13", {
    section: "5.4",
    rule: "A SYN on the id of a stream that was reset is a ProtocolError",
    run: again((wire, id) =>
      wire
        .send(wire.syn(id, HELLO))
        .pipe(
          Effect.zipRight(wire.expectContent(id, HELLO)),
          Effect.zipRight(wire.send(rst(id, Code.StreamCancelled))),
          Effect.zipRight(wire.proveAlive())
        )
    )
  }),
  row("V-14", {
    section: "5.4",
    rule: "A side ignores everything that arrives after a session fault",
    run: (wire) =>
      Effect.gen(function* () {
        const [before, behind] = [wire.id(0), wire.id(1)]
        yield* echoOn(wire, before)
        yield* wire.send(data(0, text("x")), wire.syn(behind, HELLO), fin(behind))
        yield* wire.expectFault(Code.ProtocolError)
        yield* wire.neverSaw("frame of the stream behind the fault", ({ streamId }) => streamId === behind)
      })
  })
]
