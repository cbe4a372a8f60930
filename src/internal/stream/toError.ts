/** Converts the end reasons of the core to the public errors. */
import type { Processed, SessionError, StreamError } from "../../MuxadoError.js"
import {
  ProtocolViolation,
  RemoteGoneAway,
  SessionClosed,
  SessionDead,
  StreamReset,
  TransportFailed
} from "../../MuxadoError.js"
import type { Closed, SessionEnd, StreamFailure } from "../../protocol/endReason.js"
import { debugText } from "../../protocol/wire/frame.js"

export const sessionError = (end: SessionEnd, processed: Processed): SessionError => {
  switch (end._tag) {
    case "Violation":
      return new ProtocolViolation({ code: end.code, detail: end.detail, initiator: end.initiator, processed })
    case "Dead":
      return new SessionDead({
        reason: end.reason,
        silentFor: end.silentFor,
        since: end.since,
        ...(end.neverAnswered === true ? { neverAnswered: true } : {}),
        initiator: "Remote",
        processed
      })
    case "GoneAway":
      return new RemoteGoneAway({
        lastStreamId: end.lastStreamId,
        code: end.code,
        debug: debugText(end.debug),
        initiator: "Remote",
        processed
      })
    case "TransportFailed":
      return new TransportFailed({
        reason: end.reason,
        cause: end.cause,
        ...(end.endpoint === undefined ? {} : { endpoint: end.endpoint }),
        initiator: end.initiator,
        processed
      })
    case "Closed":
      return new SessionClosed({ ...reasonOf(end), initiator: "Local", processed })
  }
}

const reasonOf = ({ code, debug }: Closed) => (code === undefined ? {} : { code, debug: debug ?? "" })

export const streamError = (streamId: number, failure: StreamFailure): StreamError =>
  failure._tag === "Reset"
    ? new StreamReset({ streamId, code: failure.code, initiator: failure.initiator, processed: failure.processed })
    : sessionError(failure.end, failure.processed)
