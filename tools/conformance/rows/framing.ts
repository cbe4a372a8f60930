/** 2.1 and 2.2: what every frame has in common, and frames of unknown types. */
import * as Effect from "effect/Effect"
import { exchange } from "../bulk.js"
import {
  concat,
  data,
  fin,
  Flag,
  frame,
  FrameType,
  hex,
  noise,
  rst,
  text,
  UINT31,
  windowIncrement,
  word
} from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import type { Wire } from "../wire.js"
import { ROUNDS } from "./steps.js"

const UNKNOWN_TYPES = Array.from({ length: 12 }, (_, i) => i + 4)

/** An exchange in which a target sends each of its frames but GOAWAY. */
const everyFrame = (wire: Wire) =>
  Effect.gen(function* () {
    yield* exchange(wire, wire.id(0), noise(600_000))
    yield* wire.send(data(wire.id(50), text("x")))
    yield* wire.proveAlive()
  })

export const framing: ReadonlyArray<Row> = [
  row("F-01", {
    section: "2.1",
    rule: "A frame is 24 bits of payload length, 4 of type, 4 of flags, 1 reserved and 31 of stream id, big-endian",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const opening = wire.typed ? hex("000009 12 000000") : hex("000005 12 000000")
        const type = wire.typed ? hex("00000000") : hex("")
        yield* wire.send(opening, Uint8Array.of(id), type, hex("68656c6c6f"))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(hex("000000 11 000000"), Uint8Array.of(id))
        yield* wire.expectFin(id)
      })
  }),
  row("F-02", {
    section: "2.1",
    rule: "Frames mean the same however the transport splits them",
    run: (wire) =>
      Effect.gen(function* () {
        const script = (id: number) =>
          concat([
            wire.syn(id, text("he")),
            frame({ type: 9, streamId: id, payload: text("skip") }),
            windowIncrement(id, 1000),
            data(id, text("llo")),
            fin(id)
          ])
        yield* wire.sendInPieces(1, script(wire.id(0)))
        yield* wire.expectEcho(wire.id(0), text("hello"))
        const { length } = script(0)
        for (let at = 1; at < length; at++) {
          const id = wire.id(at)
          yield* wire.send(script(id).subarray(0, at))
          yield* wire.send(script(id).subarray(at))
          yield* wire.expectEcho(id, text("hello"))
        }
      })
  }),
  row("F-03", {
    section: "2.1",
    rule: "Any number of frames may come in one chunk",
    run: (wire) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 20 }, (_, n) => wire.id(n))
        yield* wire.send(
          ...ids.map((id) => wire.syn(id)),
          ...ids.map((id) => data(id, text(`stream ${id}`))),
          ...ids.map((id) => fin(id))
        )
        for (const id of ids) yield* wire.expectEcho(id, text(`stream ${id}`))
      })
  }),
  row("F-04", {
    section: "2.1",
    rule: "The reserved bit of a stream id is ignored",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const reserved = (bytes: Uint8Array) => concat([bytes.subarray(0, 4), hex("80"), bytes.subarray(5)])
        yield* wire.send(reserved(wire.syn(id, text("he"))))
        yield* wire.expectContent(id, text("he"))
        yield* wire.send(data(id, text("l")), reserved(data(id, text("lo"))), fin(id))
        yield* wire.expectEcho(id, text("hello"))
        yield* wire.proveAlive()
      })
  }),
  row("F-05", {
    section: "2.1",
    rule: "Reserved bits are sent as 0",
    run: (wire) =>
      Effect.gen(function* () {
        yield* everyFrame(wire)
        yield* wire.neverSaw("reserved bit", (seen) => seen.reserved)
      })
  }),
  row("F-06", {
    section: "2.1",
    rule: "Undefined flags of DATA are ignored",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const flagged = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 3 ? byte | 0xc : byte))
        yield* wire.send(flagged(wire.syn(id, text("he"))), flagged(data(id, text("llo"))), flagged(fin(id)))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-07", {
    section: "2.1",
    rule: "All flags of RST and WNDINC are ignored, even the bits that mean SYN and FIN on DATA",
    run: (wire) =>
      Effect.gen(function* () {
        const flags = 0xf
        const unknown = [wire.id(60), wire.id(61)] as const
        yield* wire.send(
          frame({ type: FrameType.WindowIncrement, flags, streamId: unknown[0], payload: word(1000) }),
          frame({ type: FrameType.Rst, flags, streamId: unknown[1], payload: word(6) })
        )
        yield* wire.proveAlive(ROUNDS)
        yield* wire.neverSaw("frame on a stream without SYN", ({ streamId }) =>
          unknown.some((candidate) => candidate === streamId)
        )
        const id = wire.freshId()
        yield* wire.send(
          wire.syn(id, text("he")),
          frame({ type: FrameType.WindowIncrement, flags, streamId: id, payload: word(1000) }),
          data(id, text("llo")),
          fin(id)
        )
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-08", {
    section: "2.1",
    rule: "Undefined flags are sent as 0",
    run: (wire) =>
      Effect.gen(function* () {
        yield* everyFrame(wire)
        yield* wire.neverSaw("undefined flag", ({ flags, type }) =>
          type === FrameType.Data ? (flags & ~(Flag.Syn | Flag.Fin)) !== 0 : flags !== 0
        )
      })
  }),
  row("F-09", {
    section: "2.2",
    rule: "Frames of unknown types are skipped, whatever their flags and stream id",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("he")))
        for (const type of UNKNOWN_TYPES) {
          for (const streamId of [0, id, wire.id(30), UINT31]) yield* wire.send(frame({ type, flags: 0xf, streamId }))
        }
        yield* wire.send(data(id, text("llo")), fin(id))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-10", {
    section: "2.2",
    rule: "The payload of an unknown frame is skipped by its length",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        // a payload that would be a session fault if it were taken for a frame
        const payload = rst(0, 1)
        for (const type of UNKNOWN_TYPES) yield* wire.send(frame({ type, streamId: id, payload }))
        yield* wire.send(frame({ type: 7, streamId: 0, payload: noise(1_000_000) }))
        yield* wire.send(wire.syn(id, text("hello")), fin(id))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-11", {
    section: "2.2",
    rule: "An unknown frame may arrive in any pieces",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.sendInPieces(
          1,
          wire.syn(id, text("he")),
          frame({ type: 15, streamId: id, payload: rst(id, 6) }),
          data(id, text("llo")),
          fin(id)
        )
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-12", {
    section: "2.2",
    level: "SHOULD",
    rule: "No frame of an unknown type is sent, except the empty one after a GOAWAY",
    run: (wire) =>
      Effect.gen(function* () {
        yield* everyFrame(wire)
        yield* wire.neverSaw("frame of an unknown type", ({ type }) => type > FrameType.GoAway)
      })
  })
]
