/** The samples, kept outside the heap that they measure. */
import type { Sample } from "./sample.js"

/** Bytes: some thousand samples. */
const ROOM = 1024 * 1024

export class SampleLog {
  private lines = Buffer.alloc(ROOM)
  private length = 0

  push(sample: Sample): void {
    const line = `${JSON.stringify(sample)}\n`
    if (this.length + line.length > this.lines.length) {
      this.lines = Buffer.concat([this.lines, Buffer.alloc(this.lines.length)])
    }
    this.length += this.lines.write(line, this.length, "latin1")
  }

  all(): ReadonlyArray<Sample> {
    const lines = this.lines.toString("latin1", 0, this.length).split("\n").slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Sample)
  }
}
