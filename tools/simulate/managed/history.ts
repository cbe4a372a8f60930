/** What one connection of a managed session has done, by its events, and the rules that its events keep. */
import { ErrorCode, type ManagedSession, type MuxadoError } from "effect-muxado"
import type { Run } from "../sessions/run.js"
import type { ClientProfile } from "./profile.js"

/** The least delay between two attempts, and after EnhanceYourCalm, in milliseconds. */
const LEAST = 20
const CALM = 5000

/** The age from which a session whose peer drains is no failure, whatever `healthyAfter` says, in milliseconds. */
const LEAVES_WELL = 1000

/** Times are only equal up to rounding. */
const EPSILON = 1

export class Denied extends Error {
  override readonly name = "Denied"
}

export const isDenied = (error: MuxadoError.SessionFailure): boolean =>
  error._tag === "TransportFailed" && error.cause instanceof Denied

const isCalm = (error: MuxadoError.SessionError): boolean =>
  "code" in error && error.code === ErrorCode.EnhanceYourCalm && error.initiator === "Remote"

export class History {
  /** How many failures the next attempt may follow. */
  private failures: ReadonlyArray<number> = [0]
  /** The least delay before the next attempt, and since when. */
  private wait: { readonly since: number; readonly least: number } | undefined
  private connectedAt: number | undefined
  /** It has given up. */
  isOver = false
  /** Its last error was final. */
  hasFailed = false

  constructor(
    private readonly run: Run,
    private readonly name: string,
    private readonly options: ClientProfile,
    private readonly lastIds: number | undefined,
    /** When the program last asked for a connection without delay. */
    private readonly hurriedAt: () => number
  ) {}

  see(event: ManagedSession.Event): void {
    const { now } = this.run.engine
    // a probe may still run when its session is lost
    if (event._tag === "ProbeFailed") return
    this.insist(!this.isOver, `${event._tag} after it gave up`)
    this.hasFailed = event._tag === "ConnectFailed" && this.options.isFinal && isDenied(event.error)
    switch (event._tag) {
      case "Connected":
        this.attempt(event.attempt, now - event.took)
        this.connectedAt = now
        return
      case "ConnectFailed":
        this.attempt(event.attempt, now)
        this.failures = this.hasFailed ? [0] : [event.attempt]
        this.wait = { since: now, least: isCalm(event.error) ? CALM : LEAST }
        return
      case "Lost": {
        const age = this.ageOf(event._tag)
        this.insist(Math.abs(event.lived - age) <= EPSILON, `Lost after ${event.lived} ms, which were ${age} ms`)
        const least = this.leastAge(event.error)
        this.ended(age, isCalm(event.error) ? "Yes" : "No", { least, most: least })
        this.wait = { since: now, least: isCalm(event.error) ? CALM : LEAST }
        this.connectedAt = undefined
        return
      }
      case "Moving":
        return this.moving(event.reason, this.ageOf(event._tag))
      case "GaveUp":
        this.isOver = true
        this.insist((this.options.delays?.most ?? Infinity) < Infinity, "it gave up, and its schedule has no end")
        return
    }
  }

  private moving(reason: ManagedSession.MoveReason, age: number): void {
    const { healthyAfter, maxAge = Infinity } = this.options
    const leavesAfter = Math.min(healthyAfter, LEAVES_WELL)
    switch (reason) {
      case "Age":
        this.insist(age >= 0.9 * maxAge - EPSILON, `replaced because of its age, after ${age} ms`)
        this.insist(age <= 1.1 * maxAge + EPSILON, `replaced only after ${age} ms`)
        this.failures = [0]
        this.wait = undefined
        return
      case "StreamIds":
        this.insist(this.lastIds !== undefined, "replaced because of its ids, of which there are many")
        this.failures = [0]
        this.wait = undefined
        return
      case "GoAway":
        this.wait = age < leavesAfter - EPSILON ? { since: this.run.engine.now, least: LEAST } : undefined
        // the event does not say with which code the peer leaves
        this.ended(age, "Perhaps", { least: leavesAfter, most: healthyAfter })
        this.connectedAt = undefined
    }
  }

  private attempt(attempt: number, start: number): void {
    this.insist(this.failures.includes(attempt - 1), `attempt ${attempt} after ${this.failures.join(" or ")} failures`)
    if (this.wait === undefined || this.hurriedAt() >= this.wait.since) return
    const { least, since } = this.wait
    this.insist(start - since >= least - EPSILON, `an attempt ${start - since} ms after a failure, not ${least}`)
  }

  /** A session has ended by itself, at this age. */
  private ended(
    age: number,
    asksForCalm: "Yes" | "No" | "Perhaps",
    /** From `most` on, its end is no failure; before `least` it is one. */
    { least, most }: { readonly least: number; readonly most: number }
  ): void {
    const more = this.failures.map((failures) => failures + 1)
    const early = age <= most + EPSILON ? more : []
    const calm = asksForCalm === "No" ? [] : more
    const healthy = age >= least - EPSILON && asksForCalm !== "Yes" ? [0] : []
    this.failures = [...new Set([...early, ...calm, ...healthy])]
  }

  /** The age from which the end of a session is no failure. */
  private leastAge(error: MuxadoError.SessionError): number {
    const { healthyAfter } = this.options
    const leaves = error._tag === "RemoteGoneAway" && error.code === ErrorCode.NoError
    return leaves ? Math.min(healthyAfter, LEAVES_WELL) : healthyAfter
  }

  private ageOf(event: string): number {
    const { connectedAt } = this
    this.insist(connectedAt !== undefined, `${event} without a session`)
    return this.run.engine.now - (connectedAt ?? 0)
  }

  private insist(holds: boolean, promise: string): void {
    this.run.insist(holds, `${this.name}: ${promise}`)
  }
}
