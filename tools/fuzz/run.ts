/** Runs a case, and returns what happened. Throws `Broken` if a rule was broken. */
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { concat, pattern } from "../../test/support/bytes.js"
import { showEnd } from "../../test/support/protocol/text.js"
import type { Known } from "./application.js"
import { must } from "./broken.js"
import type { Case, Command, Step } from "./case.js"
import { finale } from "./finale.js"
import { Random } from "./random.js"
import { judge, textOf } from "./reference.js"
import type { Listener, OnSent } from "./session.js"
import { FuzzedSession } from "./session.js"

/** More than the application may have of its own, so that an input stays small. */
const MAX_LENGTH = 300_000
const MAX_TIME = 100_000

export interface Outcome {
  /** Everything that happened. */
  readonly log: ReadonlyArray<string>
  /** Without what may differ with the cut: when credit goes back, and into how many frames bytes are put. */
  readonly uncut: ReadonlyArray<string>
}

export interface Watcher {
  readonly listener?: Listener
  readonly onSent?: OnSent
}

export const run = (input: Case, watcher: Watcher = {}): Outcome => {
  const log: Array<string> = []
  const uncut: Array<string> = []
  const { setting } = input
  const session = new FuzzedSession(
    setting,
    (line, detail, session) => {
      log.push(detail === "" ? line : `${line} ${detail}`)
      if (!mayDiffer(line)) uncut.push(line)
      watcher.listener?.(line, detail, session)
    },
    watcher.onSent ?? (() => undefined)
  )
  const random = new Random(setting.cut)
  let gone = 0
  let drained = 0
  for (const step of input.steps) {
    if (step.name === "goaway" || step.name === "close") gone++
    // a drain is announced once
    if (step.name === "drain") drained = 1
    act(session, step, random)
    session.settle()
  }
  checkReference(session)
  finale(session, random)
  checkGoAways(session, gone + drained + 1)
  return { log, uncut }
}

/** `run`, and once more in other chunks: it must be the same session. */
export const runTwice = (input: Case, watcher: Watcher = {}): Outcome => {
  const first = run(input, watcher)
  // how it ends stays the same
  const second = run({ ...input, setting: { ...input.setting, cut: input.setting.cut + 4 * 997 } })
  const at = first.uncut.findIndex((line, index) => line !== second.uncut[index])
  if (at >= 0 && !overran(first, at) && !overran(second, at)) {
    must(false, () => `cut otherwise, it is another session: line ${at}: ${first.uncut[at]} / ${second.uncut[at]}`)
  }
  return first
}

/**
 * How much credit is out already when a frame overruns its window depends on the cut, where it goes back by itself; and
 * so may the reset that is one too many. So does how many heartbeats have been answered when there is no more room for
 * what has come, and thus whether a stream is given up for it. The last line that is the same may be the one that says so.
 */
const overran = ({ uncut }: Outcome, from: number): boolean =>
  uncut
    .slice(Math.max(0, from - 1))
    .some((line) =>
      /^RST \d+ code (3|10)$|^GOAWAY last \d+ code 10$|Reset (3|10) by Local|Violation 10 by Local/.test(line)
    )

const mayDiffer = (line: string): boolean =>
  line === "WNDINC" || line.startsWith("DATA ") || line.startsWith("write ") || line.startsWith("Writable ")

// --- steps

const act = (session: FuzzedSession, step: Step, random: Random): void => {
  if (step.name === "peer") return cut(session, step.bytes, random)
  const { connection } = session
  const { app } = session
  const stream = app.streams[step.a % Math.max(1, app.streams.length)]
  switch (step.name) {
    case "fill":
      return cut(session, pattern(Math.min(step.a, MAX_LENGTH)), random)
    case "open":
      // the type of heartbeats is not the application's
      return app.open(session.setting.typed ? Math.min(step.a, 0xffff_fffe) : undefined)
    case "demand":
      return connection.setAcceptCapacity(step.a)
    case "ping":
      return session.log(`ping: ${connection.ping(step.a >>> 0, session.now)}`)
    case "drain":
      return connection.drain()
    case "goaway":
      return connection.goAway(step.a >>> 0, "x".repeat(Math.min(step.b, 1000)))
    case "close":
      return connection.close()
    case "abort":
      return connection.abort()
    case "resetall":
      return connection.resetAll(step.a >>> 0)
    case "lost":
      return connection.transportFailed({
        _tag: "TransportFailed",
        reason: "Read",
        cause: undefined,
        initiator: "Remote"
      })
    case "tick":
      return session.tick(Math.min(step.a, MAX_TIME))
    case "take":
      return session.take(Math.min(step.a, MAX_LENGTH))
    case "written":
      return connection.written()
    default:
      if (stream !== undefined) onStream(session, step, stream)
  }
}

const onStream = ({ app, connection }: FuzzedSession, { b, name }: Command, stream: Known): void => {
  switch (name) {
    case "accept":
      return connection.accept(stream.core)
    case "read":
      app.read(stream)
      return
    case "write":
      return app.writePattern(stream, Math.min(b, MAX_LENGTH))
    case "withdraw":
      return app.withdraw(stream, b)
    case "unblock":
      stream.pending = undefined
      return connection.unblockWriter(stream.core)
    case "finish":
      return connection.finish(stream.core)
    case "stop":
      return app.stop(stream)
    case "reset":
      return connection.reset(stream.core, b >>> 0)
    case "refuse":
      return connection.refuse(stream.core)
    default:
      throw new Error(`${name} is no step of a stream`)
  }
}

/** Whole, byte by byte, or in chunks of some size, as the numbers fall. */
const cut = (session: FuzzedSession, bytes: Uint8Array, random: Random): void => {
  const sizes = [bytes.length, bytes.length, 1, 3, 12, 40, 5000]
  // the peer's pieces may be views of a larger buffer, as those of a socket are
  const most = Math.max(random.one(sizes) ?? 1, Math.ceil(bytes.length / 2000))
  for (let at = 0; at < bytes.length;) {
    const size = most === bytes.length ? most : 1 + random.below(most)
    session.hear(bytes.subarray(at, at + size))
    at += size
  }
}

// --- what must have come of it

const checkReference = (session: FuzzedSession): void => {
  const bytes = concat(session.heard)
  const peerParity = session.setting.role === "client" ? 0 : 1
  const reference = judge(bytes, peerParity)
  const same = (what: string, frames: ReadonlyArray<string>) => {
    const at = frames.findIndex((line, index) => line !== reference.seen[index])
    must(at < 0 && frames.length === reference.seen.length, () => `${what}: frame ${at} of ${frames.length} differs`)
  }
  same("the decoder", textOf(session.decoded))
  same("the decoder, at once", textOf(new Decoder().push(bytes)))
  for (const { core, read, readLength, sawEnd } of session.app.streams) {
    if (core.initiator === "Local") continue
    const said = reference.streams.get(core.id)
    const all = concat(said?.payload ?? []).subarray(session.options.typed ? 4 : 0)
    must(
      said !== undefined && Buffer.from(all.subarray(0, readLength)).equals(concat(read)),
      () => `stream ${core.id}: what was read is not what the peer said`
    )
    if (sawEnd && said?.finAt !== readLength + (session.options.typed ? 4 : 0)) {
      must(false, () => `stream ${core.id} ends after ${readLength} bytes, and the peer's after ${said?.finAt}`)
    }
  }
  const { end } = session.connection
  must(reference.violation === undefined || end !== undefined, () => `violation ${reference.violation} goes on`)
  const ours = end?._tag === "Violation" && end.initiator === "Local" ? end.code : undefined
  must(
    ours === undefined || ours === 10 || ours === reference.violation,
    () => `violation ${ours} instead of ${reference.violation}`
  )
}

const checkGoAways = ({ connection, rules }: FuzzedSession, most: number): void => {
  const { end } = connection
  must(rules.goAways.length <= most, () => `${rules.goAways.length} GOAWAYs`)
  if (end?._tag !== "Violation" || end.initiator !== "Local") return
  must(rules.goAways.at(-1) === end.code, () => `GOAWAY ${rules.goAways.at(-1)} for ${showEnd(end)}`)
}
