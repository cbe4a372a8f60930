/** Streams and queues of frames for the tests of `Outbound`. */
import { Scheduler } from "../../../src/protocol/sending/scheduler.js"
import { SendCapacity } from "../../../src/protocol/sending/sendCapacity.js"
import { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import type { Frame } from "../../../src/protocol/wire/frame.js"
import { HEADER_LENGTH } from "../../../src/protocol/wire/frame.js"
import { pattern } from "../bytes.js"

export const KIB = 1024
export const QUANTUM = 16 * KIB

export interface Rig {
  readonly outbound: Scheduler
  readonly capacity: SendCapacity
  /** The streams whose FIN was taken, in order. */
  readonly finished: ReadonlyArray<number>
  /** Puts bytes into a stream as the connection does. */
  readonly write: (stream: StreamCore, bytes: Uint8Array | number) => void
  readonly finish: (stream: StreamCore) => void
}

export const makeRig = (): Rig => {
  const finished: Array<number> = []
  const capacity = new SendCapacity(Infinity)
  const outbound = new Scheduler(
    capacity,
    (stream) => {
      stream.move("SendFin")
      finished.push(stream.id)
    },
    (stream) => outbound.unschedule(stream)
  )
  return {
    outbound,
    capacity,
    finished,
    write: (stream, bytes) => {
      const piece = typeof bytes === "number" ? pattern(bytes, stream.id) : bytes
      stream.outbound.push(piece)
      capacity.use(piece.length)
      outbound.schedule(stream)
    },
    finish: (stream) => {
      stream.writing = "Finishing"
      outbound.schedule(stream)
    }
  }
}

const WINDOWS = { window: 1024 * KIB, peerWindow: 1024 * KIB }

/** A stream of the peer: no SYN is due. */
export const remote = (id: number, type?: number): StreamCore => new StreamCore(id, "Remote", WINDOWS, type)

/** A stream of this side: its SYN is due. */
export const local = (id: number, type?: number): StreamCore => new StreamCore(id, "Local", WINDOWS, type)

/** A frame in short: `DATA 3 100 syn`, `RST 3 6`, `WNDINC 3 5`, `GOAWAY 3 0`, `filler`. */
const brief = (frame: Frame): string => {
  switch (frame._tag) {
    case "Data":
      return `DATA ${frame.streamId} ${frame.payload.length}${frame.syn ? " syn" : ""}${frame.fin ? " fin" : ""}`
    case "Rst":
      return `RST ${frame.streamId} ${frame.code}`
    case "WindowIncrement":
      return `WNDINC ${frame.streamId} ${frame.increment}`
    case "GoAway":
      return `GOAWAY ${frame.lastStreamId} ${frame.code}`
    case "Unknown":
      return "filler"
  }
}

export const taken = (outbound: Scheduler, budget = Infinity): ReadonlyArray<string> => outbound.take(budget).map(brief)

/** The bytes of a frame of DATA on the wire. */
export const cost = (frame: Frame): number => (frame._tag === "Data" ? HEADER_LENGTH + frame.payload.length : 0)
