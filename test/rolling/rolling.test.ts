/** A small rolling restart, with real processes and sockets: `npm run rolling` is the large one. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type { Call } from "../../tools/rolling/load.js"
import { parse } from "../../tools/rolling/options.js"
import type { Found, Plan } from "../../tools/rolling/replacing.js"
import { inWords, replaceServers } from "../../tools/rolling/replacing.js"
import { describeStampede, table } from "../../tools/rolling/report.js"
import { judgeStampede, stampede } from "../../tools/rolling/stampede.js"
import { judge } from "../../tools/rolling/verdict.js"
import { certificates } from "../support/certificates.js"
import { leavesNothing } from "../support/census.js"

const PLAN: Plan = {
  medium: "TCP",
  ending: "Drain",
  handover: "HandedOver",
  replacements: 2,
  rate: 60,
  sessions: 2,
  every: 2000,
  down: 300
}

const SCENARIOS: ReadonlyArray<Plan> = [
  PLAN,
  { ...PLAN, medium: "TLS", handover: "Anew" },
  { ...PLAN, ending: "Kill", handover: "Anew" },
  { ...PLAN, medium: "TLS", ending: "Kill" }
]

const quietly = Logger.withMinimumLogLevel(LogLevel.None)

describe("servers that are replaced under load", () => {
  for (const plan of SCENARIOS) {
    const promise =
      plan.ending === "Drain"
        ? "lose no call"
        : "lose only calls that they may have processed, and all sessions are back"
    it.live(
      `${promise} (${inWords(plan)})`,
      () =>
        Effect.gen(function* () {
          const identities = yield* Effect.promise(certificates)
          const lines: Array<string> = []
          const found = yield* leavesNothing(replaceServers(plan, identities, (line) => lines.push(line)))
          const verdict = judge(found)
          assert.deepStrictEqual(verdict.faults, [])
          assert.lengthOf(lines, plan.replacements)
          assert.isAbove(verdict.calls, 100)
          assert.lengthOf(found.back, plan.ending === "Kill" ? plan.replacements * plan.sessions : 0)
          assert.include(table([{ found, verdict, faults: [] }]), inWords(plan))
        }).pipe(quietly),
      120_000
    )
  }

  it.live(
    "clients that lose their server are all connected in the end",
    () =>
      Effect.gen(function* () {
        const crowd = yield* leavesNothing(stampede({ clients: 30, outage: 500 }, () => {}))
        assert.deepStrictEqual(judgeStampede(crowd), [])
        assert.include(describeStampede(crowd), "connected in the end: 30")
      }).pipe(quietly),
    120_000
  )
})

const call = (id: number, what: Partial<Call> = {}): Call => ({
  id,
  takes: 0,
  delay: 1,
  outcome: { _tag: "Answered", isRight: true },
  failures: [],
  ...what
})

const failed = (id: number, processed: "no" | "maybe" | undefined): Call => {
  const failure = { error: "SessionDead", processed }
  return call(id, { outcome: { _tag: "Failed", ...failure }, failures: [{ ...failure, attempt: 1 }] })
}

const faultsOf = (what: Partial<Found>, ending: Plan["ending"] = "Drain"): ReadonlyArray<string> =>
  judge({
    plan: { ...PLAN, ending },
    calls: [],
    executions: [],
    servers: [],
    back: [],
    failedConnects: 0,
    ...what
  }).faults

describe("the verdict of a rolling restart", () => {
  it("is that no promise was broken, if each call was executed once and answered", () => {
    assert.deepStrictEqual(faultsOf({ calls: [call(1)], executions: [{ id: 1, attempt: 1 }] }), [])
  })

  it("finds a call that failed in a drain, and after kill -9 one that was not processed", () => {
    assert.match(faultsOf({ calls: [failed(1, "maybe")] }).join(), /^1 failed: call 1 \(processed maybe/)
    assert.deepStrictEqual(faultsOf({ calls: [failed(1, "maybe")] }, "Kill"), [])
    assert.match(faultsOf({ calls: [failed(1, "no")] }, "Kill").join(), /^1 failed: call 1 \(processed no/)
    assert.match(faultsOf({ calls: [failed(1, undefined)] }, "Kill").join(), /^1 failed: call 1 \(processed \?/)
  })

  it("finds a call that was executed twice, by one attempt or by two", () => {
    for (const attempt of [1, 2]) {
      const executions = [
        { id: 1, attempt: 1 },
        { id: 1, attempt }
      ]
      assert.match(faultsOf({ calls: [call(1)], executions }).join(), /^1 were executed more than once: call 1$/)
    }
  })

  it('finds an attempt that failed with processed "no" and was executed', () => {
    const repeated = call(1, { failures: [{ attempt: 1, error: "StreamReset", processed: "no" }] })
    assert.deepStrictEqual(faultsOf({ calls: [repeated], executions: [{ id: 1, attempt: 2 }] }), [])
    assert.match(
      faultsOf({ calls: [repeated], executions: [{ id: 1, attempt: 1 }] }).join(),
      /^1 failed with processed "no" and were executed: attempt 1 of call 1/
    )
  })

  it("finds a wrong reply, a reply that nothing executed, a call without an outcome, and a server that did not end", () => {
    const executions = [{ id: 1, attempt: 1 }]
    const wrongReply = call(1, { outcome: { _tag: "Answered", isRight: false } })
    assert.match(faultsOf({ calls: [wrongReply], executions }).join(), /^1 had a wrong reply: call 1$/)
    assert.match(faultsOf({ calls: [call(1)] }).join(), /^1 were answered and not executed: call 1$/)
    assert.match(faultsOf({ calls: [call(1, { outcome: { _tag: "Hung" } })] }).join(), /^1 had no outcome: call 1$/)
    assert.deepStrictEqual(faultsOf({ servers: ["server 1 still ran"] }), ["server 1 still ran"])
  })

  it("names three of many", () => {
    const calls = [1, 2, 3, 4, 5].map((id) => failed(id, "no"))
    assert.match(faultsOf({ calls }).join(), /^5 failed: .*call 3.*, and 2 more$/)
  })
})

describe("the command line of rolling", () => {
  const problem = (...args: ReadonlyArray<string>): string =>
    Either.match(parse(args), { onLeft: ({ message }) => message, onRight: ({ _tag }) => _tag })

  it("runs every scenario, or the parts that --only names", () => {
    const plans = (...args: ReadonlyArray<string>) => {
      const command = Either.getOrThrow(parse(args))
      assert(command._tag === "Run")
      return [command.plans.length, command.stampede?.clients]
    }
    assert.deepStrictEqual(plans(), [8, 1000])
    assert.deepStrictEqual(plans("--only", "drain"), [4, undefined])
    assert.deepStrictEqual(plans("--only", "kill,stampede", "--clients", "7"), [4, 7])
  })

  it("says what is wrong", () => {
    assert.strictEqual(problem("--help"), "Help")
    assert.match(problem("--every", "0"), /^--every must be a number of at least 2$/)
    assert.match(problem("--clients", "1.5"), /^--clients must be an integer of at least 1$/)
    assert.match(problem("--only", "drains"), /^--only drains is not one of drain, kill, stampede$/)
    assert.match(problem("--seconds", "3"), /--seconds/)
  })
})
