/** A bare TCP socket: the upper limit for one stream. */
import type { Peer } from "../peer.js"
import { peer as tcpPerStream } from "./tcpPerStream.js"

const single = "is one socket, and so one stream"

export const peer: Peer = {
  ...tcpPerStream,
  name: "tcpBare",
  about: "node:net, one TCP connection, which is the one stream",
  lacks: {
    echo: single,
    "bulk of many": single,
    mixed: single,
    idle: single,
    connect: single,
    scale: single
  }
}
