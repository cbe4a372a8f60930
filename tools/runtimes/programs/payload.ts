/** Bytes from a seed, and digests. */
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"

/** Longer than 64 KiB, at which buffers and windows tend to end. */
const CHUNK = 100_000

/** `total` bytes in chunks; `seed` is not 0. */
export function* chunksOf(seed: number, total: number): Generator<Uint8Array> {
  let x = seed
  for (let sent = 0; sent < total; sent += CHUNK) {
    const bytes = new Uint8Array(Math.min(CHUNK, total - sent))
    for (let i = 0; i < bytes.length; i++) {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
      bytes[i] = x
    }
    yield bytes
  }
}

export const bytesOf = (seed: number, total: number): Uint8Array => {
  const all = new Uint8Array(total)
  let at = 0
  for (const chunk of chunksOf(seed, total)) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

export interface Digest {
  readonly digest: string
  readonly bytes: number
}

export const digestOf = (chunks: Iterable<Uint8Array>): Digest => {
  const hash = createHash("sha256")
  let bytes = 0
  for (const chunk of chunks) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { digest: hash.digest("hex"), bytes }
}

/** Writes the bytes of a seed, and finishes. */
export const send = (stream: MuxStream.MuxStream, seed: number, total: number) =>
  Stream.run(Stream.fromIterable({ [Symbol.iterator]: () => chunksOf(seed, total) }), MuxStream.toSink(stream))

/** Reads to the end. */
export const receive = (stream: MuxStream.MuxStream) =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    let bytes = 0
    return Stream.runForEach(MuxStream.toStream(stream), (chunk) =>
      Effect.sync(() => {
        hash.update(chunk)
        bytes += chunk.length
      })
    ).pipe(Effect.map((): Digest => ({ digest: hash.digest("hex"), bytes })))
  })
