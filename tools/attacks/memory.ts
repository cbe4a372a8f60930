/** Measures the memory that a session holds under attack, in a separate process. */
import type { SessionOptions } from "effect-muxado"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ChildProcess } from "node:child_process"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Application } from "./application.js"
import type { Attack } from "./attack.js"
import { carryOut, judge } from "./attack.js"
import { Peer } from "./peer.js"
import { overTcp } from "./socketPeer.js"
import type { Message, Reply } from "./victim.js"

export interface VictimService {
  /** Sessions that do this are had at the port. */
  readonly serve: (application: Application, options: SessionOptions) => Effect.Effect<number>
  /** What is held from now on is measured against what is held now. */
  readonly mark: Effect.Effect<void>
  /** The most that was held since, and what is held now, in bytes above the mark. */
  readonly measured: Effect.Effect<{ readonly peak: number; readonly now: number }>
}

export class Victim extends Context.Tag("test/Victim")<Victim, VictimService>() {
  static readonly live = Layer.scoped(
    Victim,
    Effect.suspend(() => make)
  )
}

const start: Effect.Effect<ChildProcess, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() =>
    fork(fileURLToPath(new URL("victim.ts", import.meta.url)), {
      execArgv: ["--expose-gc", "--single-threaded-gc", "--import", "tsx"]
    })
  ),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)

const make: Effect.Effect<VictimService, never, Scope.Scope> = Effect.gen(function* () {
  const child = yield* start
  const ask = (message: Message): Effect.Effect<Reply> =>
    Effect.async((resume) => {
      child.once("message", (reply: Reply) => resume(Effect.succeed(reply)))
      child.send(message)
    })
  const numbers = (message: "forget" | "report") =>
    Effect.flatMap(ask(message), (reply) => ("now" in reply ? Effect.succeed(reply) : Effect.dieMessage("no numbers")))
  let mark = 0
  return {
    serve: (application, options) =>
      Effect.flatMap(ask({ application, options }), (reply) =>
        "port" in reply ? Effect.succeed(reply.port) : Effect.dieMessage("no port")
      ),
    mark: Effect.map(numbers("forget"), ({ now }) => void (mark = now)),
    measured: Effect.map(numbers("report"), ({ now, peak }) => ({ now: now - mark, peak: peak - mark }))
  }
})

/** One chunk, and up to 8 192 frames in it: what any input costs while it is dealt with. And what measuring is off by. */
export const DECODING = 1536 * 1024

const attackOnce = (attack: Attack, port: number, verdict: typeof judge) =>
  Effect.gen(function* () {
    const victim = yield* Victim
    const peer = new Peer(yield* overTcp(port), 1)
    yield* peer.fence
    yield* victim.mark
    yield* carryOut(attack, peer)
    const measured = yield* victim.measured
    verdict(attack, peer)
    return measured.peak
  }).pipe(Effect.scoped)

/** The most bytes that the session held because of the attack. The first time, much is only compiled. */
export const peakOf = (attack: Attack, verdict: typeof judge = judge): Effect.Effect<number, never, Victim> =>
  Effect.gen(function* () {
    const victim = yield* Victim
    const port = yield* victim.serve(attack.app ?? "echo", attack.options ?? {})
    yield* attackOnce(attack, port, verdict)
    return yield* attackOnce(attack, port, verdict)
  })

/** A server is attacked, over a real connection. */
export const isMeasured = ({ role, virtual }: Attack): boolean => role === undefined && virtual === undefined
