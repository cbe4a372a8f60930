import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { corpus } from "../../tools/attacks/corpus/index.js"
import { DECODING, isMeasured, peakOf, Victim } from "../../tools/attacks/memory.js"

const LONG = 60_000

/** Those that would leave most behind; `npm run attacks` measures all. */
const WORST = [
  "A16: 257 live streams with a limit of 256",
  "A18: 200 streams that the application never accepts, and a window of bytes on each refused one",
  "A19: streams opened and reset",
  "A28: DATA of 16 MiB on a live stream",
  "A29: a window of bytes that the application never reads, and one byte more"
]

layer(Victim.live, { excludeTestServices: true, timeout: LONG })(
  "the memory that an attack makes a session hold",
  (it) => {
    const attacks = corpus.filter(isMeasured).filter(({ id, what }) => WORST.includes(`${id}: ${what}`))

    it("is measured", () => assert.strictEqual(attacks.length, WORST.length))

    for (const attack of attacks) {
      it.effect(
        `${attack.id}: ${attack.what}`,
        () => Effect.map(peakOf(attack), (peak) => assert.isAtMost(peak, attack.heap + DECODING)),
        LONG
      )
    }
  }
)
