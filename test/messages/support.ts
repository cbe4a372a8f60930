/** Streams whose ends carry messages, and streams of raw bytes. */
import type { MuxStream, SessionOptions } from "effect-muxado"
import type { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import { makePair } from "../support/session/sessions.js"

/** One stream between two sessions, both ends of it. */
export const makeStreams = (options: { link?: SimulatedTransport.Options; both?: SessionOptions } = {}) =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair(options)
    const near: MuxStream.MuxStream = yield* client.open()
    const far: MuxStream.MuxStream = yield* server.accept
    return { near, far, client, server }
  })

/** A MessagePack message: the length, and the bytes. */
export const prefixed = (bytes: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(4 + bytes.length)
  new DataView(frame.buffer).setUint32(0, bytes.length)
  frame.set(bytes, 4)
  return frame
}
