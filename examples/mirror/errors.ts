/** What can go wrong with a mirror, beside what can go wrong with its session. */
import * as Data from "effect/Data"

/** The command line makes no sense. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** There is nothing at the given path that could be mirrored. */
export class SourceUnavailable extends Data.TaggedError("SourceUnavailable")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** The server process did not come up. */
export class ServerFailed extends Data.TaggedError("ServerFailed")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** A message between the two sides cannot be understood. */
export class MalformedMessage extends Data.TaggedError("MalformedMessage")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** A file that was left out, which is no failure of the mirror. */
export class FileSkipped extends Data.TaggedError("FileSkipped")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** The server could not keep a file. */
export class NotStored extends Data.TaggedError("NotStored")<{ readonly path: string; readonly reason: string }> {
  override get message(): string {
    return `${this.path} was not stored: ${this.reason}`
  }
}

/** The server finished a file's stream, and had not said what it received. */
export class VerdictMissing extends Data.TaggedError("VerdictMissing")<{ readonly path: string }> {
  override get message(): string {
    return `The server gave no verdict on ${this.path}`
  }
}

/** What the server received is not what was sent. */
export class DigestMismatch extends Data.TaggedError("DigestMismatch")<{
  readonly path: string
  readonly sent: string
  readonly stored: string
}> {
  override get message(): string {
    return `${this.path} was sent as ${this.sent} and stored as ${this.stored}`
  }
}
