/**
 * The phase of a session, and the reasons that both sides have sent for its end.
 *
 * ```text
 *            Drain                 Close                 End
 *   Open ─────────────► Draining ─────────► Closing ─────────► Ended
 *    │ Close ──────────────────────────────────▲                 ▲
 *    └ End, from anywhere ───────────────────────────────────────┘
 * ```
 *
 * A draining session opens and accepts no streams. A closing one has failed every stream on this side, and sends the
 * bytes that they had accepted. Ended is final.
 *
 * @since 0.1.0
 */
import type { Closed, GoneAway, SessionEnd } from "./endReason.js"
import { endBy, goneAwayAgain } from "./endReason.js"
import { ErrorCode } from "./wire/errorCode.js"
import type { GoAway } from "./wire/frame.js"
import { debugBytes, goAway } from "./wire/frame.js"

type Phase =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Draining" }
  | { readonly _tag: "Closing" }
  | { readonly _tag: "Ended"; readonly end: SessionEnd }

type Transition = "Drain" | "Close" | "End"

/** A late command (a second close, a drain after the end) has no transition, and changes nothing. */
const TABLE: { readonly [P in Phase["_tag"]]: ReadonlyArray<Transition> } = {
  Open: ["Drain", "Close", "End"],
  Draining: ["Close", "End"],
  Closing: ["End"],
  Ended: []
}

const OPEN: Phase = { _tag: "Open" }
const DRAINING: Phase = { _tag: "Draining" }
const CLOSING: Phase = { _tag: "Closing" }

/**
 * The phase of one session, and the reason that each side has sent for leaving.
 *
 * @since 0.1.0
 * @category models
 */
export class Lifecycle {
  private phase: Phase = OPEN
  private idleSeen = false

  /** The reason that this side gives for leaving. */
  private said: Closed = { _tag: "Closed" }
  /** The last stream id of our first GOAWAY. From then on no stream of the peer is accepted. */
  private lastTaken: number | undefined = undefined
  /** The peer's GOAWAYs, merged. */
  private heard: GoneAway | undefined = undefined

  // --- transitions; each returns whether it happened

  drain(): boolean {
    return this.move("Drain", DRAINING)
  }

  close(): boolean {
    return this.move("Close", CLOSING)
  }

  finish(end: SessionEnd): boolean {
    return this.move("End", { _tag: "Ended", end })
  }

  private move(transition: Transition, to: Phase): boolean {
    if (!TABLE[this.phase._tag].includes(transition)) return false
    this.phase = to
    return true
  }

  // --- queries

  get isOver(): boolean {
    return this.phase._tag === "Ended"
  }

  get isClosing(): boolean {
    return this.phase._tag === "Closing"
  }

  /** This side has sent a GOAWAY, or it is about to. */
  get hasGoneAway(): boolean {
    return this.lastTaken !== undefined
  }

  /** The session drains, closes or is over. The peer does not know that at once. */
  get isLeaving(): boolean {
    return this.phase._tag !== "Open"
  }

  /** New streams of the peer may be accepted. */
  get takesStreams(): boolean {
    return this.phase._tag === "Open" && this.lastTaken === undefined
  }

  /** Heartbeats and GOAWAY may still be sent. */
  get isTalking(): boolean {
    return this.phase._tag === "Open" || this.phase._tag === "Draining"
  }

  /** Why the session is over; `undefined` before. */
  get end(): SessionEnd | undefined {
    return this.phase._tag === "Ended" ? this.phase.end : undefined
  }

  /** Why this side opens no more streams; `undefined` while it does. */
  get refusal(): SessionEnd | undefined {
    return this.phase._tag === "Ended" ? this.phase.end : this.phase._tag === "Open" ? undefined : this.said
  }

  /** The end of a session that this side closes, with the reason that it gives. */
  get closed(): Closed {
    return this.said
  }

  /** All GOAWAYs of the peer, merged into one; `undefined` before the first. */
  get remoteGoAway(): GoneAway | undefined {
    return this.heard
  }

  /** The reason for the end that the peer's GOAWAYs give; `undefined` before the first. */
  get remoteEnd(): SessionEnd | undefined {
    return this.heard === undefined ? undefined : endBy(this.heard)
  }

  /** The session drains, and `seeIdle` was not called. */
  get awaitsIdle(): boolean {
    return this.phase._tag === "Draining" && !this.idleSeen
  }

  seeIdle(): void {
    this.idleSeen = true
  }

  // --- what was said

  /** Sets the reason why this side leaves. The first one with a code other than NoError or with a text stays. */
  say(code: ErrorCode, debug: string): void {
    if (this.said.code !== undefined || (code === ErrorCode.NoError && debug === "")) return
    this.said = { _tag: "Closed", code, debug }
  }

  /** A GOAWAY of this side. A later one repeats the last id of the first, because no stream is accepted after it. */
  goAwayFrame(highestRemote: number, code: ErrorCode, text: string): GoAway {
    this.lastTaken ??= highestRemote
    return goAway(this.lastTaken, code, debugBytes(text))
  }

  /** The peer has sent GOAWAY. Returns all of its GOAWAYs, merged. */
  hear(goneAway: GoneAway): GoneAway {
    this.heard = goneAwayAgain(this.heard, goneAway)
    return this.heard
  }
}
