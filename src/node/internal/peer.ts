/**
 * Who is at the other end of a socket.
 *
 * @since 0.1.0
 */
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Tls from "node:tls"
import type { Peer, PeerCertificate, PeerTls } from "../../Transport.js"

/**
 * The peer of a connected socket; `undefined` where the socket has no address: a unix socket, or no socket at all.
 *
 * @since 0.1.0
 * @category constructors
 */
export const peerOf = (duplex: Duplex): Peer | undefined => {
  if (!(duplex instanceof Net.Socket)) return undefined
  const { remoteAddress: address, remotePort: port } = duplex
  if (address === undefined || port === undefined) return undefined
  return { _tag: "Tcp", address, port, tls: duplex instanceof Tls.TLSSocket ? tlsOf(duplex) : undefined }
}

/**
 * A peer, as errors and log lines name it: `127.0.0.1:7000`, `[::1]:7000`, `unix:/path`.
 *
 * @since 0.1.0
 * @category utilities
 */
export const endpointOf = (peer: Peer): string =>
  peer._tag === "Tcp" ? tcpEndpoint(peer.address, peer.port) : unixEndpoint(peer.path)

/**
 * @since 0.1.0
 * @category utilities
 */
export const tcpEndpoint = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/**
 * An abstract name of Linux begins with `@`, as its tools show it.
 *
 * @since 0.1.0
 * @category utilities
 */
export const unixEndpoint = (path: string): string => `unix:${path.replace(/^\0/, "@")}`

const tlsOf = (socket: Tls.TLSSocket): PeerTls => {
  // The socket forgets its peer's certificate when it closes; this object keeps it, and is parsed only if asked for.
  const held = "getPeerX509Certificate" in socket ? socket.getPeerX509Certificate() : undefined
  let certificate: PeerCertificate | undefined
  return {
    authorized: socket.authorized,
    authorizationError: textOf(socket.authorizationError),
    get certificate() {
      if (held !== undefined) certificate ??= certificateOf(held)
      return certificate
    },
    alpnProtocol: textOf(socket.alpnProtocol),
    // Node has it on both sides, although its types do not.
    serverName: textOf(Reflect.get(socket, "servername")),
    protocol: textOf(socket.getProtocol())
  }
}

const textOf = (value: unknown): string | undefined => {
  if (value instanceof Error) return "code" in value ? String(value.code) : value.message
  return typeof value === "string" && value !== "" ? value : undefined
}

const certificateOf = (held: NonNullable<ReturnType<Tls.TLSSocket["getPeerX509Certificate"]>>): PeerCertificate => {
  const { issuer, subject } = held.toLegacyObject()
  return {
    subject: { ...subject },
    issuer: { ...issuer },
    subjectAltName: held.subjectAltName,
    serialNumber: held.serialNumber,
    fingerprint256: held.fingerprint256,
    validFrom: held.validFrom,
    validTo: held.validTo,
    raw: Uint8Array.from(held.raw)
  }
}
