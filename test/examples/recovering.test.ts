/** The examples whose server is restarted while they run: they need no restart themselves. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { freePort, Program } from "../support/examples/echo.js"
import { runScript } from "../support/examples/script.js"

const start = (file: string, env: Readonly<Record<string, number>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const cwd = fileURLToPath(new URL("../../", import.meta.url))
      const ports = Object.fromEntries(Object.entries(env).map(([name, port]) => [name, String(port)]))
      return new Program(spawn(process.execPath, ["--import", "tsx", file], { cwd, env: { ...process.env, ...ports } }))
    }),
    (program) => Effect.sync(() => program.child.kill("SIGKILL"))
  )

/** A backend that listens. */
const startBackend = (port: number) =>
  Effect.tap(start("examples/backend.ts", { BACKEND_PORT: port }), (backend) => backend.line(0))

/** An HTTP server and its first backend, and a call over both. */
const startBoth = (file: string) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const backend = yield* startBackend(port)
    const app = yield* start(file, { BACKEND_PORT: port, PORT: 0 })
    const url = /Listening on (http:\S+)/.exec(yield* app.line(0))?.[1] ?? assert.fail(app.stdout)
    const call = Effect.promise(async () => {
      const response = await fetch(`${url}/shout/hello`)
      return { status: response.status, body: await response.text() }
    })
    return { app, backend, call, port }
  })

const answerOf = ({ child: { pid } }: Program) => ({ status: 200, body: `HELLO, says process ${pid}` })

describe.each([
  ["Express", "examples/express/app.ts"],
  ["an Effect HttpServer", "examples/httpServer.ts"]
])("%s over a managed session", { timeout: 120_000 }, (_, file) => {
  it.scopedLive("answers again after its backend was killed, and a call meanwhile waits for the new one", () =>
    Effect.gen(function* () {
      const { app, backend, call, port } = yield* startBoth(file)
      assert.deepStrictEqual(yield* call, answerOf(backend))
      backend.child.kill("SIGKILL")
      // before this line, a call may still be sent to the dead backend
      assert.match(yield* app.line(1), /A managed session was lost/)
      const waiting = yield* Effect.fork(call)
      yield* backend.exit
      const next = yield* startBackend(port)
      assert.deepStrictEqual(yield* Fiber.join(waiting), answerOf(next))
      assert.deepStrictEqual(yield* call, answerOf(next))
      assert.isNull(app.child.exitCode)
    })
  )

  it.scopedLive("loses no call while its backend drains and is started again, and ends with 0 at a signal", () =>
    Effect.gen(function* () {
      const { app, backend, call, port } = yield* startBoth(file)
      assert.deepStrictEqual(yield* call, answerOf(backend))
      // each of these calls until it gets an answer that is not the first backend's: a failure, or the next one's
      const calls = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 4 }, () =>
            Effect.repeat(call, { until: ({ body }) => body !== answerOf(backend).body })
          ),
          { concurrency: "unbounded" }
        )
      )
      backend.child.kill("SIGTERM")
      assert.strictEqual(yield* backend.exit, 0)
      const next = yield* startBackend(port)
      for (const answer of yield* Fiber.join(calls)) assert.deepStrictEqual(answer, answerOf(next))
      app.child.kill("SIGTERM")
      assert.strictEqual(yield* app.exit, 0)
    })
  )
})

describe("the recovering client", () => {
  it("gets answers of three servers over one managed session, and ends by itself", { timeout: 60_000 }, async () => {
    const { code, lines, stderr } = await runScript("example:recovering")
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    const answers = lines.filter((line) => /^server \d answers$/.test(line))
    assert.deepStrictEqual([...new Set(answers)], ["server 1 answers", "server 2 answers", "server 3 answers"])
    const statuses = lines.filter((line) => !answers.includes(line)).map((line) => line.replace("status: ", ""))
    assert.match(
      statuses.join(" "),
      /^((Connecting|Backoff) )+(Connected ((Moving|Backoff|Connecting) )+){2}Connected Draining Closed$/
    )
  })
})
