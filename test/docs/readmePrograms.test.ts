/** The server and the client of the README, as two processes, as a reader starts them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ChildProcess } from "node:child_process"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs/promises"
import * as Net from "node:net"
import * as Os from "node:os"
import { dirname, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterEach, beforeEach } from "vitest"
import { freePort } from "../support/examples/echo.js"

const root = join(dirname(fileURLToPath(import.meta.url)), "../..")

let folder: string
let children: Array<ChildProcess>

beforeEach(async () => {
  folder = await Fs.mkdtemp(join(Os.tmpdir(), "test-readme-"))
  await Fs.symlink(join(root, "node_modules"), join(folder, "node_modules"))
  children = []
})

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL")
  await Fs.rm(folder, { recursive: true, force: true })
})

/** A program of the README as a file of plain JavaScript, with another port. */
const save = async (name: string, port: number): Promise<string> => {
  const text = await Fs.readFile(join(root, `test/docs/readme/${name}.ts`), "utf8")
  const path = join(folder, `${name}.mjs`)
  assert.include(text, "port: 7000")
  await Fs.writeFile(path, text.replace("port: 7000", `port: ${port}`))
  return path
}

const start = (path: string) => {
  // the package's name leads to its sources, by the paths of tsconfig.json
  const env = { ...process.env, TSX_TSCONFIG_PATH: join(root, "tsconfig.json") }
  const child = spawn(process.execPath, ["--import", join(root, "node_modules/tsx/dist/loader.mjs"), path], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"]
  })
  children.push(child)
  const output = { text: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.text += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.text += text))
  return { child, output, closed: once(child, "close") }
}

const listens = async (port: number): Promise<void> => {
  for (;;) {
    const socket = Net.connect({ host: "127.0.0.1", port })
    const open = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false)
    ]).catch(() => false)
    socket.destroy()
    if (open) return
    await setTimeout(50)
  }
}

describe("the server and the client of the README", { timeout: 60_000 }, () => {
  it("are plain JavaScript", async () => {
    for (const name of ["server", "client"]) {
      await promisify(execFile)(process.execPath, ["--check", await save(name, 7000)])
    }
  })

  it("print HELLO and who connected, and a signal ends the server with 0", async () => {
    const port = await Effect.runPromise(freePort)
    const server = start(await save("server", port))
    await listens(port)
    const client = start(await save("client", port))
    await client.closed
    assert.strictEqual(client.output.text, "HELLO\n")
    assert.strictEqual(client.child.exitCode, 0)
    server.child.kill("SIGTERM")
    await server.closed
    assert.match(server.output.text, /A client connected/)
    assert.include(server.output.text, "127.0.0.1")
    assert.strictEqual(server.child.exitCode, 0)
  })

  it("say why there is no answer, when there is no server", async () => {
    const port = await Effect.runPromise(freePort)
    const client = start(await save("client", port))
    await client.closed
    assert.strictEqual(client.child.exitCode, 1)
    assert.include(client.output.text, "SessionUnavailable")
    assert.match(client.output.text, new RegExp(`no session within \\d+ ms .*127\\.0\\.0\\.1:${port} .*ECONNREFUSED`))
  })
})
