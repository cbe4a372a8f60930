/** Replaces servers one after the other while calls are made, by a drain or by SIGKILL. */
import type { ManagedSession } from "effect-muxado"
import { NodeSession } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Certificates } from "../../test/support/certificates.js"
import type { Handover, Server } from "./fleet.js"
import { makeFleet } from "./fleet.js"
import { Calls, underLoad } from "./load.js"
import type { Call } from "./load.js"

export type Medium = "TCP" | "TLS"

/** `"Drain"`: the old server gets SIGTERM. `"Kill"`: it gets SIGKILL. */
export type Ending = "Drain" | "Kill"

export interface Plan {
  readonly medium: Medium
  readonly ending: Ending
  readonly handover: Handover
  readonly replacements: number
  /** Calls each second, over all sessions. */
  readonly rate: number
  readonly sessions: number
  /** Milliseconds from one replacement to the next. */
  readonly every: number
  /** Milliseconds from SIGKILL until the next server listens. */
  readonly down: number
}

/** The way back of one session after SIGKILL, in milliseconds. */
export interface Back {
  /** From the moment when the next server listens to the reply of the next call. */
  readonly took: number
  /** From the same moment to the begin of the attempt that connected. 0 if it had begun before. */
  readonly delay: number
  /** The longest delay of the schedule after the failures of this session. */
  readonly allowed: number
}

/** A request that a server has executed. */
export interface Execution {
  readonly id: number
  readonly attempt: number
}

export interface Found {
  readonly plan: Plan
  readonly calls: ReadonlyArray<Call>
  readonly executions: ReadonlyArray<Execution>
  /** What is wrong with the ends of the servers. */
  readonly servers: ReadonlyArray<string>
  /** Empty after a drain. */
  readonly back: ReadonlyArray<Back>
  /** The attempts to connect that failed. */
  readonly failedConnects: number
}

/** The default schedule of a managed session, in milliseconds: the first delay, and the longest one. */
const FIRST_DELAY = 100
const LONGEST_DELAY = 30_000

/** How long a server may take to end after SIGTERM: `drainTimeout`, `closeTimeout`, and a busy machine. */
const END = "30 seconds"

/**
 * The options of the clients: the defaults for a drain. A killed server lives for some seconds here, and with the default
 * of `healthyAfter`, 10 seconds, each would count as a failed attempt. After SIGKILL a call waits for a session as long
 * as the longest delay of the schedule.
 */
const managing = (ending: Ending): ManagedSession.ManagingOptions =>
  ending === "Drain" ? {} : { healthyAfter: "1 second", openTimeout: LONGEST_DELAY }

/** Everything that it starts has ended when it completes. `note` gets one line for each replacement. */
export const replaceServers = (plan: Plan, certificates: Certificates, note: (line: string) => void) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "muxado-rolling-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )
    const log = join(directory, "executed")
    const calls = new Calls()
    const rest = yield* Effect.scoped(roll(plan, { log, certificates, calls, note }))
    const found: Found = { plan, calls: calls.done, executions: readLog(log), ...rest }
    return found
  }).pipe(Effect.scoped)

interface Parts {
  readonly log: string
  readonly certificates: Certificates
  readonly calls: Calls
  readonly note: (line: string) => void
}

const roll = (plan: Plan, { calls, certificates, log, note }: Parts) =>
  Effect.gen(function* () {
    const { handover, medium } = plan
    const scope = yield* Effect.scope
    const fleet = yield* makeFleet({ handover, log, tls: medium === "TLS" ? certificates.server : undefined })
    let current = yield* fleet.start
    const { port } = yield* current.listen
    const where = { host: "127.0.0.1", port }
    const options = managing(plan.ending)
    const clients = yield* Effect.replicateEffect(
      watched(
        medium === "TLS"
          ? NodeSession.makeTls({ ...where, ca: certificates.ca }, options)
          : NodeSession.makeTcp(where, options)
      ),
      plan.sessions
    )
    const sessions = clients.map(({ session }) => session)
    const back: Array<Back> = []
    const servers: Array<string> = []
    const endings: Array<Fiber.RuntimeFiber<void>> = []
    const replacing = Effect.gen(function* () {
      for (let n = 1; n <= plan.replacements; n++) {
        const next = yield* fleet.start
        yield* Effect.sleep(plan.every)
        for (const client of clients) client.failures = 0
        const listeningAt = yield* plan.ending === "Drain" ? drain(plan, current, next) : kill(plan, current, next)
        if (plan.ending === "Kill") back.push(...(yield* Effect.forEach(clients, wayBack(calls, listeningAt), ALL)))
        endings.push(yield* Effect.forkIn(ending(plan, current, servers), scope))
        const failed = calls.done.filter(({ outcome }) => outcome._tag !== "Answered").length
        note(`${inWords(plan)}: ${n} of ${plan.replacements} replaced, ${calls.done.length} calls, ${failed} failed`)
        current = next
      }
    })
    yield* underLoad(calls, sessions, plan.rate, replacing)
    yield* Effect.forEach(sessions, (session) => session.close, ALL)
    yield* current.signal("SIGTERM")
    yield* ending({ ending: "Drain" }, current, servers)
    yield* Fiber.joinAll(endings)
    const failedConnects = clients.reduce((sum, client) => sum + client.failedConnects, 0)
    return { back, servers, failedConnects }
  })

const ALL = { concurrency: "unbounded" } as const

export const inWords = ({ ending, handover, medium }: Pick<Plan, "ending" | "handover" | "medium">): string =>
  `${medium}, ${handover === "HandedOver" ? "socket handed over" : "listens anew"}, ${ending === "Drain" ? "drain" : "kill -9"}`

/** Replaces the server without a moment in which its clients are not wanted. Returns when the next one listens. */
const drain = ({ handover }: Plan, old: Server, next: Server): Effect.Effect<number> =>
  Effect.gen(function* () {
    if (handover === "HandedOver") {
      const { at } = yield* next.listen
      yield* old.signal("SIGTERM")
      return at
    }
    yield* old.signal("SIGTERM")
    return (yield* next.listen).at
  })

const kill = ({ down }: Plan, old: Server, next: Server): Effect.Effect<number> =>
  Effect.gen(function* () {
    yield* old.signal("SIGKILL")
    yield* old.ended
    yield* Effect.sleep(down)
    return (yield* next.listen).at
  })

/** Waits for the end of a server, and notes what is wrong with it. */
const ending = ({ ending }: Pick<Plan, "ending">, server: Server, faults: Array<string>): Effect.Effect<void> =>
  Effect.timeoutTo(server.ended, {
    duration: END,
    onSuccess: ({ code, signal }) => {
      const expected = ending === "Drain" ? code === 0 : signal === "SIGKILL"
      if (!expected) faults.push(`server ${server.number} ended with ${signal ?? `exit code ${code ?? "?"}`}`)
    },
    onTimeout: () =>
      void faults.push(`server ${server.number} still ran ${END} after SIGTERM: something in it has not ended`)
  })

/** A managed session, and its failures to connect. */
interface Client {
  readonly session: ManagedSession.ManagedSessionService
  /** Since the last replacement. */
  failures: number
  /** In all. */
  failedConnects: number
  /** When the attempt that connected last began, in milliseconds since 1970. */
  dialled: number
}

const watched = <E, R>(making: Effect.Effect<ManagedSession.ManagedSessionService, E, R>) =>
  Effect.gen(function* () {
    const session = yield* making
    const client: Client = { session, failures: 0, failedConnects: 0, dialled: 0 }
    yield* Effect.forkScoped(
      Stream.runForEach(session.events, (event) =>
        Effect.sync(() => {
          if (event._tag === "Connected") client.dialled = Date.now() - event.took
          if (event._tag !== "ConnectFailed") return
          client.failures++
          client.failedConnects++
        })
      )
    )
    return client
  })

/** Makes the next call of a session, when the next server listens. The call itself is in `calls`, also if it fails. */
const wayBack =
  (calls: Calls, listeningAt: number) =>
  (client: Client): Effect.Effect<Back> =>
    Effect.gen(function* () {
      yield* calls.make(client.session, "Unary", 0)
      const took = Date.now() - listeningAt
      // an attempt that ran when the server began to listen may have failed too
      return {
        took,
        delay: Math.max(0, Math.round(client.dialled - listeningAt)),
        allowed: Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** client.failures)
      }
    })

const readLog = (log: string): ReadonlyArray<Execution> =>
  readFileSync(log, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [id = NaN, attempt = NaN] = line.split(" ").map(Number)
      return { id, attempt }
    })
