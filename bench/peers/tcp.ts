/**
 * TCP on the loopback as every peer here uses it: with `noDelay`, and open for writing after the other side has ended.
 */
import { once } from "node:events"
import { connect as netConnect, createServer, type Server as NetServer, type Socket } from "node:net"
import type { Server } from "../peer.js"

export const HOST = "127.0.0.1"

/** More connections than any cell opens at once. */
const BACKLOG = 4096

export const listen = async (server: NetServer, port: number): Promise<number> => {
  server.listen({ port, host: HOST, backlog: BACKLOG })
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("a TCP server has an address and a port")
  return address.port
}

/** So that they can be destroyed when their owner closes. */
export class Sockets {
  private readonly open = new Set<Socket>()

  add(socket: Socket): void {
    this.open.add(socket)
    socket.once("close", () => this.open.delete(socket))
  }

  async destroy(): Promise<void> {
    const closed = [...this.open].map((socket) => once(socket, "close"))
    for (const socket of this.open) socket.destroy()
    await Promise.allSettled(closed)
  }
}

export const serveSockets = async (port: number, onSocket: (socket: Socket) => void): Promise<Server> => {
  const sockets = new Sockets()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket)
    onSocket(socket)
  })
  return {
    port: await listen(server, port),
    close: async () => {
      const closed = once(server, "close")
      server.close()
      await sockets.destroy()
      await closed
    }
  }
}

/** May be written to at once: what is written goes out when it has connected. */
export const openSocket = (port: number): Socket => netConnect({ port, host: HOST, allowHalfOpen: true, noDelay: true })

export const connectSocket = async (port: number): Promise<Socket> => {
  const socket = openSocket(port)
  await once(socket, "connect")
  return socket
}
