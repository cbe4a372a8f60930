import { describe, it } from "@effect/vitest"
import { corpus } from "../../tools/attacks/corpus/index.js"
import { overSimulated } from "../../tools/attacks/simulated.js"

describe("an attack over a simulated link", () => {
  for (const attack of corpus) {
    it.effect(`${attack.id}: ${attack.what}`, () => overSimulated(attack))
  }
})
