/**
 * A seeded random generator: PCG32 (XSH-RR), from its definition at https://www.pcg-random.org. The same seed gives the
 * same numbers in every version of this library and of Effect, so that a recorded seed always repeats its run.
 */

/** One step multiplies the state by the first number, and adds the second. */
const MULTIPLIER = 6364136223846793005n
const INCREMENT = 1442695040888963407n

/** Random numbers from a seed. Only the lower 32 bits of the seed count. */
export class Random {
  private state: bigint

  constructor(seed: number) {
    this.state = BigInt.asUintN(64, (INCREMENT + BigInt(seed >>> 0)) * MULTIPLIER + INCREMENT)
  }

  /** From 0 to below 1, with 53 random bits. */
  number(): number {
    const high = this.bits() & (2 ** 26 - 1)
    const low = this.bits() & (2 ** 27 - 1)
    return (high * 2 ** 27 + low) / 2 ** 53
  }

  /** A whole number from 0 to below `bound`, which is a whole number above 0. */
  integer(bound: number): number {
    return Math.round(this.number() * Number.MAX_SAFE_INTEGER) % bound
  }

  /** The next 32 bits: 32 bits of the state, rotated by its five highest. */
  private bits(): number {
    const { state } = this
    this.state = BigInt.asUintN(64, state * MULTIPLIER + INCREMENT)
    const mixed = Number(BigInt.asUintN(32, (state ^ (state >> 18n)) >> 27n))
    const turn = Number(state >> 59n)
    return ((mixed >>> turn) | (mixed << (-turn & 31))) >>> 0
  }
}
