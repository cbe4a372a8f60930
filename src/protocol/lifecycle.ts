/**
 * The state of a session, and what the two sides have said of its end.
 *
 * ```text
 *            Drain                 Close                 End
 *   Open ─────────────► Draining ─────────► Closing ─────────► Ended
 *    │ Close ──────────────────────────────────▲                 ▲
 *    └ End, from anywhere ───────────────────────────────────────┘
 * ```
 *
 * Draining opens and takes no streams. Closing has failed every stream here and flushes what they had accepted. Ended is
 * final.
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

/** A command that comes late (a second close, a drain after the end) has no transition, and changes nothing. */
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
 * Which phase a session is in, and its two farewells.
 *
 * @since 0.1.0
 * @category models
 */
export class Lifecycle {
  private phase: Phase = OPEN
  private idleSeen = false

  /** What this side says of why it leaves. */
  private said: Closed = { _tag: "Closed" }
  /** The last id in our first GOAWAY: from then on no stream of the peer is taken. */
  private lastTaken: number | undefined = undefined
  /** What the peer has said. */
  private heard: GoneAway | undefined = undefined

  // --- transitions; each says whether it happened

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

  /** Streams of the peer are refused because this side leaves, which a peer cannot know at once. */
  get isLeaving(): boolean {
    return this.phase._tag !== "Open"
  }

  /** New streams of the peer may be taken. */
  get takesStreams(): boolean {
    return this.phase._tag === "Open" && this.lastTaken === undefined
  }

  /** Heartbeats and GOAWAY may still be sent. */
  get isTalking(): boolean {
    return this.phase._tag === "Open" || this.phase._tag === "Draining"
  }

  /** Why the session is over, once it is. */
  get end(): SessionEnd | undefined {
    return this.phase._tag === "Ended" ? this.phase.end : undefined
  }

  /** Why no more streams are opened or taken here, once that is so. */
  get refusal(): SessionEnd | undefined {
    return this.phase._tag === "Ended" ? this.phase.end : this.phase._tag === "Open" ? undefined : this.said
  }

  /** The end that this side's own leaving is. */
  get closed(): Closed {
    return this.said
  }

  /** What the peer has said in its GOAWAYs, as one. */
  get remoteGoAway(): GoneAway | undefined {
    return this.heard
  }

  /** What a GOAWAY of the peer means for the end of the session; `undefined` while there was none. */
  get remoteEnd(): SessionEnd | undefined {
    return this.heard === undefined ? undefined : endBy(this.heard)
  }

  /** The session drains, and has not been seen with nothing left to do. */
  get awaitsIdle(): boolean {
    return this.phase._tag === "Draining" && !this.idleSeen
  }

  seeIdle(): void {
    this.idleSeen = true
  }

  // --- what was said

  /** This side says why it leaves. The first reason that says something stays, for every GOAWAY and for this side. */
  say(code: ErrorCode, debug: string): void {
    if (this.said.code !== undefined || (code === ErrorCode.NoError && debug === "")) return
    this.said = { _tag: "Closed", code, debug }
  }

  /** A GOAWAY of this side. A later one does not raise the last id, since no streams are taken after the first. */
  goAwayFrame(highestRemote: number, code: ErrorCode, text: string): GoAway {
    this.lastTaken ??= highestRemote
    return goAway(this.lastTaken, code, debugBytes(text))
  }

  /** The peer has sent GOAWAY. Gives what all of its GOAWAYs mean together. */
  hear(goneAway: GoneAway): GoneAway {
    this.heard = goneAwayAgain(this.heard, goneAway)
    return this.heard
  }
}
