import { describe, it } from "@effect/vitest"
import { corpus } from "./corpus/index.js"
import { overSimulated } from "./simulated.js"

describe("over a simulated link", () => {
  for (const attack of corpus) {
    it.effect(`${attack.id}: ${attack.what}`, () => overSimulated(attack))
  }
})
