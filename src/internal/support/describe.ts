/** Describes any value in one line of an error. Never throws. */
import * as Duration from "effect/Duration"

/** Describes a value: a short one as it is written in code, others by their type. */
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

/** A property name as it is written in code: quoted if it is not an identifier of at most 40 characters. */
export const describeName = (name: string | symbol): string =>
  typeof name === "symbol" ? describe(name) : /^[\w$]{1,40}$/.test(name) ? name : quote(name)

/**
 * The type name of an object, such as `Array`, `Map` or `Object`. `Object` if reading it throws, as in some Proxies.
 */
export const tagOf = (value: object): string => {
  try {
    return Object.prototype.toString.call(value).slice("[object ".length, -1)
  } catch {
    return "Object"
  }
}

const HUGE = 10n ** 20n

const SHOWN = 40

/** Quotes a text in one line. Cuts it after 40 characters, and escapes invisible characters. */
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
    // the value only looks like a Duration
  }
  const tag = tagOf(value)
  const kind = /^[A-Z]\w{0,39}$/.test(tag) && tag !== "Object" ? tag : "object"
  return `${/^[AEIO]/i.test(kind) ? "an" : "a"} ${kind === "Array" ? "array" : kind}`
}
