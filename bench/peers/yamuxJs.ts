/** yamux-js: one session, with workarounds for its faults. */
import { once } from "node:events"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Client, Server, Stream as YamuxStream } from "yamux-js"
import type { Peer, Service, Stream } from "../peer.js"
import { drive } from "../streams.js"
import { drained, serveDuplex } from "./duplexStream.js"
import { END, piece, PieceReader } from "./framing.js"
import { Inbox } from "./inbox.js"
import { connectSocket, serveSockets } from "./tcp.js"
import { YamuxFrames } from "./yamuxFrames.js"

type Session = Client | Server

const MIB = 1024 * 1024

const INITIAL_WINDOW = 256 * 1024
const WINDOW = 4 * MIB

const CONFIG = {
  acceptBacklog: 20_000,
  // With the initial one a writer that has used it up looks again only every 100 ms: 1 MB/s.
  maxStreamWindowSize: WINDOW,
  logger: () => undefined
}

export const peer: Peer = {
  name: "yamuxJs",
  about:
    "yamux-js 0.2.0, windows of 4 MiB, backlog of 20 000. It never reads a FIN, so pieces and the end are in band; it loses frames split across reads, so it is fed whole ones; it grants credit on receipt, whoever reads, and a writer without credit polls every 100 ms: no backpressure that works",
  serve: (service, port) => serveSockets(port, (socket) => serveSession(service, socket)),
  connect: async (port) => {
    const socket = await connectSocket(port)
    const session = new Client(CONFIG)
    join(session, socket)
    return drive({
      open: () => {
        const stream = session.open()
        grantMore(stream)
        return inBand(session, stream)
      },
      close: async () => {
        const closed = once(socket, "close")
        session.close()
        socket.destroy()
        await closed
      }
    })
  }
}

const serveSession = (service: Service, socket: Socket): void => {
  const session: Session = new Server((duplex: Duplex) => {
    serveDuplex(service, duplex, inBand(session, duplex))
  }, CONFIG)
  join(session, socket)
}

const join = (session: Session, socket: Socket): void => {
  const frames = new YamuxFrames((frame) => void session.write(frame))
  socket.on("data", (chunk: Buffer) => frames.take(chunk))
  socket.on("error", () => undefined)
  socket.on("close", () => session.close())
  session.on("data", (bytes: Buffer) => void socket.write(bytes))
  session.on("error", () => socket.destroy())
}

/**
 * The opener says in the opening frame that its window is wider than the initial one, and the acceptor does not look:
 * once half of that is used, it is said again.
 */
const grantMore = (stream: YamuxStream): void => {
  let received = 0
  const count = (chunk: Uint8Array) => {
    received += chunk.length
    if (received < INITIAL_WINDOW / 2) return
    stream.off("data", count)
    stream.updateRecvWindow(WINDOW - INITIAL_WINDOW)
  }
  stream.on("data", count)
}

/** Its streams are forgotten when both directions have ended in band. */
const inBand = (session: Session, duplex: Duplex): Stream => {
  let ends = 0
  const end = () => {
    ends += 1
    if (ends === 2 && duplex instanceof YamuxStream) session.closeStream(duplex.ID())
  }
  const inbox = new Inbox(
    () => duplex.pause(),
    () => duplex.resume()
  )
  const pieces = new PieceReader({
    bytes: (bytes) => inbox.put(bytes),
    end: () => {
      inbox.end()
      end()
    }
  })
  duplex.on("data", (chunk: Uint8Array) => pieces.take(chunk))
  duplex.on("error", (error) => inbox.fail(error))
  duplex.on("close", () => inbox.fail(new Error("closed before its end")))
  return {
    // an empty piece would be the end
    write: (bytes) => (bytes.length === 0 || duplex.write(piece(bytes)) ? undefined : drained(duplex)),
    finish: () => {
      duplex.write(END)
      end()
    },
    read: () => inbox.read()
  }
}
