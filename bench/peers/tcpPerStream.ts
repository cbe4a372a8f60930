/** A TCP connection for each stream. */
import type { Peer } from "../peer.js"
import { drive } from "../streams.js"
import { duplexStream, serveDuplex } from "./duplexStream.js"
import { openSocket, serveSockets, Sockets } from "./tcp.js"

export const peer: Peer = {
  name: "tcpPerStream",
  about: "node:net, one TCP connection per stream",
  lacks: { connect: "has no session: its echo at 1 is that" },
  serve: (service, port) => serveSockets(port, (socket) => serveDuplex(service, socket)),
  connect: (port) => {
    const sockets = new Sockets()
    return Promise.resolve(
      drive({
        open: () => {
          const socket = openSocket(port)
          sockets.add(socket)
          return duplexStream(socket)
        },
        close: () => sockets.destroy()
      })
    )
  }
}
