/**
 * The applications of both sides. They follow the contract of `Connection`: after a refusal they wait for its event.
 */
import { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import { isNoise, noise, LONGEST } from "../noise.js"
import type { End, Side, World } from "./world.js"
import { arrived, finArrived, sent } from "./world.js"

/** A type that is not the heartbeats'. */
const TYPE = 0xffff_fffe

export const open = (world: World, end: End): void => {
  const { connection, options } = end
  const before = connection.stats().outboundStreams
  const result = connection.open(options.typed ? world.random.pick([0, 7, TYPE]) : undefined)
  if (result instanceof StreamCore) {
    world.require(!end.closing && !end.draining && !end.ended, "nothing is opened after the end of opening")
    world.require(before < options.maxOutboundStreams, "no more streams than this side may have", before)
    const type = options.typed ? 4 : 0
    world.add(end, result, world.half(type), world.half(0))
    return
  }
  switch (result._tag) {
    case "Full":
      world.require(before >= options.maxOutboundStreams, "there is room for one more", before)
      end.openWaits = true
      return
    case "Exhausted":
      return world.require(options.firstStreamId !== undefined, "there are ids left")
    case "Over":
      return world.require(
        end.closing || end.draining || end.ended || end.goneAway !== undefined,
        "streams may be opened until a side leaves"
      )
  }
}

export const accept = (world: World, end: End): void => {
  // a backlog is a queue, but nothing in the core depends on it
  const index = world.random.chance(0.8) ? 0 : world.random.below(end.waiting.length)
  const [side] = end.waiting.splice(index, 1)
  if (side === undefined) return
  side.accepted = true
  side.touched = true
  end.connection.accept(side.core)
}

export const refuse = (end: End): void => {
  const side = end.waiting.shift()
  if (side === undefined) return
  side.accepted = true
  if (!side.over) side.resetCode ??= 5
  end.connection.accept(side.core)
  end.connection.refuse(side.core)
}

export const demand = (world: World, end: End): void => {
  end.demand = world.random.pick([0, 1, 5])
  end.connection.setAcceptCapacity(end.demand)
}

export const write = (world: World, side: Side, length: number): void => {
  if (side.pending > 0) return
  side.pending = Math.min(length, world.volume, LONGEST)
  world.volume -= side.pending
  if (side.pending > 0) pump(world, side)
}

/** Hands on what the writer has, as far as it goes. */
export const pump = (world: World, side: Side): void => {
  const { core, end, sends } = side
  if (side.pending === 0) return
  const room = end.connection.writable(core)
  const result = end.connection.write(core, noise(sends.sequence, sends.accepted, side.pending))
  if (typeof result === "number") {
    world.require(!sends.finished, "nothing is accepted after finish", core.id)
    world.require(result <= room && result <= side.pending, "no more is accepted than there is room for", result, room)
    sends.accepted += result
    side.pending -= result
    return
  }
  side.pending = 0
  if (result._tag === "Finished") world.require(sends.finished, "only a finished stream refuses as finished", core.id)
}

/** Takes back the last bytes, if they are still there; half of the writers then give up. */
export const withdraw = (world: World, side: Side, length: number): void => {
  const { core, end, sends } = side
  if (length % 2 === 1) giveUp(side)
  const unsent = sends.accepted - sent(side)
  const took = Math.min(length, core.outbound.length)
  if (took === 0) return
  const withdrawn = end.connection.withdraw(core, took)
  world.require(withdrawn === (core.failure === undefined && took <= unsent), "what was not sent can be withdrawn")
  if (withdrawn) sends.accepted -= took
}

const giveUp = (side: Side): void => {
  side.pending = 0
  side.end.connection.unblockWriter(side.core)
}

export const finish = (side: Side): void => {
  if (side.pending > 0) return
  if (side.core.failure === undefined) side.sends.finished = true
  side.end.connection.finish(side.core)
}

/** Reads once; whether there were bytes. */
export const read = (world: World, side: Side): boolean => {
  const { core, end, receives } = side
  if (!side.accepted || side.sawEnd) return false
  const result = end.connection.read(core)
  switch (result._tag) {
    case "Bytes": {
      const right = isNoise(result.bytes, receives.sequence, receives.read)
      world.require(right, "what is read is what was written, once and in order", core.id, receives.read)
      receives.read += result.bytes.length
      world.require(receives.read <= arrived(side), "no byte is read that has not arrived", core.id)
      return true
    }
    case "Blocked":
      world.require(!side.over, "a stream that is over blocks nobody", core.id)
      side.blockedReader = true
      return false
    case "End":
      world.require(finArrived(side), "no end without a FIN", core.id)
      world.require(receives.read === receives.accepted, "no end before the last byte", core.id, receives.read)
      side.sawEnd = true
      return false
    case "Stopped":
      world.require(side.stopped, "only who has stopped is told so", core.id)
      return false
    case "Failed":
      world.require(core.failure !== undefined, "only a stream that has failed says so", core.id)
      return false
  }
}

export const readAll = (world: World, side: Side): void => {
  while (read(world, side));
}

export const stopReading = (side: Side): void => {
  side.stopped = true
  side.blockedReader = false
  side.end.connection.stopReading(side.core)
}

export const close = (side: Side): void => {
  if (side.pending > 0) reset(side, 6)
  else finish(side)
  stopReading(side)
}

export const reset = (side: Side, code: number): void => {
  if (!side.over) side.resetCode ??= code
  side.end.connection.reset(side.core, code)
}

export const ping = (world: World, end: End): void => {
  const nonce = world.nonce()
  // it is answered even where the answer is that there will be none
  if (end.connection.ping(nonce, world.now)) end.pings.add(nonce)
}

export const drain = (end: End): void => {
  const { inboundStreams, outboundStreams } = end.connection.stats()
  const isIdle = inboundStreams + outboundStreams === 0 && end.writingSince === undefined
  const isFirst = !end.draining && !end.refusing && !end.closing && !end.ended
  end.draining = true
  end.leave()
  if (isFirst && !isIdle && end.options.announceDrain) {
    end.announced = true
    end.rules.leaving(end.inbound.highestSyn)
  }
  end.connection.drain()
}

export const goAway = (end: End, code: number): void => {
  if (!end.ended && !end.closing) {
    end.refusing = true
    end.leave()
    end.rules.leaving(end.inbound.highestSyn)
  }
  end.connection.goAway(code, "to be continued")
}

export const closeSession = (end: End): void => {
  if (!end.ended && !end.closing) {
    end.closing = true
    end.leave()
    end.rules.leaving(end.inbound.highestSyn)
  }
  end.connection.close()
}

export const abort = (end: End): void => {
  end.aborted = true
  end.connection.abort()
}

export const resetAll = (end: End, code: number): void => {
  end.codesForAll.add(code)
  for (const side of end.live) side.resetCode ??= code
  end.connection.resetAll(code)
}
