/** A peer process, and the commands of `peers/CONTROL.md`. */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import type { Digest } from "./pattern.js"

/** The peer answered a command with an error; `answer` holds what else it said. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly command: string
  readonly code: number | null
  readonly error: string
  readonly answer: Readonly<Record<string, unknown>>
}> {
  override get message(): string {
    return `${this.command}: ${this.error} (code ${this.code})`
  }
}

/** The peer's process said what it should not, or is gone. */
export class PeerBroken extends Data.TaggedError("PeerBroken")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export type PeerError = CommandFailed | PeerBroken

export type Handler = "echo" | "digest" | "source" | "manual" | "hold" | "drop" | "none"

export interface Start {
  readonly role: "client" | "server"
  readonly port?: number
  readonly tls?: { readonly ca: string } | { readonly cert: string; readonly key: string }
  readonly typed?: boolean
  readonly heartbeat?: { readonly intervalMs: number; readonly toleranceMs: number }
  readonly window?: number
  readonly acceptBacklog?: number
  readonly streamLimit?: number
  readonly handler?: Handler
  readonly handlers?: Readonly<Record<string, Handler>>
}

const Code = Schema.NullOr(Schema.Number)
const Answer = Schema.Struct(
  { id: Schema.Number, ok: Schema.Boolean, code: Schema.optional(Code), error: Schema.optional(Schema.String) },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
)
const Event = Schema.Union(
  Schema.Struct({ event: Schema.Literal("connected") }),
  Schema.Struct({ event: Schema.Literal("accepted"), stream: Schema.Number, type: Schema.NullOr(Schema.Number) }),
  Schema.Struct({ event: Schema.Literal("closed") })
)
const Line = Schema.parseJson(Schema.Union(Event, Answer))

const isEvent = Schema.is(Event)

const decodeLine = Schema.decodeUnknown(Line)

const DigestAnswer = Schema.Struct({ bytes: Schema.Number, sha256: Schema.String })
const RunAnswer = Schema.Struct({
  streams: Schema.Number,
  failed: Schema.Number,
  bytes: Schema.Number,
  errors: Schema.Record({ key: Schema.String, value: Schema.Number })
})
const Ended = Schema.Struct({
  local: Schema.NullOr(Schema.Struct({ code: Code, error: Schema.NullOr(Schema.String) })),
  remote: Schema.NullOr(Schema.Struct({ code: Code, debug: Schema.NullOr(Schema.String) }))
})

export interface Workload {
  readonly concurrency: number
  readonly type?: number
  readonly seed?: number
}

/** A stream in the hands of the peer. */
export class PeerStream {
  constructor(
    private readonly peer: Peer,
    private readonly number: number,
    /** `null` on untyped sessions; of streams that the peer opened, what it was told. */
    readonly type: number | null
  ) {}

  private call(command: string, more: object = {}) {
    return this.peer.call(command, { stream: this.number, ...more })
  }

  /** Pattern(seed, bytes). */
  write(seed: number, bytes: number): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("write", { seed, bytes }))
  }

  writeHex(hex: string): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("writeHex", { hex }))
  }

  /** Exactly so many bytes, or those before the end. */
  read(bytes: number): Effect.Effect<string, PeerError> {
    return Effect.map(decoded(Schema.Struct({ hex: Schema.String }), this.call("read", { bytes })), ({ hex }) => hex)
  }

  readAll(slowMs = 0): Effect.Effect<Digest, PeerError> {
    return decoded(DigestAnswer, this.call("readAll", { slowMs }))
  }

  get closeWrite(): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("closeWrite"))
  }

  get close(): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("close"))
  }

  reset(code: number): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("reset", { code }))
  }
}

export class Peer {
  constructor(
    readonly pid: number,
    /** A command by its name: the whole answer. */
    readonly call: (command: string, more?: object) => Effect.Effect<Readonly<Record<string, unknown>>, PeerError>,
    private readonly acceptedStreams: Queue.Queue<{ readonly stream: number; readonly type: number | null }>,
    /** Completes when the peer has said that its session is over. */
    readonly closed: Effect.Effect<void>
  ) {}

  /** A server answers with its port. */
  start(options: Start): Effect.Effect<number, PeerError> {
    return Effect.map(this.call("start", { host: "127.0.0.1", port: 0, ...options }), ({ port }) => Number(port))
  }

  /** The next stream whose handler is `manual`. */
  get accepted(): Effect.Effect<PeerStream> {
    return Effect.map(Queue.take(this.acceptedStreams), ({ stream, type }) => new PeerStream(this, stream, type))
  }

  serve(handler: Handler, handlers: Readonly<Record<string, Handler>> = {}): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("serve", { handler, handlers }))
  }

  open(type?: number): Effect.Effect<PeerStream, PeerError> {
    return Effect.map(
      decoded(Schema.Struct({ stream: Schema.Number }), this.call("open", { type })),
      ({ stream }) => new PeerStream(this, stream, type ?? null)
    )
  }

  run(workload: Workload & { readonly count: number; readonly size: number }) {
    return decoded(RunAnswer, this.call("run", { seed: 1, ...workload }))
  }

  soak(workload: Workload & { readonly ms: number; readonly maxSize: number }) {
    return decoded(RunAnswer, this.call("soak", { seed: 1, ...workload }))
  }

  get beat() {
    return Effect.map(decoded(Schema.Struct({ rttMs: Schema.Number }), this.call("beat")), ({ rttMs }) => rttMs)
  }

  get beats() {
    return decoded(Schema.Struct({ beats: Schema.Number, misses: Schema.Number }), this.call("beats"))
  }

  goAway(code: number, debug: string): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("goAway", { code, debug }))
  }

  get closeSession(): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("closeSession"))
  }

  /** Waits for the end of the session: why it ended, as far as the peer knows. */
  get wait() {
    return decoded(Ended, this.call("wait"))
  }

  inject(hex: string): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("inject", { hex: hex.replaceAll(" ", "") }))
  }

  get cut(): Effect.Effect<void, PeerError> {
    return Effect.asVoid(this.call("cut"))
  }

  get info() {
    return decoded(
      Schema.Struct({ implementation: Schema.String, version: Schema.String, live: Schema.Number }),
      this.call("info")
    )
  }

  signal(name: NodeJS.Signals): Effect.Effect<void> {
    return Effect.sync(() => void process.kill(this.pid, name))
  }
}

const decoded = <A, I>(schema: Schema.Schema<A, I>, answer: Effect.Effect<unknown, PeerError>) =>
  Effect.flatMap(answer, (value) =>
    Effect.mapError(
      Schema.decodeUnknown(schema)(value),
      (error) => new PeerBroken({ detail: `an answer that is none: ${error.message}` })
    )
  )

/** Starts the program; the scope's end kills it. What it logs is passed on when `INTEROP_LOG` is set. */
export const spawnPeer = (program: string): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const accepted = yield* Queue.unbounded<{ readonly stream: number; readonly type: number | null }>()
    const closed = yield* Deferred.make<void>()
    const pending = new Map<number, Deferred.Deferred<Readonly<Record<string, unknown>>, PeerError>>()
    const names = new Map<number, string>()
    let broken: PeerBroken | undefined
    let lastId = 0

    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(program, [], { stdio: ["pipe", "pipe", "pipe"] })),
      (process) =>
        Effect.promise(async () => {
          if (process.exitCode !== null || process.signalCode !== null) return
          const exited = once(process, "exit")
          process.kill("SIGKILL")
          await exited
        })
    )
    let log = ""
    child.stderr.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4000)
      if (process.env["INTEROP_LOG"] !== undefined) process.stderr.write(chunk)
    })
    const fail = (detail: string): void => {
      broken ??= new PeerBroken({ detail: log === "" ? detail : `${detail}; it said last: ${log}` })
      for (const answer of pending.values()) Deferred.unsafeDone(answer, Effect.fail(broken))
      pending.clear()
    }
    child.on("error", (error) => fail(`the peer did not start: ${error.message}`))
    child.on("exit", (code, signal) => fail(`the peer is gone (${signal ?? code})`))
    child.stdin.on("error", () => undefined)

    const onLine = (text: string) =>
      Effect.map(decodeLine(text), (line) => {
        if (isEvent(line)) {
          if (line.event === "accepted") Queue.unsafeOffer(accepted, line)
          if (line.event === "closed") Deferred.unsafeDone(closed, Effect.void)
          return
        }
        const answer = pending.get(line.id)
        pending.delete(line.id)
        if (answer === undefined) return fail(`an answer to nothing: ${text}`)
        Deferred.unsafeDone(
          answer,
          line.ok
            ? Effect.succeed(line)
            : new CommandFailed({
                command: names.get(line.id) ?? "",
                code: line.code ?? null,
                error: line.error ?? "",
                answer: line
              })
        )
      }).pipe(Effect.catchAll(() => Effect.sync(() => fail(`a line that is none: ${text}`))))
    createInterface({ input: child.stdout }).on("line", (text) => Effect.runSync(onLine(text)))

    const call = (command: string, more: object = {}) =>
      Effect.gen(function* () {
        if (broken !== undefined) return yield* broken
        const id = ++lastId
        const answer = yield* Deferred.make<Readonly<Record<string, unknown>>, PeerError>()
        pending.set(id, answer)
        names.set(id, command)
        child.stdin.write(`${JSON.stringify({ id, cmd: command, ...more })}\n`)
        return yield* Deferred.await(answer)
      }).pipe(
        Effect.timeoutFail({
          duration: Duration.seconds(90),
          onTimeout: () => new PeerBroken({ detail: `no answer to ${command} within 90 s; it said last: ${log}` })
        })
      )
    return new Peer(child.pid ?? 0, call, accepted, Deferred.await(closed))
  })
