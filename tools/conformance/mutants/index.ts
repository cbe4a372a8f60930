/** Targets with one fault each, and the rows that must find it. */
import type { Mutant } from "./mutant.js"
import { receiving } from "./receiving.js"
import { sending } from "./sending.js"

export const mutants: ReadonlyArray<Mutant> = [...sending, ...receiving]
