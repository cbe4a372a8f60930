/** The sending side: sends each file over a stream, and compares the server's verdict with the sent bytes. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { MuxStream, Session } from "effect-muxado"
import * as Array from "effect/Array"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { createHash } from "node:crypto"
import { DigestMismatch, FileSkipped, MalformedMessage, NotStored, VerdictMissing } from "./errors.js"
import type { Progress } from "./progress.js"
import { FileHeader, receiveMessage, sendMessage, StreamType, Verdict } from "./protocol.js"
import { reasonOf } from "./reason.js"
import type { Source } from "./source.js"

/** How many files are sent at once. */
const CONCURRENCY = 32

/** How many bytes of a file are read at once. */
const CHUNK = 128 * 1024

export interface Mirrored {
  readonly files: number
  readonly bytes: number
  readonly skipped: ReadonlyArray<FileSkipped>
  readonly elapsed: Duration.Duration
  readonly roundTrip: Duration.Duration
  readonly session: Session.SessionStats
}

/** The server's verdict on each file that is being sent. */
type Verdicts = Map<string, Deferred.Deferred<Verdict>>

interface Job {
  readonly root: string
  readonly session: Session.SessionService
  readonly progress: Progress
  readonly verdicts: Verdicts
}

/**
 * Sends all files of the source over the session in the context. Fails at the first that is not stored as it was sent.
 */
export const mirror = Effect.fn("mirror")(function* (source: Source, progress: Progress) {
  const session = yield* Session.Session
  const job: Job = { root: source.root, session, progress, verdicts: new Map() }
  yield* Effect.forkScoped(session.serve((stream) => receiveVerdict(stream, job.verdicts)))
  const [elapsed, outcomes] = yield* Effect.forEach(source.files, (file) => leavingOut(sendFile(job, file.path)), {
    concurrency: CONCURRENCY
  }).pipe(Effect.timed)
  const [skipped, sizes] = Array.separate(outcomes)
  const mirrored: Mirrored = {
    files: sizes.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    skipped: [...source.skipped, ...skipped],
    elapsed,
    roundTrip: yield* session.ping,
    session: yield* session.stats
  }
  return mirrored
}, Effect.scoped)

/** Skips a file that cannot be read. */
const leavingOut = <A, E, R>(sending: Effect.Effect<A, E | FileSkipped, R>) =>
  sending.pipe(
    Effect.map(Either.right),
    Effect.catchIf(
      (error): error is FileSkipped => error instanceof FileSkipped,
      (skipped) => Effect.succeed(Either.left(skipped))
    )
  )

// --- a file ---

/** Completes with the size of the file when the server has stored exactly the sent bytes. */
const sendFile = Effect.fn("sendFile")(function* ({ progress, root, session, verdicts }: Job, path: string) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* orSkip(path, fs.open(`${root}/${path}`))
  const verdict = yield* Deferred.make<Verdict>()
  yield* Effect.acquireRelease(
    Effect.sync(() => verdicts.set(path, verdict)),
    () => Effect.sync(() => verdicts.delete(path))
  )
  const sent = yield* session
    .withStream((stream) => sendContent(stream, path, file, progress), { type: StreamType.File })
    .pipe(Effect.tapErrorTag("StreamReset", () => rejection(verdict)))
  const { sha256, size } = yield* judgement(path, verdict)
  if (size !== sent.size || sha256 !== sent.sha256) {
    return yield* new DigestMismatch({ path, sent: describe(sent), stored: describe({ sha256, size }) })
  }
  progress.fileDone()
  return size
}, Effect.scoped)

/**
 * Sends header, content and FIN, and waits for the server's FIN. A failure resets the stream; then the server drops the
 * file.
 */
const sendContent = Effect.fn("sendContent")(function* (
  stream: MuxStream.MuxStream,
  path: string,
  file: FileSystem.File,
  progress: Progress
) {
  const before = yield* orSkip(path, file.stat)
  const size = Number(before.size)
  yield* sendMessage(stream, FileHeader, { path, size })
  const sha256 = createHash("sha256")
  for (let left = size; left > 0;) {
    const next = yield* orSkip(path, file.readAlloc(Math.min(CHUNK, left)))
    if (Option.isNone(next)) return yield* new FileSkipped({ path, reason: CHANGED })
    sha256.update(next.value)
    yield* MuxStream.write(stream, next.value)
    left -= next.value.length
    progress.bytesSent(next.value.length)
  }
  const after = yield* orSkip(path, file.stat)
  if (after.size !== before.size || !sameTime(before.mtime, after.mtime)) {
    return yield* new FileSkipped({ path, reason: CHANGED })
  }
  yield* MuxStream.finish(stream)
  yield* MuxStream.readAll(stream)
  return { size, sha256: sha256.digest("hex") }
})

const CHANGED = "changed while it was being read"

const orSkip = <A, R>(path: string, use: Effect.Effect<A, PlatformError, R>): Effect.Effect<A, FileSkipped, R> =>
  Effect.mapError(use, (error) => new FileSkipped({ path, reason: reasonOf(error) }))

const sameTime = (one: Option.Option<Date>, other: Option.Option<Date>): boolean =>
  Option.getEquivalence((a: Date, b: Date) => a.getTime() === b.getTime())(one, other)

const describe = (stored: { readonly size: number; readonly sha256: string }): string =>
  `${stored.size} bytes with SHA-256 ${stored.sha256}`

// --- verdicts ---

/** Handles a verdict's stream. It succeeds, and so finishes the stream, when the file's fiber has the verdict. */
const receiveVerdict = Effect.fn("receiveVerdict")(function* (stream: MuxStream.MuxStream, verdicts: Verdicts) {
  if (stream.type !== StreamType.Verdict) return yield* new MalformedMessage({ detail: `stream type ${stream.type}` })
  const { message } = yield* receiveMessage(stream, Verdict)
  const awaited = verdicts.get(message.path)
  if (awaited === undefined) return yield* new MalformedMessage({ detail: `${message.path} was never sent` })
  yield* Deferred.succeed(awaited, message)
})

/** The verdict on a file whose stream has ended: it must have arrived before that. */
const judgement = Effect.fn("judgement")(function* (path: string, verdict: Deferred.Deferred<Verdict>) {
  const given = yield* Deferred.poll(verdict)
  if (Option.isNone(given)) return yield* new VerdictMissing({ path })
  const judged = yield* given.value
  return judged._tag === "Stored" ? judged : yield* new NotStored(judged)
})

/** The reason why the server ended a file's stream, if it has sent one. */
const rejection = Effect.fn("rejection")(function* (verdict: Deferred.Deferred<Verdict>) {
  const given = yield* Deferred.poll(verdict)
  if (Option.isNone(given)) return
  const judged = yield* given.value
  if (judged._tag === "Failed") yield* new NotStored(judged)
})
