/** Echoes between two cores, 64 streams at once: says how many bytes each leaves behind that has ended. */
import { getHeapSpaceStatistics } from "node:v8"
import { Connection } from "../../../src/protocol/connection.js"
import { Decoder } from "../../../src/protocol/wire/decoder.js"
import { encode } from "../../../src/protocol/wire/encoder.js"
import { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import { connectionOptions } from "./options.js"

const AT_ONCE = 64
const MESSAGE = new Uint8Array(64)
const STREAMS = 5_000

const client = new Connection(connectionOptions("client"), 0)
const server = new Connection(connectionOptions("server"), 0)
const toServer = new Decoder()
const toClient = new Decoder()

const readAll = (connection: Connection, stream: StreamCore): "ended" | "goes on" => {
  let read = connection.read(stream)
  while (read._tag === "Bytes") read = connection.read(stream)
  return read._tag === "End" ? "ended" : "goes on"
}

const deliver = (from: Connection, decoder: Decoder, to: Connection): void => {
  const frames = from.takeFrames(Infinity, 1)
  from.written()
  for (const chunk of encode(frames)) {
    to.heard(false, 1)
    for (const frame of decoder.push(chunk)) to.receive(frame)
  }
}

const calls = new Array<StreamCore | undefined>(AT_ONCE).fill(undefined)
let done = 0

const turn = (): void => {
  for (let i = 0; i < AT_ONCE; i++) {
    const call = calls[i]
    if (call !== undefined && readAll(client, call) === "goes on") continue
    if (call !== undefined) done++
    const opened = client.open(undefined)
    if (!(opened instanceof StreamCore)) throw new Error(opened._tag)
    client.write(opened, MESSAGE)
    client.finish(opened)
    calls[i] = opened
  }
  deliver(client, toServer, server)
  for (const event of server.takeEvents()) {
    if (event._tag !== "Opened") continue
    server.accept(event.stream)
    if (readAll(server, event.stream) === "goes on") throw new Error("a request came in pieces")
    server.write(event.stream, MESSAGE)
    server.finish(event.stream)
  }
  deliver(server, toClient, client)
  client.takeEvents()
}

const run = (streams: number): void => {
  const until = done + streams
  while (done < until) turn()
}

const oldSpace = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")?.space_used_size ?? NaN

run(4 * STREAMS)
globalThis.gc?.()
run(STREAMS)
const before = oldSpace()
run(STREAMS)
process.stdout.write(String(Math.round((oldSpace() - before) / STREAMS)))
