/** What a person sees who logs a session or a stream: a few facts, and none of the bytes. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import { Effect, Inspectable, Logger } from "effect"
import { inspect } from "node:util"
import { makePair, settle, sessionOver } from "./utils/sessions.js"

const LONGEST = 400

/** The ways in which a value comes into a log. */
const shown = (value: Inspectable.Inspectable) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
    yield* Effect.log("value", value).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    return {
      "console.log": inspect(value, { depth: Infinity }),
      "JSON.stringify": JSON.stringify(value),
      String: String(value),
      "Effect.log": lines.join("\n"),
      "an array in JSON": JSON.stringify(Inspectable.toJSON([value]))
    }
  })

const jsonOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("a stream in a log", () => {
  it.scoped("shows id, type, initiator and state, and its state follows what happens to it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const stream = yield* client.open({ type: 7 })
      const facts = { _id: "effect-muxado/MuxStream", id: 3, type: 7, initiator: "Local" }
      assert.deepStrictEqual(jsonOf(stream), { ...facts, state: "Open" })
      yield* MuxStream.write(stream, "x")
      yield* MuxStream.finish(stream)
      const theirs = yield* server.accept
      yield* settle
      assert.deepStrictEqual(jsonOf(stream), { ...facts, state: "HalfClosedLocal" })
      assert.deepStrictEqual(jsonOf(theirs), { ...facts, initiator: "Remote", state: "HalfClosedRemote" })
      yield* MuxStream.reset(theirs, 99)
      yield* settle
      assert.deepStrictEqual(jsonOf(stream), {
        ...facts,
        state: "Closed",
        reason: "Stream 3 was reset by the peer: 0x63 (99)"
      })
    })
  )

  it.scoped("has no type on an untyped session", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair({ both: { typed: false, heartbeat: false } })
      const facts = { _id: "effect-muxado/MuxStream", id: 3, initiator: "Local", state: "Open" }
      assert.deepStrictEqual(jsonOf(yield* client.open()), facts)
    })
  )

  it.scoped("is short while it holds 512 KiB in each direction", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { window: 1024 * 1024 } })
      const stream = yield* client.open()
      const bytes = new Uint8Array(512 * 1024).fill(0x61)
      yield* MuxStream.write(stream, bytes)
      const theirs = yield* server.accept
      yield* MuxStream.write(theirs, bytes)
      yield* settle
      for (const value of [stream, theirs]) {
        for (const [how, text] of Object.entries(yield* shown(value))) {
          assert.include(text, "effect-muxado/MuxStream", how)
          assert.isBelow(text.length, LONGEST, `${how}: ${text.slice(0, 1000)}`)
        }
      }
    })
  )
})

describe("a session in a log", () => {
  it.scoped("shows role, state and the number of streams", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const facts = { _id: "effect-muxado/Session", role: "client" }
      assert.deepStrictEqual(jsonOf(client), { ...facts, state: "Open", streams: 0 })
      const stream = yield* client.open()
      assert.deepStrictEqual(jsonOf(client), { ...facts, state: "Open", streams: 1 })
      yield* Effect.fork(server.drain("1 minute"))
      yield* settle
      const draining = { ...facts, role: "server", state: "Draining", reason: "The session was closed by this side" }
      assert.deepStrictEqual(jsonOf(server), { ...draining, streams: 1 })
      yield* MuxStream.reset(stream, 6)
      yield* client.closeWith({ code: 300, debug: "moving" })
      assert.deepStrictEqual(jsonOf(client), {
        ...facts,
        state: "Ended",
        reason: "The session was closed by this side (0x12c (300)): moving",
        streams: 0
      })
    })
  )

  it.scoped("shows where the peer is, and nothing of its certificate", () =>
    Effect.gen(function* () {
      const { link } = yield* makePair()
      const raw = new Uint8Array(4096)
      const certificate = {
        subject: { CN: "secret" },
        issuer: {},
        subjectAltName: undefined,
        serialNumber: "1",
        fingerprint256: "00",
        validFrom: "",
        validTo: "",
        raw
      }
      const tls = {
        authorized: true,
        authorizationError: undefined,
        certificate,
        alpnProtocol: undefined,
        serverName: undefined,
        protocol: "TLSv1.3"
      }
      for (const [peer, expected] of [
        [
          { _tag: "Tcp", address: "::1", port: 7000, tls },
          { address: "::1", port: 7000 }
        ],
        [{ _tag: "Unix", path: "/run/mux" }, { path: "/run/mux" }]
      ] as const) {
        const session = yield* sessionOver("server", { ...link.server, peer })
        assert.deepInclude(jsonOf(session), { peer: expected })
        for (const [how, text] of Object.entries(yield* shown(session))) {
          assert.include(text, "effect-muxado/Session", how)
          assert.notInclude(text, "secret", how)
          assert.isBelow(text.length, LONGEST, `${how}: ${text.slice(0, 1000)}`)
        }
      }
    })
  )

  it.scoped("shows one short text of the peer's GOAWAY, however long that was, in one line", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.closeWith({ code: 300, debug: "\n".repeat(10_000) }))
      yield* client.closed
      const { reason } = jsonOf(client) as { readonly reason: string }
      assert.isBelow(reason.length, 700)
      assert.notInclude(reason, "\n")
    })
  )
})
