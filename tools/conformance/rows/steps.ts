/** Steps that several rows share. */
import * as Effect from "effect/Effect"
import { upload } from "../bulk.js"
import type { Deviation } from "../failure.js"
import { Code, data, fin, filler, frame, goAway, noise, text, WINDOW } from "../frames.js"
import type { Wire } from "../wire.js"

type Steps = Effect.Effect<void, Deviation>

/** Round trips enough for a target's application to have done whatever it does at the end of a stream. */
export const ROUNDS = 8

export const HELLO = text("hello")

/** A stream from its SYN to the FINs of both sides. */
export const echoOn = (wire: Wire, id: number): Steps =>
  Effect.zipRight(wire.send(wire.syn(id, text(`on ${id}`)), fin(id)), wire.expectEcho(id, text(`on ${id}`)))

/** A stream on which the target has more to send than it has credit for: gives all of the bytes. */
export const blocked = (wire: Wire, id: number, more = 65_536): Effect.Effect<Uint8Array, Deviation> =>
  Effect.gen(function* () {
    const bytes = noise(WINDOW + more)
    yield* upload(wire, id, bytes)
    yield* wire.expectContent(id, bytes.subarray(0, WINDOW))
    return bytes
  })

/** The stream that an opener opens, up to its FIN. */
export const opened = (wire: Wire, n = 0): Effect.Effect<number, Deviation> =>
  Effect.tap(wire.expectStream(n), (id) => wire.expectEcho(id, HELLO))

/** Round trips for which no application is needed: payload on streams that never were draws an RST. */
export const roundTrips = (wire: Wire, count = ROUNDS): Steps =>
  Effect.forEach(
    Array.from({ length: count }, () => wire.freshId()),
    (id) => Effect.zipRight(wire.send(data(id, text("x"))), wire.expectReset(id, Code.StreamClosed)),
    { discard: true }
  )

/** The tester leaves: it ends its direction, and waits for the target to do the same. */
export const leave = (wire: Wire): Steps => Effect.zipRight(wire.end, wire.expectClosed)

/** What any implementation takes for a session fault: it is one, and what comes before it is one for some. */
export const provoke = (wire: Wire): Steps => wire.send(frame({ type: 9, streamId: 0 }), data(0, text("x")))

/** A GOAWAY as it should be sent. */
export const goingAway = (lastStreamId: number, code: number = Code.NoError): ReadonlyArray<Uint8Array> => [
  goAway(lastStreamId, code),
  filler
]
