import { configDefaults, mergeConfig } from "vitest/config"
import base from "./vitest.config.js"
import { LONG } from "./vitest.long.config.js"

// `npm test`: everything but the long files, in about two minutes on two cores.
export default mergeConfig(base, {
  test: { exclude: [...configDefaults.exclude, ...LONG], maxWorkers: 2, minWorkers: 1 }
})
