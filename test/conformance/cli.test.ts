/** The runner: its command line, its output, its exit codes, and targets of either direction. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Run } from "../../tools/conformance/cli/arguments.js"
import { parse, USAGE } from "../../tools/conformance/cli/arguments.js"
import { count, resultAsJson, resultInWords } from "../../tools/conformance/cli/output.js"
import { run } from "../../tools/conformance/cli/run.js"
import { Deviation } from "../../tools/conformance/failure.js"
import type { Row } from "../../tools/conformance/row.js"
import { rows } from "../../tools/conformance/rows/index.js"
import type { Result } from "../../tools/conformance/target.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

const command = (...argv: ReadonlyArray<string>): Run => {
  const parsed = parse(argv, rows)
  if (Either.isLeft(parsed) || parsed.right._tag === "Help") return assert.fail(`no run: ${argv.join(" ")}`)
  return parsed.right
}

const conformance = (...argv: ReadonlyArray<string>) =>
  spawnSync("node", ["--import", "tsx", "tools/conformance/main.ts", ...argv], { cwd: root, encoding: "utf8" })

const outcomesOf = (results: ReadonlyArray<Result>) => results.map(({ outcome, row }) => `${row.id} ${outcome}`)

describe("the command line of the conformance suite", () => {
  it("names each wrong argument", () => {
    const wrong = (...argv: ReadonlyArray<string>) =>
      Either.match(parse(argv, rows), { onLeft: (text) => text, onRight: () => "" })
    assert.match(wrong("--port", "x"), /--port must be a whole number from 1 to 65535/)
    assert.match(wrong("--port", "0"), /--port/)
    assert.match(wrong("--listen", "65536"), /--listen must be/)
    assert.match(wrong("--port", "1", "--listen", "2"), /exclude/)
    assert.match(wrong("--hold"), /--hold needs --port/)
    assert.match(wrong("--repeat", "--port", "1"), /--repeat needs --listen/)
    assert.match(wrong("--untyped"), /need --port or --listen/)
    assert.match(wrong("--host", "", "--port", "1"), /--host/)
    assert.match(wrong("--only", "F-01,Q-01"), /"Q-01"/)
    assert.match(wrong("--limit", "0"), /--limit/)
    assert.match(wrong("--nonsense"), /--nonsense/)
    assert.match(wrong("F-01"), /F-01/)
  })

  it("knows every option that its help names", () => {
    for (const [option] of USAGE.matchAll(/--[a-z]+/g)) {
      const value = ["--host", "--port", "--listen", "--only", "--limit"].includes(option) ? ["1"] : []
      assert.notMatch(Either.merge(Either.map(parse([option, ...value], rows), String)), /Unknown option/)
    }
  })

  it("selects rows in the order of the table or of --only", () => {
    assert.deepStrictEqual(
      command("--only", "V-01,F-01").rows.map(({ id }) => id),
      ["V-01", "F-01"]
    )
    assert.strictEqual(command().rows, rows)
  })
})

describe("a result of the conformance suite", () => {
  const [row = assert.fail("no rows")]: ReadonlyArray<Row> = rows
  const failed: Result = {
    row,
    typed: false,
    outcome: "failed",
    failure: new Deviation({ expected: "this", saw: "that", transcript: ["→ one", "← two"] }),
    milliseconds: 1.4
  }

  it("is a line, with what was seen for a failure", () => {
    assert.deepStrictEqual(resultInWords(failed).split("\n"), [
      `✗ ${row.id} MUST   untyped ${row.rule}`,
      "    expected this",
      "    saw      that",
      "      → one",
      "      ← two"
    ])
    assert.strictEqual(
      resultInWords({ ...failed, outcome: "passed", failure: undefined }),
      `✓ ${row.id} MUST   untyped ${row.rule}`
    )
  })

  it("is a line of JSON", () => {
    assert.deepInclude(JSON.parse(resultAsJson(failed)), {
      id: row.id,
      sessions: "untyped",
      outcome: "failed",
      saw: "that",
      milliseconds: 1
    })
  })

  it("counts as a MUST or not", () => {
    const should: Result = { ...failed, row: { ...row, level: "SHOULD" } }
    assert.deepStrictEqual(
      count([failed, should, { ...failed, outcome: "passed" }, { ...failed, outcome: "skipped" }]),
      {
        passed: 1,
        failed: 2,
        mustFailed: 1
      }
    )
  })
})

const quiet = { say: () => Effect.void, done: () => Effect.void }

describe("a run of the conformance suite", () => {
  it.scopedLive("against a server has only the rows for servers, and prints each when it is done", () =>
    Effect.gen(function* () {
      const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
      yield* Effect.forkScoped(
        server.run((session) =>
          session.serve((stream) => Stream.run(MuxStream.toStream(stream), MuxStream.toSink(stream)))
        )
      )
      const port = server.address._tag === "TcpAddress" ? String(server.address.port) : assert.fail("no port")
      const told: Array<string> = []
      const results = yield* run(
        command("--port", port, "--only", "F-01,H-04,O-01,W-01"),
        () => Effect.void,
        ({ row }) => Effect.sync(() => told.push(row.id))
      )
      assert.deepStrictEqual(outcomesOf(results), ["F-01 passed", "W-01 passed"])
      assert.deepStrictEqual(told, ["F-01", "W-01"])
      const holding = yield* run(
        command("--port", port, "--hold", "--only", "F-01,L-01", "--limit", "200"),
        quiet.say,
        quiet.done
      )
      assert.deepStrictEqual(outcomesOf(holding), ["L-01 failed"])
    })
  )

  it.scopedLive("against a client waits for it to dial, once for each row", () =>
    Effect.gen(function* () {
      const hello = new TextEncoder().encode("hello")
      const dial = (port: number) =>
        Session.Session.pipe(
          Effect.flatMap((session) =>
            Effect.zipRight(
              session.withStream((stream) =>
                MuxStream.write(stream, hello).pipe(
                  Effect.zipRight(MuxStream.finish(stream)),
                  Effect.zipRight(MuxStream.readAll(stream))
                )
              ),
              session.closed
            )
          ),
          Effect.provide(Session.layerClient()),
          Effect.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })),
          Effect.ignore,
          Effect.forever
        )
      const client: Array<Fiber.RuntimeFiber<never>> = []
      const results = yield* run(
        command("--listen", "0", "--only", "O-01,O-02,O-03,F-01,W-11"),
        (text) =>
          Effect.flatMap(Effect.forkDaemon(dial(Number(/:(\d+)$/.exec(text)?.[1]))), (fiber) =>
            Effect.sync(() => void client.push(fiber))
          ),
        quiet.done
      )
      yield* Effect.forEach(client, Fiber.interrupt)
      assert.deepStrictEqual(outcomesOf(results), ["O-01 passed", "O-03 passed", "W-11 passed"])
    })
  )

  it("exits with 0 if no MUST failed, with the counts on the last line", { timeout: 60_000 }, () => {
    const { status, stdout } = conformance("--only", "F-01,V-01")
    assert.strictEqual(status, 0)
    assert.match(stdout, /^✓ F-01 MUST {3}typed .*\n✓ F-01 MUST {3}untyped .*\n(.*\n){2}4 passed, 0 failed\n$/)
  })

  it("exits with 1 if a MUST failed, or if nothing listens on the port", { timeout: 60_000 }, () => {
    const { status, stdout } = conformance("--port", "1", "--only", "F-01", "--json")
    assert.strictEqual(status, 1)
    const [first = "", last = ""] = stdout.trim().split("\n")
    assert.match(first, /no connection/)
    assert.deepStrictEqual(JSON.parse(last), { passed: 0, failed: 1, mustFailed: 1 })
  })

  it("exits with 2 and prints its usage if its arguments are wrong", { timeout: 60_000 }, () => {
    const { status, stderr, stdout } = conformance("--port", "none")
    assert.strictEqual(status, 2)
    assert.include(stderr, USAGE)
    assert.strictEqual(stdout, "")
  })
})
