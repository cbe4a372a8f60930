import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { parse } from "../../tools/runtimes/arguments.js"
import { CASES, MEDIA } from "../../tools/runtimes/programs/messages.js"
import { RUNTIMES } from "../../tools/runtimes/runtimes.js"

const selectionOf = (...args: ReadonlyArray<string>) => {
  const command = Either.getOrThrow(parse(args))
  assert(command._tag === "Run")
  return command.selection
}

const faultOf = (...args: ReadonlyArray<string>): string => Either.getOrThrow(Either.flip(parse(args))).message

describe("the arguments of test:runtimes", () => {
  it("without arguments, everything is chosen", () => {
    assert.deepStrictEqual(selectionOf(), { runtimes: RUNTIMES, media: MEDIA, cases: CASES })
  })

  it("flags narrow the choice, may be repeated, and take lists; the order does not change", () => {
    const selection = selectionOf("--runtime", "deno,bun", "--medium=tls", "--case", "kill-server", "--case", "echo")
    assert.deepStrictEqual(selection, { runtimes: ["bun", "deno"], media: ["tls"], cases: ["echo", "kill-server"] })
  })

  it("a wrong flag or value is named, with the valid ones", () => {
    assert.strictEqual(faultOf("--runtim", "bun"), "there is no flag --runtim")
    assert.strictEqual(faultOf("bun"), "there is no flag bun")
    assert.strictEqual(
      faultOf("--runtime", "bun,node18"),
      `--runtime node18 is not known: it is one of ${RUNTIMES.join(", ")}`
    )
    assert.strictEqual(faultOf("--medium", "--case"), `--medium needs a value: ${MEDIA.join(", ")}`)
    assert.strictEqual(faultOf("--case"), `--case needs a value: ${CASES.join(", ")}`)
  })

  it("--help prints the help, with any other arguments", () => {
    assert.deepStrictEqual(parse(["--medium", "tcp", "--help"]), Either.right({ _tag: "Help" }))
  })
})
