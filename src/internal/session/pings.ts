/** Heartbeats that a program sends with `ping`, until they are answered or lost. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { SessionError } from "../../MuxadoError.js"
import { StreamReset } from "../../MuxadoError.js"
import type { Event } from "../../protocol/events.js"
import type { Resume } from "../support/park.js"
import { park } from "../support/park.js"
import { sessionError } from "../stream/toError.js"

type Failure = SessionError | StreamReset

export class Pings {
  private readonly waiting = new Map<number, Resume<number, Failure>>()

  /** `send` sends a heartbeat with a number that is not in use. False if it cannot, and `refused` is why not. */
  constructor(
    private readonly isInUse: (nonce: number) => boolean,
    private readonly send: (nonce: number) => boolean,
    private readonly refused: () => SessionError
  ) {}

  /** Sends a heartbeat and waits for its echo. Its number is `random`, or the next free one. Returns the round trip in ms. */
  ping(random: number): Effect.Effect<number, Failure> {
    return park<number, Failure>((resume) => {
      let nonce = random
      while (this.isInUse(nonce)) nonce = (nonce + 1) >>> 0
      this.waiting.set(nonce, resume)
      if (!this.send(nonce)) this.settle(nonce, Exit.fail(this.refused()))
      return Effect.sync(() => {
        this.waiting.delete(nonce)
      })
    })
  }

  answered({ nonce, roundTrip }: Extract<Event, { _tag: "Pong" }>): void {
    this.settle(nonce, Exit.succeed(roundTrip))
  }

  lost({ failure, nonce, streamId }: Extract<Event, { _tag: "PingLost" }>): void {
    const error =
      failure._tag === "SessionEnded"
        ? sessionError(failure.end, failure.processed)
        : new StreamReset({ ...failure, streamId })
    this.settle(nonce, Exit.fail(error))
  }

  private settle(nonce: number, result: Exit.Exit<number, Failure>): void {
    const resume = this.waiting.get(nonce)
    this.waiting.delete(nonce)
    resume?.(result)
  }
}
