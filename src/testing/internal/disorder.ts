/**
 * Disorder from a seed: the same arguments give the same value, in any order of calls. Times are in milliseconds.
 */

/** The link stalls once in each period of `every`, for at most `upTo`. */
export interface Stalls {
  readonly every: number
  readonly upTo: number
}

/** A number from 0 to below 1 that depends only on the seed and the index. */
export const fraction = (seed: number, index: number): number => {
  let hash = Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(index | 0, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}

/**
 * When bytes arrive that would arrive at `at`: at the end of a stall at that time, otherwise at `at`. Order is kept.
 */
export const stalled = (stalls: Stalls, seed: number, at: number): number => {
  const stretch = Math.floor(at / stalls.every)
  const length = stalls.upTo * (1 - fraction(seed, 2 * stretch))
  const start = stretch * stalls.every + (stalls.every - length) * fraction(seed, 2 * stretch + 1)
  return start <= at && at < start + length ? start + length : at
}

/** The default XOR mask of the byte at this offset: 1 to 255. */
export const mask = (seed: number, offset: number): number => 1 + Math.floor(fraction(~seed, offset) * 255)
