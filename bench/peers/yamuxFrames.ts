/** Cuts received bytes into whole yamux frames. */

const HEADER_BYTES = 12
const LENGTH_OFFSET = 8
/** Of the frame types only this one has a payload: elsewhere the length field is something else. */
const DATA_TYPE = 0

export class YamuxFrames {
  /** The frame that has begun, in the pieces it came in. */
  private pieces: Array<Buffer> = []
  private pieceBytes = 0
  /** Bytes of that frame, or of its header while that is not whole. */
  private needed = HEADER_BYTES

  constructor(private readonly onFrame: (frame: Buffer) => void) {}

  take(chunk: Buffer): void {
    let rest = chunk
    if (this.pieceBytes > 0) {
      this.pieces.push(chunk)
      this.pieceBytes += chunk.length
      if (this.pieceBytes < this.needed) return
      rest = Buffer.concat(this.pieces, this.pieceBytes)
      this.pieces = []
      this.pieceBytes = 0
    }
    let offset = 0
    for (;;) {
      this.needed = HEADER_BYTES
      if (rest.length - offset < HEADER_BYTES) break
      const length = rest[offset + 1] === DATA_TYPE ? rest.readUInt32BE(offset + LENGTH_OFFSET) : 0
      this.needed = HEADER_BYTES + length
      if (rest.length - offset < this.needed) break
      this.onFrame(rest.subarray(offset, (offset += this.needed)))
    }
    if (offset < rest.length) {
      this.pieces.push(rest.subarray(offset))
      this.pieceBytes = rest.length - offset
    }
  }
}
