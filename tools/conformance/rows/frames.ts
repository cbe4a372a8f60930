/** 2.3 to 2.7: the frames of each type. */
import * as Effect from "effect/Effect"
import { exchange } from "../bulk.js"
import {
  Code,
  data,
  fin,
  filler,
  FrameType,
  goAway,
  hex,
  noise,
  rst,
  text,
  UINT31,
  WINDOW,
  word,
  wordAt,
  frame
} from "../frames.js"
import { inWords } from "../words.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import { blocked, provoke } from "./steps.js"

export const frames: ReadonlyArray<Row> = [
  row("F-13", {
    section: "2.3",
    rule: "An RST is 4 bytes of error code, on a stream that is not 0",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(data(wire.id(50), text("x")))
        yield* wire.expectReset(wire.id(50), Code.StreamClosed)
        yield* wire.neverSaw(
          "RST of another form",
          ({ payload, streamId, type }) => type === FrameType.Rst && (payload.length !== 4 || streamId === 0)
        )
        yield* wire.send(wire.syn(id, text("hello")))
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(hex("000004 00 000000"), Uint8Array.of(id), hex("00000006"))
        yield* wire.proveAlive()
      })
  }),
  row("F-14", {
    section: "2.4",
    rule: "An empty DATA frame without FIN changes nothing",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const nothing = data(id)
        yield* wire.send(wire.syn(id), nothing, data(id, text("he")), nothing, nothing, data(id, text("llo")), nothing)
        yield* wire.expectContent(id, text("hello"))
        yield* wire.send(nothing, fin(id))
        yield* wire.expectFin(id)
      })
  }),
  row("F-15", {
    section: "2.5",
    rule: "The top bit of an increment is ignored",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        const bytes = yield* blocked(wire, id)
        yield* wire.send(frame({ type: FrameType.WindowIncrement, streamId: id, payload: word(0x80000000 + 4096) }))
        yield* wire.expectContent(id, bytes.subarray(0, WINDOW + 4096))
        yield* wire.proveAlive()
        yield* wire.expectContent(id, bytes.subarray(0, WINDOW + 4096))
      })
  }),
  row("F-16", {
    section: "2.5",
    rule: "A WNDINC is 4 bytes that hold an increment above 0 with its top bit 0, for a stream that was opened",
    run: (wire) =>
      Effect.gen(function* () {
        yield* exchange(wire, wire.id(0), noise(600_000))
        yield* wire.expect("a WNDINC", ({ type }) => type === FrameType.WindowIncrement)
        yield* wire.assert("well-formed WNDINCs alone", (seen) => {
          const odd = seen.frames.find((candidate) => {
            if (candidate.type !== FrameType.WindowIncrement) return false
            const increment = wordAt(candidate, 0) ?? 0
            const known = candidate.streamId === wire.id(0) || seen.opened.includes(candidate.streamId)
            return candidate.payload.length !== 4 || increment === 0 || increment > UINT31 || !known
          })
          return odd === undefined || inWords(odd)
        })
      })
  }),
  row("F-17", {
    section: "2.6",
    rule: "A GOAWAY may carry debug bytes, which change nothing",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("he")))
        yield* wire.send(hex("00000a 30 00000000 00000000 00000000 6f68"), filler)
        yield* wire.send(data(id, text("llo")), fin(id))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-18", {
    section: "2.6",
    rule: "A GOAWAY ends where its length says, and the next frame begins there",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(goAway(0, Code.NoError), wire.syn(id, text("he")), data(id, text("llo")), fin(id))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-19", {
    section: "2.6",
    rule: "Debug bytes are skipped by the length, however many there are",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("he")))
        yield* wire.send(goAway(0, Code.NoError, noise(1_100_000)), filler)
        yield* wire.send(data(id, text("llo")), fin(id))
        yield* wire.expectEcho(id, text("hello"))
      })
  }),
  row("F-20", {
    section: "2.6",
    rule: "A GOAWAY is sent on stream 0 with at least 8 bytes, a 31-bit last stream id, and a length that covers it all",
    run: (wire) =>
      Effect.gen(function* () {
        yield* provoke(wire)
        yield* wire.until("a well-formed GOAWAY, and whole frames", ({ closed, goAways, isWhole }) => {
          const [said] = goAways
          if (said === undefined) return closed ? "the connection's end without a GOAWAY" : false
          const last = wordAt(said, 0)
          if (last === undefined || last > UINT31 || said.payload.length < 8 || said.streamId !== 0)
            return inWords(said)
          if (isWhole) return true
          return closed ? "bytes behind the GOAWAY that are no frame" : false
        })
      })
  }),
  row("F-21", {
    section: "2.7",
    rule: "Any error code is accepted in an RST",
    run: (wire) =>
      Effect.gen(function* () {
        const codes = [0, 15, 16, 0xff, 0x12345678, 0x80000000, 0xffffffff]
        for (const [n, code] of codes.entries()) {
          const id = wire.id(n)
          yield* wire.send(wire.syn(id, text("hello")), rst(id, code))
        }
        yield* wire.proveAlive()
      })
  }),
  row("F-23", {
    section: "2.7",
    rule: "Any error code is accepted in a GOAWAY",
    run: (wire) =>
      Effect.gen(function* () {
        yield* wire.send(goAway(0, 0xdeadbeef), filler, goAway(0, 16), filler)
        yield* wire.proveAlive()
      })
  }),
  row("F-22", {
    section: "2.7",
    level: "SHOULD",
    rule: "Codes that are sent are those of the table",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id), data(id, noise(WINDOW + 1)), data(wire.id(50), text("x")))
        yield* wire.proveAlive()
        yield* provoke(wire)
        yield* wire.until("a GOAWAY, or the connection's end", ({ closed, goAways }) => closed || goAways.length > 0)
        yield* wire.assert("codes from 0 to 15", ({ frames: all }) => {
          const odd = all.find(
            (candidate) =>
              (candidate.type === FrameType.Rst && (wordAt(candidate, 0) ?? 0) > 15) ||
              (candidate.type === FrameType.GoAway && (wordAt(candidate, 4) ?? 0) > 15)
          )
          return odd === undefined || inWords(odd)
        })
      })
  })
]
