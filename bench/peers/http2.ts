/** node:http2 with wide windows. */
import type { Peer } from "../peer.js"
import { type Grants, http2Peer } from "./http2Peer.js"

const MIB = 1024 * 1024

const grants: Grants = {
  // It does not read while a write is under way: were both ways wider than what sockets hold, both sides would wait for ever.
  client: { stream: MIB, session: MIB },
  // A long link needs the width, and beside bulk it costs a ping its latency.
  server: (service) => (service === "sink" ? { stream: 16 * MIB, session: 16 * MIB } : { stream: MIB, session: MIB })
}

export const peer: Peer = http2Peer(
  {
    name: "http2",
    about:
      "node:http2 (h2c), a POST per stream; windows of 1 MiB for a stream and for the session, of 16 MiB each for bulk up; 20 000 streams, 1 GiB of session memory. With 16 MiB both ways at once hang: it does not read while a write is under way"
  },
  grants
)
