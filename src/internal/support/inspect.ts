/** How a session and a stream look in a log or a debugger: a few facts, and nothing of what they hold. */
import type { Inspectable } from "effect/Inspectable"
import { format, NodeInspectSymbol } from "effect/Inspectable"

/** The three methods of `Inspectable`, which all show the same facts. */
export const inspectable = (facts: () => object): Inspectable => ({
  toJSON: facts,
  toString: () => format(facts()),
  [NodeInspectSymbol]: facts
})
