/** One managed session under test: what it promised, and what it has shown so far. */
import type { ManagedSession, Transport } from "effect-muxado"
import * as Schedule from "effect/Schedule"
import type { Run } from "../sessions/run.js"
import { History, isDenied } from "./history.js"
import type { ClientProfile, Delays, World } from "./profile.js"
import { mayFollow } from "./statusTable.js"

/** Delays after EnhanceYourCalm, in milliseconds. */
const CALM = [5000, 10_000] as const

export class Client {
  status: ManagedSession.Status = { _tag: "Idle" }
  /** When it last changed. */
  statusAt = 0
  /** The calls and pings of the program that have not ended. */
  inFlight = 0
  /** The runs of `connect` that have not completed. */
  dialling = 0
  hurriedAt = -1
  /** Whether bytes pass on all of its connections, and servers answer there. */
  isHealthy: () => boolean = () => true
  /** Called for each session that takes calls from now on. */
  onConnected: (event: { readonly peer: Transport.Peer | undefined }) => void = () => undefined
  /** The program has begun to end it. */
  isEnding = false
  readonly histories: ReadonlyArray<History>
  /** The events of each connection. Those of different connections may overtake each other. */
  private readonly emitted: ReadonlyArray<Array<ManagedSession.Event>>
  /** For each connection, the index of the next event that the program reads. */
  private readonly nextRead = new Map<number, number>()

  constructor(
    readonly run: Run,
    readonly number: number,
    readonly profile: ClientProfile,
    world: World
  ) {
    this.emitted = Array.from({ length: profile.size }, () => [])
    this.histories = Array.from(
      { length: profile.size },
      (_, slot) => new History(run, `${this.name} connection ${slot}`, profile, world.lastIds, () => this.hurriedAt)
    )
  }

  get name(): string {
    return `managed session ${this.number}`
  }

  /** The options of the managed session, but for `connect` and those of its sessions. */
  get options(): ManagedSession.ManagingOptions {
    const { delays, isFinal, maxAge, onDemand, ...profile } = this.profile
    const { connectTimeout, healthyAfter, maxWaiting, moveGrace, openTimeout, probeAfter, probeTimeout } = profile
    return {
      dial: onDemand ? "OnDemand" : "AtOnce",
      ...(delays === undefined ? {} : { reconnect: scheduleOf(delays) }),
      ...(isFinal ? { isFinal: isDenied } : {}),
      ...(maxAge === undefined ? {} : { maxAge }),
      ...{ connectTimeout, healthyAfter, maxWaiting, moveGrace, openTimeout, probeAfter, probeTimeout },
      ...{ size: profile.size, verify: profile.verify, retry: profile.retry },
      maxOutboundStreams: profile.maxOutboundStreams,
      ...{ drainTimeout: profile.drainTimeout, closeTimeout: profile.closeTimeout }
    }
  }

  /** The longest delay before an attempt. */
  get longestDelay(): number {
    return Math.max(CALM[1], this.profile.delays?.cap ?? 30_000)
  }

  see(event: ManagedSession.Event): void {
    // a probe may still run when the events have ended
    if (event._tag !== "ProbeFailed") this.emitted[event.connection]?.push(event)
    this.run.tell(`${this.name} connection ${event.connection}: ${show(event)}`)
    this.run.outcome(`event ${event._tag}${event._tag === "Moving" ? ` ${event.reason}` : ""}`)
    this.histories[event.connection]?.see(event)
    if (event._tag === "Connected") this.onConnected(event)
  }

  /** The program has read an event: they come in order, and none is left out. */
  read(event: ManagedSession.Event): void {
    if (event._tag === "ProbeFailed") return
    const emitted = this.emitted[event.connection] ?? []
    const at = this.nextRead.get(event.connection) ?? emitted.indexOf(event)
    this.insist(emitted[at] === event, `the events do not come in order: ${show(event)}`)
    this.nextRead.set(event.connection, at + 1)
  }

  /** The program has read all events. */
  readAll(): void {
    for (const [connection, next] of this.nextRead) {
      const emitted = this.emitted[connection]?.length ?? 0
      this.insist(next === emitted, `${emitted - next} events of connection ${connection} are lost`)
    }
  }

  move(before: ManagedSession.Status, after: ManagedSession.Status): void {
    const { now, wallAhead } = this.run.engine
    this.run.tell(`${this.name}: ${before._tag} -> ${show(after)}`)
    this.run.outcome(`status ${after._tag}`)
    this.status = after
    this.statusAt = now
    this.insist(mayFollow(before._tag, after._tag, this.profile), `${after._tag} may not follow ${before._tag}`)
    switch (after._tag) {
      case "Connected":
        this.insist(after.sessions >= 1 && after.sessions <= this.profile.size, `${after.sessions} sessions`)
        return
      case "Connecting":
        return this.insist(after.attempt >= 1, `attempt ${after.attempt}`)
      case "Backoff":
        // a delay that is shortened may be nearly over
        return before._tag === "Backoff" ? undefined : this.backsOff(after.attempt, after.until - now - wallAhead)
      case "Failed":
        return this.insist(isDenied(after.error) || this.profile.delays !== undefined, "Failed, and no error was final")
      default:
        return
    }
  }

  private backsOff(attempt: number, delay: number): void {
    const { delays, size } = this.profile
    if (size > 1) return
    this.insist(delay >= 20 - 1, `a delay of ${delay} ms`)
    if (delays === undefined || (delay >= CALM[0] - 1 && delay <= CALM[1] + 1)) return
    // the loss of a healthy session is no failure, and has the first delay
    const allowed = [attempt, attempt + 1].filter((n) => n >= 1).map((n) => Math.max(20, delayOf(delays, n)))
    this.insist(
      allowed.some((one) => Math.abs(one - delay) <= 1),
      `a delay of ${delay} ms after ${attempt} failures, not ${allowed.join(" or ")}`
    )
  }

  insist(holds: boolean, promise: string): void {
    this.run.insist(holds, `${this.name}: ${promise}`)
  }
}

const delayOf = ({ base, cap }: Delays, failures: number): number => Math.min(cap, base * 2 ** (failures - 1))

const scheduleOf = ({ base, cap, most }: Delays): Schedule.Schedule<unknown> => {
  const delays = Schedule.union(Schedule.exponential(base), Schedule.spaced(cap))
  return most === Infinity ? delays : Schedule.intersect(delays, Schedule.recurs(most))
}

const show = (value: object): string =>
  JSON.stringify(value, (key, part: unknown) => {
    if (key === "connection" || key === "peer" || typeof part === "function") return undefined
    return part instanceof Error ? `${part.name}: ${part.message.slice(0, 80)}` : part
  })
