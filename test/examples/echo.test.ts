import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Tls from "node:tls"
import {
  connect,
  DATA,
  echo,
  freePort,
  GOAWAY,
  hex,
  holdingProxy,
  refused,
  RST,
  syns,
  tcp
} from "../support/examples/echo.js"
import { signalOften, signalUntilEnd } from "../support/examples/signals.js"

/** Each of the processes takes a second or more to start where there is much to do. */
const LONG = 120_000

describe("echo serve and dial", () => {
  it.scopedLive(
    "typed over TCP: many streams are echoed completely; a violation and a stream over the limit are answered",
    () =>
      Effect.gen(function* () {
        const server = yield* echo("serve", "--port", 0, "--max-inbound-streams", 64)
        const port = yield* server.port
        const taken = yield* echo("serve", "--port", port)
        const client = yield* echo("dial", "--port", port, "--streams", 300, "--bytes", 20_001, "--concurrency", 64)

        assert.strictEqual(yield* client.exit, 0, client.stdout + client.stderr)
        assert.strictEqual(client.lines.length, 1)
        const bytes = 300 * 20_001
        const dialled = { event: "dialled", streams: 300, bytes, ok: true, interrupted: false }
        assert.containSubset(yield* client.event(0), dialled)
        assert.deepStrictEqual(yield* server.event(1), { event: "session-opened", session: 1, role: "server" })
        assert.containSubset(yield* server.event(2), {
          event: "session-closed",
          session: 1,
          tag: "RemoteGoneAway",
          code: 0,
          initiator: "Remote",
          stats: { accepted: 300, peakStreams: 64, bytesSent: bytes, tableSize: 0, bufferedBytes: 0, queuedBytes: 0 }
        })

        assert.strictEqual(yield* taken.exit, 1)
        assert.strictEqual(taken.stdout, "")
        assert.containSubset(JSON.parse(taken.stderr), {
          tag: "ServerFailed",
          reason: "AddressInUse",
          errno: "EADDRINUSE"
        })

        const violator = yield* tcp(port)
        const goAway = yield* violator.ask("000001100000000061", GOAWAY)
        assert.strictEqual(goAway.payload.readUInt32BE(4), 1)
        assert.containSubset(yield* server.event(3), { event: "session-opened", session: 2 })
        violator.socket.end()
        const end = yield* server.event(4)
        assert.containSubset(end, { tag: "ProtocolViolation", code: 1, initiator: "Local", session: 2 })
        assert.match(String(end["message"]), /ProtocolError/)

        const greedy = yield* tcp(port)
        const turnedAway = yield* greedy.ask(syns(65), RST)
        assert.strictEqual(turnedAway.streamId, 3 + 2 * 64)
        assert.strictEqual(turnedAway.payload.readUInt32BE(0), 5)
      }),
    LONG
  )

  it.scopedLive(
    "untyped over TLS: streams are echoed completely, and the server does not stop if its output is not read",
    () =>
      Effect.gen(function* () {
        const server = yield* echo("serve", "--port", 0, "--untyped", "--tls")
        const port = yield* server.port
        const load = ["--streams", 100, "--bytes", 30_000, "--concurrency", 50]
        const client = yield* echo("dial", "--port", port, "--untyped", "--tls", ...load)
        assert.strictEqual(yield* client.exit, 0, client.stdout + client.stderr)
        assert.containSubset(yield* client.event(0), { streams: 100, bytes: 3_000_000, ok: true })
        // the bytes of the streams alone: there were no types
        assert.containSubset(yield* server.event(2), { stats: { accepted: 100, bytesReceived: 3_000_000 } })

        server.child.stdout.destroy()
        const options = { port, host: "127.0.0.1", rejectUnauthorized: false }
        for (let i = 0; i < 2; i++) {
          const peer = yield* connect(() => Tls.connect(options), "secureConnect")
          const echoed = yield* peer.ask("000002120000000361620000001100000003", DATA)
          assert.strictEqual(echoed.payload.toString(), "ab")
        }
        server.child.kill("SIGTERM")
        assert.strictEqual(yield* server.exit, 0)
        assert.strictEqual(server.stderr, "")
      }),
    LONG
  )

  it.scopedLive(
    "SIGTERM lets the streams in flight end: the client loses nothing, and the server exits with 0",
    () =>
      Effect.gen(function* () {
        const server = yield* echo("serve", "--port", 0, "--drain-timeout", 30_000)
        const port = yield* server.port
        const proxy = yield* holdingProxy(port, 256 * 1024)
        const load = ["--streams", 4, "--bytes", 1_000_000, "--concurrency", 4]
        const client = yield* echo("dial", "--port", proxy.port, ...load)
        yield* proxy.holding
        server.child.kill("SIGTERM")
        yield* refused(port)
        assert.strictEqual(client.child.exitCode, null, "it was to be stopped in flight")
        yield* proxy.release
        assert.strictEqual(yield* client.exit, 0, client.stdout + client.stderr)
        assert.containSubset(yield* client.event(0), { streams: 4, bytes: 4_000_000, ok: true, interrupted: false })
        assert.strictEqual(yield* server.exit, 0)
        const ends = server.lines.slice(1).map((line) => JSON.parse(line) as Record<string, unknown>)
        const end = ends.find((line) => line["event"] === "session-closed" && line["session"] === 1)
        assert.containSubset(end, { tag: "SessionClosed", initiator: "Local", stats: { accepted: 4 } })
        assert.strictEqual(server.stderr, "")
      }),
    LONG
  )

  it.scopedLive(
    "signals within a second count as one, which drains; a later one kills at once",
    () =>
      Effect.gen(function* () {
        const servers = yield* Effect.all([1, 2].map(() => echo("serve", "--port", 0, "--drain-timeout", 30_000)))
        const inFlight = yield* Effect.forEach(servers, (server) =>
          Effect.gen(function* () {
            const port = yield* server.port
            const proxy = yield* holdingProxy(port, 256 * 1024)
            const client = yield* echo("dial", "--port", proxy.port, "--streams", 4, "--bytes", 1_000_000)
            yield* proxy.holding
            yield* Effect.promise(() => signalOften(server.child))
            yield* refused(port)
            assert.deepStrictEqual([server.child.exitCode, server.child.signalCode], [null, null])
            return { client, proxy }
          })
        )
        const [patient, killed] = servers
        assert(patient !== undefined && killed !== undefined)
        yield* inFlight[0]?.proxy.release ?? Effect.void
        assert.strictEqual(yield* inFlight[0]?.client.exit ?? Effect.succeed(null), 0)
        assert.strictEqual(yield* patient.exit, 0)
        // its stream is held, so that only a signal ends it within its 30 seconds
        yield* Effect.promise(() => signalUntilEnd(killed.child))
        assert.strictEqual(killed.child.signalCode, "SIGTERM")
      }),
    LONG
  )

  it.scopedLive(
    "--hold never accepts: a full backlog, an overrun window and silence are answered as the options say",
    () =>
      Effect.gen(function* () {
        const heartbeat = ["--heartbeat-interval", 500, "--heartbeat-tolerance", 1000]
        const limits = ["--accept-backlog", 2, "--window", 1000, "--drain-timeout", 100]
        const server = yield* echo("serve", "--port", 0, "--hold", ...heartbeat, ...limits)
        const port = yield* server.port
        const crowd = yield* tcp(port)
        const full = yield* crowd.ask(syns(3), RST)
        assert.strictEqual(full.streamId, 7)
        assert.strictEqual(full.payload.readUInt32BE(0), 9)
        const dead = yield* server.event(2)
        assert.containSubset(dead, { event: "session-closed", tag: "SessionDead", reason: "Heartbeat" })
        assert.notProperty(dead, "code")

        const overrun = yield* tcp(port)
        const faulted = yield* overrun.ask(`${hex(1001, 3)}1200000003${"00".repeat(1001)}`, RST)
        assert.strictEqual(faulted.payload.readUInt32BE(0), 3)
        server.child.kill("SIGINT")
        assert.strictEqual(yield* server.exit, 0)
        assert.strictEqual(server.stderr, "")
      }),
    LONG
  )

  it.scopedLive(
    "wrong usage exits with 2 and prints the usage, --help exits with 0, and a client without a server with 1",
    () =>
      Effect.gen(function* () {
        const free = yield* freePort
        const wrong = yield* echo("serve", "--port", 0, "--windw", 4)
        const help = yield* echo("dial", "--help")
        const alone = yield* echo("dial", "--port", free)
        assert.strictEqual(yield* wrong.exit, 2)
        assert.strictEqual(wrong.stdout, "")
        assert.match(wrong.stderr, /--windw[^]*Usage:/)
        assert.strictEqual(yield* help.exit, 0)
        assert.strictEqual(help.stderr, "")
        assert.match(help.stdout, /^Usage:[^]*does NOT verify/)
        assert.strictEqual(yield* alone.exit, 1)
        assert.strictEqual(alone.lines.length, 1)
        const failed = { event: "failed", tag: "TransportFailed", reason: "Open", errno: "ECONNREFUSED" }
        assert.containSubset(yield* alone.event(0), failed)
        assert.strictEqual(alone.stderr, "")
      }),
    LONG
  )
})
