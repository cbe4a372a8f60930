/** 3.1 to 3.4 and 6.1 for the side that opens streams. */
import * as Effect from "effect/Effect"
import type { WireFrame } from "../frames.js"
import { data, Flag, FrameType, isFin, isSyn, UINT31 } from "../frames.js"
import { inWords } from "../words.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import type { Wire } from "../wire.js"
import { HELLO, leave, opened, roundTrips } from "./steps.js"

const needs = "opener"

/** The whole life of an opener's stream, up to the end of the connection: gives every frame that it sent. */
const life = (wire: Wire, streams = 1) =>
  Effect.gen(function* () {
    for (let n = 0; n < streams; n++) {
      const id = yield* opened(wire, n)
      yield* wire.send(data(id, HELLO, { fin: true }))
    }
    yield* roundTrips(wire)
    yield* leave(wire)
    return wire.seen.frames
  })

const byStream = (frames: ReadonlyArray<WireFrame>): ReadonlyArray<ReadonlyArray<WireFrame>> => {
  const streams = new Map<number, Array<WireFrame>>()
  for (const id of frames.filter(isSyn).map(({ streamId }) => streamId)) streams.set(id, [])
  for (const frame of frames) streams.get(frame.streamId)?.push(frame)
  return [...streams.values()]
}

export const opener: ReadonlyArray<Row> = [
  row("O-01", {
    section: "3.1",
    needs,
    rule: "The first stream of a client is 3, that of a server 2",
    run: (wire) =>
      Effect.gen(function* () {
        yield* opened(wire)
        const first = wire.role === "server" ? 3 : 2
        yield* wire.assert(`stream ${first} first`, ({ opened: ids }) => ids[0] === first || `stream ${ids[0]} first`)
      })
  }),
  row("O-02", {
    section: "3.1",
    needs: "repeater",
    rule: "Each further stream takes the next id of the same parity",
    run: (wire) =>
      Effect.gen(function* () {
        yield* life(wire, 5)
        yield* wire.assert("one id after the other, in steps of 2", (seen) => {
          const ids = [...seen.opened].sort((a, b) => a - b)
          return ids.every((id, n) => n === 0 || id === (ids[n - 1] ?? 0) + 2) || `streams ${ids.join(", ")}`
        })
      })
  }),
  row("O-03", {
    section: "3.2",
    needs,
    rule: "The first frame of a stream is DATA with SYN, and no other frame of it has SYN",
    run: (wire) =>
      Effect.gen(function* () {
        const frames = yield* life(wire)
        yield* wire.assert("SYN on the first frame alone", () => {
          const unopened = frames.find(
            ({ streamId, type }) =>
              type === FrameType.Data && !frames.some((frame) => frame.streamId === streamId && isSyn(frame))
          )
          if (unopened !== undefined) return `${inWords(unopened)} without SYN`
          const odd = byStream(frames).flatMap((stream) => stream.filter((frame, at) => isSyn(frame) !== (at === 0)))
          return odd[0] === undefined || inWords(odd[0])
        })
      })
  }),
  row("O-04", {
    section: "3.2",
    needs,
    rule: "An opener does not wait for an answer: it sends payload and FIN directly after the SYN",
    run: (wire) => Effect.asVoid(opened(wire))
  }),
  row("O-05", {
    section: "3.2",
    needs,
    level: "SHOULD",
    rule: "A SYN carries no FIN",
    run: (wire) =>
      Effect.gen(function* () {
        yield* life(wire)
        yield* wire.neverSaw("FIN on a SYN", (frame) => isSyn(frame) && isFin(frame))
      })
  }),
  row("O-06", {
    section: "6.1",
    needs,
    sessions: "typed",
    rule: "The 4 bytes of the type are in the frame with the SYN",
    run: (wire) =>
      Effect.gen(function* () {
        yield* life(wire)
        yield* wire.neverSaw("SYN with less than a type", (frame) => isSyn(frame) && frame.payload.length < 4)
      })
  }),
  row("O-07", {
    section: "3.4",
    needs,
    rule: "An opener sends no payload after its FIN",
    run: (wire) =>
      Effect.gen(function* () {
        const frames = yield* life(wire)
        yield* wire.assert("FIN behind all payload", () => {
          const late = byStream(frames).flatMap((stream) => {
            const end = stream.findIndex(isFin)
            return end < 0
              ? []
              : stream.slice(end + 1).filter(({ payload, type }) => type === FrameType.Data && payload.length > 0)
          })
          return late[0] === undefined || inWords(late[0])
        })
      })
  }),
  row("O-08", {
    section: "3.4",
    needs,
    level: "SHOULD",
    rule: "An opener sends FIN once",
    run: (wire) =>
      Effect.gen(function* () {
        const frames = yield* life(wire)
        yield* wire.assert(
          "one FIN",
          () => byStream(frames).every((stream) => stream.filter(isFin).length <= 1) || "a second FIN"
        )
      })
  }),
  row("O-09", {
    section: "3.4",
    needs,
    rule: "An opener that has read to the end ends its stream without RST",
    run: (wire) =>
      Effect.gen(function* () {
        const id = yield* opened(wire)
        yield* life(wire)
        yield* wire.assert("no RST", (seen) => seen.stream(id).resets.length === 0 || "RST")
      })
  }),
  row("O-10", {
    section: "2.1",
    needs,
    rule: "An opener sends reserved bits and undefined flags as 0",
    run: (wire) =>
      Effect.gen(function* () {
        yield* life(wire)
        yield* wire.neverSaw(
          "reserved bit or undefined flag",
          ({ flags, reserved, streamId, type }) =>
            reserved ||
            streamId > UINT31 ||
            (type === FrameType.Data ? (flags & ~(Flag.Syn | Flag.Fin)) !== 0 : flags !== 0)
        )
      })
  })
]
