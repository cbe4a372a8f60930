/**
 * Pieces of a stream in band, for carriers that cannot end one direction separately. A length (4 bytes, big endian)
 * comes before each piece, and a length of 0 is the end.
 */

const PREFIX_BYTES = 4

export const END = new Uint8Array(PREFIX_BYTES)

export const prefix = (length: number): Uint8Array => {
  const bytes = new Uint8Array(PREFIX_BYTES)
  writePrefix(bytes, length)
  return bytes
}

/** In one buffer. */
export const piece = (bytes: Uint8Array): Uint8Array => {
  const framed = new Uint8Array(PREFIX_BYTES + bytes.length)
  writePrefix(framed, bytes.length)
  framed.set(bytes, PREFIX_BYTES)
  return framed
}

const writePrefix = (into: Uint8Array, length: number): void => {
  into[0] = length >>> 24
  into[1] = length >>> 16
  into[2] = length >>> 8
  into[3] = length
}

export interface PieceHandler {
  /** All or a part of a piece, in order. */
  readonly bytes: (bytes: Uint8Array) => void
  readonly end: () => void
}

/** Takes what arrives, cut anywhere. */
export class PieceReader {
  /** Of the piece that is being read. */
  private left = 0
  private length = 0
  private prefixBytes = 0

  constructor(private readonly handler: PieceHandler) {}

  take(chunk: Uint8Array): void {
    let offset = 0
    while (offset < chunk.length) {
      if (this.left === 0) {
        offset = this.takePrefix(chunk, offset)
      } else {
        const part = chunk.subarray(offset, offset + this.left)
        this.left -= part.length
        offset += part.length
        this.handler.bytes(part)
      }
    }
  }

  private takePrefix(chunk: Uint8Array, from: number): number {
    let offset = from
    while (this.prefixBytes < PREFIX_BYTES && offset < chunk.length) {
      this.length = this.length * 256 + (chunk[offset++] ?? 0)
      this.prefixBytes += 1
    }
    if (this.prefixBytes === PREFIX_BYTES) {
      this.left = this.length
      this.length = 0
      this.prefixBytes = 0
      if (this.left === 0) this.handler.end()
    }
    return offset
  }
}
