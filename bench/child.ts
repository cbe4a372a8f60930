/** Runs a peer in JavaScript: one JSON request a line on stdin, one JSON answer a line on stdout. */
import { createInterface } from "node:readline"
import { booleanIn, numberIn, parse, stringIn } from "./json.js"
import type { Driver, Peer, Service } from "./peer.js"
import { loadPeer } from "./peers/index.js"

type Answer = Record<string, unknown>
type Handle = (request: unknown) => Promise<Answer>

const say = (answer: Answer): Promise<void> =>
  new Promise((resolve) => void process.stdout.write(`${JSON.stringify(answer)}\n`, () => resolve()))

// stdout is the protocol's alone, whatever a library may want to tell
console.log = console.error

/** The CPU time of the collections below, which is not the workloads'. */
let collecting = 0

const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Collects first where it is asked to: what only finalisers held is free after the second time. */
const usage = (collect: boolean): Answer => {
  const before = cpu()
  const cpuMicroseconds = before - collecting
  if (collect) {
    globalThis.gc?.()
    globalThis.gc?.()
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  collecting += cpu() - before
  return { cpuMicroseconds, rssBytes: rss, heapBytes: heapUsed + external }
}

/** Sessions one after the other, each for one echo. */
const connects = async (peer: Peer, port: number, milliseconds: number): Promise<Answer> => {
  const started = performance.now()
  let sessions = 0
  do {
    const driver = await peer.connect(port)
    const { streams } = await driver.echo({ concurrency: 1, size: 64, milliseconds: 0 })
    if (streams !== 1) throw new Error(`${streams} echoes instead of one`)
    await driver.close()
    sessions += 1
  } while (performance.now() - started < milliseconds)
  return { sessions, milliseconds: performance.now() - started }
}

const clientOf = (peer: Peer, port: number): Handle => {
  let driver: Driver | undefined
  const connected = (): Driver => {
    if (driver === undefined) throw new Error("not connected")
    return driver
  }
  return async (request) => {
    const number = (name: string) => numberIn(request, name)
    switch (stringIn(request, "op")) {
      case "connect":
        driver = await peer.connect(port)
        return { connected: true }
      case "echo":
        return {
          ...(await connected().echo({
            concurrency: number("concurrency"),
            size: number("size"),
            milliseconds: number("milliseconds")
          }))
        }
      case "ping":
        return {
          ...(await connected().ping({
            size: number("size"),
            beside: number("beside"),
            milliseconds: number("milliseconds")
          }))
        }
      case "bulk":
        return {
          ...(await connected().bulk({
            streams: number("streams"),
            bothWays: booleanIn(request, "bothWays"),
            milliseconds: number("milliseconds")
          }))
        }
      case "idle":
        await connected().idle(number("streams"))
        return { streams: number("streams") }
      case "connects":
        return connects(peer, port, number("milliseconds"))
      case "usage":
        return usage(booleanIn(request, "collect"))
      case "close":
        await driver?.close()
        return { closed: true }
      default:
        throw new Error(`unknown request ${JSON.stringify(request)}`)
    }
  }
}

const services: ReadonlyArray<Service> = ["echo", "ping", "sink", "duplex", "mixed"]

const serverOf = async (peer: Peer, name: string | undefined, port: number): Promise<[Handle, number]> => {
  const service = services.find((known) => known === name)
  if (service === undefined) throw new Error(`unknown service ${name}`)
  const server = await peer.serve(service, port)
  const handle: Handle = async (request) => {
    switch (stringIn(request, "op")) {
      case "usage":
        return usage(booleanIn(request, "collect"))
      case "close":
        await server.close()
        return { closed: true }
      default:
        throw new Error(`unknown request ${JSON.stringify(request)}`)
    }
  }
  return [handle, server.port]
}

const start = async (): Promise<Handle> => {
  const [name = "", role, ...rest] = process.argv.slice(2)
  const peer = await loadPeer(name)
  if (role === "client") {
    await say({ ready: true })
    return clientOf(peer, Number(rest[0]))
  }
  const [handle, port] = await serverOf(peer, rest[0], Number(rest[1]))
  await say({ ready: true, port })
  return handle
}

const failed = (cause: unknown): Answer => {
  console.error(cause)
  return { error: cause instanceof Error ? cause.message : String(cause) }
}

try {
  const handle = await start()
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await handle(parse(line)).catch(failed)
    await say(answer)
    if (answer["closed"] === true) break
  }
  process.exit(0)
} catch (cause) {
  await say(failed(cause))
  process.exit(1)
}
