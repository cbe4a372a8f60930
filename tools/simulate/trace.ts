/** The trace of a run: a hash that two runs share only if they did the same, and the steps if they are asked for. */

export class Trace {
  private low = 0x811c_9dc5
  private high = 0x01c9_dc5f

  constructor(private readonly print?: (line: string) => void) {}

  /** Takes a step into the hash. */
  note(what: number, a = 0, b = 0, c = 0): void {
    this.mix(what)
    this.mix(a)
    this.mix(b)
    this.mix(c)
  }

  /** Prints a step, if anybody looks. */
  say(line: () => string): void {
    if (this.print !== undefined) this.print(line())
  }

  /** Takes a step into the hash as text, and prints it. */
  tell(line: string): void {
    for (let i = 0; i < line.length; i++) this.mix(line.charCodeAt(i))
    this.print?.(line)
  }

  get hash(): string {
    return hex(this.high) + hex(this.low)
  }

  private mix(value: number): void {
    this.low = Math.imul(this.low ^ value, 0x0100_0193)
    this.high = Math.imul(this.high ^ value ^ (this.low >>> 15), 0x85eb_ca6b)
  }
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0")
