/** What the README says: its snippets are the files in `readme/` and do what it says, and its commands and paths exist. */
import { assert, describe, it } from "@effect/vitest"
import { ManagedSession, MuxadoError, MuxStream, Session } from "effect-muxado"
import { SimulatedSessions } from "effect-muxado/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { makeNetwork } from "../support/managed/network.js"
import { askAgain } from "./readme/askAgain.js"
import * as bothSides from "./readme/bothSides.js"
import * as messages from "./readme/messages.js"
import { pay } from "./readme/pay.js"
import { isReady, logStatus } from "./readme/recovers.js"
import * as shutdown from "./readme/shutdown.js"
import * as types from "./readme/types.js"

const root = join(dirname(fileURLToPath(import.meta.url)), "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")
const readme = read("README.md")

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
const manifest = JSON.parse(read("package.json")) as Manifest

/** The sections, by their headings. */
const sections = new Map(
  readme
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf("\n")), section] as const)
)
const section = (title: string): string => {
  const text = sections.get(title)
  assert(text !== undefined, `the README has no section "${title}"`)
  return text
}

describe("the README", () => {
  const snippets = [
    ["A server", "server"],
    ["A client", "client"],
    ["A client that recovers", "recovers"],
    ["Streams with types", "types"],
    ["Both sides serve and call", "bothSides"],
    ["Messages on a stream", "messages"],
    ["Graceful shutdown", "shutdown"],
    ["Errors", "pay"]
  ] as const
  it.each(snippets)("shows under %s the file %s.ts, word for word", (title, name) => {
    assert.strictEqual(/^```ts\n(.*?)^```$/ms.exec(section(title))?.[1], read(`test/docs/readme/${name}.ts`))
  })

  it("leads to docs/errors.md, which shows the file askAgain.ts word for word", () => {
    assert.include(section("Errors"), "docs/errors.md#retrying-a-call")
    assert.include(read("docs/errors.md"), `\`\`\`ts\n${read("test/docs/readme/askAgain.ts")}\`\`\``)
  })

  it("names commands that package.json has", () => {
    const commands = [...readme.matchAll(/npm run (?:-s )?([\w:]+)/g)].map((match) => match[1] ?? "")
    assert.isAbove(commands.length, 8)
    assert.deepStrictEqual(
      commands.filter((command) => !(command in manifest.scripts)),
      []
    )
  })

  it("lists each small example with its file and its command", () => {
    const examples = Object.keys(manifest.scripts).filter((name) => name.startsWith("example:"))
    assert.strictEqual(examples.length, 8)
    for (const name of examples) {
      const file = /examples(?:\/\w+)*\.ts$|examples/.exec(manifest.scripts[name] ?? "")?.[0] ?? "examples"
      const row = section("Examples")
        .split("\n")
        .find((line) => line.includes(`\`npm run -s ${name}\``))
      assert.include(row, file)
    }
  })

  it("names paths that exist", () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? "")
    const shown = [...section("Comparison with other libraries").matchAll(/\| `(test\/[^`]+)` \|$/gm)].map(
      (match) => match[1] ?? ""
    )
    assert.isAbove(links.length, 12)
    assert.isAbove(shown.length, 10)
    assert.deepStrictEqual(
      [...links, ...shown].filter((path) => !existsSync(join(root, path))),
      []
    )
  })

  it("installs the versions that package.json asks for", () => {
    for (const [name, range] of Object.entries(manifest.peerDependencies)) {
      assert.include(section("Install"), ` ${name}@${range.slice(1).replace(/\.0$/, "")}`)
    }
    const [vitest, effectVitest] = ["vitest", "@effect/vitest"].map((name) => manifest.devDependencies[name] ?? "")
    assert.include(
      section("Testing"),
      ` vitest@${/\d+/.exec(vitest ?? "")?.[0]} @effect/vitest@${/\d+\.\d+/.exec(effectVitest ?? "")?.[0]}`
    )
  })

  it("names entry points that package.json has", () => {
    const entries = [...section("Entry points").matchAll(/`effect-muxado(\/\w+)?`/g)]
    assert.isAbove(entries.length, 2)
    for (const [, entry = ""] of entries) assert.property(manifest.exports, `.${entry}`)
  })

  it("has no figure about speed that docs/performance.md does not have", () => {
    const documented = new Map(
      read("docs/performance.md")
        .split("\n")
        .map((line) => line.split("|").map((cell) => cell.trim()))
        .filter((cells) => cells.length === 13)
        .map((cells) => [cells[1], cells] as const)
        .reverse() // of two tables with a row of the same name, the first
    )
    const columns = documented.get("cell")
    const wanted = ["ours", "tcpBare", "http2", "libp2pYamux", "go-muxado"].map((name) => columns?.indexOf(name) ?? -1)
    const rows = [...section("Where it is slower").matchAll(/^\| `([\w-]+)` \| (.*) \|$/gm)]
    assert.isAbove(rows.length, 4)
    for (const [, name, figures] of rows) {
      const cells = documented.get(name)
      assert.strictEqual(figures, wanted.map((column) => cells?.[column]).join(" | "), name)
    }
    const echo = documented.get("echo-64-64")
    const [http2, go] = ["http2", "go-muxado"].map((name) => echo?.[columns?.indexOf(name) ?? -1])
    assert.include(section("Where it is slower"), `${http2} times node:http2, ${go} times Go muxado`)
  })
})

describe("the README's snippets", () => {
  const { make } = SimulatedSessions

  it.scoped("types choose what the server does, and a stream of an unknown one is refused", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      yield* Effect.fork(types.serve(server))
      assert.strictEqual(yield* types.call(client, 1, "hello"), "5 bytes")
      assert.strictEqual(yield* types.call(client, 2, "hello"), "HELLO")
      const error = yield* Effect.flip(types.call(client, 3, "hello"))
      assert.containSubset(error, { _tag: "StreamReset", code: 5, initiator: "Remote", processed: "no" })
    })
  )

  it.scoped("both sides serve and call with the same code", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      const greetings = yield* Effect.all([bothSides.greet(client), bothSides.greet(server)], { concurrency: 2 })
      assert.deepStrictEqual(greetings, ["I am the server", "I am the client"])
    })
  )

  it.scoped("messages arrive whole and typed, however their bytes come, and as they are sent", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make({ link: { chunking: "byte" } })
      yield* Effect.fork(messages.serve(server))
      const receipts = yield* messages.buy(client, [
        { item: "Äpfel", count: 2 },
        { item: "日本茶", count: 3 }
      ])
      assert.deepStrictEqual(
        receipts.map(({ cents, item }) => ({ cents, item })),
        [
          { item: "Äpfel", cents: 500 },
          { item: "日本茶", cents: 750 }
        ]
      )
      assert.strictEqual(receipts[0]?.constructor.name, "Receipt")
    })
  )

  it.scoped("a line that is no order resets the stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      yield* Effect.fork(messages.serve(server))
      const error = yield* Effect.flip(
        client.withStream(
          (stream) =>
            Effect.zipRight(MuxStream.write(stream, `{"item":"tea","count":"many"}\n`), MuxStream.readAll(stream)),
          { type: 1 }
        )
      )
      assert.containSubset(error, { _tag: "StreamReset", code: 6 })
    })
  )

  it.scoped("a call of one message beside the orders has its own type", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      yield* Effect.fork(messages.serve(server))
      yield* Effect.fork(messages.servePrices(server))
      assert.deepStrictEqual(
        yield* Effect.forEach(["pear", "plum"], (item) => messages.priceOf(client, item)),
        [250, 300]
      )
      assert.strictEqual((yield* messages.buy(client, [{ item: "pear", count: 1 }])).length, 1)
    })
  )

  it.scoped("a line may have a million characters", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      yield* Effect.fork(messages.serve(server))
      const [receipt] = yield* messages.buy(client, [{ item: "x".repeat(1_000_000), count: 1 }])
      assert.strictEqual(receipt?.item.length, 1_000_000)
    })
  )

  it.scoped("a drain ends the ticks in good order, and the client reads all of them", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      yield* Effect.fork(shutdown.serveTicks(server))
      const ticks = yield* Effect.fork(client.withStream(MuxStream.readAll))
      yield* TestClock.adjust("2500 millis")
      yield* shutdown.leave(server)
      assert.strictEqual(new TextDecoder().decode(yield* Fiber.join(ticks)), "tick\n".repeat(3))
      assert.containSubset(yield* client.closed, { _tag: "RemoteGoneAway", code: 0 })
    })
  )

  it.scoped("closeWith cuts the ticks, and says why", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      yield* Effect.fork(shutdown.serveTicks(server))
      const ticks = yield* Effect.fork(Effect.flip(client.withStream(MuxStream.readAll)))
      yield* TestClock.adjust("2500 millis")
      yield* shutdown.stop(server)
      const why = { _tag: "RemoteGoneAway", code: 1000, debug: "moving" }
      assert.containSubset(yield* client.closed, why)
      assert.containSubset(yield* Fiber.join(ticks), why)
    })
  )

  it.scoped("a managed session is ready while it has a connection, and logs what it does", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: (session) => session.serve(() => Effect.void) })
      const session = yield* ManagedSession.make({ connect: network.connect })
      const provide = Effect.provideService(ManagedSession.ManagedSession, session)
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const logging = yield* Effect.fork(
        Effect.provide(provide(logStatus), Logger.replace(Logger.defaultLogger, logger))
      )
      yield* session.ping
      assert.isTrue(yield* provide(isReady))
      network.mode = "Refuse"
      yield* network.kill
      yield* TestClock.adjust("1 second")
      assert.isFalse(yield* provide(isReady))
      yield* session.close
      yield* Fiber.join(logging)
      assert.includeMembers(lines, ["Connected", "Backoff", "Closed"])
    })
  )

  /** A server that pays with `handler`, and a managed session. The delays of both kinds are up to 1 second. */
  const makePaying = (handler: (server: number) => Effect.Effect<void>) =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({
        handler: (session, server) => session.serve(() => handler(server)),
        session: { maxInboundStreams: 1 }
      })
      const session = yield* ManagedSession.make({ connect: network.connect, reconnect: Schedule.spaced("1 second") })
      yield* session.ping
      return { network, paying: Effect.provideService(pay("tea"), ManagedSession.ManagedSession, session), session }
    })

  it.scoped("a payment is repeated when the server has no room", () =>
    Effect.gen(function* () {
      const free = yield* Deferred.make<void>()
      const { paying, session } = yield* makePaying(() => Deferred.await(free))
      const first = yield* Effect.fork(paying)
      yield* TestClock.adjust("1 millis")
      const { opened } = yield* session.stats
      const second = yield* Effect.fork(paying)
      yield* TestClock.adjust("25 millis")
      assert.isAtLeast((yield* session.stats).opened, opened + 2)
      yield* Deferred.succeed(free, undefined)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Fiber.join(Fiber.zip(first, second)), ["Paid", "Paid"])
    })
  )

  it.scoped("a payment waits for the next server when there is none, and is not made without one", () =>
    Effect.gen(function* () {
      const { network, paying } = yield* makePaying(() => Effect.void)
      network.mode = "Refuse"
      yield* network.kill
      const waiting = yield* Effect.fork(paying)
      yield* TestClock.adjust("3 seconds")
      network.mode = "Serve"
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), "Paid")
      network.mode = "Refuse"
      yield* network.kill
      const failing = yield* Effect.fork(paying)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(failing), "NotPaid")
    })
  )

  it.scoped("a payment is unknown, and not repeated, when the server dies after it may have acted", () =>
    Effect.gen(function* () {
      const paid: Array<number> = []
      const { network, paying } = yield* makePaying((server) =>
        Effect.zipRight(
          Effect.sync(() => void paid.push(server)),
          Effect.never
        )
      )
      const call = yield* Effect.fork(paying)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(paid, [0])
      yield* network.kill
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(call), "Unknown")
      assert.deepStrictEqual(paid, [0])
    })
  )

  it.scoped("a call is made again on the same session when the server has no room", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make({ server: { maxInboundStreams: 1 } })
      const free = yield* Deferred.make<void>()
      yield* Effect.fork(
        server.serve((stream) => Effect.zipRight(Deferred.await(free), MuxStream.write(stream, "yes")))
      )
      const first = yield* Effect.fork(client.withStream(MuxStream.readAll))
      yield* Effect.yieldNow()
      const again = yield* Effect.fork(askAgain("?", Layer.succeed(Session.Session, client)))
      yield* TestClock.adjust("30 millis")
      assert.isAtLeast((yield* server.stats).charged.refusals, 1)
      assert.isNull(again.unsafePoll())
      yield* Deferred.succeed(free, undefined)
      yield* Fiber.join(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(new TextDecoder().decode(yield* Fiber.join(again)), "yes")
    })
  )

  it.scoped("a call is made again on a new session when this one takes no more streams", () =>
    Effect.gen(function* () {
      const { client, server } = yield* make()
      yield* Effect.fork(server.serve((stream) => MuxStream.write(stream, "yes")))
      let attempts = 0
      const ClientLive = Layer.effect(
        Session.Session,
        Effect.suspend(() => {
          attempts++
          return attempts < 3
            ? new MuxadoError.TransportFailed({ reason: "Open", initiator: "Local", processed: "no" })
            : Effect.succeed(client)
        })
      )
      const call = yield* Effect.fork(askAgain("?", ClientLive))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(new TextDecoder().decode(yield* Fiber.join(call)), "yes")
      assert.strictEqual(attempts, 3)
    })
  )
})
