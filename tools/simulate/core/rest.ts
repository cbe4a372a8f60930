/** The end of a run: all remaining work is done. Then everything must be complete. */
import { Broken } from "../outcome.js"
import { abort, accept, closeSession, finish, open, readAll, refuse } from "./application.js"
import { checkAll } from "./checks.js"
import { hear } from "./events.js"
import { deliver, closeTransport, nextMoment, send, waitUntil } from "./motion.js"
import type { End, Side, World } from "./world.js"

/** Whatever is to happen happens within so many milliseconds, ... */
const PATIENCE = 900_000

/** ... and within so many steps of time. */
const MOST_STEPS = 200_000

export const comeToRest = (world: World): void => {
  world.restingSince = world.now
  const closer = world.random.chance(0.7) ? world.random.pick(world.ends) : undefined
  untilQuiet(world, () => world.ends.every((end) => isAtRest(world, end)))
  const stuck = world.ends.some((end) => !isAtRest(world, end))
  if (stuck && !mayHang(world)) throw new Broken(`something is waited for in vain: ${show(world)}`)
  if (!stuck && !world.tainted) for (const end of world.ends) checkAlive(world, end)
  // where nothing arrives any more, nobody hears of a close either
  if (closer !== undefined && !stuck) {
    closeSession(closer)
    untilQuiet(world, () => world.ends.every((end) => end.ended))
    if (world.ends.some((end) => !end.ended) && !mayHang(world)) throw new Broken(`no end: ${show(world)}`)
  }
  for (const end of world.ends) abort(end)
  hear(world)
  for (const end of world.ends) checkEnd(world, end, stuck)
}

/** Lets everything go on as far as it does. */
const untilQuiet = (world: World, done: () => boolean): void => {
  const limit = world.now + PATIENCE
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const progress = doAll(world)
    checkAll(world)
    if (progress) continue
    if (done()) return
    const next = nextMoment(world)
    if (next > limit) return
    waitUntil(world, next)
    hear(world)
  }
  throw new Broken(`no rest after ${MOST_STEPS} steps: ${show(world)}`)
}

/** Everything that anyone can do now; whether something was done. */
const doAll = (world: World): boolean => {
  let progress = false
  for (const end of world.ends) {
    while (end.waiting.length > 0) {
      if (world.random.chance(0.9)) accept(world, end)
      else refuse(end)
      progress = true
    }
    if (end.openWaits && end.ended) end.openWaits = false
    // by index: what is done may end streams
    for (let i = end.live.length - 1; i >= 0; i--) {
      const side = end.live[i]
      if (side !== undefined && attend(world, side)) progress = true
    }
    if (send(world, end, 131_072)) progress = true
    if (deliver(world, end, Math.max(world.profile.chunk, 64))) progress = true
    closeTransport(world, end)
    hear(world)
  }
  return progress
}

const attend = (world: World, side: Side): boolean => {
  let progress = false
  const before = side.receives.read
  if (!side.stopped && !side.blockedReader && !side.sawEnd) {
    readAll(world, side)
    progress = side.receives.read > before || side.sawEnd
  }
  if (side.pending === 0 && !side.over && !side.sends.finished) {
    finish(side)
    progress = true
  }
  return progress
}

const isAtRest = (world: World, end: End): boolean => {
  if (end.ended) return true
  if (world.peerOf(end).ended) return false
  if (end.live.length > 0 || end.waiting.length > 0 || end.pings.size > 0 || end.openWaits) return false
  if (end.connection.hasFrames || end.inbound.length > 0) return false
  return !(end.draining || end.closing) || end.idle || end.closing
}

/** Where bytes are lost and nobody asks after the peer, waiting for ever is all that is left. */
const mayHang = (world: World): boolean =>
  world.tainted || world.ends.some((end) => end.inbound.isLost) || world.ends.every((end) => end.ended)

/** Nothing is left in a session that goes on; and it does go on. */
const checkAlive = (world: World, end: End): void => {
  if (end.ended || mayHang(world)) return
  const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = end.connection.stats()
  const left = backlog + bufferedBytes + inboundStreams + outboundStreams + queuedBytes
  world.require(left === 0, "at rest all counters are 0", JSON.stringify(end.connection.stats()))
  world.require(tableSize <= (end.options.typed ? 2 : 0), "nothing is left but heartbeat streams", tableSize)
  const { goneAway } = world.peerOf(end)
  world.require(!end.announced || goneAway !== undefined, "the peer of who drains knows it")
  if (end.draining || end.closing || end.goneAway !== undefined || end.options.firstStreamId !== undefined) return
  const peer = world.peerOf(end)
  if (peer.draining || peer.refusing || peer.closing || peer.ended) return
  // every place is free, every window whole, and no stream is in another's way
  open(world, end)
  world.require(end.live.length === 1, "one more stream can be opened")
  untilQuiet(world, () => world.ends.every((one) => isAtRest(world, one)))
  world.require(end.live.length === 0 || mayHang(world), "one more stream ends")
}

const checkEnd = (world: World, end: End, stuck: boolean): void => {
  if (!end.ended) throw new Broken(`the session of the ${end.role} does not end`)
  const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = end.connection.stats()
  const left = backlog + bufferedBytes + inboundStreams + outboundStreams + queuedBytes + tableSize
  if (left !== 0) throw new Broken(`the end leaves nothing: ${JSON.stringify(end.connection.stats())}`)
  if (end.connection.nextDeadline() !== Infinity) throw new Broken("the end leaves no deadline")
  if (!world.tainted) world.require(end.pings.size === 0, "every heartbeat was answered or lost", ...end.pings)
  for (const side of end.all) {
    if (!side.over) throw new Broken(`stream ${side.core.id} of the ${end.role} does not end`)
    checkOutcome(world, side, stuck)
  }
}

const checkOutcome = (world: World, side: Side, stuck: boolean): void => {
  side.accepted = true
  readAll(world, side)
  const { core, receives } = side
  const ownReset = core.failure?._tag === "Reset" && core.failure.initiator === "Local"
  if (side.stopped || ownReset) return
  world.require(receives.read === side.arrivedAtEnd, "what arrived before the end is read", core.id, receives.read)
  world.require(!side.finAtEnd || side.sawEnd, "what has ended stays ended", core.id)
  if (core.failure !== undefined || stuck) return
  world.require(receives.read === receives.accepted && side.sawEnd, "every byte has arrived, and the end", core.id)
}

const show = (world: World): string =>
  world.ends
    .map((end) => {
      const { connection, live } = end
      const streams = live.map((side) => {
        const waits = [side.blockedReader ? "reads" : "", side.pending > 0 ? `writes ${side.pending}` : ""]
        return `${side.core.id} ${side.core.state} ${waits.join(" ")}`.trim()
      })
      const flags = [end.ended ? "ended" : "", end.down ? "down" : "", end.openWaits ? "waits to open" : ""]
      const counters = JSON.stringify(connection.stats())
      const pings = end.pings.size
      return `${end.role} ${flags.join(" ")} streams [${streams.join("; ")}] pings ${pings} ${counters} at ${world.now}`
    })
    .join(" | ")
