import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { NodeTransport } from "effect-muxado/node"
import { duplexPair } from "../support/node/support.js"

/**
 * Runs an effect whose fiber yields once, before its operation number `step`; meanwhile `event` happens, and the event
 * loop turns.
 */
const yieldingOnce = <A, E>(effect: Effect.Effect<A, E>, step: number, event: () => void) => {
  let operations = 0
  let yielded = false
  const scheduler = Scheduler.make(
    (task) => {
      if (yielded) event()
      yielded = false
      setImmediate(() => setImmediate(task))
    },
    () => {
      yielded = ++operations === step
      return yielded ? 0 : false
    }
  )
  return Effect.fork(Effect.withScheduler(effect, scheduler)).pipe(
    Effect.flatMap(Fiber.join),
    Effect.timeoutFail({ duration: "2 seconds", onTimeout: () => new Error(`it waits for ever after step ${step}`) })
  )
}

const steps = Array.from({ length: 20 }, (_, index) => index + 1)

it.scopedLive("bytes that come while the reading fiber yields wake it", () =>
  Effect.forEach(steps, (step) =>
    Effect.gen(function* () {
      const [near, far] = duplexPair()
      const transport = yield* NodeTransport.fromDuplex(near)
      const fallback = setTimeout(() => far.write(Uint8Array.of(0)), 50)
      const chunk = yield* yieldingOnce(transport.read, step, () => {
        clearTimeout(fallback)
        far.write(Uint8Array.of(step))
      })
      assert.isAbove(chunk.length, 0)
    })
  )
)

it.scopedLive("an end that comes while the reading fiber yields wakes it", () =>
  Effect.forEach(steps, (step) =>
    Effect.gen(function* () {
      const [near, far] = duplexPair()
      const transport = yield* NodeTransport.fromDuplex(near)
      const fallback = setTimeout(() => far.end(), 50)
      const error = yield* yieldingOnce(Effect.flip(transport.read), step, () => {
        clearTimeout(fallback)
        far.end()
      })
      assert.strictEqual(error.reason, "Ended")
    })
  )
)

it.scopedLive("buffer space that comes while the writing fiber yields wakes it", () =>
  Effect.forEach(steps, (step) =>
    Effect.gen(function* () {
      const [near, far] = duplexPair(64)
      const transport = yield* NodeTransport.fromDuplex(near)
      const fallback = setTimeout(() => far.resume(), 50)
      yield* yieldingOnce(transport.write([new Uint8Array(200)]), step, () => {
        clearTimeout(fallback)
        far.resume()
      })
    })
  )
)
