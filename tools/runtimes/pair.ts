/** The cases of one pair of runtimes over one medium: a server, a client, and when they are stopped and killed. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import type { Process } from "./process.js"
import { start } from "./process.js"
import type {
  Case,
  ClientSettings,
  Endpoint,
  Medium,
  Request,
  ServerSettings,
  State,
  ToClient
} from "./programs/messages.js"
import { FromClient, FromServer } from "./programs/messages.js"
import type { Project } from "./project.js"
import type { Runtime } from "./runtimes.js"

export interface Pair {
  readonly client: Runtime
  readonly server: Runtime
}

/** How a case went: `failure` is why not. */
export interface Outcome {
  readonly failure: string | undefined
  readonly milliseconds: number
}

/** The milliseconds that a case may take by its own clock; when it does not hold them, its processes are killed. */
const DEADLINE = 20_000
const KILLED_AFTER = 25_000

/** How long a program may take until it says its first line. */
const STARTING = "20 seconds"

/** Gives what runs a case. Processes are started when one needs them, and anew after one that has killed or spoiled them. */
export const make = (
  project: Project,
  pair: Pair,
  medium: Medium
): Effect.Effect<(name: Case) => Effect.Effect<Outcome>, never, Scope.Scope> =>
  Effect.gen(function* () {
    let endpoint: Endpoint | undefined
    const server = yield* slot(
      Effect.gen(function* () {
        const path = join(project.folder, `${randomUUID().slice(0, 8)}.sock`)
        const settings: ServerSettings = { medium, path, key: project.key, cert: project.cert }
        const process = yield* run(pair.server, project, FromServer, project.server, settings)
        const first = yield* process.next
        if (first._tag !== "Listening") return yield* Effect.fail(new Error("the server says no address"))
        endpoint = first.endpoint
        return process
      })
    )
    const client = yield* slot(
      Effect.gen(function* () {
        yield* server.get
        if (endpoint === undefined) return yield* Effect.fail(new Error("the server says no address"))
        const settings: ClientSettings = { endpoint, ca: project.ca, deadline: DEADLINE }
        const process = yield* run(withFlags(pair.client, medium), project, FromClient, project.client, settings)
        yield* process.next
        return process
      })
    )

    const stateOf = (process: Process<FromServer>): Effect.Effect<State, Error> =>
      Effect.flatMap(Effect.zipRight(process.send({ _tag: "TellState" }), process.next), (said) =>
        said._tag === "State" ? Effect.succeed(said) : Effect.fail(new Error("the server does not tell its state"))
      )

    const grant = (request: Request, peer: Process<FromServer>): Effect.Effect<State | null, Error> => {
      switch (request) {
        case "state":
          return stateOf(peer)
        case "stop-server":
          return Effect.as(peer.signal("SIGSTOP"), null)
        case "continue-server":
          return Effect.as(peer.signal("SIGCONT"), null)
        case "kill-server":
          return Effect.as(server.kill, null)
        case "kill-client":
          return Effect.gen(function* () {
            const before = yield* stateOf(peer)
            yield* client.kill
            yield* Effect.flatMap(stateOf(peer), (state) => {
              const rid = state.sessions === 0 && state.parked === 0
              return rid && state.interrupted === before.interrupted + before.parked
                ? Effect.void
                : Effect.fail(new Error(`the server keeps what was the killed client's: ${JSON.stringify(state)}`))
            }).pipe(Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.compose(Schedule.recurs(100)))))
            return null
          })
      }
    }

    const follow = (name: Case): Effect.Effect<string | undefined, Error> =>
      Effect.gen(function* () {
        const peer = yield* server.get
        const process = yield* client.get
        yield* process.send({ _tag: "Run", case: name } satisfies ToClient)
        while (true) {
          const said = yield* process.next
          if (said._tag === "Done") return said.failure ?? undefined
          if (said._tag === "Ask") {
            const state = yield* grant(said.request, peer)
            // who asked for it is gone
            if (said.request === "kill-client") return undefined
            yield* process.send({ _tag: "Answer", state } satisfies ToClient)
          }
        }
      })

    return (name) =>
      Effect.gen(function* () {
        // not a part of the case
        yield* Effect.ignore(Effect.timeout(Effect.zipRight(server.get, client.get), STARTING))
        const started = Date.now()
        const exit = yield* Effect.exit(
          Effect.timeoutFail(follow(name), {
            duration: KILLED_AFTER,
            onTimeout: () => new Error(`a process hangs: it was killed after ${KILLED_AFTER} ms`)
          })
        )
        const failure = Exit.isSuccess(exit) ? exit.value : Cause.pretty(exit.cause)
        const milliseconds = Date.now() - started
        if (failure === undefined) {
          // the next case gets a server that knows nothing of this one, if this one has left anything
          if (!server.isRunning()) yield* client.drop
          return { failure, milliseconds }
        }
        const complaints = [
          ["server", server.complaints()],
          ["client", client.complaints()]
        ].flatMap(([who, text]) => (text === "" ? [] : [`${who}'s standard error: ${text}`]))
        yield* client.drop
        yield* server.drop
        return { failure: [failure, ...complaints].join("\n"), milliseconds }
      })
  })

/** At most one process at a time. */
interface Slot<In> {
  /** The one that runs, or a new one. */
  readonly get: Effect.Effect<Process<In>, Error>
  /** By SIGKILL; completes when it is gone. */
  readonly kill: Effect.Effect<void>
  /** The same, and its complaints are forgotten. */
  readonly drop: Effect.Effect<void>
  readonly isRunning: () => boolean
  readonly complaints: () => string
}

const slot = <In>(make: Effect.Effect<Process<In>, Error, Scope.Scope>): Effect.Effect<Slot<In>, never, Scope.Scope> =>
  Effect.gen(function* () {
    let current: { readonly process: Process<In>; readonly scope: Scope.CloseableScope } | undefined
    const kill = Effect.suspend(() => (current === undefined ? Effect.void : Scope.close(current.scope, Exit.void)))
    const drop = Effect.zipRight(
      kill,
      Effect.sync(() => {
        current = undefined
      })
    )
    yield* Effect.addFinalizer(() => kill)
    return {
      get: Effect.suspend(() => {
        if (current?.process.isRunning() === true) return Effect.succeed(current.process)
        return Effect.gen(function* () {
          yield* drop
          const scope = yield* Scope.make()
          const process = yield* Scope.extend(make, scope).pipe(
            Effect.timeoutFail({ duration: STARTING, onTimeout: () => new Error("a process does not start") }),
            Effect.onError(() => Scope.close(scope, Exit.void))
          )
          current = { process, scope }
          return process
        })
      }),
      kill,
      drop,
      isRunning: () => current?.process.isRunning() === true,
      complaints: () => current?.process.complaints() ?? ""
    }
  })

const run = <In, Encoded>(
  runtime: Runtime,
  project: Project,
  schema: Parameters<typeof start<In, Encoded>>[0],
  program: string,
  settings: object
): Effect.Effect<Process<In>, never, Scope.Scope> =>
  start(schema, runtime.binary, [...runtime.flags, program, JSON.stringify(settings)], project.folder)

/** Node 20 has a global WebSocket only when it is asked for; without it the platform takes the package `ws`. */
const withFlags = (runtime: Runtime, medium: Medium): Runtime =>
  medium === "ws-global" && runtime.name === "node20"
    ? { ...runtime, flags: [...runtime.flags, "--experimental-websocket"] }
    : runtime
