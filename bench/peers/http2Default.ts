/** node:http2 with its default windows. */
import type { Peer } from "../peer.js"
import { http2Peer } from "./http2Peer.js"

export const peer: Peer = http2Peer(
  {
    name: "http2Default",
    about: "node:http2 (h2c), a POST per stream; the default windows of 64 KiB, 20 000 streams, 1 GiB of session memory"
  },
  undefined
)
