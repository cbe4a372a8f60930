import { assert, describe, it } from "@effect/vitest"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { signalOften } from "../support/examples/signals.js"
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest"

let work: string
/** Where the processes make their temporary directories, and where tsx keeps what it has compiled. */
let temporary: string

beforeAll(async () => {
  temporary = await Fs.mkdtemp(Path.join(Os.tmpdir(), "test-temporary-"))
})

beforeEach(async () => {
  work = await Fs.mkdtemp(Path.join(Os.tmpdir(), "test-mirror-"))
})

afterEach(() => Fs.rm(work, { recursive: true, force: true }))

afterAll(() => Fs.rm(temporary, { recursive: true, force: true }))

const leftBehind = async (): Promise<ReadonlyArray<string>> =>
  (await Fs.readdir(temporary)).filter((name) => name.startsWith("mirror-"))

interface Run {
  /** Node's own arguments beside those that `npm start` gives it. */
  readonly node?: ReadonlyArray<string>
  /** Sees every line that the program writes to stderr, as it comes. */
  readonly onLine?: (line: string, child: ChildProcess) => void
}

/** Runs the example. */
const run = async (args: ReadonlyArray<string>, { node = [], onLine = () => {} }: Run = {}) => {
  const child = spawn(process.execPath, ["--import", "tsx", ...node, "examples/mirror.ts", ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let stdout = ""
  const stderr: Array<string> = []
  let partial = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    const lines = (partial + text).split("\n")
    partial = lines.pop() ?? ""
    for (const line of lines) {
      stderr.push(line)
      onLine(line, child)
    }
  })
  await once(child, "close")
  return { code: child.exitCode, signal: child.signalCode, stdout: stdout.trimEnd().split("\n"), stderr }
}

const FIRST = /^Mirroring (.*): starting a second process, and TLS between the two$/

const PROGRESS = /^[\d ]+ of [\d ]+ files, (.*) of .*$/

/** Whether this line says that bytes have been sent. */
const isUnderWay = (line: string): boolean => (PROGRESS.exec(line)?.[1] ?? "0 B") !== "0 B"

/** What is left of the program's stderr without that which it says whenever it works. */
const complaints = (stderr: ReadonlyArray<string>): ReadonlyArray<string> =>
  stderr.filter((line) => !FIRST.test(line) && !PROGRESS.test(line) && !/^server (pid|certificate)/.test(line))

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Mirrors a large file, and does something once bytes have been sent. */
const runUntil = async (
  underWay: (server: number, client: ChildProcess) => void,
  options: ReadonlyArray<string> = []
) => {
  const large = Path.join(work, "large")
  await Fs.writeFile(large, "")
  await Fs.truncate(large, 64 * 1024 ** 3)
  let pid: number | undefined
  let done = false
  const onLine = (line: string, client: ChildProcess): void => {
    const found = /^server pid (\d+)$/.exec(line)
    if (found !== null) pid = Number(found[1])
    if (pid === undefined || done || !isUnderWay(line)) return
    done = true
    underWay(pid, client)
  }
  const result = await run(["--verbose", ...options, large], { onLine })
  assert(pid !== undefined)
  return { ...result, pid, errors: complaints(result.stderr) }
}

const runAndSignal = (signal: NodeJS.Signals, options?: ReadonlyArray<string>) =>
  runUntil((server) => process.kill(server, signal), options)

describe("npm start", () => {
  it("mirrors a tree, and skips entries that are not files or cannot be read", { timeout: 60_000 }, async () => {
    const tree = Path.join(work, "tree")
    await Fs.mkdir(Path.join(tree, "a", "b", "c"), { recursive: true })
    await Fs.mkdir(Path.join(tree, "nothing in it"))
    await Fs.writeFile(Path.join(tree, "empty"), "")
    await Fs.writeFile(Path.join(tree, "a", "b", "c", "deep"), "deep down")
    await Fs.writeFile(Path.join(tree, "a", 'grüße 日本 🎉 \\ " \n.txt'), "unicode")
    await Fs.writeFile(Path.join(tree, "large"), Buffer.alloc(3_000_001, "0123456789"))
    await Fs.symlink("large", Path.join(tree, "link"))
    await Fs.symlink("..", Path.join(tree, "a", "loop"))
    const skipped = ["skipped a/loop: symbolic link", "skipped link: symbolic link"]
    if (process.getuid?.() !== 0) {
      await Fs.writeFile(Path.join(tree, "secret"), "", { mode: 0 })
      skipped.push("skipped secret: EACCES: permission denied")
    }

    const { code, stderr, stdout } = await run([tree])

    assert.deepStrictEqual(FIRST.exec(stderr[0] ?? "")?.[1], tree)
    assert.deepStrictEqual(complaints(stderr), [])
    assert.strictEqual(stdout.at(-1), "all 4 digests match")
    assert.deepStrictEqual(
      stdout.filter((line) => line.startsWith("skipped ") && line.includes(":")),
      skipped
    )
    assert.include(stdout.join("\n"), "streams opened by the client  4")
    assert.include(stdout.join("\n"), "streams opened by the server  4")
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(await leftBehind(), [])
  })

  it("mirrors an empty directory, and says that it was empty", { timeout: 60_000 }, async () => {
    const { code, stdout } = await run([work])
    assert.deepStrictEqual(stdout.slice(-2), ["there was no file to mirror", "all 0 digests match"])
    assert.strictEqual(code, 0)
  })

  it("refuses a directory that does not exist, and invalid options", { timeout: 60_000 }, async () => {
    const missing = await run([Path.join(work, "missing")])
    assert.deepStrictEqual(missing.stderr, [
      `SourceUnavailable: ${Path.join(work, "missing")}: ENOENT: no such file or directory`
    ])
    assert.strictEqual(missing.code, 2)
    const wrong = await run(["--heartbeat-interval", "soon"])
    assert.deepStrictEqual(wrong.stderr.length, 1)
    assert.match(wrong.stderr[0] ?? "", /^UsageError: --heartbeat-interval: /)
    assert.strictEqual(wrong.code, 2)
  })

  it("ends in one typed error when the server is killed half-way", { timeout: 60_000 }, async () => {
    const { code, errors, pid, stdout } = await runAndSignal("SIGKILL")
    assert.strictEqual(errors.length, 1)
    assert.match(errors[0] ?? "", /^TransportFailed: The transport /)
    assert.deepStrictEqual(stdout, [""])
    assert.strictEqual(code, 1)
    assert.isFalse(isRunning(pid))
    assert.deepStrictEqual(await leftBehind(), [])
  })

  it("detects that the server was stopped, and leaves no process", { timeout: 60_000 }, async () => {
    const heartbeat = ["--heartbeat-interval", "300", "--heartbeat-tolerance", "300"]
    const { code, errors, pid } = await runAndSignal("SIGSTOP", heartbeat)
    assert.strictEqual(errors.length, 1)
    assert.match(errors[0] ?? "", /^SessionDead: /)
    assert.strictEqual(code, 1)
    assert.isFalse(isRunning(pid))
    assert.deepStrictEqual(await leftBehind(), [])
  })

  it("prints what it starts before it loads a library or makes the certificate", { timeout: 60_000 }, async () => {
    await Fs.writeFile(Path.join(work, "file"), "content")
    const trace = Path.join(work, "trace.mjs")
    // the hooks have a thread of their own, and write to the same pipe before the module is loaded
    await Fs.writeFile(
      trace,
      `import { register } from "node:module"
      register("data:text/javascript," + encodeURIComponent(\`
        import { writeSync } from "node:fs"
        export const load = (url, context, next) => {
          writeSync(2, "loads " + url + "\\\\n")
          return next(url, context)
        }\`))`
    )
    const { code, stderr } = await run(["--verbose", Path.join(work, "file")], { node: ["--import", trace] })
    assert.strictEqual(code, 0)
    const first = stderr.findIndex((line) => FIRST.test(line))
    const library = stderr.findIndex((line) => /^loads .*\/node_modules\/(effect|@effect|selfsigned)\//.test(line))
    const certificate = stderr.indexOf("server certificate made")
    const progress = stderr.findIndex((line) => PROGRESS.test(line))
    const pid = stderr.findIndex((line) => line.startsWith("server pid"))
    assert.isAtLeast(first, 0)
    assert.isAbove(library, first)
    assert.isAbove(certificate, library)
    // progress is shown while the second process still starts
    assert.isAbove(progress, first)
    assert.isAbove(pid, progress)
  })

  it("treats signals within a second as one: it ends once, and leaves no process", { timeout: 60_000 }, async () => {
    const { code, errors, pid, signal } = await runUntil((_, client) => void signalOften(client))
    assert.deepStrictEqual([code, signal], [130, null])
    assert.deepStrictEqual(errors, [])
    assert.isFalse(isRunning(pid))
    assert.deepStrictEqual(await leftBehind(), [])
  })
})
