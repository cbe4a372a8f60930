/**
 * Which other protocol a peer speaks, told by the first 8 bytes that it sends. No muxado session begins like that: as a
 * frame header they would announce more than a mebibyte, or a length that the frame's type does not have.
 *
 * @since 0.1.0
 */

const HTTP = ["HTTP/1.", "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "PRI * HT"]

/**
 * `"HTTP"`, `"TLS"`, `"SSH"`, or `undefined` for what may be muxado.
 *
 * @since 0.1.0
 * @category decoding
 */
export const foreignProtocol = (header: Uint8Array): "HTTP" | "TLS" | "SSH" | undefined => {
  const [type = 0, major = 0, minor = 0, , , message = 0] = header
  // a handshake record with a hello, or an alert of two bytes
  const handshake = type === 0x16 && (message === 1 || message === 2)
  const alert = type === 0x15 && header[3] === 0 && header[4] === 2
  if (major === 3 && minor <= 4 && (handshake || alert)) return "TLS"
  const text = String.fromCharCode(...header)
  if (text.startsWith("SSH-")) return "SSH"
  return HTTP.some((word) => text.startsWith(word.slice(0, header.length))) ? "HTTP" : undefined
}
