/** Values from outside, in words for one line of an error. Never throws, whatever the value is. */
import * as Duration from "effect/Duration"

/** What was given: short values as they are written in code, others by their kind. */
export const describe = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return quote(value)
    case "symbol":
      return `a symbol (${quote(value.description ?? "")})`
    case "bigint":
      return value < HUGE && value > -HUGE ? `${value}n` : "a bigint of more than 20 digits"
    case "function":
      return "a function"
    case "object":
      return value === null ? "null" : describeObject(value)
    default:
      return Object.is(value, -0) ? "-0" : String(value)
  }
}

/** A name as it is written in code: quoted if it is no identifier. */
export const describeName = (name: string | symbol): string =>
  typeof name === "symbol" ? describe(name) : /^[\w$]{1,40}$/.test(name) ? name : quote(name)

/** What kind of object this is, such as `Array`, `Map` or `Object`; a `Proxy` may refuse to say. */
export const tagOf = (value: object): string => {
  try {
    return Object.prototype.toString.call(value).slice("[object ".length, -1)
  } catch {
    return "Object"
  }
}

const HUGE = 10n ** 20n

const SHOWN = 40

/** In quotes and in one line; what is long is cut, what cannot be seen is escaped. */
const quote = (text: string): string => {
  const shown = Array.from(text.slice(0, 2 * SHOWN))
  const cut = shown.length > SHOWN || text.length > 2 * SHOWN
  const escaped = JSON.stringify(shown.slice(0, SHOWN).join("")).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  )
  return cut ? `${escaped.slice(0, -1)}..." (${text.length} characters)` : escaped
}

const describeObject = (value: object): string => {
  try {
    if (Duration.isDuration(value)) return `a Duration of ${Duration.format(value)}`
  } catch {
    // it only looks like one
  }
  const tag = tagOf(value)
  const kind = /^[A-Z]\w{0,39}$/.test(tag) && tag !== "Object" ? tag : "object"
  return `${/^[AEIO]/i.test(kind) ? "an" : "a"} ${kind === "Array" ? "array" : kind}`
}
