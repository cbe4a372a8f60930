/**
 * The live streams of a session, and the used ids. Only this class adds and removes live streams.
 *
 * @since 0.1.0
 */
import type { Initiator } from "../endReason.js"
import type { Role } from "../options.js"
import { MAX_UINT31 } from "../wire/frame.js"
import { StreamIdMap } from "../collections/streamIdMap.js"
import { PeerStreamIds } from "./peerStreamIds.js"
import { ClosedStreams } from "./closedStreams.js"
import type { StreamCore } from "./streamCore.js"

interface TableOptions {
  readonly role: Role
  readonly firstStreamId?: number | undefined
  readonly maxIdGaps: number
  /** The maximum number of bytes in transit when a stream ends. */
  readonly window: number
}

/**
 * All streams of one session.
 *
 * @since 0.1.0
 * @category models
 */
export class StreamTable {
  /** Live streams of the peer, without heartbeats. */
  inboundCount = 0
  /** Live streams of this side, without heartbeats. */
  outboundCount = 0

  private readonly streams = new StreamIdMap<StreamCore>()
  readonly closed: ClosedStreams
  private readonly remoteIds: PeerStreamIds
  private readonly remoteParity: number
  private nextLocalId: number
  /**
   * Ids of streams that ended before their SYN was sent. They are used again: otherwise the peer would remember a gap
   * for each.
   */
  private readonly unusedIds: Array<number> = []

  constructor({ firstStreamId, maxIdGaps, role, window }: TableOptions) {
    this.nextLocalId = firstStreamId ?? (role === "client" ? 3 : 2)
    this.remoteParity = role === "client" ? 0 : 1
    this.remoteIds = new PeerStreamIds(role === "client" ? "even" : "odd", maxIdGaps)
    this.closed = new ClosedStreams(window)
  }

  /** The highest id that the peer has used; 0 before the first. */
  get highestRemote(): number {
    return Math.max(0, this.remoteIds.highest)
  }

  /** The gaps in the peer's ids that this side remembers. */
  get idGaps(): number {
    return this.remoteIds.size
  }

  /** Live streams of both sides, heartbeats included. */
  get size(): number {
    return this.streams.size
  }

  get(id: number): StreamCore | undefined {
    return this.streams.get(id)
  }

  /** A copy of the list of live streams. */
  values(): ReadonlyArray<StreamCore> {
    return this.streams.values()
  }

  /** The next id for a stream of this side; `undefined` if there are no more. */
  takeLocalId(): number | undefined {
    const unused = this.unusedIds.pop()
    if (unused !== undefined) return unused
    if (this.nextLocalId > MAX_UINT31) return undefined
    const id = this.nextLocalId
    this.nextLocalId += 2
    return id
  }

  /** Returns the id of a stream whose SYN was not sent, to be used again. */
  returnLocalId(id: number): void {
    this.closed.forget(id)
    this.unusedIds.push(id)
  }

  /** Marks an id of a peer's SYN as used. */
  useRemoteId(id: number): "New" | "Used" | "TooManyGaps" | "WrongParity" {
    if (id % 2 !== this.remoteParity) return "WrongParity"
    return this.remoteIds.use(id)
  }

  /** Whether there was a stream with this id. */
  wasUsed(id: number): boolean {
    return id % 2 === this.remoteParity ? this.remoteIds.isUsed(id) : id < this.nextLocalId
  }

  add(stream: StreamCore): void {
    this.streams.set(stream.id, stream)
    if (!stream.isHeartbeat) this.count(stream.initiator, 1)
  }

  /** A stream of the peer is a heartbeat stream: stops counting it. */
  uncount(stream: StreamCore): void {
    this.count(stream.initiator, -1)
  }

  /** Removes a stream. False if it was already removed. */
  remove(stream: StreamCore): boolean {
    if (!this.streams.delete(stream.id)) return false
    if (!stream.isHeartbeat) this.count(stream.initiator, -1)
    return true
  }

  clear(): void {
    this.streams.clear()
    this.closed.clear()
    this.inboundCount = 0
    this.outboundCount = 0
  }

  private count(initiator: Initiator, by: number): void {
    if (initiator === "Local") this.outboundCount += by
    else this.inboundCount += by
  }
}
