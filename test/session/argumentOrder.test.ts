/** A program without types that gives arguments in another order, or in another form, is told how to call. */
import { assert, describe, it } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxStream, Session, Transport } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import { Effect, Layer } from "effect"
import { PassThrough } from "node:stream"
import { echo, makePair, sessionOver, settle } from "./utils/sessions.js"

/** A function as a program without types sees it. */
type Untyped = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

const untyped = (call: unknown): Untyped => call as Untyped

type Parts = Transport.Transport | FrameReader.FrameReader | FrameWriter.FrameWriter

const inContext = (effect: Effect.Effect<unknown, unknown, Parts>, transport: Transport.TransportService) =>
  effect.pipe(
    Effect.provide(
      Layer.provideMerge(
        Layer.merge(FrameReader.layer, FrameWriter.layer),
        Layer.succeed(Transport.Transport, transport)
      )
    )
  )

const detailOf = (error: unknown): string => {
  assert(typeof error === "object" && error !== null && "_tag" in error && "detail" in error)
  assert.strictEqual(error._tag, "InvalidOptions")
  return String(error.detail)
}

const MAKE = 'call Session.make({ role: "client", ...options })'
const FROM_TRANSPORT = 'call Session.fromTransport(transport, { role: "client", ...options })'
const LAYER = 'call Session.layer({ role: "client", ...options })'

describe("arguments in the wrong order or form", () => {
  for (const [name, args, expected] of [
    ['Session.make("client", {})', ["client", {}], `the options must be an object, not "client": ${MAKE}`],
    ['Session.make("client")', ["client"], `the options must be an object, not "client": ${MAKE}`],
    ["Session.make(null)", [null], `the options must be an object, not null: ${MAKE}`],
    ["Session.make()", [], 'role: must be "client" or "server", not undefined'],
    ['Session.make({}, "client")', [{}, "client"], 'role: must be "client" or "server", not undefined']
  ] as const) {
    it.scoped(`${name} fails with InvalidOptions that says how to call it`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const made = inContext(untyped(Session.make)(...args), link.client)
        assert.strictEqual(detailOf(yield* Effect.flip(made)), expected)
        // nothing was begun: the same transport carries a session afterwards
        yield* sessionOver("client", link.client)
      })
    )
  }

  it.scoped("Session.fromTransport says how to call it", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const from = untyped(Session.fromTransport)
      const needs = "a session needs a transport whose read, end and destroy are effects, not"
      for (const [args, expected] of [
        [[link.client, "client"], `the options must be an object, not "client": ${FROM_TRANSPORT}`],
        [[link.client, "client", {}], `the options must be an object, not "client": ${FROM_TRANSPORT}`],
        [["client", link.client], `${needs} "client": ${FROM_TRANSPORT}`],
        [[{ role: "client" }, link.client], `${needs} an object: ${FROM_TRANSPORT}`],
        [[], `${needs} undefined: ${FROM_TRANSPORT}`],
        [[new PassThrough(), { role: "client" }], `${needs} an object: ${FROM_TRANSPORT}`],
        [[Effect.succeed(link.client), { role: "client" }], `${needs} an object: ${FROM_TRANSPORT}`],
        [[trapped, { role: "client" }], `${needs} an object: ${FROM_TRANSPORT}`]
      ] as const) {
        assert.strictEqual(detailOf(yield* Effect.flip(from(...args))), expected)
      }
      yield* sessionOver("client", link.client)
    })
  )

  it.scoped("Session.layer says how to call it", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const layer = Session.layer as unknown as (...args: ReadonlyArray<unknown>) => ReturnType<typeof Session.layer>
      const built = inContext(Effect.scoped(Layer.build(layer("server", {}))), link.client)
      const expected = `the options must be an object, not "server": ${LAYER}`
      assert.strictEqual(detailOf(yield* Effect.flip(built)), expected)
    })
  )

  it.scoped("withStream with its options first fails with InvalidOptions, and opens no stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.forkScoped(server.serve(echo))
      const use = (stream: MuxStream.MuxStream) => MuxStream.finish(stream)
      const error = yield* Effect.flip(untyped(client.withStream)({ type: 7 }, use))
      assert.strictEqual(
        detailOf(error),
        "withStream: the first argument must be a function from a stream to an effect, and the options come after it, " +
          "not an object"
      )
      const plain = yield* Effect.flip(untyped(client.withStream)(use, 7))
      assert.match(detailOf(plain), /the options must be an object such as \{ type: 1 \}, not 7/)
      yield* settle
      const { accepted } = yield* server.stats
      assert.strictEqual(accepted, 0)
    })
  )
})

const trapped = new Proxy(
  {},
  {
    has: () => {
      throw new Error("not now")
    }
  }
)
