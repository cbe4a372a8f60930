/** A hand-written `TransportService` over a MessagePort of Node: between two threads, or within one. */
import { Effect } from "effect"
import type { Transport } from "effect-muxado"
import type { MessagePort } from "node:worker_threads"
import { failed, makeWaiting } from "./waiting.js"

/** The messages of the port: bytes, the number of bytes that the peer has read, and "end" after the last bytes. */
type Message = Uint8Array | number | "end"

const MAX_UNREAD = 256 * 1024 // a port has no limit, so a write waits until the peer reads

export const fromMessagePort = Effect.fn("fromMessagePort")(function* (port: MessagePort) {
  const { until, wake } = makeWaiting()
  const inbox: Array<Uint8Array> = []
  let [unread, writable] = [0, true]
  let readEnd: "Read" | "Ended" | undefined

  const close = () => {
    readEnd ??= "Read" // earlier bytes are read first
    writable = false
    wake()
  }
  port.on("close", close)
  port.on("message", (message: Message) => {
    if (message === "end") readEnd ??= "Ended"
    else if (typeof message === "number") unread -= message
    else inbox.push(message)
    wake()
  })
  const send = (bytes: Uint8Array<ArrayBuffer>) => {
    unread += bytes.length
    if (bytes.length > 0) port.postMessage(bytes, [bytes.buffer])
  }

  const read = until(() => {
    const bytes = inbox.shift()
    if (bytes === undefined) return readEnd && failed(readEnd)
    port.postMessage(bytes.length)
    return Effect.succeed(bytes)
  })
  const write = until((chunks: ReadonlyArray<Uint8Array>) => {
    if (!writable) return failed("Write")
    if (unread >= MAX_UNREAD) return undefined
    const copy = () => new Uint8Array(Buffer.concat(chunks)) // a chunk is a view of memory that others use
    return Effect.try({ try: () => send(copy()), catch: (cause) => failed("Write", cause) })
  })
  const end = Effect.sync(() => {
    if (writable) port.postMessage("end")
    writable = false
    wake()
  })
  const destroy = Effect.sync(() => {
    inbox.length = 0
    close()
    port.close()
  })
  yield* Effect.addFinalizer(() => destroy)
  return { read: read(), write, end, destroy } satisfies Transport.TransportService
})
