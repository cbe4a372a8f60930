/** Faults that are put into a copy of `src/`. The simulation must find each of them. */
import { MANAGED } from "./managed.js"

export interface Mutant {
  readonly name: string
  /** What it breaks. */
  readonly rule: string
  /** Below `src/`. */
  readonly file: string
  /** Occurs exactly once. */
  readonly text: string
  readonly replacement: string
  /** What is tried first: a simulation, or a file of tests for what no simulated program does. */
  readonly by: "core" | "sessions" | "managed" | { readonly test: string }
}

/** One that shows in two cores. */
const inCore = (file: string, name: string, rule: string, text: string, replacement: string): Mutant => ({
  name,
  rule,
  file: `protocol/${file}.ts`,
  text,
  replacement,
  by: "core"
})

/** One that takes sessions to show. */
const inSessions = (file: string, name: string, rule: string, text: string, replacement: string): Mutant => ({
  name,
  rule,
  file: `${file}.ts`,
  text,
  replacement,
  by: "sessions"
})

/** One that a file of tests notices. */
const inTest = (test: string, file: string, name: string, rule: string, text: string, replacement: string): Mutant => ({
  name,
  rule,
  file: `${file}.ts`,
  text,
  replacement,
  by: { test }
})

export const MUTANTS: ReadonlyArray<Mutant> = [
  // --- credit
  inCore(
    "receiver",
    "credit dropped on discard",
    "credit is conserved",
    `if (stream.reading === "Stopped") return credit.consumed(stream, rest.length, time.now)`,
    `if (stream.reading === "Stopped") return`
  ),
  inCore(
    "receiving/creditPolicy",
    "credit granted twice",
    "the sender has no credit that was not given",
    "this.outbound.grant(stream.id, increment + (",
    "this.outbound.grant(stream.id, 2 * increment + ("
  ),
  inCore(
    "receiving/creditPolicy",
    "a window that grows by itself",
    "the sender has no credit that was not given",
    "    receiveWindow.grow(bytes)\n",
    ""
  ),
  inCore(
    "receiving/creditPolicy",
    "a window that grows beyond its limit",
    "windows grow as far as they may",
    "    this.grown += bytes\n",
    ""
  ),
  inCore(
    "receiving/creditPolicy",
    "credit never granted below half a window",
    "a peer that starts from a smaller window goes on",
    "      this.starved.add(stream, receiveWindow.leavesCredit, now)\n",
    ""
  ),
  inCore(
    "streams/streamEndings",
    "credit kept when nobody will read",
    "nobody waits for what was given up",
    "      credit.releaseAll(stream)\n",
    ""
  ),
  inCore(
    "connection",
    "withdraw keeps the credit",
    "credit is conserved",
    "    stream.sendWindow.refund(length)\n",
    ""
  ),
  inCore(
    "connection",
    "send window off by one",
    "windows are not overrun",
    "small ? 0 : Math.min(bytes.length, credit, room)",
    "small ? 0 : Math.min(bytes.length, credit + 1, room)"
  ),
  inCore(
    "receiving/receiveWindow",
    "receive window off by one",
    "the whole window may be used",
    "if (length > this.available) return false",
    "if (length >= this.available) return false"
  ),

  // --- the wire
  inCore(
    "sending/scheduler",
    "SYN doubled",
    "SYN exactly once",
    "frames.push(data(stream.id, payload, { syn: true }))",
    "frames.push(data(stream.id, payload, { syn: true }), data(stream.id, payload, { syn: true }))"
  ),
  inCore(
    "sending/scheduler",
    "SYN lost",
    "SYN first",
    "frames.push(data(stream.id, payload, { syn: true }))",
    "frames.push(data(stream.id, payload))"
  ),
  inCore(
    "sending/scheduler",
    "FIN lost",
    "an end arrives",
    "frames.push(data(stream.id, payload, { fin }))",
    "frames.push(data(stream.id, payload))"
  ),
  inCore(
    "sending/scheduler",
    "FIN sent twice",
    "nothing after FIN",
    "if (fin) this.finSent(stream)",
    "if (fin) frames.push(data(stream.id, undefined, { fin }))\n    if (fin) this.finSent(stream)"
  ),
  inCore(
    "sending/scheduler",
    "FIN ahead of the bytes",
    "FIN behind the last byte",
    "const fin = stream.finDue && stream.outbound.length === 0",
    "const fin = stream.finDue"
  ),
  inCore(
    "collections/linkedQueue",
    "stream still in the queue that it left",
    "who has output is served",
    "item.queue = undefined\n",
    "\n"
  ),
  inCore(
    "collections/streamIdMap",
    "page of streams dropped with one left",
    "a live stream is found",
    "if (--page.used === 0)",
    "if (--page.used <= 1)"
  ),
  inCore(
    "streams/streamEndings",
    "RST not sent",
    "the peer hears of a reset",
    "(announced) scheduler.reset(stream.id, code)",
    "(announced) table.closed.ignoreLate(stream.id)"
  ),
  inCore(
    "streams/streamEndings",
    "RST on a closed stream draws another RST",
    "one RST for a stream",
    "    table.closed.ignoreLate(stream.id, stream.receiveWindow.size)\n    scheduler.cancelIncrement(stream.id)\n    this.remove(stream)",
    "    scheduler.cancelIncrement(stream.id)\n    this.remove(stream)"
  ),
  inCore(
    "lifecycle",
    "last id of GOAWAY too high",
    "the last id is the highest that came",
    "this.lastTaken ??= highestRemote",
    "this.lastTaken ??= highestRemote + 2"
  ),
  inCore(
    "wire/encoder",
    "header doubled before a large payload",
    "frames are what they were",
    "chunks.push(frame.payload)\n      start = at",
    "chunks.push(frame.payload)"
  ),
  inSessions(
    "protocol/wire/mergeFrames",
    "FIN lost when frames are joined",
    "every stream ends on both sides",
    "run.some((frame) => frame.fin)",
    "run.every((frame) => frame.fin)"
  ),
  inSessions(
    "protocol/wire/mergeFrames",
    "frames joined over another stream's",
    "every byte arrives once and in order",
    " || frame.streamId !== first.streamId",
    ""
  ),
  inCore(
    "wire/decoder",
    "split header misread",
    "any chunks give the same frames",
    "this.header.set(chunk.subarray(at, end), this.headerLength)",
    "this.header.set(chunk.subarray(at, end), 0)"
  ),

  // --- bytes
  inCore(
    "collections/byteQueue",
    "bytes reordered",
    "every byte in order",
    "      this.tail = undefined\n      this.chunks.push(",
    "      this.tail = undefined\n      this.chunks.splice(this.head, 0, "
  ),
  inCore(
    "collections/byteQueue",
    "byte dropped when split",
    "every byte arrives",
    "this.chunks[this.head] = first.subarray(max)",
    "this.chunks[this.head] = first.subarray(max + 1)"
  ),
  inCore(
    "collections/byteQueue",
    "tail kept after it was taken",
    "no byte twice",
    "if (this.head === this.chunks.length - 1) this.tail = undefined",
    ""
  ),
  inCore(
    "streams/streamEndings",
    "a peer's reset drops what had arrived",
    "what arrived before a reset is read",
    `this.fail(stream, { _tag: "Reset", code, initiator: "Remote", processed })`,
    `this.owners.received.truncate(stream)\n    this.fail(stream, { _tag: "Reset", code, initiator: "Remote", processed })`
  ),
  inCore(
    "streams/streamCore",
    "a reset read as an end",
    "no end without FIN",
    `return this.inboundEnd === "Fin"`,
    `return this.inboundEnd === "Fin" || (this.failure !== undefined && this.inboundEnd !== "Cut")`
  ),
  inCore(
    "receiving/receiveBuffer",
    "truncation that looks like an end",
    "no end before the last byte",
    `if (this.drop(stream) > 0) stream.inboundEnd = "Cut"`,
    "this.drop(stream)"
  ),

  // --- wake-ups
  inCore(
    "events",
    "wake-up of a reader lost",
    "a blocked reader is told",
    `    this.emit(new StreamEvent("Readable", stream))\n`,
    ""
  ),
  inCore(
    "sending/blockedWriters",
    "wake-up of a writer lost",
    "a blocked writer is told",
    `    this.events.emit(new StreamEvent("Writable", stream))\n`,
    ""
  ),
  inCore(
    "connection",
    "wake-up of an opener lost",
    "who waits to open is told",
    `      events.emit({ _tag: "OpenAvailable" })\n`,
    ""
  ),
  inCore(
    "sending/sendCapacity",
    "writer that waits for capacity never woken",
    "a writer is woken when there is capacity",
    "...streams.filter((stream) => !stream.gotRoom), ",
    ""
  ),
  inCore(
    "sending/blockedWriters",
    "timer of a writer that waits for credit never armed",
    "a little credit is used in the end",
    "this.capacity.stopWaiting(stream)\n      this.waitingForCredit.add(stream, this.time.now)",
    "this.capacity.stopWaiting(stream)"
  ),
  inCore(
    "sending/blockedWriters",
    "timer of a writer that waits for credit not armed by an increment",
    "a little credit is used in the end",
    "this.wake(stream)\n    else this.waitingForCredit.add(stream, this.time.now)",
    "this.wake(stream)"
  ),

  // --- counters, promises, endings
  inCore(
    "streams/acceptBacklog",
    "backlog not decremented",
    "all counters are 0 at rest",
    "if (!this.isOver) this.size--",
    ""
  ),
  inCore(
    "connection",
    "one stream too many",
    "no more streams than this side may have",
    "this.owners.table.outboundCount >= this.options.maxOutboundStreams",
    "this.owners.table.outboundCount > this.options.maxOutboundStreams"
  ),
  inCore(
    "streams/streamEndings",
    `"not processed" of every unanswered stream`,
    "what may be retried was never acted on",
    `const processed = refused && !stream.answered ? "no" : "maybe"`,
    `const processed = !stream.answered ? "no" : "maybe"`
  ),
  inCore(
    "sessionEndings",
    `"not processed" at the end of the session`,
    "what may be retried was never acted on",
    `processed: stream.synDue ? "no" : "maybe" })`,
    `processed: stream.answered ? "maybe" : "no" })`
  ),
  inCore(
    "receiver",
    "streams taken while draining",
    "who leaves takes no streams",
    "if (!lifecycle.takesStreams || ",
    "if ((!lifecycle.takesStreams && table.highestRemote > 99) || "
  ),
  inCore("draining", "end of a drain not told", "a drain ends", `    events.emit({ _tag: "Idle" })\n`, ""),
  inCore(
    "draining",
    "drain not announced",
    "the peer of who drains knows it",
    `    scheduler.setGoAway(lifecycle.goAwayFrame(table.highestRemote, ErrorCode.NoError, ANNOUNCEMENT), "Now")\n`,
    ""
  ),
  inTest(
    "test/protocol/connectionEnd.test.ts",
    "protocol/draining",
    "drain announced at its end",
    "the peer of who drains knows it",
    'ErrorCode.NoError, ANNOUNCEMENT), "Now")',
    'ErrorCode.NoError, ANNOUNCEMENT), "Last")'
  ),
  inTest(
    "test/protocol/connectionEnd.test.ts",
    "protocol/endReason",
    "the announcement of a drain hides the reason of the end",
    "a reason is heard",
    "first.code !== ErrorCode.NoError || (next.code === ErrorCode.NoError && next.debug.length === 0)",
    "first.code !== ErrorCode.NoError || first.debug.length > 0"
  ),
  inTest(
    "test/protocol/connectionEnd.test.ts",
    "protocol/receiver",
    "streams that cross a drain are charged",
    "the peer does not know at once that this side leaves",
    `return this.owners.lifecycle.isLeaving ? "nothing" : "refusal"`,
    `return "refusal"`
  ),
  inTest(
    "test/protocol/connectionTime.test.ts",
    "protocol/connection",
    "no check of a peer that has sent GOAWAY",
    "every dead peer is found",
    "if (!this.ping(nonce, now) && !sendProbe(this.owners, this.options)) ",
    "if (!this.ping(nonce, now)) "
  ),
  inTest(
    "test/protocol/connectionTime.test.ts",
    "protocol/pinging",
    "a probe with the type of heartbeats",
    "Go reads the payload of a refused stream as frames",
    "  stream.sendsType = false\n",
    ""
  ),
  inTest(
    "test/session/drainingHandlers.test.ts",
    "internal/session/handling",
    "a drain waits for the handler that calls it",
    "nothing waits for itself",
    "found.push(at)",
    "void at"
  ),
  inCore(
    "heartbeats",
    "echo of a heartbeat dropped",
    "every heartbeat is answered",
    "      capacity.use(bytes.length)\n    }\n    scheduler.schedule(stream)\n",
    "      capacity.use(bytes.length)\n    }\n"
  ),
  inCore(
    "heartbeats",
    "heartbeats lost with their stream",
    "every heartbeat is answered or lost",
    "    this.lose(stream)\n",
    "    if (stream === this.ours) this.ours = undefined\n"
  ),
  inCore(
    "liveness",
    "bytes are no sign of life",
    "nobody is dead who speaks",
    "    this.silentSince = now\n    this.midFrame = midFrame",
    "    this.midFrame = midFrame"
  ),

  // --- sessions
  inSessions(
    "internal/session/serve",
    "handler not interrupted on reset",
    "a handler is interrupted with its caller",
    "stream.onFailure = interrupt",
    "stream.onFailure = undefined"
  ),
  inSessions(
    "internal/session/handling",
    "place of a handler not given back",
    "as many handlers as there may be",
    "    this.freePlace()\n",
    "    if (this.stream.failure === undefined) this.freePlace()\n"
  ),
  inSessions(
    "internal/session/acceptors",
    "stream lost when accept is interrupted",
    "interruption leaks no stream",
    "return Effect.succeed(next)",
    "return restore(Effect.as(Effect.yieldNow(), next))"
  ),
  inSessions(
    "internal/session/openQueue",
    "stream lost when open is interrupted",
    "interruption leaks no stream",
    "request.opened?.endWith(interrupted)",
    ""
  ),
  inSessions(
    "internal/session/acceptors",
    "wake-up of an acceptor lost",
    "who accepts is told",
    "this.routes.wait(handle)\n    this.wakeAcceptors()",
    "this.routes.wait(handle)"
  ),
  inSessions(
    "internal/session/state",
    "wake-up of the writer lost",
    "what is due is sent",
    "if (this.connection.hasFrames) this.writing.announce()",
    ""
  ),
  inSessions(
    "internal/session/writing",
    "frames lost that the transport did not take at once",
    "what is due is sent",
    "    this.unsent = frames.map(withOwnPayload)\n",
    ""
  ),
  inSessions(
    "FrameReader",
    "the rest of a long chunk dropped where chunks come by callback",
    "every byte arrives",
    "return asksForMore && splitter.rest.length === 0 && !broken.isDone",
    "splitter.rest = new Uint8Array(0)\n        return asksForMore && !broken.isDone"
  ),
  inTest(
    "test/session/layers.test.ts",
    "Session",
    "a session's layer that is memoised over two transports",
    "a layer value used over two transports is two sessions",
    "  return Layer.fresh(\n    Layer.scoped(\n      Session,\n      Effect.flatMap(Transport,",
    "  return ((layer: Layer.Layer<Session, InvalidOptions, Transport>) => layer)(\n    Layer.scoped(\n      Session,\n      Effect.flatMap(Transport,"
  ),
  inTest(
    "test/session/layers.test.ts",
    "Transport",
    "a transport's layer that is memoised over two sockets",
    "a layer value used over two transports is two sessions",
    "  Layer.fresh(\n    Layer.scoped(\n      Transport,\n      Effect.flatMap(Socket.Socket,",
    "  ((layer: Layer.Layer<Transport, TransportFailed, Socket.Socket>) => layer)(\n    Layer.scoped(\n      Transport,\n      Effect.flatMap(Socket.Socket,"
  ),
  inTest(
    "test/session/foreignParts.test.ts",
    "internal/session/shutdown",
    "a write that throws leaves a session without its writer",
    "a part of somebody else's that throws ends the session",
    'Effect.sync(() => failed(session, "Write", cause))',
    "Effect.failCause(cause)"
  ),
  inTest(
    "test/session/fastPath.test.ts",
    "internal/session/writing",
    "a write at once that throws is nobody's",
    "a part of somebody else's that throws ends the session",
    "    try {\n      isLeft = !this.writeNow()\n    } catch (cause) {",
    "    isLeft = !this.writeNow()\n    try {\n      void 0\n    } catch (cause) {"
  ),
  inTest(
    "test/session/fastPath.test.ts",
    "internal/transport/fastPath",
    "a copy of a transport is bypassed",
    "what stands between a session and its transport is not bypassed",
    " && offered.owner === service",
    ""
  ),
  inTest(
    "test/session/fastPath.test.ts",
    "internal/session/reading",
    "frames lost that came with the end of the transport",
    "what came before the failure counts",
    "Effect.map(receiver.rest, () => failed(",
    "Effect.sync(() => failed("
  ),
  inTest(
    "test/session/fastPath.test.ts",
    "internal/session/reading",
    "a batch received in one turn",
    "both paths receive in turns",
    "Math.min(frames.length, start + FRAMES_PER_TURN)",
    "frames.length"
  ),
  inTest(
    "test/session/writing.test.ts",
    "protocol/sending/scheduler",
    "bytes that are gone are sent as none",
    "what is detached resets its stream",
    "      if (stream.outbound.isBroken) {",
    "      if (stream.outbound.isBroken && quantum < 0) {"
  ),
  inTest(
    "test/session/cut.test.ts",
    "internal/stream/conversions/uncut",
    "a cut upload is finished",
    "a stream that was cut never looks like one that ended",
    "return whole ? Effect.void : stream.reset(ErrorCode.StreamCancelled)",
    "return Effect.void"
  ),
  inTest(
    "test/session/readAll.test.ts",
    "internal/stream/streamHandle",
    "an interrupted readAll throws away what it had read",
    "nothing is lost by an interruption",
    "    if (this.unread !== undefined) return this.takeUnread\n",
    ""
  ),
  inSessions(
    "internal/session/state",
    "timer not set anew",
    "what is due in time is done in time",
    "this.timer?.arm()",
    ""
  ),
  inSessions(
    "internal/stream/streamHandle",
    "part of an interrupted write left behind",
    "an interrupted write leaves nothing",
    "if (!withdrawn) return this.resetNow(ErrorCode.StreamCancelled)",
    "if (!withdrawn) return"
  ),
  inSessions(
    "internal/stream/streamHandle",
    "bytes that come before a reader waits are missed",
    "no wake-up is lost",
    `this.readers.awaitThen(() => this.core.reading !== "Waiting", next, waiting)`,
    "this.readers.awaitThen(() => false, next, waiting)"
  ),
  inTest(
    "test/protocol/connectionReset.test.ts",
    "protocol/streams/streamCore",
    "a reader that believes itself blocked when its stream has failed",
    "no wake-up is lost",
    `if (this.reading === "Waiting") this.reading = "Ready"`,
    ""
  ),
  inSessions(
    "internal/stream/streamHandle",
    "writers left waiting when the stream fails",
    "every operation ends",
    "if (writes.length > 0) failAll(writes, streamError(this.id, failure))",
    ""
  ),
  inSessions(
    "internal/stream/streamHandle",
    "failure of a scope ends the stream in good order",
    "what was cut does not look like an end",
    "if (Exit.isSuccess(exit)) return this.closeNow()",
    "if (Exit.isSuccess(exit) || this.writes.length === 0) return this.closeNow()"
  ),
  ...MANAGED
]
