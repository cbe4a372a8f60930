/** The rules that must hold after every step. */
import { canReceive } from "../../../src/protocol/streams/streamState.js"
import { Broken } from "../outcome.js"
import type { End, Side, World } from "./world.js"
import { arrived, sent } from "./world.js"

/** Answers to heartbeats that may wait, in bytes, and heartbeats of our own. */
const HEARTBEATS = 4096

export const checkAll = (world: World): void => {
  for (const end of world.ends) {
    checkBounds(end)
    if (world.tainted) continue
    checkCounters(world, end)
    for (const side of end.live) {
      if (end.closing) continue
      checkWakeUps(world, side)
      checkCredit(world, side)
    }
  }
}

/** Memory is bounded whatever the peer does. */
const checkBounds = (end: End): void => {
  const { bufferedBytes, grownBytes, inboundStreams, queuedBytes, tableSize } = end.connection.stats()
  const { growthLimit, maxInboundStreams, maxSendBuffer, window } = end.options
  if (queuedBytes < 0 || queuedBytes > maxSendBuffer + HEARTBEATS) throw new Broken(`queued bytes: ${queuedBytes}`)
  if (grownBytes < 0 || grownBytes > growthLimit) throw new Broken(`grown bytes: ${grownBytes}`)
  const windows = window * tableSize + grownBytes
  if (bufferedBytes < 0 || bufferedBytes > windows) throw new Broken(`buffered bytes: ${bufferedBytes}`)
  if (inboundStreams > maxInboundStreams) throw new Broken(`streams of the peer: ${inboundStreams}`)
}

const checkCounters = (world: World, end: End): void => {
  const { connection, live, waiting } = end
  const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes } = connection.stats()
  if (end.ended) {
    const all = backlog + bufferedBytes + inboundStreams + outboundStreams + queuedBytes
    return world.require(all === 0, "after the end all counters are 0")
  }
  world.require(backlog === waiting.length, "backlog", backlog, waiting.length)
  // while closing, streams that have failed are kept until they are flushed
  if (end.closing) return
  let local = 0
  let queued = 0
  let buffered = 0
  for (const side of live) {
    if (side.core.initiator === "Local") local++
    queued += side.sends.accepted - sent(side)
    if (!side.stopped) buffered += arrived(side) - side.receives.read
  }
  const remote = live.length - local
  world.require(outboundStreams === local, "streams of this side", outboundStreams, local)
  // a SYN whose type has not arrived is counted and not shown; nor is a heartbeat
  const unseen = inboundStreams - remote
  world.require(unseen === 0 || (unseen === 1 && end.options.typed && end.decoder.midFrame), "streams", unseen)
  const extra = queuedBytes - queued
  const extraIn = bufferedBytes - buffered
  const typed = end.options.typed
  world.require(typed ? extra >= 0 && extra % 4 === 0 : extra === 0, "queued bytes", queuedBytes, queued)
  world.require(typed ? extraIn >= 0 && extraIn < HEARTBEATS : extraIn === 0, "buffered", bufferedBytes, buffered)
  if (end.openWaits) {
    const over = end.draining || end.goneAway !== undefined
    world.require(over || outboundStreams >= end.options.maxOutboundStreams, "who waits to open was told")
  }
}

const checkWakeUps = (world: World, side: Side): void => {
  const { core, end } = side
  if (side.blockedReader) {
    world.require(
      core.inbound.length === 0 && core.inboundEnd !== "Fin",
      "a blocked reader was told of bytes and end",
      core.id
    )
  }
  if (side.pending === 0) return
  const { queuedBytes } = end.connection.stats()
  const waitsForRoom = queuedBytes * 2 > end.options.maxSendBuffer
  const waitsForMore = !core.sendWindow.worthwhile && end.connection.nextDeadline() < Infinity
  world.require(
    core.sendWindow.credit === 0 || waitsForRoom || waitsForMore,
    "a blocked writer was told of its room",
    core.id,
    core.sendWindow.credit
  )
}

/** Every byte of the window with which `side` receives is in one place. */
const checkCredit = (world: World, side: Side): void => {
  const { core, end } = side
  const ledger = end.inbound.ledgers.get(core.id)
  const { available, consumed, size } = core.receiveWindow
  const announced = (ledger?.payloadAnnounced ?? 0) - (ledger?.payloadArrived ?? 0)
  const known = available + announced + core.inbound.length + consumed
  world.require(known === size, "the receiver's window is whole", core.id, known, size)
  const most = end.options.window + end.options.growthLimit
  world.require(size >= end.options.window && size <= most, "the window grows as far as it may", core.id, size)
  const sender = side.other
  if (sender === undefined || sender.over || sender.end.closing || !canReceive(core.state)) return
  // of a peer that assumes less than it is let, the rest is never used
  const unused = end.options.window - sender.end.options.peerWindow
  const type = sender.core.synDue ? sender.sends.type : 0
  const spendable = sender.core.sendWindow.credit + sender.core.outbound.length + type
  const unannounced = (ledger?.payloadSent ?? 0) - (ledger?.payloadAnnounced ?? 0)
  const back = end.outbound.ledgers.get(core.id)
  const granted = (back?.creditSent ?? 0) - (back?.creditArrived ?? 0)
  const toBeGranted = available - unused - spendable - unannounced - granted
  world.require(toBeGranted >= 0, "the sender has no credit that was not given", core.id, toBeGranted)
  if (!end.connection.hasFrames) world.require(toBeGranted === 0, "credit given is on its way", core.id, toBeGranted)
}
