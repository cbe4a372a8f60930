/**
 * Detects another protocol by the first 8 bytes of the peer. A muxado session does not start with these bytes: as a
 * frame header they would announce more than 1 MiB, or a length that the frame's type does not allow.
 *
 * @since 0.1.0
 */

const HTTP = ["HTTP/1.", "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "PRI * HT"]

/**
 * `"HTTP"`, `"TLS"`, `"SSH"`, or `undefined` if the bytes may be muxado.
 *
 * @since 0.1.0
 * @category decoding
 */
export const foreignProtocol = (header: Uint8Array): "HTTP" | "TLS" | "SSH" | undefined => {
  const [type = 0, major = 0, minor = 0, , , message = 0] = header
  if (type === 0x16 && major === 3 && minor <= 4 && (message === 1 || message === 2)) return "TLS"
  const text = String.fromCharCode(...header)
  if (text.startsWith("SSH-")) return "SSH"
  return HTTP.some((word) => text.startsWith(word)) ? "HTTP" : undefined
}

/**
 * Whether the first bytes start a TLS alert. A TLS server sends one to a peer that does not use TLS. It has 7 bytes,
 * one less than a frame header. Read as a header, it would be an RST with a wrong length.
 *
 * @since 0.1.0
 * @category decoding
 */
export const isTlsAlert = ([type = 0, major = 0, minor = 5, high = 1, low = 0]: Uint8Array): boolean =>
  type === 0x15 && major === 3 && minor <= 4 && high === 0 && low === 2
