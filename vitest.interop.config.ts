import { defineConfig } from "vitest/config"
import base from "./vitest.config.js"

// Real peers over real sockets: `npm run test:interop`. The files run beside each other, the cells of one file in turn.
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ["**/*.interop.ts"],
    globalSetup: ["test/support/interop/setup.ts"],
    reporters: ["default", "./test/support/interop/matrixReporter.ts"],
    maxWorkers: 3,
    minWorkers: 3
  }
})
