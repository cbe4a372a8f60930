/** Moves bytes and time between the two cores. */
import type { Frame } from "../../../src/protocol/wire/frame.js"
import { showFrame } from "../../../test/support/protocol/text.js"
import type { End, World } from "./world.js"
import { sent } from "./world.js"

/** Puts what is due on the wire, unless the last batch has not been taken; whether there was something. */
export const send = (world: World, end: End, budget: number): boolean => {
  if (end.down || end.writingSince !== undefined || !end.connection.hasFrames) return false
  const frames = end.connection.takeFrames(budget, world.now)
  if (frames.length === 0) return false
  end.writingSince = world.now
  end.outbound.put(frames, world.now, (frame) => {
    if (!world.tainted) end.rules.watch(frame)
    world.trace.note(FRAME_NUMBERS[frame._tag], "streamId" in frame ? frame.streamId : 0, lengthOf(frame), world.now)
    world.trace.say(() => `    ${end.role} sends ${showFrame(frame)}`)
  })
  if (!world.tainted) end.rules.batch()
  for (const frame of frames) onSent(world, end, frame)
  written(end)
  return true
}

const FRAME_NUMBERS: { readonly [T in Frame["_tag"]]: number } = {
  Data: 200,
  Rst: 201,
  WindowIncrement: 202,
  GoAway: 203,
  Unknown: 204
}

const lengthOf = (frame: Frame): number => {
  switch (frame._tag) {
    case "Data":
      return frame.payload.length * 4 + (frame.syn ? 2 : 0) + (frame.fin ? 1 : 0)
    case "Rst":
      return frame.code
    case "WindowIncrement":
      return frame.increment
    case "GoAway":
      return frame.lastStreamId
    case "Unknown":
      return frame.length
  }
}

const onSent = (world: World, end: End, frame: Frame): void => {
  if (frame._tag !== "Data") return
  const side = end.byId.get(frame.streamId)
  if (side === undefined) return
  const passed = sent(side)
  world.require(passed <= side.sends.accepted, "no byte is sent that was not written", frame.streamId)
  if (!frame.fin) return
  world.require(side.sends.finished, "no FIN without a finish", frame.streamId)
  world.require(passed === side.sends.accepted, "the FIN is behind the last byte", frame.streamId, passed)
}

/** The transport has taken the batch, once there is room on the link. */
const written = (end: End): void => {
  if (end.writingSince === undefined || end.outbound.isFull) return
  end.writingSince = undefined
  end.connection.written()
}

/** Takes at most `max` bytes off the wire, as one chunk, or hears of the end; whether there was something. */
export const deliver = (world: World, end: End, max: number): boolean => {
  if (end.down) return false
  const { connection, decoder, inbound } = end
  const peer = world.peerOf(end)
  const chunk = inbound.take(max, world.now)
  if (chunk !== undefined) {
    end.lastHeard = world.now
    const frames = decoder.push(chunk)
    connection.heard(decoder.midFrame, world.now)
    for (const frame of frames) connection.receive(frame)
    written(peer)
  }
  if (inbound.isCut) {
    world.tally.add("fault: cut")
    drop(end, "Read", "Remote")
    drop(peer, "Write", "Remote")
    return true
  }
  const over = inbound.end !== undefined && inbound.next() <= world.now && inbound.length === 0
  if (over) drop(end, inbound.end?.orderly === true ? "Ended" : "Read", "Remote")
  return over || chunk !== undefined
}

/** The transport of one side is gone, and the other side will hear of it. */
const drop = (end: End, reason: "Ended" | "Read" | "Write", initiator: "Local" | "Remote"): void => {
  if (end.down) return
  end.down = true
  end.outbound.close(false, 0)
  end.connection.transportFailed({ _tag: "TransportFailed", reason, cause: undefined, initiator })
}

/** A session that is over sends its last words and ends the transport, or drops it where there is nobody to hear. */
export const closeTransport = (world: World, end: End): void => {
  const reason = end.connection.end
  if (reason === undefined || end.saidEnd) return
  const dead = reason._tag === "Dead" || reason._tag === "TransportFailed"
  if (!dead && (end.connection.hasFrames || end.writingSince !== undefined) && !end.down) return
  end.saidEnd = true
  if (dead) end.down = true
  end.outbound.close(!dead, world.now)
}

/** When something happens by itself; `Infinity` when never. */
export const nextMoment = (world: World): number => {
  let next = Infinity
  for (const end of world.ends) {
    if (end.down) continue
    next = Math.min(next, end.inbound.next(), end.connection.nextDeadline())
  }
  return next
}

/** Time passes; whoever wants to be called then is. */
export const waitUntil = (world: World, time: number): void => {
  world.now = Math.max(world.now, time)
  world.trace.note(300, world.now)
  for (const end of world.ends) {
    // the timer of a session that has gone is stopped
    if (end.connection.nextDeadline() > world.now) continue
    const nonce = world.nonce()
    end.ticks.add(nonce)
    end.connection.tick(world.now, nonce)
  }
}
