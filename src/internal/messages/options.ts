/** Checks the options of `Messages`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InvalidOptions } from "../../MuxadoError.js"
import { describe } from "../support/describe.js"
import type { Format } from "./format.js"
import { formats } from "./format.js"

/** The default of `maxBytes`. */
const MAX_BYTES = 1024 * 1024

/** The maximum of `maxBytes`: the greatest length of the MessagePack format. */
const LARGEST = 0xffffffff

/** What the checked options mean. */
interface Wire {
  readonly format: Format
  readonly maxBytes: number
}

/** `schemas` are the names of the options that must be schemas. `use` is called once, at once. */
export const readOptions = <A>(
  operation: string,
  options: object,
  schemas: ReadonlyArray<string>,
  use: (wire: Wire) => A
): Effect.Effect<A, InvalidOptions> => {
  const given: Readonly<Record<string, unknown>> = typeof options === "object" && options !== null ? { ...options } : {}
  const { format = "ndjson", maxBytes = MAX_BYTES } = given
  const wrong = schemas
    .filter((name) => !Schema.isSchema(given[name]))
    .map((name) => `${name} must be a Schema, not ${describe(given[name])}`)
  const found = format === "ndjson" || format === "msgpack" ? formats[format] : undefined
  if (found === undefined) wrong.push(`format must be "ndjson" or "msgpack", not ${describe(format)}`)
  const limit = typeof maxBytes === "number" && Number.isInteger(maxBytes) && maxBytes >= 1 ? maxBytes : NaN
  if (!(limit <= LARGEST)) wrong.push(`maxBytes must be an integer from 1 to ${LARGEST}, not ${describe(maxBytes)}`)
  return found === undefined || wrong.length > 0
    ? Effect.fail(new InvalidOptions({ detail: wrong.map((line) => `Messages.${operation}: ${line}`).join("\n") }))
    : Effect.succeed(use({ format: found, maxBytes: limit }))
}
