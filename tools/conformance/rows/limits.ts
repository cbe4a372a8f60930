/** 5.2 and 8: refusals, and how much a receiver should bear. */
import * as Effect from "effect/Effect"
import { Code, data, fin, isFin, text } from "../frames.js"
import type { Row } from "../row.js"
import { row } from "../row.js"
import type { Wire } from "../wire.js"
import { echoOn, HELLO, roundTrips } from "./steps.js"

/** More streams than a receiver whose application takes none may be expected to keep. */
const MANY = 2000

/** So many at a time: one that refuses them all need not think that it is attacked. */
const BATCH = 40

/** Opens streams until some are refused: gives the first stream of all, and the last of those refused. */
const refused = (wire: Wire) =>
  Effect.gen(function* () {
    const isRefused = (id: number): boolean => wire.seen.stream(id).resets.length > 0
    const ids: Array<number> = []
    while (ids.length < MANY && !ids.some(isRefused)) {
      const batch = Array.from({ length: BATCH }, () => wire.freshId())
      ids.push(...batch)
      yield* wire.send(...batch.map((id) => wire.syn(id, HELLO)))
      yield* roundTrips(wire, 1)
    }
    const last = ids.filter(isRefused).at(-1)
    yield* wire.assert(`RST on one of ${MANY} streams that nobody takes`, () => last !== undefined || "none")
    return { first: ids[0] ?? 0, last: last ?? 0 }
  })

export const limits: ReadonlyArray<Row> = [
  row("L-01", {
    section: "5.2",
    needs: "holder",
    rule: "A stream beyond the limit is answered by RST AcceptQueueFull or StreamRefused, and earlier streams continue",
    run: (wire) =>
      Effect.gen(function* () {
        const { first, last } = yield* refused(wire)
        yield* wire.expectReset(last, [Code.AcceptQueueFull, Code.StreamRefused])
        yield* wire.assert("the first stream kept", (seen) => seen.stream(first).resets.length === 0 || "RST")
      })
  }),
  row("L-02", {
    section: "5.2",
    needs: "holder",
    rule: "Frames on a refused stream are skipped, and are not answered by a second RST",
    run: (wire) =>
      Effect.gen(function* () {
        const { last: id } = yield* refused(wire)
        yield* wire.send(data(id, text("late")), data(id, text("later")), fin(id))
        // one more is refused behind it, which shows that nothing else came before
        const next = wire.freshId()
        yield* wire.send(wire.syn(next, HELLO))
        yield* wire.expectReset(next, [Code.AcceptQueueFull, Code.StreamRefused])
        yield* wire.assert("one RST", (seen) => seen.stream(id).resets.length === 1 || "a second RST")
      })
  }),
  row("L-03", {
    section: "8",
    level: "SHOULD",
    rule: "100 streams at the same time are accepted",
    run: (wire) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 100 }, (_, n) => wire.id(n))
        yield* wire.send(...ids.map((id) => wire.syn(id, text(`on ${id}`))))
        for (const id of ids) yield* wire.expectContent(id, text(`on ${id}`))
        yield* wire.neverSaw("FIN before ours", isFin)
        yield* wire.send(...ids.map((id) => fin(id)))
        for (const id of ids) yield* wire.expectFin(id)
      })
  }),
  row("L-04", {
    section: "8",
    level: "SHOULD",
    rule: "Ended streams do not count: 1,000 streams can be opened one after the other",
    run: (wire) =>
      Effect.gen(function* () {
        for (let at = 0; at < 1000; at += 50) {
          const ids = Array.from({ length: 50 }, (_, n) => wire.id(at + n))
          yield* wire.send(...ids.flatMap((id) => [wire.syn(id, HELLO), fin(id)]))
          for (const id of ids) yield* wire.expectEcho(id, HELLO)
        }
      })
  }),
  row("L-05", {
    section: "8",
    level: "SHOULD",
    rule: "100 gaps in the ids are accepted, and filled later",
    run: (wire) =>
      Effect.gen(function* () {
        const odd = Array.from({ length: 100 }, (_, n) => wire.id(2 * n + 1))
        const even = Array.from({ length: 100 }, (_, n) => wire.id(2 * n))
        for (const id of [...odd, ...even]) yield* echoOn(wire, id)
      })
  })
]
