import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^effect-muxado$/, replacement: src("index.ts") },
      { find: /^effect-muxado\/Messages$/, replacement: src("Messages.ts") },
      { find: /^effect-muxado\/(node|testing)$/, replacement: src("$1/index.ts") }
    ]
  },
  test: {
    // The mutation run narrows `dir`, so the patterns are relative to it.
    dir: "test",
    include: ["**/*.test.ts"],
    sequence: { concurrent: false },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text", "html", "json-summary"],
      thresholds: { lines: 95, branches: 90 }
    }
  }
})
