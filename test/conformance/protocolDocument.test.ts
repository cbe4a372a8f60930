/** `docs/PROTOCOL.md` and the table say the same. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { hex } from "../../tools/conformance/frames.js"
import { rows } from "../../tools/conformance/rows/index.js"
import { bytesInWords } from "../../tools/conformance/words.js"

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), "utf8")

interface Sentence {
  readonly section: string
  readonly text: string
  /** The rows that it names, if it ends with them. */
  readonly ids: ReadonlyArray<string>
}

const ROW_ID = /\b[A-Z]-\d\d\b/g

const normative = read("PROTOCOL.md").split("## Appendix A")[0] ?? ""

/** Bullets, table rows and sentences, without code, each with the section that it is in. */
const sentences: ReadonlyArray<Sentence> = normative
  .replaceAll(/^```.*?^```$/gms, "")
  .replaceAll(/`[^`]*`/g, "")
  .split(/^#{2,3} /m)
  .slice(1)
  .flatMap((part) => {
    const section = /^[\d.]+/.exec(part)?.[0] ?? ""
    return part
      .split("\n")
      .slice(1)
      .join("\n")
      .split(/\n\n|\n(?=[-|])/)
      .flatMap((block) => block.replaceAll(/\s+/g, " ").split(/(?<=[.:]) (?=[A-Z"])/))
      .map((text) => ({
        section,
        text,
        ids: /\[((?:[A-Z]-\d\d(?:, )?)+)\][. |]*$/.exec(text)?.[1]?.split(", ") ?? []
      }))
  })

const table = new Map(rows.map((row) => [row.id, row]))

describe("docs/PROTOCOL.md", () => {
  it("has no MUST that no row checks", () => {
    const unchecked = sentences.filter(({ ids, text }) => /\bMUST\b/.test(text) && ids.length === 0)
    assert.deepStrictEqual(
      unchecked.map(({ text }) => text),
      []
    )
  })

  it("names no row that does not exist", () => {
    const named = [...read("PROTOCOL.md").matchAll(ROW_ID)].map(([id]) => id)
    assert.deepStrictEqual(
      [...new Set(named)].filter((id) => !table.has(id)),
      []
    )
  })

  it("has the section and the level of each row as the table has them", () => {
    const unsaid = rows.filter(
      ({ id, level, section }) =>
        !sentences.some(
          (sentence) =>
            sentence.section === section &&
            sentence.ids.includes(id) &&
            new RegExp(`\\b${level}\\b`).test(sentence.text)
        )
    )
    assert.deepStrictEqual(
      unsaid.map(({ id, level, section }) => `${id} ${level} in ${section}`),
      []
    )
  })

  it("names each row only in its own section", () => {
    const stray = sentences.flatMap(({ ids, section }) => ids.filter((id) => table.get(id)?.section !== section))
    assert.deepStrictEqual(stray, [])
  })

  it("has test vectors that decode to their descriptions", () => {
    const vectors = [...normative.matchAll(/^([0-9a-f]{6} [0-9a-f]{2} [0-9a-f]{8}(?: [0-9a-f]+)?) +(.*)$/gm)]
    assert.isAbove(vectors.length, 20)
    for (const [, bytes = "", words = ""] of vectors) assert.deepStrictEqual(bytesInWords(hex(bytes)), [words])
  })

  it("has a table without duplicate ids", () => {
    assert.strictEqual(table.size, rows.length)
  })
})

describe("docs/conformance.md", () => {
  it("has a line for each row, and no other", () => {
    const listed = [...read("conformance.md").matchAll(/^\| ([A-Z]-\d\d) \| [\d.]+ \| (MUST|SHOULD) \| (.*?) \|/gm)]
    assert.deepStrictEqual(
      listed.map(([, id, level, rule]) => [id, level, rule]),
      rows.map(({ id, level, rule }) => [id, level, rule])
    )
  })
})
