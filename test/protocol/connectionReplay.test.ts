import { assert, describe, it } from "@effect/vitest"
import { Connection } from "../../src/protocol/connection.js"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import type { InboundFrame } from "../../src/protocol/wire/frame.js"
import { data, goAway, goAwayFiller, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { connectionOptions } from "../support/protocol/options.js"
import { bytesOf, showEvent, showFrame, showRead } from "../support/protocol/text.js"

const type = (payload: string): Uint8Array => bytesOf(`\u0000\u0000\u0000\u0007${payload}`)
const beat = (...bytes: ReadonlyArray<number>): Uint8Array => Uint8Array.of(0xff, 0xff, 0xff, 0xff, ...bytes)

/** What a peer said: every kind of frame, in order and out of it, on live, ended, refused and unknown streams. */
const recording: Uint8Array = Buffer.concat(
  encode([
    data(3, type("first"), { syn: true }),
    data(7, type(""), { syn: true }),
    data(5, bytesOf("\u0000\u0000"), { syn: true }),
    data(3, bytesOf(" and second")),
    data(5, bytesOf("\u0000\u0009late type")),
    data(3),
    windowIncrement(3, 1000),
    data(9, beat(1, 2, 3, 4), { syn: true }),
    data(11, type("all of it"), { syn: true, fin: true }),
    data(9, Uint8Array.of(5, 6)),
    data(9, Uint8Array.of(7, 8, 9)),
    rst(7, 0xffffffff),
    data(7, bytesOf("late")),
    data(21, bytesOf("never opened")),
    data(21, bytesOf("again")),
    data(3, undefined, { fin: true }),
    data(3, undefined, { fin: true }),
    windowIncrement(99, 5),
    { _tag: "Unknown", type: 9, flags: 3, streamId: 77, length: 0 },
    data(13, beat(), { syn: true }),
    data(15, undefined, { syn: true }),
    data(15, undefined, { fin: true }),
    data(11, bytesOf("after its FIN")),
    data(2, bytesOf("to ours"), { fin: true }),
    windowIncrement(4, 0x7fffffff),
    data(17, type("one more"), { syn: true }),
    goAway(2, 0, bytesOf("so long")),
    goAwayFiller,
    data(17, bytesOf(" byte")),
    rst(17, 6),
    data(19, type("x"), { syn: true }),
    data(19, type("x"), { syn: true }),
    data(5, bytesOf("after the end"))
  ])
)

/** Feeds the recording in chunks, with an application that acts whenever a frame is complete. */
const play = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const log: Array<string> = []
  const connection = new Connection(connectionOptions("server", { typed: true }), 0)
  const decoder = new Decoder()
  const streams: Array<StreamCore> = []
  for (let i = 0; i < 2; i++) {
    const stream = connection.open(1)
    if (!("_tag" in stream)) streams.push(stream)
  }
  const act = (frame: InboundFrame): void => {
    if (frame._tag === "Data" && !frame.last) return
    for (const event of connection.takeEvents()) {
      log.push(showEvent(event))
      if (event._tag === "Opened") streams.push(event.stream)
    }
    for (const stream of streams) {
      const text: Array<string> = []
      let result = connection.read(stream)
      for (; result._tag === "Bytes"; result = connection.read(stream))
        text.push(new TextDecoder().decode(result.bytes))
      if (text.length > 0) log.push(`read ${stream.id}: ${text.join("")}`)
      if (result._tag !== "Blocked") log.push(`read ${stream.id}: ${showRead(result)}`)
    }
    for (const frame of connection.takeFrames(1_000_000, 0)) {
      log.push(
        frame._tag === "Data" ? `${showFrame(frame)} ${Buffer.from(frame.payload).toString("hex")}` : showFrame(frame)
      )
    }
    log.push(JSON.stringify(connection.stats()))
  }
  for (const chunk of chunks) {
    const frames = decoder.push(chunk)
    connection.heard(decoder.midFrame, 0)
    for (const frame of frames) {
      connection.receive(frame)
      act(frame)
    }
  }
  return log
}

describe("a recorded session", () => {
  it("gives the events of the script", () => {
    const whole = play([recording])
    for (const line of [
      "Opened 3 type 7",
      "Opened 5 type 9",
      "read 5: late type",
      "read 11: all of it",
      "read 11: End",
      "read 3: End",
      "Failed 7: Reset 4294967295 by Remote, processed maybe",
      "DATA 9 (4) 01020304",
      "DATA 9 (4) 05060708",
      "RST 21 code 4",
      "RST 13 code 5",
      "RST 15 code 1",
      "RST 11 code 4",
      "read 2: to ours",
      "RST 4 code 3",
      "GoneAway last 2 code 0",
      "Failed 17: Reset 6 by Remote, processed maybe",
      "GOAWAY last 19 code 1",
      "Ended: Violation 1 by Local"
    ]) {
      assert.include(whole, line)
    }
    assert.strictEqual(whole.filter((line) => line === "RST 21 code 4").length, 1)
  })

  it("gives the same events if its bytes are split at any position", () => {
    const whole = play([recording])
    for (let at = 1; at < recording.length; at++) {
      const split = play([recording.subarray(0, at), recording.subarray(at)])
      assert.deepStrictEqual(split, whole, `split at byte ${at}`)
    }
  })

  it("gives the same events one byte at a time", () => {
    assert.deepStrictEqual(play(Array.from(recording, (_, at) => recording.subarray(at, at + 1))), play([recording]))
  })

  it("10 000 frames in one chunk neither overflow the stack nor lose a byte", () => {
    const frames = [data(3, undefined, { syn: true })]
    for (let i = 0; i < 10_000; i++) frames.push(data(3, bytesOf("0123456789")))
    const connection = new Connection(connectionOptions("server"), 0)
    for (const frame of new Decoder().push(Buffer.concat(encode(frames)))) connection.receive(frame)
    assert.strictEqual(connection.stats().bufferedBytes, 100_000)
    assert.strictEqual(connection.takeEvents().length, 1)
  })
})
