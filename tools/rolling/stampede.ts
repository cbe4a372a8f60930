/** Many clients lose their server at the same moment, and it is back some seconds later. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startChild } from "./child.js"
import { makeFleet } from "./fleet.js"
import type { ToClients } from "./programs/messages.js"
import { FromClients } from "./programs/messages.js"

export interface StampedePlan {
  readonly clients: number
  /** Milliseconds from SIGKILL until the next server listens. */
  readonly outage: number
}

export interface Stampede {
  readonly clients: number
  /** Milliseconds from SIGKILL until the next server did listen. */
  readonly outage: number
  /** For each client that tried to connect after the outage: when its first attempt began, in milliseconds after it. */
  readonly first: ReadonlyArray<number>
  /** The same for all attempts. */
  readonly attempts: ReadonlyArray<number>
  /** When each client that was connected in the end had its session, in milliseconds after the outage. */
  readonly ready: ReadonlyArray<number>
  /** The CPU time of the server in milliseconds: until it listened, and until all clients were connected. */
  readonly cpu: { readonly start: number; readonly end: number }
  /** The CPU time of the first server for the same number of clients, which connect at once. */
  readonly firstCpu: number
}

/** The clients of one process. */
const CLIENTS_OF_A_PROCESS = 500

/** How long the tool waits until all clients are connected, in seconds. */
const PATIENCE = 180

export const stampede = (plan: StampedePlan, note: (line: string) => void): Effect.Effect<Stampede, never, never> =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "muxado-rolling-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )
    return yield* Effect.scoped(run(plan, join(directory, "executed"), note))
  }).pipe(Effect.scoped)

const run = (plan: StampedePlan, log: string, note: (line: string) => void) =>
  Effect.gen(function* () {
    const fleet = yield* makeFleet({ handover: "Anew", log })
    const server = yield* fleet.start
    const { port } = yield* server.listen
    const cpuBefore = yield* server.cpu
    const crowds = yield* Effect.forEach(crowdsOf(plan.clients), (clients) => startCrowd(port, clients))
    const reports = Effect.forEach(crowds, ({ report }) => report, { concurrency: "unbounded" })
    const connected = Effect.gen(function* () {
      for (let second = 0; second < PATIENCE; second++) {
        const now = yield* reports
        const count = now.reduce((sum, { connected }) => sum + connected, 0)
        note(`stampede: ${count} of ${plan.clients} clients are connected`)
        if (count === plan.clients) return now
        yield* Effect.sleep("1 second")
      }
      return yield* reports
    })
    yield* connected
    const firstCpu = (yield* server.cpu) - cpuBefore
    const next = yield* fleet.start
    for (const { tell } of crowds) tell({ _tag: "Forget" })
    yield* server.signal("SIGKILL")
    yield* server.ended
    const lostAt = Date.now()
    note(`stampede: the server was killed`)
    yield* Effect.sleep(plan.outage)
    const { at } = yield* next.listen
    const start = yield* next.cpu
    note(`stampede: the next server listens`)
    const end = yield* connected
    const cpu = { start, end: yield* next.cpu }
    for (const { tell } of crowds) tell({ _tag: "End" })
    yield* Effect.forEach(crowds, ({ ended }) => ended, { discard: true })
    yield* next.signal("SIGTERM")
    yield* next.ended
    const after = end.flatMap(({ dials }) => dials.map((times) => times.filter((time) => time >= at)))
    return {
      clients: plan.clients,
      outage: at - lostAt,
      first: after.flatMap((times) => times.slice(0, 1)).map((time) => time - at),
      attempts: after.flat().map((time) => time - at),
      ready: end.flatMap(({ ready }) => ready.filter((time) => time >= at)).map((time) => time - at),
      cpu,
      firstCpu
    }
  })

const crowdsOf = (clients: number): ReadonlyArray<number> => {
  const processes = Math.ceil(clients / CLIENTS_OF_A_PROCESS)
  return Array.from({ length: processes }, (_, i) => Math.floor((clients + i) / processes))
}

interface Crowd {
  readonly tell: (message: ToClients) => void
  readonly report: Effect.Effect<FromClients>
  readonly ended: Effect.Effect<number>
}

const startCrowd = (port: number, clients: number): Effect.Effect<Crowd, never, Scope.Scope> =>
  Effect.gen(function* () {
    let reported = Deferred.unsafeMake<FromClients>(FiberId.none)
    const child = yield* startChild({
      program: "clients.ts",
      settings: { port, clients },
      says: FromClients,
      onMessage: (message) => void Deferred.unsafeDone(reported, Exit.succeed(message))
    })
    const tell = (message: ToClients): void => void child.process.send(message)
    const report = Effect.suspend(() => {
      reported = Deferred.unsafeMake(FiberId.none)
      tell({ _tag: "Report" })
      return Deferred.await(reported)
    })
    return { tell, report, ended: child.ended }
  })

/** One line for each violation. */
export const judgeStampede = ({ clients, first, ready }: Stampede): ReadonlyArray<string> => [
  ...(first.length === clients ? [] : [`${clients - first.length} clients did not try to connect again`]),
  ...(ready.length === clients ? [] : [`${clients - ready.length} clients were not connected in the end`])
]
