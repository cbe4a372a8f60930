/** No context of one request reaches another: AsyncLocalStorage and traces. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import { AsyncLocalStorage } from "node:async_hooks"
import { call, echoWhole, sessionTest } from "../support/session/sessionTest.js"
import { makePair, scenario } from "../support/session/sessions.js"
import { dial, listening } from "../support/session/tcp.js"

describe("the contexts of handlers", () => {
  it.scopedLive("no request sees the AsyncLocalStorage store of another", () =>
    Effect.gen(function* () {
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<readonly [string, string | undefined]> = []
      const see = (who: string) => Effect.sync(() => void seen.push([who, storage.getStore()]))
      const scope = yield* Effect.scope
      const within = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
        Effect.promise(() => storage.run(name, () => Effect.runPromise(effect)))
      const port = yield* within(
        "starter",
        Effect.provideService(
          listening((session) =>
            session.serve((stream) =>
              Effect.zipRight(see("handler"), Effect.zipRight(echoWhole(stream), see("handler")))
            )
          ),
          Scope.Scope,
          scope
        )
      )
      const client = yield* within("opener", Effect.provideService(dial(port), Scope.Scope, scope))
      const request = (name: string) =>
        within(
          name,
          client.withStream((stream) =>
            Effect.gen(function* () {
              yield* MuxStream.write(stream, "x")
              yield* see(name)
              yield* MuxStream.finish(stream)
              yield* MuxStream.readAll(stream)
              yield* see(name)
            })
          )
        )
      yield* Effect.all([request("A"), request("B"), request("C")], { concurrency: 3 })
      assert.isAtLeast(seen.length, 12)
      for (const [who, store] of seen) assert.include([who, undefined], store)
    })
  )

  sessionTest("a handler's spans are in no other's trace, and link to the span that serves", ({ client, server }) =>
    Effect.gen(function* () {
      const traces = new Set<string>()
      const links = new Set<string>()
      const handler = (stream: MuxStream.MuxStream) =>
        Effect.gen(function* () {
          const span = yield* Effect.currentSpan
          traces.add(span.traceId)
          assert.isTrue(Option.isNone(span.parent))
          for (const { span: linked } of span.links) if (linked._tag === "Span") links.add(linked.name)
          yield* echoWhole(stream)
        }).pipe(Effect.withSpan("request"), Effect.orDie)
      yield* Effect.forkScoped(Effect.withSpan(server.serve(handler), "serving"))
      yield* Effect.forEach([1, 2, 3], () => Effect.withSpan(call(client), "calling"), { concurrency: 3 })
      assert.strictEqual(traces.size, 3)
      assert.deepStrictEqual([...links], ["serving"])
    })
  )
})

it.effect("a handler starts a new trace, with a link to the span in which serve runs", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair()
    const spans: Array<Tracer.Span> = []
    yield* Effect.fork(
      server
        .serve((stream) =>
          Effect.currentSpan.pipe(
            Effect.tap((span) => Effect.sync(() => spans.push(span))),
            Effect.zipRight(MuxStream.write(stream, "done")),
            Effect.withSpan("request")
          )
        )
        .pipe(Effect.withSpan("connection"))
    )
    for (let i = 0; i < 2; i++) yield* client.withStream(MuxStream.readAll)
    const [first, second] = spans
    assert(first !== undefined && second !== undefined)
    assert.notStrictEqual(first.traceId, second.traceId)
    for (const span of [first, second]) {
      assert.strictEqual(span.parent._tag, "None")
      const linked = span.links.map(({ span: other }) => (other._tag === "Span" ? other.name : "external"))
      assert.deepStrictEqual(linked, ["connection"])
    }
  }).pipe(scenario)
)
