/** Every attack. */
import type { Attack } from "../attack.js"
import { floods } from "./floods.js"
import { framing } from "./framing.js"
import { pressure } from "./pressure.js"
import { streams } from "./streams.js"

const number = ({ id }: Attack): number => Number(id.slice(1))

export const corpus: ReadonlyArray<Attack> = [...framing, ...streams, ...floods, ...pressure].sort(
  (one, other) => number(one) - number(other)
)
