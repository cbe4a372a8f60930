/** The two ways by which a session takes bytes from a transport, and bytes that are there before either is used. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { TransportFailed } from "../../../src/MuxadoError.js"
import type { TransportService } from "../../../src/Transport.js"

/**
 * The same transport by its fast path: reads begin `each` and interrupt it at the first chunk, or ask it to pause, and
 * writes are `tryWrite` where that takes them.
 */
export const byFastPath = (transport: TransportService, ending: "interrupt" | "pause"): TransportService => {
  const { fastPath } = transport
  if (fastPath === undefined) return assert.fail("the transport offers no fast path")
  const queue: Array<Uint8Array> = []
  const take = Effect.sync(() => queue.shift() ?? new Uint8Array(0))
  // Not a race: an interruption must not leave before `each` has stopped.
  const fetch = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const arrived = Deferred.unsafeMake<void, TransportFailed>(FiberId.none)
      const each = fastPath.each((chunk) => {
        queue.push(chunk)
        Deferred.unsafeDone(arrived, Effect.void)
        return ending === "interrupt"
      })
      const fiber = yield* Effect.forkDaemon(Effect.interruptible(each))
      fiber.addObserver((exit) => Deferred.unsafeDone(arrived, exit))
      const exit = yield* Effect.exit(restore(Deferred.await(arrived)))
      if (ending === "interrupt" || Exit.isFailure(exit)) yield* Fiber.interrupt(fiber)
      else yield* Fiber.join(fiber)
      return yield* exit
    })
  )
  const read: TransportService["read"] = Effect.suspend(() => {
    if (queue.length > 0) return take
    return Effect.zipRight(fetch, take)
  })
  return {
    ...transport,
    read,
    write: (chunks) => Effect.suspend(() => (fastPath.tryWrite(chunks) ? Effect.void : transport.write(chunks)))
  }
}

/**
 * The transport without the bytes that its reader gets before all others, which must be `early`; all of them, unless a
 * side was destroyed: bytes on their way are lost then, and some media show an end nevertheless.
 */
export const without = (transport: TransportService, early: Uint8Array, isCut: () => boolean): TransportService => {
  let at = 0
  let rest = new Uint8Array(0)
  const take = Effect.sync(() => {
    const chunk = rest
    rest = new Uint8Array(0)
    return chunk
  })
  const strip = (chunk: Uint8Array): void => {
    const length = Math.min(chunk.length, early.length - at)
    const isSame = Buffer.from(early.buffer, early.byteOffset + at, length).equals(chunk.subarray(0, length))
    assert.isTrue(isSame, `the bytes that were there before the first read differ after ${at} of them`)
    at += length
    rest = Uint8Array.from(chunk.subarray(length))
  }
  const read: TransportService["read"] = Effect.suspend(() => {
    if (rest.length > 0) return take
    // In one step: with `tapError` before it there would be two, and an interruption between them would lose the chunk.
    return Effect.matchEffect(transport.read, {
      onFailure: (error) => {
        if (error.reason === "Ended" && !isCut()) assert.strictEqual(at, early.length, "early bytes are missing")
        return Effect.fail(error)
      },
      onSuccess: (chunk) => {
        strip(chunk)
        return rest.length > 0 ? take : read
      }
    })
  })
  return { ...transport, read }
}
