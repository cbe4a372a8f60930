/** Shows a few facts of a session in a log or a debugger, and none of its contents. */
import type { Inspectable } from "effect/Inspectable"
import { format, NodeInspectSymbol } from "effect/Inspectable"

/** Makes the three methods of `Inspectable`. Each of them shows the same facts. */
export const inspectable = (facts: () => object): Inspectable => ({
  toJSON: facts,
  toString: () => format(facts()),
  [NodeInspectSymbol]: facts
})
