/** Random numbers from a seed. */

type Some<T> = readonly [T, ...ReadonlyArray<T>]

/** sfc32: fast, and good enough for every bit to be used. */
export class Random {
  private a: number
  private b: number
  private c: number
  private counter = 1

  /** Different streams of one seed have nothing in common. */
  constructor(seed: number, stream = 0) {
    this.a = seed | 0
    this.b = Math.floor(seed / 0x1_0000_0000) | 0
    this.c = Math.imul(stream + 1, 0x9e37_79b9)
    for (let i = 0; i < 12; i++) this.uint32()
  }

  uint32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (this.c << 21) | (this.c >>> 11)
    this.c = (this.c + sum) | 0
    return sum >>> 0
  }

  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number {
    return Math.floor((this.uint32() / 0x1_0000_0000) * bound)
  }

  /** A whole number, both ends included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  chance(probability: number): boolean {
    return this.uint32() < probability * 0x1_0000_0000
  }

  pick<T>(from: Some<T>): T {
    return from[this.below(from.length)] ?? from[0]
  }

  /** One of many that need not be there. */
  one<T>(from: ReadonlyArray<T>): T | undefined {
    return from[this.below(from.length)]
  }

  /** A size up to `most`: often nothing much, sometimes all of it. */
  size(most: number): number {
    switch (this.below(8)) {
      case 0:
        return Math.min(most, this.below(2))
      case 1:
      case 2:
        return Math.min(most, this.below(32))
      case 3:
      case 4:
        return Math.min(most, this.below(2000))
      case 5:
        return Math.min(most, this.below(20_000))
      case 6:
        return this.below(most + 1)
      default:
        return most
    }
  }
}
