/**
 * Sends bulk from one core to another until more bytes have passed than a small integer of the engine holds, and says
 * when a gibibyte has: run with `--trace-deopt`, which tells what of the optimised code is thrown away.
 */
import { Connection } from "../../../src/protocol/connection.js"
import { Decoder } from "../../../src/protocol/wire/decoder.js"
import { encode } from "../../../src/protocol/wire/encoder.js"
import type { Event } from "../../../src/protocol/events.js"
import { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import { connectionOptions } from "./options.js"

/** In units that keep what is counted here a small integer. */
const KIB = 1024
const GIB = 2 ** 20
const BATCH = 128 * 1024
const CHUNK = new Uint8Array(64 * 1024)
const HELD = 2 * CHUNK.length

const sender = new Connection(connectionOptions("client"), 0)
const receiver = new Connection(connectionOptions("server"), 0)
const toReceiver = new Decoder()
const toSender = new Decoder()

const deliver = (from: Connection, decoder: Decoder, to: Connection): ReadonlyArray<Event> => {
  const frames = from.takeFrames(BATCH, 1)
  from.written()
  for (const chunk of encode(frames)) {
    to.heard(false, 1)
    for (const frame of decoder.push(chunk)) to.receive(frame)
  }
  return to.takeEvents()
}

const open = (): StreamCore => {
  const opened = sender.open(undefined)
  if (!(opened instanceof StreamCore)) throw new Error(opened._tag)
  return opened
}

const streams = [open(), open()]
const accepted = new Set<StreamCore>()

let passed = 0
const turn = (): void => {
  for (const stream of streams) {
    const { length } = stream.outbound
    const free = Math.min(HELD - length, CHUNK.length)
    if (free > 0) sender.write(stream, CHUNK.subarray(0, free))
  }
  for (const event of deliver(sender, toReceiver, receiver)) {
    if (event._tag !== "Opened") continue
    receiver.accept(event.stream)
    accepted.add(event.stream)
  }
  for (const stream of accepted) {
    for (let read = receiver.read(stream); read._tag === "Bytes"; read = receiver.read(stream)) {
      passed += read.bytes.length / KIB
    }
  }
  deliver(receiver, toSender, sender)
}

while (passed < GIB) turn()
process.stdout.write("a gibibyte\n")
while (passed < 2.5 * GIB) turn()
process.stdout.write("done\n")
