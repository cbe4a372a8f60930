/** 5.3 and 5.5: GOAWAY, and how sessions end. */
import * as Effect from "effect/Effect"
import { upload } from "../bulk.js"
import { Code, data, fin, FrameType, noise, text, wordAt } from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import { inWords } from "../words.js"
import { echoOn, goingAway, HELLO, leave, opened, provoke, roundTrips } from "./steps.js"

export const goAway: ReadonlyArray<Row> = [
  row("G-01", {
    section: "5.3",
    rule: "After a GOAWAY of the peer, its open streams continue until they end",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("he")))
        yield* wire.expectContent(id, text("he"))
        yield* wire.send(...goingAway(0))
        yield* wire.send(data(id, text("llo")), fin(id))
        yield* wire.expectEcho(id, HELLO)
      })
  }),
  row("G-02", {
    section: "5.3",
    rule: "A side that has sent GOAWAY may still open streams",
    run: (wire) =>
      Effect.gen(function* () {
        yield* wire.send(...goingAway(0))
        yield* echoOn(wire, wire.id(0))
        yield* wire.proveAlive()
      })
  }),
  row("G-03", {
    section: "5.3",
    rule: "There may be several GOAWAYs",
    run: (wire) =>
      Effect.gen(function* () {
        const id = wire.id(0)
        yield* wire.send(wire.syn(id, text("he")))
        yield* wire.send(...goingAway(100), ...goingAway(50), ...goingAway(0, Code.EnhanceYourCalm))
        yield* wire.send(data(id, text("llo")), fin(id))
        yield* wire.expectEcho(id, HELLO)
      })
  }),
  row("G-04", {
    section: "5.3",
    needs: "opener",
    rule: "After a GOAWAY, streams of the receiver up to the last stream id continue",
    run: (wire) =>
      Effect.gen(function* () {
        const id = yield* opened(wire)
        yield* wire.send(...goingAway(id))
        // more than a window: the target still has to read it
        yield* upload(wire, id, noise(700_000), { opened: true })
        yield* wire.send(fin(id))
        yield* wire.neverSaw("RST", ({ type }) => type === FrameType.Rst)
      })
  }),
  row("G-05", {
    section: "5.3",
    needs: "repeater",
    rule: "After a GOAWAY its receiver opens no stream",
    run: (wire) =>
      Effect.gen(function* () {
        const id = yield* opened(wire)
        yield* wire.send(...goingAway(id), data(id, HELLO, { fin: true }))
        yield* roundTrips(wire)
        yield* leave(wire)
        yield* wire.assert("one stream", (seen) => seen.openedByApplication.length === 1 || "a SYN after our GOAWAY")
      })
  }),
  row("G-06", {
    section: "5.3",
    rule: "The last stream id of a GOAWAY is the highest that its sender has taken, in whatever order they came",
    run: (wire) =>
      Effect.gen(function* () {
        for (const n of [0, 3, 1]) yield* echoOn(wire, wire.id(n))
        yield* provoke(wire)
        yield* wire.expectGoAway(Code.ProtocolError)
        yield* wire.assert(`last stream id ${wire.id(3)}`, ({ goAways }) => {
          const last = goAways.map((frame) => wordAt(frame, 0))[0]
          return last === wire.id(3) || `last stream id ${last}`
        })
      })
  }),
  row("G-07", {
    section: "5.3",
    level: "SHOULD",
    rule: "The 8 bytes 000000f000000000 follow each GOAWAY",
    run: (wire) =>
      Effect.gen(function* () {
        yield* provoke(wire)
        yield* wire.until("an empty frame of unknown type behind a GOAWAY", ({ closed, frames, goAways }) => {
          const next =
            goAways.length > 0 ? frames[frames.findIndex(({ type }) => type === FrameType.GoAway) + 1] : undefined
          if (next === undefined) return closed ? "nothing of the kind before the connection's end" : false
          return (next.type > FrameType.GoAway && next.payload.length === 0) || inWords(next)
        })
      })
  })
]

export const ends: ReadonlyArray<Row> = [
  row("E-01", {
    section: "5.5",
    rule: "When the peer has ended its direction of the transport, a side ends its own",
    run: (wire) =>
      Effect.gen(function* () {
        yield* echoOn(wire, wire.id(0))
        yield* leave(wire)
      })
  }),
  row("E-02", {
    section: "5.5",
    rule: "The same rule applies to an end inside streams and frames",
    run: (wire) =>
      Effect.gen(function* () {
        yield* wire.send(wire.syn(wire.id(0), HELLO))
        yield* wire.expectContent(wire.id(0), HELLO)
        yield* wire.send(data(wire.id(0), noise(100)).subarray(0, 50))
        yield* leave(wire)
      })
  }),
  row("E-03", {
    section: "5.5",
    rule: "The same rule applies to an end after a GOAWAY",
    run: (wire) =>
      Effect.gen(function* () {
        yield* echoOn(wire, wire.id(0))
        yield* wire.send(...goingAway(0))
        yield* leave(wire)
      })
  })
]
