/** ssh2: one connection, and a forwarded channel (direct-tcpip) for each stream. */
import { once } from "node:events"
import ssh2, { type Connection } from "ssh2"
import type { Duplex } from "node:stream"
import type { Peer, Server, Service } from "../peer.js"
import { drive } from "../streams.js"
import { duplexStream, serveDuplex } from "./duplexStream.js"
import { connectSocket, HOST, serveSockets } from "./tcp.js"

const CIPHER = "aes128-gcm@openssh.com"

export const peer: Peer = {
  name: "ssh2",
  about: `ssh2 1.17, a forwarded channel per stream; ${CIPHER}, as it offers none without encryption; its windows are 2 MiB a channel`,
  serve: (service, port) => serve(service, port),
  connect: async (port) => {
    const client = new ssh2.Client()
    const ready = once(client, "ready")
    const socket = await connectSocket(port)
    client.connect({ sock: socket, username: "bench", algorithms: { cipher: [CIPHER] } })
    await ready
    client.on("error", () => undefined)
    return drive({
      open: async () => duplexStream(await openChannel(client, port)),
      close: async () => {
        const closed = once(socket, "close")
        client.destroy()
        await closed
      }
    })
  }
}

const openChannel = (client: ssh2.Client, port: number): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    client.forwardOut(HOST, 0, HOST, port, (error, channel) => {
      if (error === undefined) resolve(channel)
      else reject(error)
    })
  })

const serve = async (service: Service, port: number): Promise<Server> => {
  const { private: hostKey } = ssh2.utils.generateKeyPairSync("ed25519")
  const ssh = new ssh2.Server({ hostKeys: [hostKey], algorithms: { cipher: [CIPHER] } })
  ssh.on("connection", (connection) => serveConnection(service, connection))
  return serveSockets(port, (socket) => ssh.injectSocket(socket))
}

const serveConnection = (service: Service, connection: Connection): void => {
  connection.on("authentication", (context) => context.accept())
  connection.on("tcpip", (accept) => serveDuplex(service, accept()))
  connection.on("error", () => undefined)
}
