/** One direction of one stream: the written bytes, and the check that the same bytes are read. */
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { isNoise, noise } from "../noise.js"
import type { Run } from "./run.js"
import { within } from "./concurrency.js"

interface Write {
  readonly sequence: number
  readonly length: number
  /** `Withdrawn` is one that was interrupted or has failed: no part of it may be followed by anything. */
  state: "Pending" | "Done" | "Withdrawn"
}

export class Script {
  private readonly writes: Array<Write> = []
  private finished = false
  /** Where the reader is. */
  private index = 0
  private offset = 0

  constructor(
    private readonly run: Run,
    private readonly name: string
  ) {}

  /** Writes so many bytes; `impatience` milliseconds later, if that is given, it gives up. */
  write(stream: MuxStream.MuxStream, length: number, impatience?: number) {
    return Effect.suspend(() => {
      const write: Write = { sequence: this.sequence(), length, state: "Pending" }
      this.writes.push(write)
      this.run.count("write")
      const writing = MuxStream.write(stream, noise(write.sequence, 0, length)).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            write.state = Exit.isSuccess(exit) ? "Done" : "Withdrawn"
          })
        )
      )
      if (impatience === undefined) return writing
      this.run.count("timeout of a write")
      return Effect.asVoid(within(writing, impatience))
    })
  }

  finish(stream: MuxStream.MuxStream) {
    return Effect.suspend(() => {
      this.willFinish()
      this.run.count("finish")
      return MuxStream.finish(stream)
    })
  }

  /** The end of the scope, or of the handler, finishes it. */
  willFinish(): void {
    this.finished = true
  }

  /** Reads once; false at the end. */
  read(stream: MuxStream.MuxStream) {
    return Effect.map(MuxStream.read(stream), (chunk) => {
      this.run.count("read")
      if (Option.isSome(chunk)) this.take(chunk.value)
      else this.end()
      return Option.isSome(chunk)
    })
  }

  readAll(stream: MuxStream.MuxStream): ReturnType<Script["read"]> {
    return Effect.flatMap(this.read(stream), (more) => (more ? this.readAll(stream) : Effect.succeed(false)))
  }

  /** Bytes have arrived: they must be the next that were written. */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const write = this.writes[this.index]
      if (write === undefined) return this.run.require(false, `${this.name}: bytes that nobody wrote`)
      const piece = bytes.subarray(at, at + write.length - this.offset)
      if (!isNoise(piece, write.sequence, this.offset)) {
        if (write.state !== "Withdrawn" || this.offset > 0) {
          return this.run.require(false, `${this.name}: at ${this.offset} of write ${this.index}: not what was written`)
        }
        this.index++
        continue
      }
      at += piece.length
      this.offset += piece.length
      if (this.offset === write.length) {
        this.index++
        this.offset = 0
      }
    }
  }

  private end(): void {
    this.run.require(this.finished, `${this.name}: an end that nobody made`)
    const rest = this.writes.slice(this.index)
    const all = this.offset === 0 && rest.every((write) => write.state === "Withdrawn" || write.length === 0)
    this.run.require(all, `${this.name}: the end comes before the last byte`)
  }

  /** The first bytes of neighbours differ, so that one which was withdrawn is told from the next. */
  private sequence(): number {
    const last = this.writes.slice(-4).map(({ sequence }) => firstByte(sequence))
    for (;;) {
      const sequence = this.run.sequence()
      if (!last.includes(firstByte(sequence))) return sequence
    }
  }
}

const firstByte = (sequence: number): number | undefined => noise(sequence, 0, 1)[0]
