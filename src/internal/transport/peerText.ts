/** The address of a peer in words. */
import type { Peer } from "./transportService.js"

export const peerInWords = (peer: Peer): string =>
  peer._tag === "Unix" ? `unix:${peer.path}` : hostAndPort(peer.address, peer.port)

/** As in a URL: an IPv6 address in brackets. */
export const hostAndPort = (host: string, port: number): string => `${host.includes(":") ? `[${host}]` : host}:${port}`
