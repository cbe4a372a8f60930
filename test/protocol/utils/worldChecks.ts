/** What must hold in a `World` after every step, and what must have come of it in the end. */
import { assert } from "@effect/vitest"
import type { End, Link } from "./pair.js"
import type { Side, World } from "./world.js"

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((a, b) => a + b, 0)

export const checkAll = (world: World): void => {
  for (const end of world.ends) {
    checkCounters(world, end)
    for (const side of world.mind(end).sides) {
      if (side.over) continue
      checkWakeUps(world, side)
      if (side.other !== undefined && !side.other.over)
        checkCredit(world, side, side.other, world.pair.peerOf(end).inbound)
    }
  }
}

const checkCounters = (world: World, end: End): void => {
  const { closing, ended, sides } = world.mind(end)
  const stats = end.connection.stats()
  const heartbeats = world.options.typed
  if (ended) {
    const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes } = stats
    assert.deepStrictEqual([backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes], [0, 0, 0, 0, 0])
    return
  }
  assert.strictEqual(stats.backlog, sides.filter((side) => !side.accepted).length, "backlog")
  assert.isAtLeast(stats.queuedBytes, 0)
  // while closing, streams that have failed are kept until they are flushed
  if (closing) return
  const alive = sides.filter((side) => !side.over)
  const inbound = stats.inboundStreams - alive.filter((side) => side.core.initiator === "Remote").length
  assert.isTrue(
    inbound === 0 || (inbound === 1 && heartbeats && end.inbound.withinType),
    `inbound streams: ${inbound} more`
  )
  assert.strictEqual(stats.outboundStreams, alive.filter((side) => side.core.initiator === "Local").length, "outbound")
  const queued = stats.queuedBytes - sum(alive.map((side) => side.sends.accepted - side.sends.taken))
  const buffered =
    stats.bufferedBytes -
    sum(alive.filter((side) => !side.stopped).map((side) => arrived(world, side) - side.receives.read))
  if (heartbeats) {
    assert.isAtLeast(queued, 0, "queued bytes")
    assert.strictEqual(queued % 4, 0, "queued bytes")
    assert.isAtLeast(buffered, 0, "buffered bytes")
    return
  }
  assert.strictEqual(queued, 0, "queued bytes")
  assert.strictEqual(buffered, 0, "buffered bytes")
  assert.isAtMost(stats.queuedBytes, world.options.maxSendBuffer ?? Infinity)
}

/** The payload bytes that have arrived at a side, without the type. */
const arrived = (world: World, side: Side): number => {
  const inFlight = side.end.inbound.payloadInFlight(side.core.id)
  const type = world.options.typed && side.core.initiator === "Remote" ? 4 : 0
  // of the SYN's payload the type arrives first, and no side is shown before it has
  return type === 0 || side.receives.taken > 0 ? side.receives.taken - inFlight : 0
}

const checkWakeUps = (world: World, side: Side): void => {
  const { core, end } = side
  if (side.blockedReader) {
    assert.strictEqual(core.inbound.length, 0, "a blocked reader with bytes must have been told")
    assert.notStrictEqual(core.inboundEnd, "Fin", "a blocked reader at the end must have been told")
  }
  if (side.pending === 0) return
  const waitsForRoom = end.connection.stats().queuedBytes * 2 > (world.options.maxSendBuffer ?? Infinity)
  const waitsForMore = !core.sendWindow.worthwhile && end.connection.nextDeadline() < Infinity
  assert.isTrue(
    core.sendWindow.credit === 0 || waitsForRoom || waitsForMore,
    `a blocked writer with credit ${core.sendWindow.credit} must have been told`
  )
}

/** From `side` to `other`, over `link`. */
const checkCredit = (world: World, side: Side, other: Side, link: Link): void => {
  const { window } = world.options
  const { id } = side.core
  const announced = link.payloadAnnounced(id)
  const { available, consumed } = other.core.receiveWindow
  const known = available + announced + other.core.inbound.length + consumed
  assert.strictEqual(known, window, "the receiver has every byte of its window in one place")
  if (other.core.inboundEnd !== "Open") return
  const type = world.options.typed && side.core.synDue ? 4 : 0
  const spendable = side.core.sendWindow.credit + side.core.outbound.length + type
  const unannounced = link.payloadInFlight(id) - announced
  const granted = side.end.inbound.creditInFlight(id)
  const toBeGranted = available - spendable - unannounced - granted
  assert.isAtLeast(toBeGranted, 0, "the sender has no credit that the receiver did not give")
  if (!other.end.connection.hasFrames) assert.strictEqual(toBeGranted, 0, "credit that was given is under way")
}

/** Lets everything go on to its end, and checks that it got there. */
export const finishAll = (world: World): void => {
  for (let progress = true; progress;) {
    progress = step(world)
    checkAll(world)
  }
  const closed = world.ends.filter((end) => world.mind(end).ended)
  if (closed.length > 0) {
    for (const end of world.ends) {
      end.connection.transportFailed({
        _tag: "TransportFailed",
        reason: "Ended",
        cause: undefined,
        initiator: "Remote"
      })
    }
    world.hear()
  }
  for (const end of world.ends) {
    for (const side of world.mind(end).sides) {
      while (world.read(side));
      checkOutcome(world, side)
    }
    const { pings } = world.mind(end)
    assert.deepStrictEqual([...pings], [], "every heartbeat was answered or lost")
    const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = end.connection.stats()
    assert.deepStrictEqual([backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes], [0, 0, 0, 0, 0])
    assert.isAtMost(tableSize, world.options.typed ? 2 : 0, "nothing is left but heartbeat streams")
  }
}

/** Everything that anyone can do now; whether something was done. */
const step = (world: World): boolean => {
  let progress = false
  for (const end of world.ends) {
    const { sides } = world.mind(end)
    for (const side of sides) {
      if (!side.accepted) {
        world.accept(end)
        progress = true
      }
      if (!side.sawEnd && !side.stopped && !side.blockedReader && side.core.failure === undefined) {
        while (world.read(side)) progress = true
        progress ||= side.sawEnd
      }
      if (side.pending === 0 && !side.over && !side.sends.finished) {
        world.finish(side)
        progress = true
      }
    }
    if (end.connection.hasFrames) {
      world.send(end, 100_000)
      progress = true
    }
    if (end.inbound.length > 0) {
      end.deliver(Infinity)
      progress = true
    }
    world.hear()
  }
  if (!progress) {
    progress = world.pair.toNextDeadline(100_000)
    world.hear()
  }
  return progress
}

const checkOutcome = (world: World, side: Side): void => {
  assert.isTrue(side.over, `stream ${side.core.id} of the ${side.end.role} has ended`)
  const { other, receives } = side
  if (other === undefined || side.stopped || side.resetCode !== undefined || other.resetCode !== undefined) return
  // streams are cut by RSTs and by the end of this side, but never short of what the other side had accepted
  const failure = side.core.failure
  if (failure?._tag === "Reset" || other.core.failure?._tag === "Reset") return
  if (world.mind(side.end).closing) return
  assert.strictEqual(receives.read, receives.accepted, "every byte that was accepted has arrived")
  assert.strictEqual(side.sawEnd, receives.finished, "an end is an end")
}
