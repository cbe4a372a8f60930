/** Finds the known option that is most similar to an unknown name. */

/**
 * Returns the path in `known` that is most similar to `prefix + name`, or `undefined`. A path is similar if the edit
 * distance is at most a third of the length of `name`, or if one of the two has all letters of the other in the same
 * order, as `maxInboundStreams` has those of `maxStreams`.
 */
export const nearest = (prefix: string, name: string, known: Iterable<string>): string | undefined => {
  if (name.length > LONGEST) return undefined
  const given = plain(prefix + name)
  const tolerated = Math.floor(name.length / 3)
  let best: string | undefined
  let least = Infinity
  for (const path of known) {
    // skips the object that contains the name
    if (`${path}.` === prefix) continue
    const candidate = plain(path)
    const edits = distance(given, candidate)
    const contained =
      name.length >= SHORTEST &&
      candidate.length >= SHORTEST &&
      (isWithin(given, candidate) || isWithin(candidate, given))
    if ((edits <= tolerated || contained) && edits < least) {
      best = path
      least = edits
    }
  }
  return best
}

const LONGEST = 40

/** The letters of shorter names occur in too many other names. */
const SHORTEST = 4

const plain = (path: string): string => path.toLowerCase().replace(/[^a-z0-9]/g, "")

const isWithin = (short: string, long: string): boolean => {
  let at = 0
  for (const letter of long) if (letter === short[at]) at++
  return at === short.length
}

/** The edit distance of two names: the number of letters to add, remove or replace. */
const distance = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, j) => j)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
