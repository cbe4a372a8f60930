/** node:http2 without TLS: a session, and a request for each stream. */
import { once } from "node:events"
import { connect, createServer, type ServerHttp2Session, type SessionOptions } from "node:http2"
import type { Socket } from "node:net"
import type { Peer, Server, Service } from "../peer.js"
import { drive } from "../streams.js"
import { duplexStream, serveDuplex } from "./duplexStream.js"
import { connectSocket, HOST, listen } from "./tcp.js"

export interface Windows {
  /** Bytes each side of a stream grants. */
  readonly stream: number
  /** Bytes each side of the session grants. */
  readonly session: number
}

const MAX_STREAMS = 20_000

export interface Grants {
  /** What the client grants, down. */
  readonly client: Windows
  /** What the server grants, up. */
  readonly server: (service: Service) => Windows
}

/** `undefined`: as node has them. */
export const http2Peer = (about: Omit<Peer, "serve" | "connect">, grants: Grants | undefined): Peer => ({
  ...about,
  serve: (service, port) => serve(service, port, grants?.server(service)),
  connect: async (port) => {
    const windows = grants?.client
    const socket = await connectSocket(port)
    const session = connect(`http://${HOST}:${port}`, { ...options(windows), createConnection: () => socket })
    session.on("error", () => undefined)
    await once(session, "connect")
    if (windows !== undefined) session.setLocalWindowSize(windows.session)
    return drive({
      open: () => duplexStream(session.request({ ":method": "POST" }, { endStream: false })),
      close: async () => {
        const closed = once(session, "close")
        session.destroy()
        await closed
      }
    })
  }
})

const options = (windows: Windows | undefined): SessionOptions => ({
  // Megabytes: ten thousand streams take more than the 10 that node grants.
  maxSessionMemory: 1024,
  peerMaxConcurrentStreams: MAX_STREAMS,
  settings: {
    maxConcurrentStreams: MAX_STREAMS,
    enablePush: false,
    ...(windows === undefined ? {} : { initialWindowSize: windows.stream })
  }
})

const serve = async (service: Service, port: number, windows: Windows | undefined): Promise<Server> => {
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer(options(windows))
  server.on("connection", (socket: Socket) => socket.setNoDelay(true))
  server.on("session", (session) => {
    sessions.add(session)
    session.on("close", () => sessions.delete(session))
    session.on("error", () => undefined)
    if (windows !== undefined) session.setLocalWindowSize(windows.session)
  })
  server.on("stream", (stream) => {
    stream.respond({ ":status": 200 })
    serveDuplex(service, stream)
  })
  return {
    port: await listen(server, port),
    close: async () => {
      const closed = once(server, "close")
      server.close()
      for (const session of sessions) session.destroy()
      await closed
    }
  }
}
