/** What docs/errors.md quotes: its log lines and its hints have the words that `src` writes. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "../..")

const source = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(join(root, "src", name), "utf8"))
  .join("\n")

const page = readFileSync(join(root, "docs/errors.md"), "utf8")

/** The quotations in one column of the table below a heading. */
const quoted = (heading: string, column: number): ReadonlyArray<string> =>
  (page.split(`## ${heading}\n`)[1] ?? "")
    .split("\n## ")[0]
    ?.split("\n")
    .filter((line) => line.startsWith("| "))
    .flatMap((line) => [...(line.split("|")[column] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "")) ?? []

/** The words of a quotation that are the same in each line: not names in capitals, numbers, codes or options. */
const fixedWords = (quotation: string): ReadonlyArray<string> =>
  quotation
    .split(/\.\.\.|\b[A-Z]+\b|\bwith\b|\d+|\bmax\w+|\w+ \(\d+\)|[()?:,]/)
    .map((words) => words.trim())
    .filter((words) => words.includes(" "))

describe("docs/errors.md", () => {
  it.each([
    ["What the library logs", 2, 15],
    ["Hints", 1, 5]
  ] as const)("quotes under %s only words that the library writes", (heading, column, least) => {
    const words = quoted(heading, column).flatMap(fixedWords)
    assert.isAtLeast(words.length, least)
    assert.deepStrictEqual(
      words.filter((some) => !source.includes(some)),
      []
    )
  })
})
