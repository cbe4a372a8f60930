/** The handle of a stream: its operations, and the fibers that wait in them. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Initiator, StreamError } from "../../MuxadoError.js"
import { InvalidOptions, ReadLimitExceeded, StreamClosed } from "../../MuxadoError.js"
import type { MuxStream } from "./muxStream.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { Connection } from "../../protocol/connection.js"
import type { ReadResult } from "../../protocol/results.js"
import type { StreamCore } from "../../protocol/streams/streamCore.js"
import { park } from "../support/park.js"
import { describeValue, isBytes, isDetached, isUint32, stable } from "../support/bytes.js"
import { streamError } from "./toError.js"
import { Gathered } from "./gathered.js"
import { ShownStream } from "./shown.js"
import type { PendingWrite } from "./pendingWrites.js"
import { failAll, NO_WRITES, pendingWrite, settle } from "./pendingWrites.js"
import type { Restore } from "../support/restore.js"
import type { AnyFiber } from "../support/run.js"
import { currentFiber, isDone, onExit } from "../support/run.js"
import { WaitSet } from "../support/waiters.js"

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** The default limit of `readAll`, in bytes. */
const READ_ALL_LIMIT = 16 * 1024 * 1024

/** What a stream needs of its session. */
interface Owner {
  readonly connection: Connection
  readonly step: <A>(f: (connection: Connection) => A) => A
}

export class StreamHandle extends ShownStream implements MuxStream {
  /** Called once if the stream fails and its user did not cause it. */
  onFailure: (() => void) | undefined = undefined

  /** The number of conversions that write into the stream and whose input has not ended. */
  conversions = 0

  private readonly readers = new WaitSet()
  /** The bytes that `readAll` has read so far. After an interruption, the next read returns them. */
  private unread: Gathered | undefined = undefined
  /** The fiber whose `readAll` waits for more bytes. */
  private gatherer: AnyFiber | undefined = undefined
  private writes: Array<PendingWrite> = NO_WRITES
  /** The write from which the core took bytes last. */
  private lastWrite: PendingWrite | undefined = undefined

  constructor(
    readonly core: StreamCore,
    readonly session: Owner
  ) {
    super()
  }

  get id(): number {
    return this.core.id
  }

  get type(): number | undefined {
    return this.core.type
  }

  get initiator(): Initiator {
    return this.core.initiator
  }

  // --- reading

  get read(): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return Effect.suspend(() => {
      const other = this.otherGatherer
      return other === undefined ? this.readNow() : this.after(other, this.read)
    })
  }

  /**
   * Checks first, and takes the bytes in the last operation. A fiber may be interrupted between two operations, and
   * would then lose bytes that it has already taken.
   */
  private readNow(): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    if (this.unread !== undefined) return this.takeUnread
    if (this.core.inbound.length > 0 && this.core.reading !== "Stopped") return this.take
    const result = this.session.step((connection) => connection.read(this.core))
    switch (result._tag) {
      case "Bytes":
        return Effect.succeed(Option.some(result.bytes))
      case "End":
        return Effect.succeedNone
      case "Blocked":
        return this.whenReadable(this.read)
      default:
        return Effect.fail(this.readError(result))
    }
  }

  private get take(): Effect.Effect<Option.Option<Uint8Array>> {
    return Effect.sync(() => {
      const result = this.session.step((connection) => connection.read(this.core))
      // another reader of the same stream may have taken the bytes
      return Option.some(result._tag === "Bytes" ? result.bytes : NO_BYTES)
    })
  }

  private get takeUnread(): Effect.Effect<Option.Option<Uint8Array>> {
    return Effect.sync(() => Option.some(this.forgetUnread()))
  }

  private forgetUnread(): Uint8Array {
    const { unread } = this
    this.unread = undefined
    return unread === undefined ? NO_BYTES : unread.concat()
  }

  get readAll(): Effect.Effect<Uint8Array, StreamError> {
    return Effect.suspend(() => this.readOn(READ_ALL_LIMIT))
  }

  readAllWithin(maxBytes: number): Effect.Effect<Uint8Array, StreamError> {
    return typeof maxBytes === "number" && maxBytes >= 0
      ? Effect.suspend(() => this.readOn(maxBytes))
      : invalid(`readAll: maxBytes must be a number of bytes, 0 or more, not ${describeValue(maxBytes)}`)
  }

  /** Keeps the bytes in the handle until the end of the stream arrives, so that an interruption loses none of them. */
  private readOn(maxBytes: number): Effect.Effect<Uint8Array, StreamError> {
    const other = this.otherGatherer
    if (other !== undefined)
      return this.after(
        other,
        Effect.suspend(() => this.readOn(maxBytes))
      )
    const read = this.session.step((connection) => {
      let next = connection.read(this.core)
      for (; next._tag === "Bytes"; next = connection.read(this.core)) {
        this.unread = new Gathered(this.unread, next.bytes)
        if (this.unread.length > maxBytes) break
      }
      return next
    })
    switch (read._tag) {
      case "Bytes":
        this.forgetUnread()
        this.resetNow(ErrorCode.StreamCancelled)
        this.wakeReaders()
        return Effect.fail(new ReadLimitExceeded({ streamId: this.id, maxBytes }))
      case "End":
        return Effect.sync(() => {
          const whole = this.forgetUnread()
          this.wakeReaders()
          return whole
        })
      case "Blocked":
        return this.whenReadable(
          Effect.suspend(() => this.readOn(maxBytes)),
          (fiber) => (this.gatherer = fiber)
        )
      default:
        this.wakeReaders()
        return Effect.fail(this.readError(read))
    }
  }

  /** Another fiber whose `readAll` waits. Other reads wait for it: they would take bytes that belong to its result. */
  private get otherGatherer(): AnyFiber | undefined {
    const { gatherer } = this
    if (gatherer === undefined) return undefined
    if (!isDone(gatherer) && gatherer !== currentFiber()) return gatherer
    this.gatherer = undefined
    return undefined
  }

  /** Runs `next` after the `readAll` of another fiber has succeeded, failed or been interrupted. */
  private after<A, E>(other: AnyFiber, next: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      onExit(other, () => this.wakeReaders())
      return this.readers.awaitThen(() => this.gatherer !== other || isDone(other), next)
    })
  }

  private whenReadable<A, E>(next: Effect.Effect<A, E>, waiting?: (fiber: AnyFiber) => void): Effect.Effect<A, E> {
    return this.readers.awaitThen(() => this.core.reading !== "Waiting", next, waiting)
  }

  get stopReading(): Effect.Effect<void> {
    return Effect.sync(() => this.stopReadingNow())
  }

  private stopReadingNow(): void {
    this.unread = undefined
    this.session.step((connection) => connection.stopReading(this.core))
    this.wakeReaders()
  }

  // --- writing

  write(data: Uint8Array | string): Effect.Effect<void, StreamError> {
    if (typeof data === "string") return Effect.suspend(() => this.writeBytes(new TextEncoder().encode(data)))
    if (!isBytes(data)) return invalid(`write: the data must be a Uint8Array or a string, not ${describeValue(data)}`)
    const length = data.length
    return Effect.suspend(() => {
      if (data.length !== length)
        return invalid(`write: the memory of the ${length} bytes was detached before the write ran`)
      if (isDetached(data)) return invalid("write: the memory of the bytes was detached before the call")
      return this.writeBytes(stable(data))
    })
  }

  private writeBytes(bytes: Uint8Array): Effect.Effect<void, StreamError> {
    const fits = bytes.length > 0 && this.session.connection.writable(this.core) >= bytes.length
    return this.writes.length === 0 && fits ? this.give(bytes) : this.enqueue(bytes, false)
  }

  /** Passes the bytes to the core in the last operation, for the same reason as in `readNow`. */
  private give(bytes: Uint8Array): Effect.Effect<void> {
    const { length } = bytes
    return Effect.sync(() => {
      if (bytes.length !== length) return this.bytesLost()
      if (this.writes.length === 0) {
        // the rest is in the queue before the step wakes another fiber that writes
        return this.session.step((connection) => {
          const taken = connection.write(this.core, bytes)
          this.lastWrite = undefined
          if (taken === length || typeof taken !== "number") return
          this.putInLine(pendingWrite(bytes.subarray(taken), false))
        })
      }
      // another write waits already: this one joins the queue, and completes without waiting
      this.putInLine(pendingWrite(bytes, false))
    })
  }

  private bytesLost(): void {
    this.session.step((connection) => connection.bytesLost(this.core))
  }

  get finish(): Effect.Effect<void, StreamError> {
    return Effect.suspend(() => {
      if (this.writes.length > 0) return this.enqueue(NO_BYTES, true)
      const failure = this.core.failure
      if (failure !== undefined && this.core.writing !== "Finishing") return Effect.fail(streamError(this.id, failure))
      this.session.step((connection) => connection.finish(this.core))
      return Effect.void
    })
  }

  /** Queues a write and waits for it. No interruption can come between queueing it and handling an interruption. */
  private enqueue(bytes: Uint8Array, finishes: boolean): Effect.Effect<void, StreamError> {
    return Effect.uninterruptibleMask((restore: Restore) => {
      const write = pendingWrite(bytes, finishes)
      this.putInLine(write)
      this.pump()
      const settled = park<void, StreamError>((resume) => {
        if (write.result !== undefined) resume(write.result)
        else write.resume = resume
      })
      return Effect.onInterrupt(restore(settled), () => Effect.sync(() => this.withdraw(write)))
    })
  }

  private putInLine(write: PendingWrite): void {
    if (this.writes === NO_WRITES) this.writes = [write]
    else this.writes.push(write)
  }

  /** Passes the waiting writes to the core, in order, until one has to wait. */
  pump(): void {
    for (let write = this.writes[0]; write !== undefined; write = this.writes[0]) {
      const result = this.session.step((connection) => this.handOver(write, connection))
      if (result === "Wait") return
      if (result !== "Done") return failAll(this.takeWrites(), result)
      settle(write, Exit.void)
    }
  }

  /** Passes the first waiting write to the core. It is up to date before the step wakes a fiber. */
  private handOver(write: PendingWrite, connection: Connection): "Done" | "Wait" | StreamError {
    if (write.finishes) {
      connection.finish(this.core)
    } else if (write.bytes.length !== write.length) {
      // fails this write and all later ones
      connection.bytesLost(this.core)
      return "Wait"
    } else {
      const rest = write.accepted === 0 ? write.bytes : write.bytes.subarray(write.accepted)
      const result = connection.write(this.core, rest)
      if (typeof result !== "number") return this.writeError(result)
      if (result > 0) this.lastWrite = write
      write.accepted += result
      if (write.accepted < write.length) return "Wait"
    }
    this.writes.shift()
    return "Done"
  }

  private withdraw(write: PendingWrite): void {
    const index = this.writes.indexOf(write)
    if (index >= 0) this.writes.splice(index, 1)
    if (write.finishes && index < 0) return
    if (write.accepted > 0) {
      const withdrawn =
        this.lastWrite === write && this.session.step((connection) => connection.withdraw(this.core, write.accepted))
      if (!withdrawn) return this.resetNow(ErrorCode.StreamCancelled)
    }
    if (this.writes.length === 0) this.session.connection.unblockWriter(this.core)
    else this.pump()
  }

  private takeWrites(): ReadonlyArray<PendingWrite> {
    const { writes } = this
    this.writes = NO_WRITES
    return writes
  }

  // --- ending

  get close(): Effect.Effect<void> {
    return Effect.sync(() => this.closeNow())
  }

  reset(code: number): Effect.Effect<void> {
    if (isUint32(code)) return Effect.sync(() => this.resetNow(code))
    const detail = `reset: the code must be an integer from 0 to 4294967295, not ${describeValue(code)}`
    return Effect.die(new InvalidOptions({ detail }))
  }

  /** Refuses a stream that the application has not received. */
  refuse(code?: ErrorCode): void {
    this.session.step((connection) => connection.refuse(this.core, code))
    this.stopReadingNow()
  }

  /**
   * Ends the stream according to the exit of its scope or handler. `code` is the code of the RST for a failure, if
   * given.
   */
  endWith(exit: Exit.Exit<unknown, unknown>, code?: number): void {
    this.onFailure = undefined
    if (Exit.isSuccess(exit)) return this.closeNow()
    this.resetNow(code ?? (Cause.isDie(exit.cause) ? ErrorCode.InternalError : ErrorCode.StreamCancelled))
    // drops the bytes that a stream still holds if it had ended before: nothing will read them
    this.stopReadingNow()
  }

  private closeNow(): void {
    this.onFailure = undefined
    this.unread = undefined
    const cut = this.conversions > 0 || this.writes.some((write) => !write.finishes)
    const writes = this.takeWrites()
    this.session.step((connection) => {
      if (cut) connection.reset(this.core, ErrorCode.StreamCancelled)
      else connection.finish(this.core)
      connection.stopReading(this.core)
    })
    if (writes.length > 0) failAll(writes, this.closed("write"))
    this.wakeReaders()
  }

  private resetNow(code: number): void {
    this.onFailure = undefined
    this.session.step((connection) => connection.reset(this.core, code))
  }

  // --- called by the session

  wakeReaders(): void {
    this.readers.notifyAll()
  }

  /** The stream has ended. Wakes its readers. If it has failed, fails its writes and interrupts its handler. */
  ended(): void {
    const { failure } = this.core
    if (failure === undefined) return this.wakeReaders()
    const { onFailure } = this
    this.onFailure = undefined
    const writes = this.takeWrites()
    this.wakeReaders()
    if (writes.length > 0) failAll(writes, streamError(this.id, failure))
    if (onFailure !== undefined) onFailure()
  }

  // ---

  private readError(result: Exclude<ReadResult, { readonly _tag: "Bytes" | "End" | "Blocked" }>): StreamError {
    return result._tag === "Stopped" ? this.closed("read") : streamError(this.id, result.failure)
  }

  private writeError(result: Exclude<ReturnType<Connection["write"]>, number>): StreamError {
    return result._tag === "Finished" ? this.closed("write") : streamError(this.id, result.failure)
  }

  private closed(operation: "read" | "write"): StreamClosed {
    return new StreamClosed({ streamId: this.id, operation, initiator: "Local", processed: "maybe" })
  }
}

const invalid = (detail: string): Effect.Effect<never, InvalidOptions> => Effect.fail(new InvalidOptions({ detail }))
