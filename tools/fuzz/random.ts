/** Random numbers that a seed decides: sfc32, and the choices that a fuzzer makes. */

type Some<T> = readonly [T, ...ReadonlyArray<T>]

export class Random {
  private a: number
  private b: number
  private c = 0x9e37_79b9
  private counter = 1

  constructor(seed: number) {
    this.a = seed | 0
    this.b = Math.floor(seed / 0x1_0000_0000) | 0
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

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(from: Some<T>): T {
    return from[this.below(from.length)] ?? from[0]
  }

  /** One of many that need not be there. */
  one<T>(from: ReadonlyArray<T>): T | undefined {
    return from[this.below(from.length)]
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }
}

/** Numbers at which 32-bit arithmetic, windows and limits change their minds. */
const EDGES = [
  0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 47, 48, 63, 64, 65, 127, 128, 255, 256, 1023, 1024, 1032, 4096, 65_535, 65_536,
  262_143, 262_144, 262_145, 0xff_ffff, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff
] as const

export const edge = (random: Random): number => random.pick(EDGES)
