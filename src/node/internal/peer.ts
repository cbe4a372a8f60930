/**
 * The peer of a socket, and its name in errors and log lines.
 *
 * @since 0.1.0
 */
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Tls from "node:tls"
import type { Peer, PeerCertificate, PeerTls } from "../../Transport.js"

/**
 * The peer of a connected socket; `undefined` for a unix socket, and for a Duplex that is not a socket.
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
 * Shows an abstract name of Linux with `@` at its beginning, as the tools of Linux do.
 *
 * @since 0.1.0
 * @category utilities
 */
export const unixEndpoint = (path: string): string => `unix:${path.replace(/^\0/, "@")}`

const tlsOf = (socket: Tls.TLSSocket): PeerTls => {
  // A socket that closes loses the certificate of its peer. This object keeps it, and parses it when it is first read.
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
    // Node sets it on both sides, but its types do not declare it.
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
