/** The import table finds imports that it does not allow. */
import { assert, describe, it } from "@effect/vitest"
import { importFaults, mayCall } from "../../tools/checks/importTable.js"

/** The faults of a file with one import. */
const faultsOf = (file: string, request: string, id: string | null = null): ReadonlyArray<string> =>
  importFaults({ [file]: [{ request, id }] })

describe("the import table", () => {
  it("allows the rows and packages that a row names", () => {
    assert.deepStrictEqual(faultsOf("src/protocol/wire/a.ts", "effect/Either"), [])
    assert.deepStrictEqual(faultsOf("src/internal/session/a.ts", "../b.js", "src/internal/stream/b.ts"), [])
    assert.deepStrictEqual(faultsOf("src/node/internal/a.ts", "node:net"), [])
    assert.deepStrictEqual(faultsOf("src/internal/support/run.ts", "effect/Runtime"), [])
  })

  it.each([
    ["src/protocol/receiver.ts", "effect/Effect", null],
    ["src/protocol/wire/encoder.ts", "../receiver.js", "src/protocol/receiver.ts"],
    ["src/internal/stream/streamHandle.ts", "../session/state.js", "src/internal/session/state.ts"],
    ["src/internal/session/state.ts", "../../Session.js", "src/Session.ts"],
    ["src/Session.ts", "node:net", null],
    ["src/Session.ts", "effect/Schema", null],
    ["src/Session.ts", "effect/Deferred", null],
    ["src/Session.ts", "effect/TestClock", null],
    ["src/Session.ts", "./protocol/sending/scheduler.js", "src/protocol/sending/scheduler.ts"],
    ["src/internal/session/state.ts", "effect/Runtime", null],
    ["src/testing/Census.ts", "@effect/platform-node/NodeSocket", null],
    ["src/newModule.ts", "./Session.js", "src/Session.ts"],
    ["tools/conformance/frames.ts", "../../src/protocol/wire/encoder.js", "src/protocol/wire/encoder.ts"]
  ])("forbids %s to import %s", (file, request, id) => {
    assert.strictEqual(faultsOf(file, request, id).length, 1)
  })

  it("lets only park.ts call Effect.async", () => {
    assert.isTrue(mayCall("src/internal/support/park.ts", "Effect.async"))
    assert.isFalse(mayCall("src/internal/support/race.ts", "Effect.async"))
    assert.isTrue(mayCall("src/internal/support/race.ts", "Effect.map"))
  })
})
