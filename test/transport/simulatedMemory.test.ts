/** Whose memory the bytes of a simulated link are, and what is no bytes. */
import { assert, describe, it } from "@effect/vitest"
import { MuxadoError } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import type { Transport } from "effect-muxado"
import * as Effect from "effect/Effect"
import { runInNewContext } from "node:vm"

/** As JavaScript may call it. */
const writeAnything = (transport: Transport.TransportService, chunks: unknown) =>
  transport.write(chunks as ReadonlyArray<Uint8Array>)

const links = {
  "whole writes": {},
  "single bytes": { chunking: "byte" },
  "joined writes": { chunking: "joined" },
  "pieces of 2": { chunking: { min: 2, max: 2 } },
  "a corrupted byte": { faults: { clientToServer: { corruptAt: { at: 1, xor: 3 } } } }
} satisfies Record<string, SimulatedTransport.Options>

describe("a simulated link owns its memory", () => {
  for (const [name, options] of Object.entries(links)) {
    it.scoped(`a reader that changes a chunk changes neither the writer's memory nor other chunks, with ${name}`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair(options)
        const mine = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        yield* client.write([mine.subarray(0, 4)])
        yield* client.write([mine.subarray(4, 6), mine.subarray(6, 8)])
        // the writer's memory is its own again
        const before = [...mine]
        mine.fill(0)
        const received: Array<number> = []
        while (received.length < 8) {
          const chunk = yield* server.read
          received.push(...chunk)
          chunk.fill(99)
          structuredClone(chunk, { transfer: [chunk.buffer] })
        }
        assert.deepStrictEqual(before, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        assert.deepStrictEqual(received, [1, name === "a corrupted byte" ? 2 ^ 3 : 2, 3, 4, 5, 6, 7, 8])
        assert.deepStrictEqual([...mine], new Array(10).fill(0))
      })
    )
  }

  it.scoped("a replayed chunk is a new copy each time", () =>
    Effect.gen(function* () {
      const pair = yield* SimulatedTransport.makePair({ trace: { bytes: true } })
      yield* pair.client.write([new Uint8Array([1, 2])])
      yield* pair.server.read
      const { transport, written } = yield* SimulatedTransport.replay(yield* pair.trace, {
        direction: "clientToServer"
      })
      const mine = new Uint8Array([5])
      yield* transport.write([mine])
      mine.fill(0)
      assert.deepStrictEqual(yield* written, new Uint8Array([5]))
      assert.deepStrictEqual(yield* transport.read, new Uint8Array([1, 2]))
    })
  )
})

describe("a write of a value that is not bytes", () => {
  const cases: ReadonlyArray<readonly [string, unknown, string]> = [
    ["a string", ["hello"], "element 0 is a string"],
    ["an ArrayBuffer", [new Uint8Array(1), new ArrayBuffer(8)], "element 1 is an ArrayBuffer"],
    ["a Uint16Array", [new Uint16Array(2)], "element 0 is a Uint16Array"],
    ["nothing", [undefined], "element 0 is undefined"],
    ["bytes that are in no array", new Uint8Array(3), "not a Uint8Array"]
  ]

  const replayed = Effect.map(
    SimulatedTransport.replay({ seed: 0, dropped: 0, events: [] }, { direction: "clientToServer" }),
    ({ transport }) => transport
  )
  const transports = {
    "a link": Effect.map(SimulatedTransport.makePair(), ({ client }) => client),
    "a replay": replayed
  }

  for (const [medium, make] of Object.entries(transports)) {
    for (const [name, chunks, said] of cases) {
      it.scoped(`${medium} refuses ${name}, and the error names the value`, () =>
        Effect.gen(function* () {
          const transport = yield* make
          const error = yield* Effect.flip(writeAnything(transport, chunks))
          assert.instanceOf(error, MuxadoError.TransportFailed)
          assert.deepStrictEqual([error.reason, error.initiator, error.processed], ["Write", "Local", "no"])
          assert.instanceOf(error.cause, TypeError)
          assert.include(error.cause.message, said)
          yield* transport.write([new Uint8Array(1)])
        })
      )
    }
  }

  it.scoped("bytes of another realm are accepted", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedTransport.makePair()
      const foreign: unknown = runInNewContext("new Uint8Array([1, 2])")
      yield* writeAnything(client, [foreign])
      assert.deepStrictEqual(yield* server.read, new Uint8Array([1, 2]))
    })
  )
})
