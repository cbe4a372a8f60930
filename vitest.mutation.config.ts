import { mergeConfig } from "vitest/config"
import config from "./vitest.config.js"

// The model takes seconds for every mutant, and kills nearly none that the other tests do not: without it the whole
// core is done in half an hour, and the score is a lower bound.
export default mergeConfig(config, { test: { exclude: ["**/model.test.ts"] } })
