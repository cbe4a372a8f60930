/** The errors of a mirror, except those of its session. */
import * as Data from "effect/Data"

/** The command line is wrong. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** The given path has nothing to mirror. */
export class SourceUnavailable extends Data.TaggedError("SourceUnavailable")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** The server process did not start. */
export class ServerFailed extends Data.TaggedError("ServerFailed")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** A message between the two sides is invalid. */
export class MalformedMessage extends Data.TaggedError("MalformedMessage")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** A skipped file. It does not fail the mirror. */
export class FileSkipped extends Data.TaggedError("FileSkipped")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** The server could not store a file. */
export class NotStored extends Data.TaggedError("NotStored")<{ readonly path: string; readonly reason: string }> {
  override get message(): string {
    return `${this.path} was not stored: ${this.reason}`
  }
}

/** The server finished a file's stream without a verdict. */
export class VerdictMissing extends Data.TaggedError("VerdictMissing")<{ readonly path: string }> {
  override get message(): string {
    return `The server gave no verdict on ${this.path}`
  }
}

/** The bytes that the server received differ from the sent ones. */
export class DigestMismatch extends Data.TaggedError("DigestMismatch")<{
  readonly path: string
  readonly sent: string
  readonly stored: string
}> {
  override get message(): string {
    return `${this.path} was sent as ${this.sent} and stored as ${this.stored}`
  }
}
