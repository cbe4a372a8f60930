/** Two cores, the link between them, one virtual clock, and the state that their applications know and expect. */
import { Connection } from "../../../src/protocol/connection.js"
import type { ConnectionOptions } from "../../../src/protocol/options.js"
import { Decoder } from "../../../src/protocol/wire/decoder.js"
import type { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import { Broken } from "../outcome.js"
import { Random } from "../random.js"
import type { Tally } from "../tally.js"
import type { Trace } from "../trace.js"
import { Link } from "./link.js"
import type { Profile } from "./profile.js"
import { WireRules } from "./wireRules.js"

/** The bytes from one side of a stream to the other. */
export interface Half {
  /** Which sequence of noise they are. */
  readonly sequence: number
  /** How many bytes of type come before the first of them. */
  readonly type: number
  /** Accepted by `write` and not withdrawn; read at the other side. */
  accepted: number
  read: number
  finished: boolean
}

/** One side of one stream, as its application knows it. */
export interface Side {
  readonly core: StreamCore
  readonly end: End
  readonly sends: Half
  readonly receives: Half
  /** The other side; undefined until it has been shown there. */
  other: Side | undefined
  accepted: boolean
  /** The application has done something with it. */
  touched: boolean
  /** `Finished` or `Failed` was seen. */
  over: boolean
  stopped: boolean
  /** The bytes that its writer still waits to write. */
  pending: number
  /** Its reader waits for an event. */
  blockedReader: boolean
  sawEnd: boolean
  /** The code with which this application has ended it. */
  resetCode: number | undefined
  /** It failed with the promise that the peer did nothing. */
  unprocessed: boolean
  /** What had arrived when it failed, and whether the FIN had. */
  arrivedAtEnd: number
  finAtEnd: boolean
}

export class End {
  readonly connection: Connection
  readonly decoder = new Decoder()
  readonly rules: WireRules
  readonly all: Array<Side> = []
  readonly byId = new Map<number, Side>()
  readonly byCore = new Map<StreamCore, Side>()
  /** Sides that are not over. */
  live: Array<Side> = []
  /** Streams of the peer that were shown and not accepted, oldest first; those that are over too. */
  waiting: Array<Side> = []

  // --- the transport

  writingSince: number | undefined
  lastHeard = 0
  /** The transport is gone. */
  down = false
  saidEnd = false

  // --- what the application has asked for, and was told

  closing = false
  aborted = false
  draining = false
  /** It drains, and the peer must hear so before the end. */
  announced = false
  refusing = false
  ended = false
  idle = false
  /** How many SYNs had arrived when this side began to leave. */
  synsTaken = Infinity
  /** The codes with which every stream was reset, those that were not yet shown too. */
  readonly codesForAll = new Set<number>()
  /** The lowest id that a GOAWAY of the peer has named. */
  goneAway: number | undefined
  openWaits = false
  demand = 0
  readonly pings = new Set<number>()
  readonly ticks = new Set<number>()

  constructor(
    readonly options: ConnectionOptions,
    readonly inbound: Link,
    readonly outbound: Link
  ) {
    this.connection = new Connection(options, 0)
    const parity = options.role === "client" ? 1 : 0
    this.rules = new WireRules(parity, options.peerWindow, outbound.ledgers, inbound.ledgers)
  }

  /** From now on no streams are taken. */
  leave(): void {
    this.synsTaken = Math.min(this.synsTaken, this.inbound.synsArrived)
  }

  get role(): "client" | "server" {
    return this.options.role
  }
}

export class World {
  now = 0
  steps = 0
  readonly client: End
  readonly server: End
  readonly ends: readonly [End, End]
  /** Bytes that may still be written. */
  volume: number
  /** Everybody does what they can now; since when. */
  restingSince = Infinity
  private sequences = 0
  private nonces = 1

  constructor(
    readonly profile: Profile,
    readonly random: Random,
    readonly trace: Trace,
    readonly tally: Tally
  ) {
    const link = (options: Profile["clientToServer"], stream: number) =>
      new Link(options, new Random(random.uint32(), stream))
    const clientToServer = link(profile.clientToServer, 1)
    const serverToClient = link(profile.serverToClient, 2)
    this.client = new End(profile.client, serverToClient, clientToServer)
    this.server = new End(profile.server, clientToServer, serverToClient)
    this.ends = [this.client, this.server]
    this.volume = profile.volume
  }

  peerOf(end: End): End {
    return end === this.client ? this.server : this.client
  }

  /** A byte was changed on the way: nothing is promised any more but to end in time, and within bounds. */
  get tainted(): boolean {
    return this.isTainted(this.client.inbound) || this.isTainted(this.server.inbound)
  }

  /** A promise, while the link keeps its own. */
  require(holds: boolean, promise: string, ...numbers: ReadonlyArray<number | string | undefined>): void {
    if (holds || this.tainted) return
    throw new Broken(numbers.length === 0 ? promise : `${promise} (${numbers.join(", ")})`)
  }

  nonce(): number {
    return this.nonces++
  }

  half(type: number): Half {
    return { sequence: this.sequences++, type, accepted: 0, read: 0, finished: false }
  }

  add(end: End, core: StreamCore, sends: Half, receives: Half): Side {
    const side: Side = {
      core,
      end,
      sends,
      receives,
      other: undefined,
      accepted: core.initiator === "Local",
      touched: core.initiator === "Local",
      over: false,
      stopped: false,
      pending: 0,
      blockedReader: false,
      sawEnd: false,
      resetCode: undefined,
      unprocessed: false,
      arrivedAtEnd: 0,
      finAtEnd: false
    }
    end.all.push(side)
    end.live.push(side)
    end.byId.set(core.id, side)
    end.byCore.set(core, side)
    return side
  }

  private isTainted(link: Link): boolean {
    return link.struck && link.faultTag === "Corrupt"
  }
}

/** Payload bytes of a side that are on the wire, or have passed it, without the type. */
export const sent = (side: Side): number =>
  side.core.synDue ? 0 : Math.max(0, (side.end.outbound.ledgers.get(side.core.id)?.payloadSent ?? 0) - side.sends.type)

/** Payload bytes that have arrived at a side, without the type. */
export const arrived = (side: Side): number =>
  Math.max(0, (side.end.inbound.ledgers.get(side.core.id)?.payloadArrived ?? 0) - side.receives.type)

export const finArrived = (side: Side): boolean => side.end.inbound.ledgers.get(side.core.id)?.finArrived ?? false
