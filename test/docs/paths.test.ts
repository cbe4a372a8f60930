/** The files that the documents name. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
]

const PATH = /`((?:src|test|tools|examples|\.github)\/[\w./-]*)`/g

describe("the files that a document names", () => {
  for (const document of documents) {
    const paths = new Set([...readFileSync(join(root, document), "utf8").matchAll(PATH)].map((match) => match[1] ?? ""))
    if (paths.size === 0) continue
    it(`exist: ${document}`, () => {
      assert.deepStrictEqual(
        [...paths].filter((path) => !existsSync(join(root, path))),
        []
      )
    })
  }
})
