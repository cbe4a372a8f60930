/** A peer that sends any bytes over any medium, and records the frames that come back. */
import * as Effect from "effect/Effect"
import { data, HEARTBEAT, syn, uint32s } from "./bytes.js"
import type { Seen } from "./seen.js"

export interface Medium {
  readonly seen: Seen
  /** Waits for room; false when nothing can be sent any more. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<boolean>
  /** Ends this side in order; what comes back is still seen. */
  readonly end: Effect.Effect<void>
  /** From now on nothing is taken of what comes back, until the effect that this gives. */
  readonly stopReading: Effect.Effect<Effect.Effect<void>>
}

/** What is sent at once. */
const CHUNK = 32 * 1024

export class Peer {
  private fences = 0

  /** Of its streams, the first is kept for heartbeats: 1 to a server, 2 to a client. */
  constructor(
    private readonly medium: Medium,
    readonly fenceId: 1 | 2
  ) {}

  get seen(): Seen {
    return this.medium.seen
  }

  get end(): Effect.Effect<void> {
    return this.medium.end
  }

  get stopReading(): Effect.Effect<Effect.Effect<void>> {
    return this.medium.stopReading
  }

  send(...parts: ReadonlyArray<Uint8Array>): Effect.Effect<boolean> {
    return Effect.suspend(() => this.medium.write(Buffer.concat(parts)))
  }

  /** So many times, or until the session is over; gives how often that was. */
  flood(count: number, parts: (round: number) => ReadonlyArray<Uint8Array>): Effect.Effect<number> {
    return Effect.gen(this, function* () {
      let round = 0
      while (round < count && !this.seen.isOver) {
        const chunk: Array<Uint8Array> = []
        let length = 0
        for (; round < count && length < CHUNK; round++) {
          for (const part of parts(round)) {
            chunk.push(part)
            length += part.length
          }
        }
        if (!(yield* this.medium.write(Buffer.concat(chunk)))) return round
      }
      return round
    })
  }

  /** Waits until it is so, or the session is over. */
  until(condition: (seen: Seen) => boolean): Effect.Effect<void> {
    return this.when((seen) => seen.isOver || condition(seen))
  }

  /** Waits until nothing can come back any more. */
  get ended(): Effect.Effect<void> {
    return this.when((seen) => seen.ended)
  }

  /** Waits until all that was sent has been dealt with: the session answers a heartbeat, or is over. */
  get fence(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const nonce = uint32s(++this.fences)
      const beat = this.fences === 1 ? syn(this.fenceId, nonce, HEARTBEAT) : data(this.fenceId, nonce)
      const due = 4 * this.fences
      return Effect.zipRight(
        this.send(beat),
        this.until((seen) => seen.answer(this.fenceId).bytes >= due)
      )
    })
  }

  private when(condition: (seen: Seen) => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const look = (): void => {
        if (condition(this.seen)) resume(Effect.void)
      }
      const forget = this.seen.watch(look)
      look()
      return Effect.sync(forget)
    })
  }
}
