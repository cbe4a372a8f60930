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
  if (type === 0x16 && major === 3 && minor <= 4 && (message === 1 || message === 2)) return "TLS"
  const text = String.fromCharCode(...header)
  if (text.startsWith("SSH-")) return "SSH"
  return HTTP.some((word) => text.startsWith(word.slice(0, header.length))) ? "HTTP" : undefined
}

/**
 * Whether these first bytes begin a TLS alert, which is what a TLS server answers to a peer without TLS. It has 7 bytes,
 * one less than a frame's header; as such it would be an RST of a wrong length.
 *
 * @since 0.1.0
 * @category decoding
 */
export const isTlsAlert = ([type = 0, major = 0, minor = 5, high = 1, low = 0]: Uint8Array): boolean =>
  type === 0x15 && major === 3 && minor <= 4 && high === 0 && low === 2
