/**
 * The peers in JavaScript, by name. Each is loaded when it is needed, so one that cannot be loaded does not stop the
 * others.
 */
import { field, has, stringIn } from "../json.js"
import type { Peer } from "../peer.js"

/** In the order of the tables. */
export const peerNames = [
  "ours",
  "ceiling",
  "tcpBare",
  "http2",
  "http2Default",
  "libp2pYamux",
  "yamuxJs",
  "ssh2",
  "effectRpc",
  "tcpPerStream",
  "tcpPool"
] as const

export const loadPeer = async (name: string): Promise<Peer> => {
  if (!peerNames.some((known) => known === name)) throw new Error(`unknown peer ${name}`)
  const module: unknown = await import(new URL(`./${name}.js`, import.meta.url).href)
  const peer = field(module, "peer")
  if (!isPeer(peer)) throw new Error(`${name}.js has no peer`)
  return peer
}

const isPeer = (value: unknown): value is Peer =>
  stringIn(value, "name") !== "" && stringIn(value, "about") !== "" && has(value, "serve") && has(value, "connect")
