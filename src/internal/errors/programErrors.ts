/** What the program asked for cannot be done: wrong options, or no place to listen. */
import * as Data from "effect/Data"
import type { Initiator, Processed } from "../../protocol/endReason.js"

/**
 * An option or an argument is invalid. The operation did nothing. `detail` has one line for each thing that is wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  /** What is wrong, a line for each option. */
  readonly detail: string
  /** What else is known of the reason. */
  readonly cause?: unknown
}> {
  /** This side: its program made the call. */
  readonly initiator: Initiator = "Local"
  /** `"no"`: nothing was done. */
  readonly processed: Processed = "no"

  override get message(): string {
    const lines = this.detail.split("\n")
    return lines.length === 1 ? `Invalid options: ${this.detail}` : ["Invalid options:", ...lines].join("\n  ")
  }
}

/**
 * A server cannot listen or run. `detail` says where and why, `cause` is the error of the system, with its `code`.
 *
 * - `"AddressInUse"`: something else listens there, or a file has the path of the unix socket.
 * - `"PermissionDenied"`: this process may not listen there.
 * - `"NoSuchAddress"`: this machine does not have the host or the address, or the file system not the folder.
 * - `"Listen"`: it cannot listen for another reason: a wrong certificate, no file descriptor left.
 * - `"RunBefore"`: `run` was called before. A server runs once.
 * - `"Stopped"`: the scope of the server has closed, or its listener has failed or ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServerFailed extends Data.TaggedError("ServerFailed")<{
  /** Why the server cannot listen or run. */
  readonly reason: "AddressInUse" | "PermissionDenied" | "NoSuchAddress" | "Listen" | "RunBefore" | "Stopped"
  /** Where the server should listen or run, and why it cannot. */
  readonly detail: string
  /** The error of the system, if there is one. */
  readonly cause?: unknown
}> {
  /** `"Local"`: the failure is on this machine. */
  readonly initiator: Initiator = "Local"
  /** `"no"`: the server has accepted no connection for this call. */
  readonly processed: Processed = "no"

  override get message(): string {
    return this.detail
  }
}
