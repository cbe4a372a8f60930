/** Frames, events and outcomes as short lines, so that a script reads like the session it describes. */
import type { SessionEnd, StreamFailure } from "../../../src/protocol/endReason.js"
import type { Event } from "../../../src/protocol/events.js"
import type { ReadResult, WriteResult } from "../../../src/protocol/results.js"
import type { Frame, InboundFrame } from "../../../src/protocol/wire/frame.js"
import { toHex } from "../bytes.js"

const utf8 = new TextDecoder()

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A frame that a decoder gives, as a naive decoder writes it; DATA is its caller's. */
export const showInbound = (frame: Exclude<InboundFrame, { readonly _tag: "Data" }>): string => {
  switch (frame._tag) {
    case "Rst":
      return `rst ${frame.streamId} ${frame.code}`
    case "WindowIncrement":
      return `wndinc ${frame.streamId} ${frame.increment}`
    case "GoAway":
      return `goaway ${frame.lastStreamId} ${frame.code} ${toHex(frame.debug)}`
    case "Unknown":
      return `unknown ${frame.type} ${frame.flags} ${frame.streamId} ${frame.length}`
    case "Malformed":
      return `malformed ${frame.code} ${frame.type} ${frame.streamId} ${frame.length}`
  }
}

export const showFrame = (frame: Frame): string => {
  switch (frame._tag) {
    case "Data": {
      const flags = [frame.syn ? "SYN" : "", frame.fin ? "FIN" : ""].filter((flag) => flag !== "").join("+")
      return `${flags === "" ? "DATA" : flags} ${frame.streamId} (${frame.payload.length})`
    }
    case "Rst":
      return `RST ${frame.streamId} code ${frame.code}`
    case "WindowIncrement":
      return `WNDINC ${frame.streamId} +${frame.increment}`
    case "GoAway":
      return `GOAWAY last ${frame.lastStreamId} code ${frame.code}`
    case "Unknown":
      return `UNKNOWN type ${frame.type} stream ${frame.streamId} (${frame.length})`
  }
}

/** What must follow every GOAWAY. */
export const FILLER = "UNKNOWN type 15 stream 0 (0)"

export const showEnd = (end: SessionEnd): string => {
  switch (end._tag) {
    case "Violation":
      return `Violation ${end.code} by ${end.initiator}`
    case "Dead":
      return `Dead ${end.reason} silent for ${end.silentFor} since ${end.since}`
    case "GoneAway":
      return `GoneAway last ${end.lastStreamId} code ${end.code} "${utf8.decode(end.debug)}"`
    case "TransportFailed":
      return `TransportFailed ${end.reason} by ${end.initiator}`
    case "Closed":
      return "Closed"
  }
}

export const showFailure = (failure: StreamFailure): string =>
  failure._tag === "Reset"
    ? `Reset ${failure.code} by ${failure.initiator}, processed ${failure.processed}`
    : `SessionEnded (${showEnd(failure.end)}), processed ${failure.processed}`

export const showEvent = (event: Event): string => {
  switch (event._tag) {
    case "Opened":
      return event.stream.type === undefined
        ? `Opened ${event.stream.id}`
        : `Opened ${event.stream.id} type ${event.stream.type}`
    case "Failed":
      return `Failed ${event.stream.id}: ${event.stream.failure === undefined ? "?" : showFailure(event.stream.failure)}`
    case "Readable":
    case "Writable":
    case "Finished":
    case "BytesLost":
      return `${event._tag} ${event.stream.id}`
    case "Pong":
      return `Pong ${event.nonce} after ${event.roundTrip}`
    case "PingLost":
      return `PingLost ${event.nonce} on ${event.streamId}: ${showFailure(event.failure)}`
    case "GoneAway":
      return `GoneAway last ${event.lastStreamId} code ${event.code}`
    case "Ended":
      return `Ended: ${showEnd(event.end)}`
    case "OpenAvailable":
    case "Idle":
      return event._tag
  }
}

export const showRead = (result: ReadResult): string => {
  switch (result._tag) {
    case "Bytes":
      return `"${utf8.decode(result.bytes)}"`
    case "Failed":
      return showFailure(result.failure)
    default:
      return result._tag
  }
}

export const showWrite = (result: WriteResult): string => {
  if (typeof result === "number") return `took ${result}`
  return result._tag === "Failed" ? showFailure(result.failure) : result._tag
}
