/** What goes wrong in the network, at the times that the seed has chosen. */
import { ErrorCode } from "effect-muxado"
import type { ManagedSession } from "effect-muxado"
import * as Effect from "effect/Effect"
import type { Run } from "../sessions/run.js"
import type { Client } from "./client.js"
import type { Connection, Network } from "./network.js"
import type { Behaviour, FaultName, World } from "./profile.js"

/** Weathers, of which each connection gets a random part. */
const WEATHERS: ReadonlyArray<readonly [Behaviour, ...ReadonlyArray<Behaviour>]> = [
  ["serve"],
  ["serve", "slow"],
  ["refuse"],
  ["serve", "refuse", "deny"],
  ["hang", "serve"],
  ["stuck", "serve"],
  ["die", "interrupt", "serve"],
  ["silent"],
  ["silent", "drop", "serve"],
  ["goAway", "serve"],
  ["goAway"],
  ["calm", "serve"],
  ["deny"],
  ["serve", "slow", "refuse", "hang", "stuck", "die", "interrupt", "silent", "drop", "goAway", "calm"]
]

/** Jumps of the wall clock in milliseconds: corrections, and a process that was suspended. */
const JUMPS = [-3_600_000, -4000, 4000, 6000, 3_600_000] as const

interface Scene {
  readonly run: Run
  readonly world: World
  readonly network: Network
  readonly clients: ReadonlyArray<{ readonly client: Client; readonly session: ManagedSession.ManagedSessionService }>
}

export const strikeAll = (scene: Scene): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { run, world } = scene
    for (const { at, what } of world.faults) {
      yield* Effect.sleep(Math.max(0, at - run.engine.now))
      run.fault(what)
      yield* strike(scene, what)
    }
  })

const strike = (scene: Scene, what: FaultName): Effect.Effect<void> => {
  const { clients, network, run, world } = scene
  const { random } = run
  const one = random.one(network.open)
  const on = (use: (connection: Connection) => Effect.Effect<unknown>) =>
    one === undefined ? Effect.void : Effect.asVoid(use(one))
  /** Takes its time, while the next faults come. */
  const leave = (use: (session: NonNullable<Connection["session"]>) => Effect.Effect<void>) =>
    on(({ session }) => (session === undefined ? Effect.void : Effect.fork(use(session))))
  switch (what) {
    case "drain":
      return leave((session) => session.drain())
    case "replace":
      return Effect.forEach(network.replace(), ({ session }) => Effect.fork(session?.drain() ?? Effect.void), {
        discard: true
      })
    case "jump":
      return Effect.sync(() => {
        run.engine.wallAhead += random.pick(JUMPS)
      })
    case "hurry": {
      const hurried = random.one(clients)
      if (hurried === undefined) return Effect.void
      return hurry(hurried.client, hurried.session)
    }
    case "cut":
      return on(({ link }) => link.cut)
    case "cutAll":
      return Effect.forEach(network.open, ({ link }) => link.cut, { discard: true })
    case "blackHole":
      return on((connection) => lose(connection, connection.link.blackHole))
    case "blackHoleUp":
      return on((connection) => lose(connection, connection.link.inject({ clientToServer: { blackHole: true } })))
    case "blackHoleDown":
      return on((connection) => lose(connection, connection.link.inject({ serverToClient: { blackHole: true } })))
    case "stall":
      return on((connection) => lose(connection, connection.link.stallWrites))
    case "goAway":
      return leave((session) => session.closeWith({ code: random.pick([ErrorCode.NoError, 256, 4000]), debug: "bye" }))
    case "goAwayStays":
      return leave((session) => session.goAway({ code: random.pick([ErrorCode.NoError, 256]) }))
    case "calm":
      return leave((session) => session.closeWith({ code: ErrorCode.EnhanceYourCalm }))
    case "close":
      return leave((session) => session.close)
    case "restart":
      return Effect.suspend(() => {
        network.downUntil = run.engine.now + random.size(world.calmAt / 2)
        return Effect.forEach(network.replace(), ({ link }) => link.cut, { discard: true })
      })
    case "weather":
      return Effect.sync(() => {
        network.weather = random.one(WEATHERS) ?? ["serve"]
        run.tell(`from now on, a connection is one of: ${network.weather.join()}`)
      })
  }
}

/** The program does not want to wait for the next attempt. */
export const hurry = (client: Client, session: ManagedSession.ManagedSessionService): Effect.Effect<void> =>
  Effect.suspend(() => {
    client.hurriedAt = client.run.engine.now
    return session.reconnect
  })

const lose = (connection: Connection, fault: Effect.Effect<void>): Effect.Effect<void> => {
  connection.isLost = true
  return fault
}

/** The faults are over. What is lost stays lost, where heartbeats can find it out. */
export const calm = ({ network, world }: Pick<Scene, "network" | "world">): Effect.Effect<void> => {
  network.weather = ["serve"]
  network.downUntil = 0
  if (world.typed) return Effect.void
  return Effect.forEach(
    network.open,
    ({ behaviour, isLost, link }) => (isLost || behaviour === "silent" ? link.cut : Effect.void),
    {
      discard: true
    }
  )
}
