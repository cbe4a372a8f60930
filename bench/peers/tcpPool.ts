/** A pool of open TCP connections, as many as there are streams at once. */
import type { Peer } from "../peer.js"
import { drive } from "../streams.js"
import { Carrier } from "./carrier.js"
import { serveDuplex } from "./duplexStream.js"
import { openSocket, serveSockets, Sockets } from "./tcp.js"

export const peer: Peer = {
  name: "tcpPool",
  about:
    "node:net, as many TCP connections kept open as streams at once; each carries one stream at a time, in pieces with their length before them",
  lacks: { connect: "has no session" },
  serve: (service, port) =>
    serveSockets(
      port,
      (socket) => void new Carrier(socket, { begun: (carrier) => serveDuplex(service, socket, carrier.stream()) })
    ),
  connect: (port) => {
    const sockets = new Sockets()
    const free: Array<Carrier> = []
    const add = (): Carrier => {
      const socket = openSocket(port)
      sockets.add(socket)
      return new Carrier(socket, { over: (carrier) => void free.push(carrier) })
    }
    return Promise.resolve(
      drive({
        open: () => (free.pop() ?? add()).stream(),
        close: () => sockets.destroy()
      })
    )
  }
}
