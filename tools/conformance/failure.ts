/** The failure of a row. */
import * as Data from "effect/Data"

/** The target did something else than it should. */
export class Deviation extends Data.TaggedError("Deviation")<{
  readonly expected: string
  readonly saw: string
  readonly transcript: ReadonlyArray<string>
}> {
  override get message(): string {
    return [`expected ${this.expected}`, `saw      ${this.saw}`, ...this.transcript.map((line) => `  ${line}`)].join(
      "\n"
    )
  }
}

/** There was no connection to test with. */
export class NoConnection extends Data.TaggedError("NoConnection")<{ readonly detail: string }> {
  override get message(): string {
    return `no connection: ${this.detail}`
  }
}
