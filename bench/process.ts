/**
 * The parent's side of a child process: starts it on its core, sends it requests as JSON lines, and closes or kills it.
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { has, parse, stringIn } from "./json.js"

export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly env?: Record<string, string>
}

/** One of our own scripts in Node. */
export const nodeCommand = (
  script: string,
  args: ReadonlyArray<string>,
  flags: ReadonlyArray<string> = []
): Command => ({
  program: process.execPath,
  args: [...flags, fileURLToPath(new URL(script, import.meta.url)), ...args]
})

/** Whether processes can be given a core of their own. */
export const canPin = process.platform === "linux" && spawnSync("taskset", ["--version"]).status === 0

const START_MILLISECONDS = 20_000
const CLOSE_MILLISECONDS = 5_000
const STDERR_BYTES = 4_000

const running = new Set<Child>()

export const killAll = (): void => running.forEach((child) => child.kill())

export class Child {
  private readonly process: ChildProcessWithoutNullStreams
  private readonly waiting: Array<{ resolve: (answer: unknown) => void; reject: (cause: Error) => void }> = []
  private stderr = ""
  private over: Error | undefined

  /** `core` is a number of a core, or none. */
  constructor(
    private readonly what: string,
    { program, args, env }: Command,
    core: number | undefined
  ) {
    const [file, words] =
      core !== undefined && canPin ? ["taskset", ["-c", String(core), program, ...args]] : [program, [...args]]
    this.process = spawn(file, words, { env: { ...process.env, ...env } })
    running.add(this)
    this.process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_BYTES)
    })
    this.process.stdin.on("error", () => undefined)
    createInterface({ input: this.process.stdout }).on("line", (line) => this.answered(line))
    this.process.on("error", (cause) => this.end(cause.message))
    this.process.on("close", (code, signal) => this.end(`it ended with ${signal ?? `code ${code}`}`))
  }

  /** What it says once it is started. */
  ready(): Promise<unknown> {
    return this.next("start", START_MILLISECONDS)
  }

  ask(request: Record<string, unknown>, milliseconds: number): Promise<unknown> {
    this.process.stdin.write(`${JSON.stringify(request)}\n`)
    return this.next(JSON.stringify(request), milliseconds)
  }

  /** Asks it to end; kills it where it does not. */
  async close(): Promise<void> {
    if (this.over !== undefined) return
    const ended = once(this.process, "close")
    try {
      await this.ask({ op: "close" }, CLOSE_MILLISECONDS)
      const timer = setTimeout(() => this.kill(), CLOSE_MILLISECONDS)
      await ended
      clearTimeout(timer)
    } catch {
      this.kill()
      await ended
    }
  }

  kill(): void {
    this.process.kill("SIGKILL")
  }

  private async next(request: string, milliseconds: number): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    try {
      const answer = await new Promise<unknown>((resolve, reject) => {
        if (this.over !== undefined) return reject(this.over)
        this.waiting.push({ resolve, reject })
        timer = setTimeout(() => reject(this.failure(`no answer within ${milliseconds} ms`)), milliseconds)
      })
      if (has(answer, "error")) throw this.failure(stringIn(answer, "error"))
      return answer
    } catch (cause) {
      throw new Error(`${this.what}, asked ${request}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause
      })
    } finally {
      clearTimeout(timer)
    }
  }

  private answered(line: string): void {
    const waiting = this.waiting.shift()
    try {
      waiting?.resolve(parse(line))
    } catch {
      waiting?.reject(this.failure(`not JSON: ${line}`))
    }
  }

  private end(why: string): void {
    if (this.over !== undefined) return
    running.delete(this)
    this.over = this.failure(why)
    for (const { reject } of this.waiting.splice(0)) reject(this.over)
  }

  private failure(message: string): Error {
    return new Error(this.stderr === "" ? message : `${message}\n${this.stderr.trim()}`)
  }
}
