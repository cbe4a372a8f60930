/** The small examples, run by the commands that the README gives for them. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { runScript } from "../support/examples/script.js"

const root = join(dirname(fileURLToPath(import.meta.url)), "../..")

/** What each prints, line by line. */
const examples: ReadonlyArray<readonly [script: string, lines: ReadonlyArray<RegExp>]> = [
  [
    "example:tcp",
    [
      /^stream 3: sent one, got one$/,
      /^stream 5: sent two, got two$/,
      /^stream 7: sent three, got three$/,
      /^one connection carried 3 streams and 11 bytes back$/
    ]
  ],
  [
    "example:websocket",
    [/^stream 3: 10 bytes came back$/, /^stream 5: 1000 bytes came back$/, /^stream 7: 1000000 bytes came back$/]
  ],
  ["example:transport", [/^the server read 5000000 bytes$/, /^the server's session ended: RemoteGoneAway$/]],
  [
    "example:test",
    [
      /^TAP version 13$/,
      /^1\.\.2$/,
      /^ok 1 - .*an answer takes one round trip and the server's second/,
      /^ok 2 - .*a cut fails the call at once, and interrupts the server's handler/
    ]
  ]
]

describe("the small examples", () => {
  for (const [script, expected] of examples) {
    it(`npm run -s ${script} ends by itself with 0, and prints what happened`, { timeout: 60_000 }, async () => {
      const { code, lines, stderr } = await runScript(script)
      assert.strictEqual(stderr, "")
      assert.strictEqual(lines.length, expected.length, lines.join("\n"))
      expected.forEach((line, index) => assert.match(lines[index] ?? "", line))
      assert.strictEqual(code, 0)
    })
  }

  it("are under 60 lines in each file, and import the package by its name", () => {
    const names = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" }).filter((name) =>
      /^(echoTcp|echoWebSocket|customTransport|simulatedNetwork|recoveringClient|backend|express|httpServer)\b.*\.ts$/.test(
        name
      )
    )
    assert.isAtLeast(names.length, 8)
    for (const name of names) {
      const text = readFileSync(join(root, "examples", name), "utf8")
      assert.isBelow(text.split("\n").length - 1, 60, name)
      assert.notInclude(text, "src/", name)
    }
  })
})
