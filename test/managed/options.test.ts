import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { ManagedSession, MuxadoError, Session } from "effect-muxado"
import { NodeSession, NodeSessionServer } from "effect-muxado/node"
import { call, echo, settle } from "../support/managed/calls.js"
import { makeNetwork, type Network } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"
import { wrong } from "../support/wrong.js"

const connect = Effect.never

const invalid = (options: unknown) =>
  Effect.map(Effect.flip(Effect.scoped(ManagedSession.make(wrong<ManagedSession.Options>(options)))), (error) => {
    assert.instanceOf(error, MuxadoError.InvalidOptions)
    return error.message
  })

const values: Record<string, ReadonlyArray<unknown>> = {
  connect: [undefined, null, 1, "tcp://127.0.0.1", () => Effect.never, {}, Promise.resolve(1)],
  dial: ["Never", "atOnce", true, null, 1],
  reconnect: [1, "1 second", true, {}, () => 1, null],
  healthyAfter: [-1, NaN, "soon", true, null],
  isFinal: [true, "no", {}, null],
  connectTimeout: [0, -1, NaN, Infinity, "soon", null],
  verify: ["yes", 1, null],
  openTimeout: [0, -1, NaN, "failFast", "soon", true, null],
  maxWaiting: [-1, 1.5, NaN, Infinity, "10", null],
  maxAge: [0, -1, NaN, "old", null],
  moveGrace: [-1, NaN, "soon", null],
  size: [0, -1, 1.5, NaN, Infinity, "3", null],
  probeAfter: [-1, NaN, "soon", null],
  probeTimeout: [0, -1, NaN, "soon", null],
  retry: ["yes", 1, {}, null, () => true],
  window: [-1, "1"],
  drainTimeout: ["soon"]
}

describe("a wrong option", () => {
  for (const [name, all] of Object.entries(values)) {
    it.effect(`${name} fails at once, and the message names it`, () =>
      Effect.forEach(all, (value) =>
        Effect.map(invalid({ connect, [name]: value }), (message) => {
          assert.include(message, `${name}: `, String(value))
          assert.notInclude(message, "[object", message)
          assert.isBelow(message.length, 300, message)
        })
      )
    )
  }

  it.effect("that is unknown is named, with the nearest known one", () =>
    Effect.gen(function* () {
      assert.match(yield* invalid({ connect, openTimeOut: 1 }), /openTimeOut.*openTimeout/)
      assert.match(yield* invalid({ connect, reconect: 1 }), /reconect.*reconnect/)
      assert.match(yield* invalid({ connect, role: "server" }), /role/)
    })
  )

  it.effect("beside others: all are named at once", () =>
    Effect.map(invalid({ size: 0, dial: "x", wndow: 1, maxWaiting: -1 }), (message) => {
      for (const name of ["connect", "size", "dial", "wndow", "maxWaiting"]) assert.include(message, name)
    })
  )

  it.effect("verify on an untyped session, or without heartbeats, is refused", () =>
    Effect.gen(function* () {
      assert.match(yield* invalid({ connect, typed: false, heartbeat: false, verify: true }), /verify/)
    })
  )

  for (const value of [undefined, null, 1, "connect", []]) {
    it.effect(`instead of options (${JSON.stringify(value) ?? "undefined"}) fails with a message about options`, () =>
      Effect.map(invalid(value), (message) => assert.match(message, /options|connect/))
    )
  }

  it.effect("of NodeSession: the address and the options are checked before anything is dialed", () =>
    Effect.gen(function* () {
      const bad = [
        NodeSession.makeTcp(wrong({ host: "127.0.0.1" })),
        NodeSession.makeTcp(wrong({ host: "127.0.0.1", port: 70_000 })),
        NodeSession.makeTcp(wrong(undefined)),
        NodeSession.makeUnix(wrong({ path: "" })),
        NodeSession.makeTls(wrong({ host: "127.0.0.1", port: 1, socket: {} })),
        NodeSession.makeTcp({ host: "127.0.0.1", port: 1 }, wrong({ sise: 1 })),
        NodeSession.makeTcp({ host: "127.0.0.1", port: 1 }, wrong(1))
      ]
      for (const [i, make] of bad.entries()) {
        const error = yield* Effect.flip(Effect.scoped(make))
        assert.strictEqual(error._tag, "InvalidOptions", `${i}`)
      }
    })
  )

  it.effect("of NodeSession in the address and in the options: both are named", () =>
    Effect.map(
      Effect.flip(Effect.scoped(NodeSession.makeTcp(wrong({ host: "127.0.0.1", port: -1 }), wrong({ size: 0 })))),
      (error) => {
        assert.include(error.message, "port")
        assert.include(error.message, "size")
      }
    )
  )
})

describe("options", () => {
  virtually("that are changed after the call change nothing", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const other = yield* makeNetwork({ handler: echo })
      const options = { connect: network.connect, size: 1, reconnect: Schedule.spaced("1 second"), maxWaiting: 5 }
      const making = ManagedSession.make(options)
      options.connect = other.connect
      options.size = 7
      options.maxWaiting = wrong("x")
      const session = yield* making
      options.size = 8
      assert.strictEqual(yield* call(session, "a"), "a 0")
      yield* Effect.sleep("20 seconds")
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      assert.strictEqual(network.dials, 2)
      assert.strictEqual(other.dials, 0)
    })
  )

  virtually("of a making that is run twice make two managed sessions", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const making = ManagedSession.make({ connect: network.connect })
      const one = yield* making
      const two = yield* making
      yield* call(one, "a")
      yield* one.close
      assert.strictEqual(yield* call(two, "b"), "b 0")
      assert.strictEqual(network.dials, 2)
    })
  )
})

class Where extends Context.Tag("test/Where")<Where, Network>() {}

describe("layers", () => {
  virtually("Session and ManagedSession are one object", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* Session.Session, yield* ManagedSession.ManagedSession)
        assert.isTrue(Session.isSession(yield* Session.Session))
        yield* settle
      }).pipe(Effect.provide(ManagedSession.layer({ connect: network.connect })))
      assert.strictEqual(network.dials, 1)
    })
  )

  virtually("of one value with two environments make two sessions, and no call goes to the wrong server", () =>
    Effect.gen(function* () {
      const blue = yield* makeNetwork({ handler: echo })
      const green = yield* makeNetwork({ handler: echo })
      blue.server = 100
      green.server = 200
      const layer = ManagedSession.layer({ connect: Effect.flatMap(Where, (network) => network.connect) })
      const ask = Effect.flatMap(ManagedSession.ManagedSession, (session) => call(session, "a"))
      class Blue extends Context.Tag("test/Blue")<Blue, string>() {}
      class Green extends Context.Tag("test/Green")<Green, string>() {}
      const answers = yield* Effect.zip(Blue, Green).pipe(
        Effect.provide(
          Layer.merge(
            Layer.effect(Blue, ask).pipe(Layer.provide(layer), Layer.provide(Layer.succeed(Where, blue))),
            Layer.effect(Green, ask).pipe(Layer.provide(layer), Layer.provide(Layer.succeed(Where, green)))
          )
        )
      )
      assert.deepStrictEqual(answers, ["a 100", "a 200"])
    })
  )

  it.live("NodeSession.layerTcp used twice in a program is one connection", () =>
    Effect.gen(function* () {
      let sessions = 0
      const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
      yield* Effect.forkScoped(
        server.run((session) =>
          Effect.suspend(() => {
            sessions++
            return echo(session, 7)
          })
        )
      )
      const port = server.address._tag === "TcpAddress" ? server.address.port : 0
      const layer = NodeSession.layerTcp({ host: "127.0.0.1", port })
      class One extends Context.Tag("test/One")<One, string>() {}
      class Two extends Context.Tag("test/Two")<Two, string>() {}
      const ask = Effect.flatMap(ManagedSession.ManagedSession, (session) => call(session, "a"))
      const answers = yield* Effect.zip(One, Two).pipe(
        Effect.provide(
          Layer.merge(
            Layer.effect(One, ask).pipe(Layer.provide(layer)),
            Layer.effect(Two, ask).pipe(Layer.provide(layer))
          )
        )
      )
      assert.deepStrictEqual(answers, ["a 7", "a 7"])
      assert.strictEqual(sessions, 1)
    }).pipe(Effect.scoped)
  )
})

describe("two managed sessions in one program", () => {
  virtually("do not share a connection, a failure, or an end", () =>
    Effect.gen(function* () {
      const one = yield* makeNetwork({ handler: echo })
      const two = yield* makeNetwork({ handler: echo })
      one.server = 1
      two.server = 2
      const a = yield* ManagedSession.make({ connect: one.connect })
      const b = yield* ManagedSession.make({ connect: two.connect })
      assert.deepStrictEqual(yield* Effect.all([call(a, "x"), call(b, "x")]), ["x 1", "x 2"])
      one.mode = "Refuse"
      yield* one.kill
      yield* settle
      assert.strictEqual(yield* call(b, "x"), "x 2")
      yield* a.close
      assert.strictEqual(yield* call(b, "x"), "x 2")
      assert.strictEqual(two.dials, 1)
    })
  )
})
