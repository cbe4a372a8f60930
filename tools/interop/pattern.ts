/** The bytes that both sides make from a seed, and their digest: see `peers/CONTROL.md`. */
import type { MuxadoError } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createHash } from "node:crypto"

const CHUNK = 64 * 1024

/** Pattern(seed, length), chunk by chunk. */
export class Pattern {
  private state: number
  private left: number

  constructor(seed: number, length: number) {
    this.state = seed >>> 0 === 0 ? 0x9e3779b9 : seed >>> 0
    this.left = length
  }

  /** The next bytes, `undefined` after the last. */
  next(): Uint8Array | undefined {
    if (this.left === 0) return undefined
    const length = Math.min(CHUNK, this.left)
    this.left -= length
    const words = new Uint32Array(Math.ceil(length / 4))
    let state = this.state
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[i] = state
    }
    this.state = state
    return new Uint8Array(words.buffer, 0, length)
  }
}

export interface Digest {
  readonly bytes: number
  readonly sha256: string
}

export const digestOf = (seed: number, length: number): Digest => {
  const pattern = new Pattern(seed, length)
  const hash = createHash("sha256")
  for (let chunk = pattern.next(); chunk !== undefined; chunk = pattern.next()) hash.update(chunk)
  return { bytes: length, sha256: hash.digest("hex") }
}

/** Writes Pattern(seed, length); the stream stays open. */
export const writePattern = (
  stream: MuxStream.MuxStream,
  seed: number,
  length: number
): Effect.Effect<void, MuxadoError.StreamError> => {
  const pattern = new Pattern(seed, length)
  const loop: Effect.Effect<void, MuxadoError.StreamError> = Effect.suspend(() => {
    const chunk = pattern.next()
    return chunk === undefined ? Effect.void : Effect.zipRight(MuxStream.write(stream, chunk), loop)
  })
  return loop
}

/** Reads to the end, and keeps none of it. */
export const readDigest = (stream: MuxStream.MuxStream): Effect.Effect<Digest, MuxadoError.StreamError> =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    let bytes = 0
    const loop: Effect.Effect<Digest, MuxadoError.StreamError> = Effect.flatMap(MuxStream.read(stream), (chunk) => {
      if (Option.isNone(chunk)) return Effect.sync(() => ({ bytes, sha256: hash.digest("hex") }))
      hash.update(chunk.value)
      bytes += chunk.value.length
      return loop
    })
    return loop
  })

/** Writes Pattern(seed, length) and a FIN while it reads to the end: what came back. */
export const exchangePattern = (
  stream: MuxStream.MuxStream,
  seed: number,
  length: number
): Effect.Effect<Digest, MuxadoError.StreamError> =>
  Effect.map(
    Effect.all([readDigest(stream), Effect.zipRight(writePattern(stream, seed, length), MuxStream.finish(stream))], {
      concurrency: "unbounded"
    }),
    ([digest]) => digest
  )
