/** What holds when the faults have stopped: every managed session connects again, and keeps nothing too much. */
import type { ManagedSession } from "effect-muxado"
import * as Effect from "effect/Effect"
import type { Desk } from "./callers.js"
import { callCalmly } from "./callers.js"
import type { Client } from "./client.js"
import { hurry } from "./faults.js"
import type { Network } from "./network.js"
import type { World } from "./profile.js"

/** What connecting takes beyond the limits of the options: latency, and a connection that is slow, in milliseconds. */
const SLACK = 8000

/** Waits until the condition holds at `times` looks in a row. */
const until = (
  client: Client,
  limit: number,
  what: () => string,
  times: number,
  holds: () => Effect.Effect<boolean>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { engine } = client.run
    const began = engine.now
    for (let quiet = 0; quiet < times;) {
      quiet = (yield* holds()) ? quiet + 1 : 0
      client.insist(engine.now - began <= limit, `not after ${limit} ms: ${what()}`)
      yield* Effect.sleep(97)
    }
  })

/** By then a managed session has noticed what is lost, has waited, and has connected. */
const recovery = ({ longestDelay, profile: { connectTimeout, probeTimeout } }: Client, world: World): number => {
  const notices = world.typed ? world.heartbeat.interval + world.heartbeat.tolerance : 0
  return Math.max(notices, connectTimeout) + longestDelay + connectTimeout + probeTimeout + SLACK
}

const isOver = ({ status: { _tag } }: Client): boolean => _tag === "Failed" || _tag === "Closed" || _tag === "Draining"

export const rest = (desk: Desk, network: Network): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { client, session, world } = desk
    if (client.histories.some(({ hasFailed }) => hasFailed)) {
      if (client.run.random.chance(0.3)) return
      yield* hurry(client, session)
      yield* until(
        client,
        recovery(client, world),
        () => "no end of Failed",
        1,
        () => Effect.sync(() => client.status._tag !== "Failed" || slotsOf(client) === 0)
      )
    }
    yield* connected(desk)
    yield* quiet(desk, network)
    if (isOver(client)) return
    if (!isWanted(client)) {
      // nobody wants a session: it must not come back before somebody does
      const idle = Effect.suspend(() => {
        if (client.status._tag === "Idle" || isOver(client)) return Effect.succeed(true)
        // a session that replaces another may just be made
        return Effect.as(cutOwn(client, network), false)
      })
      yield* until(
        client,
        recovery(client, world),
        () => `Idle, but ${client.status._tag}`,
        1,
        () => idle
      )
      if (isOver(client)) return
      yield* callCalmly(desk)
    } else {
      yield* cutOwn(client, network)
    }
    yield* connected(desk)
    yield* quiet(desk, network)
  })

/** The slots that have not given up. */
const slotsOf = ({ histories }: Client): number => histories.filter(({ isOver: gaveUp }) => !gaveUp).length

const isWanted = ({ profile: { onDemand, serves } }: Client): boolean => !onDemand || serves !== "no"

const cutOwn = (client: Client, network: Network) =>
  Effect.forEach(
    network.open.filter((connection) => connection.client === client),
    ({ link }) => link.cut,
    { discard: true }
  )

/** It becomes Connected by itself, or as soon as somebody calls. */
const connected = (desk: Desk): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { client, world } = desk
    const all = () => (isWanted(client) ? slotsOf(client) : 1)
    if (!isWanted(client) && client.status._tag === "Idle") yield* callCalmly(desk)
    yield* until(
      client,
      recovery(client, world),
      () => `Connected with ${all()} sessions, but ${JSON.stringify(client.status)}`,
      1,
      () =>
        Effect.sync(
          () =>
            isOver(client) ||
            (client.status._tag === "Connected" && client.isHealthy() && client.status.sessions >= all()) ||
            (!isWanted(client) && client.status._tag === "Idle")
        )
    )
    if (!isOver(client) && client.status._tag === "Connected") yield* callCalmly(desk)
  })

/** One session for each slot, none more, and no stream. */
const quiet = (desk: Desk, network: Network): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { client, session, world } = desk
    const { moveGrace } = client.profile
    let seen = ""
    const look = Effect.gen(function* () {
      const stats = yield* session.stats
      const own = network.open.filter((connection) => connection.client === client)
      const streams = stats.inboundStreams + stats.outboundStreams + stats.backlog + stats.bufferedBytes
      const sessions = sessionsOf(session)
      seen = `${own.length} connections and ${sessions} sessions for ${slotsOf(client)} slots, with ${JSON.stringify(stats)}`
      if (isOver(client)) return true
      const enough = isWanted(client) ? own.length === slotsOf(client) : own.length <= slotsOf(client)
      return enough && own.length === sessions && streams === 0 && client.dialling === 0
    })
    const ends = moveGrace + 3 * client.profile.closeTimeout
    return until(
      client,
      recovery(client, world) + ends,
      () => `at rest, but ${seen}`,
      4,
      () => look
    )
  })

/** How many sessions it has, also those that end. */
export const sessionsOf = (session: ManagedSession.ManagedSessionService): number => {
  const shown = session.toJSON()
  return typeof shown === "object" && shown !== null && "sessions" in shown ? Number(shown.sessions) : NaN
}
