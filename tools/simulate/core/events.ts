/** The events that the applications get, and whether each was to be expected. */
import type { SessionEnd } from "../../../src/protocol/endReason.js"
import type { Event } from "../../../src/protocol/events.js"
import type { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import { showEnd, showEvent } from "../../../test/support/protocol/text.js"
import { Broken } from "../outcome.js"
import { pump, readAll } from "./application.js"
import type { End, Side, World } from "./world.js"
import { arrived, finArrived } from "./world.js"

/** The codes that a core sends of its own accord to a peer that keeps the rules: closed, refused, queue full. */
const OWN_CODES: ReadonlyArray<number | undefined> = [4, 5, 9]

/** Codes with which an application says that it did nothing. */
const DID_NOTHING: ReadonlyArray<number | undefined> = [5, 9]

/** Lets the applications hear what happened, and do what they waited to do. */
export const hear = (world: World): void => {
  for (let heard = true; heard;) {
    heard = false
    for (const end of world.ends) {
      for (const event of end.connection.takeEvents()) {
        heard = true
        world.trace.note(EVENT_NUMBERS[event._tag], "stream" in event ? event.stream.id : 0)
        world.trace.say(() => `    ${end.role} hears ${showEvent(event)}`)
        onEvent(world, end, event)
      }
    }
  }
}

const EVENT_NUMBERS: { readonly [T in Event["_tag"]]: number } = {
  Opened: 100,
  Readable: 101,
  Writable: 102,
  Finished: 103,
  Failed: 104,
  OpenAvailable: 105,
  Pong: 106,
  PingLost: 107,
  GoneAway: 108,
  Idle: 109,
  Ended: 110,
  BytesLost: 111
}

const onEvent = (world: World, end: End, event: Event): void => {
  if (end.ended) throw new Broken(`nothing happens after the end: ${showEvent(event)}`)
  switch (event._tag) {
    case "Opened":
      return onOpened(world, end, event.stream)
    case "Readable":
      return onReadable(world, end, event.stream)
    case "Writable": {
      const side = sideOf(world, end, event.stream)
      world.require((side?.pending ?? 0) > 0, "only who waits is told that there is room", event.stream.id)
      return side && pump(world, side)
    }
    case "Finished":
    case "Failed":
      return onOver(world, end, event)
    case "OpenAvailable":
      world.require(end.openWaits, "only who waits is told that a stream can be opened")
      end.openWaits = false
      return
    case "Pong":
    case "PingLost": {
      const expected = end.pings.delete(event.nonce) || end.ticks.delete(event.nonce)
      return world.require(expected, "an answer to what was asked, once", event.nonce)
    }
    case "GoneAway":
      end.goneAway = Math.min(end.goneAway ?? event.lastStreamId, event.lastStreamId)
      return
    case "Idle": {
      const { inboundStreams, outboundStreams } = end.connection.stats()
      world.require(end.draining || end.closing, "idle when draining")
      world.require(inboundStreams + outboundStreams === 0 && !end.idle, "idle when nothing is left, once")
      end.idle = true
      return
    }
    case "Ended":
      return onEnded(world, end, event.end)
    case "BytesLost":
      return world.require(false, "nothing is detached here", event.stream.id)
  }
}

const sideOf = (world: World, end: End, core: StreamCore): Side | undefined => {
  const side = end.byCore.get(core)
  world.require(side !== undefined, "events are about streams that the application knows", core.id)
  return side
}

const onOpened = (world: World, end: End, core: StreamCore): void => {
  const peer = world.peerOf(end)
  const opener = peer.byId.get(core.id)
  const known = opener !== undefined && opener.other === undefined && !opener.core.synDue
  world.require(known, "a stream is shown once, and someone opened it", core.id)
  world.require(opener?.core.type === core.type, "the type is the one that was given", core.id)
  world.require(opener?.unprocessed !== true, "nothing is shown that was said not to be processed", core.id)
  const syn = end.inbound.ledgers.get(core.id)?.synArrived ?? Infinity
  world.require(syn <= end.synsTaken, "who leaves is shown no more streams", core.id)
  const side = world.add(end, core, opener?.receives ?? world.half(0), opener?.sends ?? world.half(0))
  side.other = opener
  if (opener !== undefined) opener.other = side
  if (end.demand > 0) {
    end.demand--
    side.accepted = true
    side.touched = true
    end.connection.accept(core)
  } else {
    end.waiting.push(side)
    const { acceptBacklog } = end.options
    world.require(end.waiting.length <= acceptBacklog, "no more wait than the backlog holds", acceptBacklog)
  }
}

const onReadable = (world: World, end: End, core: StreamCore): void => {
  const side = sideOf(world, end, core)
  if (side === undefined) return
  world.require(side.blockedReader || side.over || side.stopped, "only who waits is told to read", core.id)
  side.blockedReader = false
  if (world.random.chance(world.profile.eagerness)) readAll(world, side)
}

const onOver = (world: World, end: End, event: Extract<Event, { _tag: "Failed" | "Finished" }>): void => {
  const side = sideOf(world, end, event.stream)
  if (side === undefined) return
  const { core } = side
  const { failure } = core
  if (side.over) throw new Broken(`a stream ends once: ${showEvent(event)}`)
  side.over = true
  side.pending = 0
  side.blockedReader = false
  side.arrivedAtEnd = arrived(side)
  side.finAtEnd = finArrived(side)
  end.live.splice(end.live.indexOf(side), 1)
  if ((event._tag === "Failed") !== (failure !== undefined)) throw new Broken(`why did it end: ${showEvent(event)}`)
  if (failure === undefined) return
  if (failure.processed === "no" && core.initiator === "Local") {
    side.unprocessed = true
    const { other } = side
    const acted = other !== undefined && other.touched && !DID_NOTHING.includes(other.resetCode)
    world.require(!acted, "what may be retried was never acted on", core.id)
  }
  if (failure._tag !== "Reset") return
  const own = failure.initiator === "Local" ? side.resetCode : side.other?.resetCode
  const { codesForAll } = world.peerOf(end)
  const right = failure.code === own || OWN_CODES.includes(failure.code) || codesForAll.has(failure.code)
  world.require(right, "the code is the one that was given", core.id, failure.code, own)
}

const onEnded = (world: World, end: End, reason: SessionEnd): void => {
  end.ended = true
  world.tally.add(`outcome: ${reason._tag === "Dead" ? `Dead (${reason.reason})` : reason._tag}`)
  const right = (holds: boolean) => world.require(holds, "the session ends for a reason", showEnd(reason), world.now)
  switch (reason._tag) {
    case "Closed":
      return right(end.closing || end.aborted)
    case "Violation":
      return right(false)
    case "GoneAway":
      return right(end.goneAway !== undefined && (end.down || isMidFrame(world, end)))
    case "TransportFailed":
      return right(end.down)
    case "Dead": {
      const silence = world.now - end.lastHeard
      switch (reason.reason) {
        case "Heartbeat": {
          const { heartbeat } = end.options
          right(heartbeat !== undefined && silence >= heartbeat.interval + heartbeat.tolerance)
          return right(reason.silentFor === silence && !isFair(world, end))
        }
        case "PartialFrame":
          return right(isMidFrame(world, end))
        case "WriteStalled":
          return right(world.now - (end.writingSince ?? Infinity) >= end.options.writeTimeout)
      }
    }
  }
}

/** The peer has left a frame unfinished for too long. */
const isMidFrame = (world: World, end: End): boolean =>
  end.decoder.midFrame && world.now - end.lastHeard >= end.options.partialFrameTimeout

/** Everything went at once whither it should all the while: nobody has a reason to think that the peer is dead. */
const isFair = (world: World, end: End): boolean =>
  end.lastHeard >= world.restingSince &&
  !world.peerOf(end).ended &&
  world.ends.every(({ inbound }) => inbound.faultTag === "None" && inbound.longest < 100)
