import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
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

/** Runs the example; `onLine` sees every line that it writes to stderr, as it comes. */
const run = async (args: ReadonlyArray<string>, onLine: (line: string) => void = () => {}) => {
  const child = spawn(process.execPath, ["--import", "tsx", "examples/mirror.ts", ...args], {
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
      onLine(line)
    }
  })
  await once(child, "close")
  return { code: child.exitCode, stdout: stdout.trimEnd().split("\n"), stderr }
}

const PROGRESS = /^[\d ]+ of [\d ]+ files, .* of .*$/

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Mirrors a large file, and does something to the server's process once bytes have been sent. */
const runAndSignal = async (signal: NodeJS.Signals, options: ReadonlyArray<string> = []) => {
  const large = Path.join(work, "large")
  await Fs.writeFile(large, "")
  await Fs.truncate(large, 64 * 1024 ** 3)
  let pid = 0
  let signalled = false
  const result = await run(["--verbose", ...options, large], (line) => {
    const found = /^server pid (\d+)$/.exec(line)
    if (found !== null) pid = Number(found[1])
    else if (!signalled && PROGRESS.test(line)) signalled = process.kill(pid, signal)
  })
  const errors = result.stderr.filter((line) => !PROGRESS.test(line) && !line.startsWith("server pid"))
  return { ...result, pid, errors }
}

describe("npm start", () => {
  it("mirrors a tree, and skips what is no file or cannot be read", { timeout: 60_000 }, async () => {
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

    assert.deepStrictEqual(
      stderr.filter((line) => !PROGRESS.test(line)),
      []
    )
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

  it("refuses a directory that does not exist, and options that make no sense", { timeout: 60_000 }, async () => {
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

  it("finds out that the server was stopped, and leaves nothing of it", { timeout: 60_000 }, async () => {
    const heartbeat = ["--heartbeat-interval", "300", "--heartbeat-tolerance", "300"]
    const { code, errors, pid } = await runAndSignal("SIGSTOP", heartbeat)
    assert.strictEqual(errors.length, 1)
    assert.match(errors[0] ?? "", /^SessionDead: /)
    assert.strictEqual(code, 1)
    assert.isFalse(isRunning(pid))
    assert.deepStrictEqual(await leftBehind(), [])
  })
})
