/** What was meant by a name that does not exist. */

/**
 * The path among `known` that is most like this one: a few letters differ, or one has all the letters of the other in
 * their order, such as `maxStreams` and `maxInboundStreams`.
 */
export const nearest = (prefix: string, name: string, known: Iterable<string>): string | undefined => {
  if (name.length > LONGEST) return undefined
  const given = plain(prefix + name)
  const tolerated = Math.floor(name.length / 3)
  let best: string | undefined
  let least = Infinity
  for (const path of known) {
    // the object that the name was found in is no answer
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

/** Shorter names have their letters in too many others. */
const SHORTEST = 4

const plain = (path: string): string => path.toLowerCase().replace(/[^a-z0-9]/g, "")

const isWithin = (short: string, long: string): boolean => {
  let at = 0
  for (const letter of long) if (letter === short[at]) at++
  return at === short.length
}

/** How many letters must be added, removed or replaced to make one of the other. */
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
