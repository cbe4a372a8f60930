/** Byte transcripts of real peers: their format, their recording and their replay. */
import type { Transport } from "effect-muxado"
import { MuxadoError } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { Signal } from "../../src/internal/support/waiters.js"

/** What the peer sent, and how far this side had got when it came. */
const Chunk = Schema.Struct({ after: Schema.Number, hex: Schema.String })

export const Golden = Schema.Struct({
  implementation: Schema.String,
  version: Schema.String,
  /** Of the peer. */
  role: Schema.Literal("client", "server"),
  program: Schema.String,
  /** What this side let the peer send on each stream at first. */
  window: Schema.Number,
  received: Schema.Array(Chunk),
  /** What this side sent, for whoever wants to read along. */
  sent: Schema.String,
  /** What the program saw. */
  log: Schema.Array(Schema.String)
})

export type Golden = typeof Golden.Type

export const readGolden = (url: URL): Golden =>
  Schema.decodeUnknownSync(Schema.parseJson(Golden))(readFileSync(url, "utf8"))

/**
 * How far a side has got in what it says, however it cuts that into frames: payload bytes, and one for each SYN, FIN,
 * RST and GOAWAY. Increments do not count, their number is a matter of time.
 */
class Progress {
  made = 0
  /** Credit that was given, by stream. */
  readonly granted = new Map<number, number>()
  private readonly decoder = new Decoder()

  add(bytes: Uint8Array): void {
    for (const frame of this.decoder.push(bytes)) {
      if (frame._tag === "Rst" || frame._tag === "GoAway") this.made++
      if (frame._tag === "WindowIncrement") {
        this.granted.set(frame.streamId, (this.granted.get(frame.streamId) ?? 0) + frame.increment)
      }
      if (frame._tag === "Data") {
        this.made += frame.payload.length
        if (frame.first && frame.syn) this.made++
        if (frame.last && frame.fin) this.made++
      }
    }
  }
}

/** A transport that keeps what passes through it. */
export const recording = (transport: Transport.TransportService) => {
  const progress = new Progress()
  const received: Array<typeof Chunk.Type> = []
  const sent: Array<Uint8Array> = []
  const recorded: Transport.TransportService = {
    ...transport,
    read: Effect.map(transport.read, (chunk) => {
      received.push({ after: progress.made, hex: Buffer.from(chunk).toString("hex") })
      return chunk
    }),
    write: (chunks) =>
      Effect.suspend(() => {
        for (const chunk of chunks) {
          sent.push(chunk.slice())
          progress.add(chunk)
        }
        return transport.write(chunks)
      })
  }
  return { transport: recorded, received, sent: () => Buffer.concat(sent).toString("hex") }
}

/** A part of what the peer says, and what it waits for before it says it. */
interface Part {
  readonly bytes: Uint8Array
  readonly after: number
  /** Bytes that it has sent with this, by stream. */
  readonly sent: ReadonlyArray<readonly [streamId: number, total: number]>
}

const partsOf = (golden: Golden, cut: (chunk: Uint8Array) => ReadonlyArray<Uint8Array>): ReadonlyArray<Part> => {
  const decoder = new Decoder()
  const totals = new Map<number, number>()
  return golden.received.flatMap(({ after, hex }) => {
    const chunk = Buffer.from(hex, "hex")
    const touched = new Set<number>()
    for (const frame of decoder.push(chunk)) {
      if (frame._tag !== "Data" || !frame.first) continue
      touched.add(frame.streamId)
      totals.set(frame.streamId, (totals.get(frame.streamId) ?? 0) + frame.length)
    }
    const sent = [...touched].map((id) => [id, totals.get(id) ?? 0] as const)
    return cut(chunk).map((bytes) => ({ bytes, after, sent }))
  })
}

/** The peer of a golden: says what it said, each chunk when this side has got as far as it had then. */
export const replaying = (
  golden: Golden,
  cut: (chunk: Uint8Array) => ReadonlyArray<Uint8Array>
): Transport.TransportService => {
  const progress = new Progress()
  const advanced = new Signal()
  const parts = partsOf(golden, cut)
  const isDue = ({ after, sent }: Part): boolean =>
    progress.made >= after && sent.every(([id, total]) => total <= golden.window + (progress.granted.get(id) ?? 0))
  let next = 0
  const read: Transport.TransportService["read"] = Effect.suspend(() => {
    const part = parts[next]
    if (part === undefined) {
      return new MuxadoError.TransportFailed({ reason: "Ended", initiator: "Remote", processed: "maybe" })
    }
    if (!isDue(part)) return Effect.zipRight(advanced.wait, read)
    return Effect.sync(() => {
      next++
      return part.bytes
    })
  })
  return {
    read,
    write: (written) =>
      Effect.sync(() => {
        for (const bytes of written) progress.add(bytes)
        advanced.notify()
      }),
    end: Effect.void,
    destroy: Effect.void
  }
}
