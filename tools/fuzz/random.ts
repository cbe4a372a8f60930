/** Random numbers from a seed (sfc32), and the choices of the fuzzer. */

import { Random as Seeded } from "../simulate/random.js"

export class Random extends Seeded {
  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
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
