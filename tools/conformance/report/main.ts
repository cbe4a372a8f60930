/**
 * Builds the programs around Go's and Rust's muxado, runs the conformance suite against them and against our own, and
 * writes `docs/conformance.md`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { count, resultInWords } from "../cli/output.js"
import { overTcp } from "../ours.js"
import type { Column } from "./markdown.js"
import { markdown } from "./markdown.js"
import type { PeerTarget } from "./peer.js"
import { peerTarget } from "./peer.js"
import type { Row } from "../row.js"
import { rows } from "../rows/index.js"
import type { Result } from "../target.js"
import { plan, runRow } from "../target.js"
import type { PeerName } from "../../interop/peers.js"
import { buildOf, programOf } from "../../interop/peers.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const DOCUMENT = `${root}docs/conformance.md`

/** Far more than a row needs that passes. */
const LIMIT = "3 seconds"

const PEERS: ReadonlyArray<{ readonly peer: PeerName; readonly name: string; readonly tries: (row: Row) => boolean }> =
  [
    { peer: "go", name: "Go 2.0.2", tries: () => true },
    { peer: "go-2.0.1", name: "Go 2.0.1", tries: () => true },
    // it would be the program around it that answers
    { peer: "rust", name: "Rust 0.5.4", tries: ({ section }) => section !== "6.2" }
  ]

const say = (text: string) => Effect.sync(() => void process.stderr.write(`${text}\n`))

const build = (peer: PeerName) =>
  Effect.suspend(() => {
    const { command, directory } = buildOf(peer)
    const [builder, ...options] = command
    mkdirSync(dirname(programOf(peer)), { recursive: true })
    const { status } = spawnSync(builder, options, { cwd: directory, stdio: ["ignore", "inherit", "inherit"] })
    return status === 0 ? Effect.void : Effect.dieMessage(`${command.join(" ")} in ${directory} fails`)
  })

const told = (name: string) => (result: Result) =>
  result.outcome === "failed"
    ? say(`${name}: ${resultInWords(result).split("\n").slice(0, 3).join("\n")}`)
    : Effect.void

const skipped = (row: Row, typed: boolean): Result => ({
  row,
  typed,
  outcome: "skipped",
  failure: undefined,
  milliseconds: 0
})

const ours = Effect.map(
  Effect.forEach(plan(rows), ({ row, typed }) => Effect.tap(runRow(row, typed, overTcp, LIMIT), told("ours"))),
  (results): Column => ({ name: "ours", commands: ["npm run conformance"], results })
)

/** A program that has failed a row is not asked again: whatever it is left with is not the next row's. */
const runOn = (target: PeerTarget, row: Row, typed: boolean) =>
  Effect.tap(runRow(row, typed, target, LIMIT), ({ outcome }) => (outcome === "failed" ? target.renew : Effect.void))

const foreign = ({ name, peer, tries }: (typeof PEERS)[number]) => {
  const program = relative(root, programOf(peer))
  const results = Effect.forEach(
    [true, false],
    (typed) =>
      Effect.scoped(
        Effect.flatMap(peerTarget(programOf(peer), typed), (target) =>
          Effect.forEach(plan(rows, [typed]), ({ row }) =>
            tries(row) ? Effect.tap(runOn(target, row, typed), told(name)) : Effect.succeed(skipped(row, typed))
          )
        )
      ),
    { concurrency: 2 }
  )
  return Effect.map(results, (both): Column => ({
    name,
    commands: [
      `${program} echo-server --host 127.0.0.1 --port 7000 &    # add --untyped to all four for untyped sessions`,
      "npm run conformance -- --port 7000",
      `${program} echo-client --host 127.0.0.1 --port 7001 &`,
      "npm run conformance -- --listen 7001"
    ],
    results: both.flat()
  }))
}

const main = Effect.gen(function* () {
  for (const { name, peer } of PEERS) {
    yield* say(`building ${name}`)
    yield* build(peer)
  }
  const columns = [yield* ours, ...(yield* Effect.forEach(PEERS, foreign, { concurrency: "unbounded" }))]
  for (const { name, results } of columns) {
    const { failed, mustFailed, passed } = count(results)
    yield* say(`${name}: ${passed} passed, ${failed} failed, ${mustFailed} of them MUST`)
  }
  yield* Effect.sync(() => writeFileSync(DOCUMENT, markdown(rows, columns)))
  yield* say(`wrote ${relative(root, DOCUMENT)}`)
})

Effect.runFork(main).addObserver((exit) => {
  if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exitCode = Exit.isSuccess(exit) ? 0 : 1
})
