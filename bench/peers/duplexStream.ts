/** A Node Duplex as a `Stream`. */
import type { Duplex, Writable } from "node:stream"
import type { Service, Stream } from "../peer.js"
import { serveStream } from "../streams.js"
import { Inbox } from "./inbox.js"

export const duplexStream = (duplex: Duplex): Stream => {
  const inbox = new Inbox(
    () => duplex.pause(),
    () => duplex.resume()
  )
  duplex.on("data", (bytes: Uint8Array) => inbox.put(bytes))
  duplex.on("end", () => inbox.end())
  duplex.on("error", (error) => inbox.fail(error))
  duplex.on("close", () => inbox.fail(new Error("closed before its end")))
  return {
    write: (bytes) => (duplex.write(bytes) ? undefined : drained(duplex)),
    finish: () => void duplex.end(),
    read: () => inbox.read()
  }
}

/** Until more may be written, or never will be. */
export const drained = (writable: Writable): Promise<void> =>
  new Promise((resolve, reject) => {
    const leave = () => {
      writable.off("drain", onDrain)
      writable.off("close", onClose)
    }
    const onDrain = () => {
      leave()
      resolve()
    }
    const onClose = () => {
      leave()
      reject(writable.errored ?? new Error("closed while written to"))
    }
    writable.on("drain", onDrain)
    writable.on("close", onClose)
  })

/** Serves it to its end; one that fails is destroyed, and its client tells. */
export const serveDuplex = (service: Service, duplex: Duplex, stream: Stream = duplexStream(duplex)): void => {
  serveStream(service, stream).catch(() => duplex.destroy())
}
