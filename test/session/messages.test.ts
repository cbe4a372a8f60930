import { assert, describe, it } from "@effect/vitest"
import { MuxadoError } from "effect-muxado"

const local = { initiator: "Local", processed: "maybe" } as const
const remote = { initiator: "Remote", processed: "no" } as const
const dead = { silentFor: 25_000.4, since: 0, ...remote } as const

const messages: ReadonlyArray<readonly [MuxadoError.MuxadoError, string]> = [
  [
    new MuxadoError.ProtocolViolation({ code: 1, detail: "DATA on stream 0", ...local }),
    "The peer broke the protocol (ProtocolError (1)): DATA on stream 0"
  ],
  [
    new MuxadoError.ProtocolViolation({ code: 8, detail: "too short", ...remote }),
    "The peer says that this side broke the protocol (FrameSizeError (8)): too short"
  ],
  [
    new MuxadoError.StreamReset({ streamId: 3, code: 6, ...remote }),
    "Stream 3 was reset by the peer: StreamCancelled (6)"
  ],
  [new MuxadoError.StreamReset({ streamId: 3, code: 77, ...local }), "Stream 3 was reset by this side: 0x4d (77)"],
  [
    new MuxadoError.SessionDead({ reason: "Heartbeat", ...dead }),
    "The session is dead: heartbeats went unanswered for 25000 ms"
  ],
  [
    new MuxadoError.SessionDead({ reason: "WriteStalled", ...dead }),
    "The session is dead: a write made no progress for 25000 ms"
  ],
  [
    new MuxadoError.SessionDead({ reason: "PartialFrame", ...dead }),
    "The session is dead: a frame was left unfinished for 25000 ms"
  ],
  [
    new MuxadoError.RemoteGoneAway({ lastStreamId: 9, code: 0, debug: "", ...remote }),
    "The peer is going away (NoError (0), last stream 9)"
  ],
  [
    new MuxadoError.RemoteGoneAway({ lastStreamId: 9, code: 10, debug: "enough", ...remote }),
    "The peer is going away (EnhanceYourCalm (10), last stream 9): enough"
  ],
  [
    new MuxadoError.TransportFailed({ reason: "Open", cause: new Error("refused"), ...local }),
    "The transport could not be opened: refused"
  ],
  [new MuxadoError.TransportFailed({ reason: "Read", ...remote }), "The transport failed while reading"],
  [
    new MuxadoError.TransportFailed({ reason: "Write", cause: "?", ...remote }),
    "The transport failed while writing: ?"
  ],
  [new MuxadoError.TransportFailed({ reason: "Write", cause: 7, ...remote }), "The transport failed while writing"],
  [new MuxadoError.TransportFailed({ reason: "Ended", ...remote }), "The transport ended without a GOAWAY"],
  [new MuxadoError.SessionClosed(local), "The session was closed by this side"],
  [
    new MuxadoError.SessionClosed({ code: 99, debug: "two\nlines\u001b", ...local }),
    "The session was closed by this side (0x63 (99)): two\\nlines\\u001b"
  ],
  [
    new MuxadoError.ReadLimitExceeded({ streamId: 5, maxBytes: 9 }),
    "Stream 5 brought more than 9 bytes, which is the maxBytes of readAll"
  ],
  [new MuxadoError.StreamClosed({ streamId: 5, operation: "read", ...local }), "Stream 5 is closed for reading"],
  [new MuxadoError.StreamClosed({ streamId: 5, operation: "write", ...local }), "Stream 5 is closed for writing"],
  [new MuxadoError.StreamsExhausted(local), "The session has no stream ids left"],
  [new MuxadoError.InvalidOptions({ detail: "no" }), "Invalid options: no"]
]

describe("every error", () => {
  it("says what happened, by whom, and with which code", () => {
    for (const [error, message] of messages) assert.strictEqual(error.message, message)
  })

  it("says who caused it and whether the peer may have acted", () => {
    for (const [error] of messages) {
      assert.include(["Local", "Remote"], error.initiator)
      assert.include(["no", "maybe"], error.processed)
    }
  })
})
