/** @chainsafe/libp2p-yamux: a muxer over a socket. */
import { yamux } from "@chainsafe/libp2p-yamux"
import { once } from "node:events"
import type { Socket } from "node:net"
import type { Peer, Service, Stream } from "../peer.js"
import { drive, serveStream } from "../streams.js"
import { Inbox } from "./inbox.js"
import { SocketConnection } from "./libp2pConnection.js"
import { connectSocket, serveSockets } from "./tcp.js"

const MAX_STREAMS = 20_000

const factory = yamux({
  maxInboundStreams: MAX_STREAMS,
  maxOutboundStreams: MAX_STREAMS,
  maxEarlyStreams: MAX_STREAMS
})()

type Muxer = ReturnType<typeof factory.createStreamMuxer>
type MuxedStream = Awaited<ReturnType<Muxer["createStream"]>>

export const peer: Peer = {
  name: "libp2pYamux",
  about:
    "@chainsafe/libp2p-yamux 8, over a socket that is written once a tick, and without a logger; 20 000 streams, windows as by default (256 KiB, growing to 16 MiB)",
  serve: (service, port) => serveSockets(port, (socket) => serveMuxer(service, socket)),
  connect: async (port) => {
    const socket = await connectSocket(port)
    const muxer = multiplex(socket, "outbound")
    return drive({
      open: async () => muxedStream(await muxer.createStream()),
      close: async () => {
        const closed = once(socket, "close")
        socket.destroy()
        await closed
      }
    })
  }
}

const serveMuxer = (service: Service, socket: Socket): void => {
  multiplex(socket, "inbound").addEventListener("stream", ({ detail: stream }) => {
    serveStream(service, muxedStream(stream)).catch((error: unknown) =>
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    )
  })
}

const multiplex = (socket: Socket, direction: "inbound" | "outbound"): Muxer => {
  givePromiseWithResolvers()
  return factory.createStreamMuxer(new SocketConnection(socket, direction))
}

/** It calls it, and Node has it from 22 on. */
const givePromiseWithResolvers = (): void => {
  if ("withResolvers" in Promise) return
  Object.defineProperty(Promise, "withResolvers", {
    configurable: true,
    writable: true,
    value: () => {
      const parts: { resolve?: (value: unknown) => void; reject?: (error: unknown) => void } = {}
      const promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
      return { promise, ...parts }
    }
  })
}

const muxedStream = (stream: MuxedStream): Stream => {
  const inbox = new Inbox(
    () => stream.pause(),
    () => {
      if (stream.readStatus === "paused") stream.resume()
    }
  )
  stream.addEventListener("message", ({ data }) => {
    if (data instanceof Uint8Array) inbox.put(data)
    else for (const bytes of data) inbox.put(bytes)
  })
  stream.addEventListener("end", () => inbox.end())
  stream.addEventListener("close", ({ error }) => inbox.fail(error ?? new Error("closed before its end")))
  return {
    write: (bytes) => (stream.send(bytes) ? undefined : drained(stream)),
    // what keeps it from closing, its readers are told
    finish: () => void stream.close().catch(() => undefined),
    read: () => inbox.read()
  }
}

/**
 * Until all was sent, and more may be. Its `onDrain()` is over for good after the first time, and the "drain" that a
 * grown window causes says only that some of it may be sent.
 */
const drained = (stream: MuxedStream): Promise<void> =>
  new Promise((resolve, reject) => {
    const leave = () => {
      stream.removeEventListener("drain", onDrain)
      stream.removeEventListener("close", onClose)
    }
    const look = () => {
      if (stream.writableNeedsDrain || stream.writeBufferLength > 0) return
      leave()
      resolve()
    }
    // it sends in a microtask of its own, before this one
    const onDrain = () => queueMicrotask(look)
    const onClose = () => {
      leave()
      reject(new Error("closed while written to"))
    }
    stream.addEventListener("drain", onDrain)
    stream.addEventListener("close", onClose)
  })
