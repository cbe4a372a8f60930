/** A server and a client in separate processes, with a link between them if the setup has one. */
import { availableParallelism } from "node:os"
import type { Link, Setup, Times } from "./cells.js"
import type { Contender } from "./contenders.js"
import { numberIn } from "./json.js"
import { Child, nodeCommand } from "./process.js"

export interface Used {
  /** Microseconds. */
  readonly cpu: number
  /** Bytes, by how much it has grown. */
  readonly heap: number
  readonly rss: number
}

export interface Measured {
  readonly answer: unknown
  readonly client: Used
  readonly server: Used
}

const ANSWER_MILLISECONDS = 20_000

export class Pair {
  private warm = false

  private constructor(
    private readonly client: Child,
    private readonly server: Child,
    private readonly proxy: Child | undefined
  ) {}

  /** `label` names the profiles. */
  static async start({ name, client, server }: Contender, setup: Setup, label: string): Promise<Pair> {
    const env = { BENCH_STREAMS: String(setup.streams) }
    const second = availableParallelism() > 1 ? 1 : 0
    const started: Array<Child> = []
    const start = async (role: string, command: ConstructorParameters<typeof Child>[1], core: number | undefined) => {
      const child = new Child(`${name}, the ${role}`, command, core)
      started.push(child)
      return { child, answer: await child.ready() }
    }
    try {
      const serving = await start(
        "server",
        { ...server(["server", setup.service, "0"], `${label}-server`), env },
        setup.alternating ? second : 0
      )
      const proxying =
        setup.link === undefined
          ? undefined
          : await start("proxy", proxyCommand(numberIn(serving.answer, "port"), setup.link), undefined)
      const port = numberIn((proxying ?? serving).answer, "port")
      const calling = await start("client", { ...client(["client", String(port)], `${label}-client`), env }, second)
      await calling.child.ask({ op: "connect" }, ANSWER_MILLISECONDS)
      return new Pair(calling.child, serving.child, proxying?.child)
    } catch (cause) {
      started.forEach((child) => child.kill())
      throw cause
    }
  }

  /** Asks the client. */
  ask(request: Record<string, unknown>): Promise<unknown> {
    const milliseconds = typeof request["milliseconds"] === "number" ? request["milliseconds"] : 0
    return this.client.ask(request, milliseconds + ANSWER_MILLISECONDS)
  }

  async warmUp(request: Record<string, unknown>, times: Times): Promise<void> {
    if (!this.warm && request["op"] === "echo") {
      // what makes code fast is how often it has run, and with one call at once that takes long
      await this.ask({ ...request, concurrency: 64, milliseconds: times.warmUp / 2 })
    }
    await this.ask({ ...request, milliseconds: this.warm ? times.warmUpAgain : times.warmUp })
    this.warm = true
  }

  /**
   * Asks the client, and says what it cost both. Collecting garbage is for memory alone: code is optimised for the
   * shapes of objects that are alive, and a collection while there are none would have it start cold.
   */
  async measure(request: Record<string, unknown>, collect = false): Promise<Measured> {
    const before = await this.usage(collect)
    const answer = await this.ask(request)
    const after = await this.usage(collect)
    return { answer, client: grown(before.client, after.client), server: grown(before.server, after.server) }
  }

  async close(): Promise<void> {
    await this.client.close()
    await Promise.all([this.server.close(), this.proxy?.close()])
  }

  kill(): void {
    for (const child of [this.client, this.server, this.proxy]) child?.kill()
  }

  private async usage(collect: boolean): Promise<Record<"client" | "server", Used>> {
    const [client, server] = await Promise.all(
      [this.client, this.server].map(async (child) => {
        const answer = await child.ask({ op: "usage", collect }, ANSWER_MILLISECONDS)
        return {
          cpu: numberIn(answer, "cpuMicroseconds"),
          heap: numberIn(answer, "heapBytes"),
          rss: numberIn(answer, "rssBytes")
        }
      })
    )
    if (client === undefined || server === undefined) throw new Error("unreachable")
    return { client, server }
  }
}

const grown = (before: Used, after: Used): Used => ({
  cpu: after.cpu - before.cpu,
  heap: after.heap - before.heap,
  rss: after.rss - before.rss
})

const proxyCommand = (port: number, { roundTrip, rate }: Link) =>
  nodeCommand("proxy.js", [String(port), String(roundTrip), String(rate)])
