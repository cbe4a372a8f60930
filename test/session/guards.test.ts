/** Guards of sessions, streams and transports: what they take for one, whatever they are asked about. */
import { NodeSocket } from "@effect/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import { MuxStream, Session, Transport } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import { Effect } from "effect"
import { PassThrough } from "node:stream"
import { makePair } from "./utils/sessions.js"

const throwing = (): never => {
  throw new Error("not now")
}

const trapped = (target: object): object =>
  new Proxy(target, { get: throwing, has: throwing, ownKeys: throwing, getPrototypeOf: throwing })

const saysYes = new Proxy({}, { has: () => true, get: () => true })

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const getters = (mark: symbol): object =>
  Object.defineProperties(
    {},
    Object.fromEntries([mark, "read", "write", "end", "destroy"].map((key) => [key, { get: throwing }]))
  )

const foreign: Record<string, (mark: symbol) => unknown> = {
  undefined: () => undefined,
  null: () => null,
  "a number": () => 1,
  "a string": () => "effect-muxado/Session",
  "a bigint": () => 1n,
  "the mark itself": (mark) => mark,
  "an empty object": () => ({}),
  "an object without a prototype": () => Object.create(null) as unknown,
  "a function": () => throwing,
  "an effect": () => Effect.never,
  "a Node stream": () => new PassThrough(),
  "an object whose mark is another value": (mark) => ({ [mark]: true }),
  "an object whose getters throw": getters,
  "a Proxy whose traps throw": () => trapped({}),
  "a Proxy that has everything": () => saysYes,
  "a revoked Proxy": revoked
}

const guards = {
  isSession: [Session.isSession, Session.TypeId],
  isMuxStream: [MuxStream.isMuxStream, MuxStream.TypeId],
  isTransport: [Transport.isTransport, Symbol.for("effect-muxado/Transport")]
} as const

describe("a guard", () => {
  for (const [name, [guard, mark]] of Object.entries(guards)) {
    for (const [what, make] of Object.entries(foreign)) {
      it(`${name} is false for ${what}`, () => assert.isFalse(guard(make(mark))))
    }
  }

  it.scoped("is true for its own kind, and for no other", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair()
      const values = { isSession: client, isMuxStream: yield* client.open(), isTransport: link.client }
      for (const [name, [guard]] of Object.entries(guards)) {
        for (const [kind, value] of Object.entries(values)) assert.strictEqual(guard(value), name === kind, kind)
      }
    })
  )

  it.scoped("sees through a Proxy that passes everything on, and a copy by spread", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair()
      const stream = yield* client.open()
      assert.isTrue(Session.isSession({ ...client, ping: Effect.never }))
      assert.isTrue(Session.isSession(new Proxy(client, {})))
      assert.isTrue(MuxStream.isMuxStream(new Proxy(stream, {})))
      assert.isTrue(Transport.isTransport({ ...link.client, write: () => Effect.void }))
      assert.isFalse(Session.isSession(trapped(client)))
      assert.isFalse(MuxStream.isMuxStream(trapped(stream)))
      assert.isFalse(Transport.isTransport(trapped(link.client)))
    })
  )

  it.scoped("knows the sessions, streams and transports of another copy of the library", () =>
    Effect.gen(function* () {
      vi.resetModules()
      const other = yield* Effect.promise(() => import("../../src/index.js"))
      const testing = yield* Effect.promise(() => import("../../src/testing/index.js"))
      assert.notStrictEqual(other.Session.Session, Session.Session)
      const { client } = yield* testing.SimulatedSessions.make()
      const theirs = yield* client.open()
      assert.isTrue(Session.isSession(client))
      assert.isTrue(MuxStream.isMuxStream(theirs))
      const { client: transport, server } = yield* SimulatedTransport.makePair()
      const session = yield* Session.fromTransport(transport, { role: "client" })
      assert.isTrue(other.Session.isSession(session))
      assert.isTrue(other.MuxStream.isMuxStream(yield* session.open()))
      assert.isTrue(other.Transport.isTransport(server))
    })
  )
})

describe("a type id", () => {
  it("is a symbol that another copy of the library has too, and a type", () => {
    const session: Session.TypeId = Session.TypeId
    const stream: MuxStream.TypeId = MuxStream.TypeId
    assert.deepStrictEqual([session, stream].map(Symbol.keyFor), ["effect-muxado/Session", "effect-muxado/MuxStream"])
  })
})

describe("isTransport", () => {
  it("is true for a transport that was written by hand, without a mark", () => {
    const byHand: Transport.TransportService = {
      read: Effect.never,
      write: () => Effect.void,
      end: Effect.void,
      destroy: Effect.void
    }
    assert.isTrue(Transport.isTransport(byHand))
    for (const part of ["read", "write", "end", "destroy"] as const) {
      assert.isFalse(Transport.isTransport({ ...byHand, [part]: undefined }), part)
    }
  })

  it.scoped("is true for a transport over a Socket, and false for the Socket", () =>
    Effect.gen(function* () {
      const socket = yield* NodeSocket.fromDuplex(Effect.succeed(new PassThrough()))
      assert.isTrue(Transport.isTransport(yield* Transport.fromSocket(socket)))
      assert.isFalse(Transport.isTransport(socket))
    })
  )
})
