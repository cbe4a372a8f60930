/** Reads JSON of another process. An unexpected value is an error, never `undefined`. */

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

export const parse = (text: string): unknown => JSON.parse(text) as unknown

export const has = (value: unknown, name: string): boolean => isRecord(value) && value[name] !== undefined

export const field = (value: unknown, name: string): unknown => {
  if (!isRecord(value) || value[name] === undefined) throw new Error(`no "${name}" in ${JSON.stringify(value)}`)
  return value[name]
}

const wrong = (name: string, expected: string, found: unknown): Error =>
  new Error(`"${name}" should be a ${expected}, not ${JSON.stringify(found)}`)

export const numberIn = (value: unknown, name: string): number => {
  const found = field(value, name)
  if (typeof found !== "number") throw wrong(name, "number", found)
  return found
}

export const stringIn = (value: unknown, name: string): string => {
  const found = field(value, name)
  if (typeof found !== "string") throw wrong(name, "string", found)
  return found
}

export const booleanIn = (value: unknown, name: string): boolean => {
  const found = field(value, name)
  if (typeof found !== "boolean") throw wrong(name, "boolean", found)
  return found
}

export const arrayIn = (value: unknown, name: string): ReadonlyArray<unknown> => {
  const found = field(value, name)
  if (!Array.isArray(found)) throw wrong(name, "list", found)
  return found
}

/** The texts of a record of texts. */
export const stringsIn = (value: unknown): Record<string, string> =>
  isRecord(value) ? Object.fromEntries(Object.keys(value).map((name) => [name, stringIn(value, name)])) : {}
