/** Faults of managed sessions. */
import type { Mutant } from "./mutants.js"

/** One that shows in simulated managed sessions, or in a file of tests. */
const mutant = (
  file: string,
  name: string,
  rule: string,
  text: string,
  replacement: string,
  by: Mutant["by"] = "managed"
): Mutant => ({ name, rule, file: `internal/managed/${file}.ts`, text, replacement, by })

export const MANAGED: ReadonlyArray<Mutant> = [
  // --- calls
  mutant(
    "retrying",
    "a call is repeated although the peer may have acted on it",
    "a call is executed at most once",
    `  if (stream.core.failure?.processed !== "no") return undefined
  const on = retry(error)
  return on === "Never" ? undefined : { error, on }`,
    `  return retry(error) === "Never" ? { error, on: "NewSession" } : { error, on: "SameSession" }`
  ),
  mutant(
    "calls",
    "a call whose session leaves is not opened elsewhere",
    "a session that is replaced loses no call",
    "    if (live.takesStreams) return Effect.fail(error)\n",
    "    if (live.takesStreams || live.load >= 0) return Effect.fail(error)\n"
  ),
  mutant(
    "managed",
    "waiting calls are not woken",
    "a call does not wait while there is a session",
    "    if (this.pick() !== undefined || this.verdict !== undefined) this.waiting.notifyAll()\n",
    ""
  ),
  mutant(
    "managed",
    "the count of waiting calls leaks",
    "only calls that wait are counted",
    "      this.waitingCalls += calls\n",
    "      if (calls > 0) this.waitingCalls += calls\n"
  ),
  mutant(
    "deadline",
    "each wait of a call starts its time anew",
    "a call waits at most for openTimeout",
    "this.startedAt ??= now",
    "this.startedAt = now"
  ),
  mutant(
    "slot",
    "with FailFast, an idle slot never connects again",
    "a call at an idle slot waits for its attempt",
    "      // otherwise no call would wait for the attempt that it starts\n      this.isFailing = false\n",
    ""
  ),
  // --- attempts
  mutant(
    "slot",
    "verify is skipped",
    "a session takes calls when its peer has answered",
    "      if (verify)\n",
    "      if (!verify)\n"
  ),
  mutant(
    "slot",
    "the delays start anew after an early death",
    "only a healthy session starts the delays anew",
    "(live.age >= needed && !asksForCalm(error))",
    "!asksForCalm(error)"
  ),
  mutant(
    "backoff",
    "no least delay",
    "an attempt is at least 20 ms after a failure",
    "Math.max(LEAST_DELAY, calm,",
    "Math.max(0, calm,"
  ),
  mutant(
    "backoff",
    "EnhanceYourCalm is ignored",
    "an attempt is at least 5 seconds after EnhanceYourCalm",
    "(Math.max(LEAST_DELAY, calm,",
    "(Math.max(LEAST_DELAY, Math.min(calm, 0),"
  ),
  // --- replacing a session
  mutant(
    "slot",
    "a moved slot keeps its old session",
    "one session for each slot",
    "      if (old !== undefined) this.owner.retire(old)\n",
    ""
  ),
  mutant(
    "slot",
    "a session that the peer leaves is forgotten",
    "one session for each slot",
    `        this.live = undefined
        this.owner.retire(live)
      }
      yield* this.emit({ _tag: "Moving"`,
    `        this.live = undefined
      }
      yield* this.emit({ _tag: "Moving"`
  ),
  mutant(
    "managed",
    "a replaced session is closed at once",
    "the streams of a replaced session may go on",
    "live.session.drain(this.options.moveGrace)",
    "live.session.close"
  ),
  mutant(
    "slot",
    "used up ids are ignored",
    "a session without ids is replaced",
    "    if (!this.isMoving) this.exhausted.notify()\n",
    ""
  ),
  mutant(
    "live",
    "a failed probe is ignored",
    "a session that does not answer takes no calls",
    "Either.isLeft(answer) && !this.isCondemned",
    "Either.isLeft(answer) && this.isCondemned",
    { test: "test/managed/probing.test.ts" }
  ),
  mutant(
    "managed",
    "a call does not use the session that has answered its probe",
    "a call probes one session",
    "isAnswered && live.takesStreams ?",
    "isAnswered && live.isCondemned ?"
  ),
  // --- serving
  mutant(
    "serving",
    "a new session is not served",
    "serve continues across sessions",
    "    for (const server of this.servers) source.subscribe(server)\n    // streams",
    "    // streams"
  ),
  mutant(
    "serving",
    "streams that came before the session took calls are not accepted",
    "no wake-up is lost",
    "    if (source.hasUnserved) this.acceptors.notifyAll()\n",
    ""
  ),
  // --- the end
  mutant(
    "managed",
    "the end leaves the slots running",
    "nothing is left after the end",
    "      yield* Fiber.interruptAll(this.drivers)\n",
    ""
  ),
  mutant(
    "slot",
    "the scope of a failed attempt stays open",
    "nothing is left of an attempt",
    "        this.owner.background(Scope.close(scope, exit))\n",
    ""
  )
]
