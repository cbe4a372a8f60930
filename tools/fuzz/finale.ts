/** Ends a session under the fuzzer, and checks that nothing of it is left. */
import { concat } from "../../test/support/bytes.js"
import { must } from "./broken.js"
import { data, goAway, rst, SYN, windowIncrement } from "./frames.js"
import type { Random } from "./random.js"
import type { FuzzedSession } from "./session.js"

/** How far time is let go on: more deadlines than any session can have, if none comes back. */
const DEADLINES = 200

export const finale = (session: FuzzedSession, random: Random): void => {
  const { connection } = session
  switch (session.setting.cut % 4) {
    case 0:
      connection.resetAll(6)
      break
    case 1:
      connection.close()
      break
    case 2:
      letTimePass(session)
      break
    default:
      connection.transportFailed({ _tag: "TransportFailed", reason: "Ended", cause: undefined, initiator: "Remote" })
  }
  flush(session)
  if (connection.end === undefined && connection.stats().tableSize === 0) nothingLeft(session)
  connection.resetAll(6)
  flush(session)
  const heartbeats = session.options.typed && connection.end === undefined ? 2 : 0
  must(connection.stats().tableSize <= heartbeats, () => "streams are left that nobody can reset")
  connection.abort()
  flush(session)
  nothingLeft(session)
  must(connection.end !== undefined, () => "it has no end")
  for (const { core, over } of session.app.streams) must(over, () => `nobody was told of the end of stream ${core.id}`)
  nothingMore(session, random)
}

/** From deadline to deadline, while the transport takes what it is given, or nothing. */
const letTimePass = (session: FuzzedSession): void => {
  const { connection } = session
  for (let i = 0; i < DEADLINES; i++) {
    const next = connection.nextDeadline()
    if (next === Infinity) return
    session.tick(Math.max(0, next - session.now))
    must(connection.nextDeadline() > session.now, () => `a deadline stays in the past: ${connection.nextDeadline()}`)
    session.settle()
  }
  // without heartbeats nothing is left to wait for
  must(session.options.typed, () => "the deadlines never end")
}

const flush = (session: FuzzedSession): void => {
  const { connection } = session
  session.app.settle()
  for (let turn = 0; connection.hasFrames; turn++) {
    must(turn < 10_000, () => "the frames never end")
    session.take(128 * 1024)
    connection.written()
    session.app.settle()
  }
  session.check()
}

const nothingLeft = (session: FuzzedSession): void => {
  session.app.readAll()
  session.app.settle()
  const { backlog, bufferedBytes, heldBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } =
    session.connection.stats()
  const left = { backlog, bufferedBytes, heldBytes, inboundStreams, outboundStreams, queuedBytes, tableSize }
  must(
    Object.values(left).every((count) => count === 0),
    () => `no stream is left, but ${JSON.stringify(left)}`
  )
}

/** After the end nothing comes out, whatever goes in. */
const nothingMore = (session: FuzzedSession, random: Random): void => {
  const { app, connection } = session
  const id = 101 + random.below(2)
  session.hear(concat([data(id, SYN), rst(id, 1), windowIncrement(3, 1), goAway(0, 0), data(0, 0)]))
  const [known] = app.streams
  if (known !== undefined) {
    must(connection.writable(known.core) === 0, () => "room for a write after the end")
    connection.write(known.core, Uint8Array.of(1))
    connection.finish(known.core)
    connection.reset(known.core, 1)
    connection.stopReading(known.core)
    connection.withdraw(known.core, 1)
    connection.unblockWriter(known.core)
  }
  must("_tag" in connection.open(session.options.typed ? 1 : undefined), () => "a stream is opened after the end")
  must(!connection.ping(1, session.now), () => "a heartbeat after the end")
  connection.goAway(1, "")
  connection.close()
  connection.abort()
  connection.drain()
  session.tick(100_000)
  must(connection.takeEvents().length === 0, () => "events after the end")
  must(!connection.hasFrames && connection.takeFrames(1000, session.now).length === 0, () => "frames after the end")
  session.check()
}
