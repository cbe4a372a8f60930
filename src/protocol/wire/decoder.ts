/**
 * Decodes bytes into frames, incrementally. Invalid bytes give a `Malformed` frame.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.
 *
 * @since 0.1.0
 */
import { ErrorCode } from "./errorCode.js"
import { foreignProtocol, isTlsAlert } from "./foreignProtocol.js"
import type { InboundFrame } from "./frame.js"
import { Flag, FrameType, HEADER_LENGTH, MAX_DEBUG_LENGTH, MAX_UINT31, Piece } from "./frame.js"
import { newArray } from "../collections/v8.js"

const NO_BYTES: Uint8Array = new Uint8Array(0)

const GOAWAY_FIXED_LENGTH = 8

/**
 * Decodes one direction of one session. Checks a frame when its header is complete, and returns DATA in pieces as they
 * arrive. So it holds at most a header and the first 1032 payload bytes of a GOAWAY. After a `Malformed` frame it
 * returns nothing.
 *
 * @since 0.1.0
 * @category models
 */
export class Decoder {
  private readonly header = new Uint8Array(HEADER_LENGTH)
  private headerLength = 0

  /** Payload bytes of the current frame still to come. */
  private remaining = 0
  /**
   * How to treat them: `data` is returned in pieces, `gather` collects an RST, WNDINC or GOAWAY, and `skip` drops them.
   */
  private payload: "data" | "gather" | "skip" = "skip"

  private type = 0
  private flags = 0
  private streamId = 0
  private length = 0
  private first = false

  private gathered: Uint8Array = NO_BYTES
  private gatheredLength = 0

  private failed = false
  /** The first header was read, and it is not of another protocol. */
  private begun = false

  /** Whether the bytes so far end inside a frame. */
  get midFrame(): boolean {
    return this.headerLength > 0 || this.remaining > 0
  }

  /** Decodes the next bytes, of any length. Returns the frames and pieces of frames that they complete, in order. */
  push(chunk: Uint8Array): ReadonlyArray<InboundFrame> {
    const frames = newArray<InboundFrame>()
    let at = 0
    while (at < chunk.length && !this.failed) {
      at = this.remaining > 0 ? this.takePayload(chunk, at, frames) : this.takeHeader(chunk, at, frames)
    }
    return frames
  }

  private takeHeader(chunk: Uint8Array, at: number, frames: Array<InboundFrame>): number {
    if (this.headerLength === 0 && chunk.length - at >= HEADER_LENGTH && this.begun) {
      this.readHeader(chunk, at)
      this.begin(at + HEADER_LENGTH < chunk.length, frames)
      return at + HEADER_LENGTH
    }
    const end = Math.min(chunk.length, at + HEADER_LENGTH - this.headerLength)
    this.header.set(chunk.subarray(at, end), this.headerLength)
    this.headerLength += end - at
    if (!this.begun && isTlsAlert(this.header.subarray(0, this.headerLength))) {
      this.fail(ErrorCode.ProtocolError, "the first bytes are TLS, not muxado", frames)
    } else if (this.headerLength === HEADER_LENGTH) {
      this.headerLength = 0
      this.readHeader(this.header, 0)
      this.begin(end < chunk.length, frames)
    }
    return end
  }

  private readHeader(bytes: Uint8Array, at: number): void {
    this.length = (byte(bytes, at) << 16) | (byte(bytes, at + 1) << 8) | byte(bytes, at + 2)
    this.type = byte(bytes, at + 3) >>> 4
    this.flags = byte(bytes, at + 3) & 0xf
    this.streamId = uint32(bytes, at + 4) & MAX_UINT31
  }

  /** Checks a header. If `more` is false, the chunk ends with it, and DATA gives a first piece without payload. */
  private begin(more: boolean, frames: Array<InboundFrame>): void {
    this.remaining = this.length
    if (!this.begun) {
      this.begun = true
      const foreign = foreignProtocol(this.header)
      if (foreign !== undefined) {
        return this.fail(ErrorCode.ProtocolError, `the first bytes are ${foreign}, not muxado`, frames)
      }
    }
    switch (this.type) {
      case FrameType.Data: {
        if (this.streamId === 0) return this.fail(ErrorCode.ProtocolError, "DATA on stream 0", frames)
        this.payload = "data"
        this.first = true
        if (this.length === 0 || !more) this.emitData(NO_BYTES, frames)
        return
      }
      case FrameType.Rst:
      case FrameType.WindowIncrement: {
        const name = this.type === FrameType.Rst ? "RST" : "WNDINC"
        if (this.streamId === 0) return this.fail(ErrorCode.ProtocolError, `${name} on stream 0`, frames)
        if (this.length !== 4) {
          return this.fail(ErrorCode.FrameSizeError, `${name} of ${this.length} bytes instead of 4`, frames)
        }
        return this.gather(4)
      }
      case FrameType.GoAway: {
        if (this.streamId !== 0) {
          return this.fail(ErrorCode.ProtocolError, `GOAWAY on stream ${this.streamId}`, frames)
        }
        if (this.length < GOAWAY_FIXED_LENGTH) {
          return this.fail(ErrorCode.FrameSizeError, `GOAWAY of ${this.length} bytes, less than 8`, frames)
        }
        return this.gather(Math.min(this.length, GOAWAY_FIXED_LENGTH + MAX_DEBUG_LENGTH))
      }
      default: {
        this.payload = "skip"
        frames.push({
          _tag: "Unknown",
          type: this.type,
          flags: this.flags,
          streamId: this.streamId,
          length: this.length
        })
      }
    }
  }

  private takePayload(chunk: Uint8Array, at: number, frames: Array<InboundFrame>): number {
    const end = Math.min(chunk.length, at + this.remaining)
    this.remaining -= end - at
    switch (this.payload) {
      case "skip":
        return end
      case "data":
        this.emitData(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end), frames)
        return end
      case "gather": {
        const kept = Math.min(end, at + this.gathered.length - this.gatheredLength)
        this.gathered.set(chunk.subarray(at, kept), this.gatheredLength)
        this.gatheredLength += kept - at
        if (this.remaining === 0) frames.push(this.fixedFrame())
        return end
      }
    }
  }

  private gather(length: number): void {
    this.payload = "gather"
    this.gathered = new Uint8Array(length)
    this.gatheredLength = 0
  }

  private fixedFrame(): InboundFrame {
    const bytes = this.gathered
    this.gathered = NO_BYTES
    switch (this.type) {
      case FrameType.Rst:
        return { _tag: "Rst", streamId: this.streamId, code: uint32(bytes, 0) }
      case FrameType.WindowIncrement:
        return { _tag: "WindowIncrement", streamId: this.streamId, increment: uint32(bytes, 0) & MAX_UINT31 }
      default:
        return {
          _tag: "GoAway",
          lastStreamId: uint32(bytes, 0) & MAX_UINT31,
          code: uint32(bytes, 4),
          debug: bytes.subarray(GOAWAY_FIXED_LENGTH)
        }
    }
  }

  private emitData(payload: Uint8Array, frames: Array<InboundFrame>): void {
    const syn = (this.flags & Flag.Syn) !== 0
    const fin = (this.flags & Flag.Fin) !== 0
    frames.push(new Piece(this.streamId, syn, fin, this.length, payload, this.first, this.remaining === 0))
    this.first = false
  }

  private fail(code: number, message: string, frames: Array<InboundFrame>): void {
    this.failed = true
    this.remaining = 0
    frames.push({
      _tag: "Malformed",
      code,
      type: this.type,
      streamId: this.streamId,
      length: this.length,
      message
    })
  }
}

const byte = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0

const uint32 = (bytes: Uint8Array, at: number): number =>
  ((byte(bytes, at) << 24) | (byte(bytes, at + 1) << 16) | (byte(bytes, at + 2) << 8) | byte(bytes, at + 3)) >>> 0
