/**
 * The messages between the programs of a pair and the script that runs them: one JSON object a line, over the standard
 * input and output. The programs run in every runtime, so this file imports only Effect.
 */
import * as Schema from "effect/Schema"

export const MEDIA = ["tcp", "tls", "unix", "ws", "ws-global"] as const
export type Medium = (typeof MEDIA)[number]

/** In the order in which they run: the last one leaves no server. */
export const CASES = [
  "echo",
  "connections",
  "streams",
  "bulk",
  "half-close",
  "cancel",
  "heartbeats",
  "silence",
  "drain",
  "kill-client",
  "kill-server"
] as const
export type Case = (typeof CASES)[number]

const Medium = Schema.Literal(...MEDIA)
const Case = Schema.Literal(...CASES)

/** Where the server listens. */
const Endpoint = Schema.Struct({ medium: Medium, port: Schema.Number, path: Schema.String })
export type Endpoint = typeof Endpoint.Type

/** The first argument of the server. `path` is the unix socket's. */
const ServerSettings = Schema.Struct({
  medium: Medium,
  path: Schema.String,
  key: Schema.String,
  cert: Schema.String
})
export type ServerSettings = typeof ServerSettings.Type

/** The first argument of the client. */
const ClientSettings = Schema.Struct({ endpoint: Endpoint, ca: Schema.String, deadline: Schema.Number })
export type ClientSettings = typeof ClientSettings.Type

/** What the server counts. `read` is what its last half-closed or bulk stream received, as SHA-256 and bytes. */
export const State = Schema.TaggedStruct("State", {
  sessions: Schema.Number,
  parked: Schema.Number,
  interrupted: Schema.Number,
  read: Schema.Struct({ digest: Schema.String, bytes: Schema.Number })
})
export type State = typeof State.Type

export const FromServer = Schema.Union(Schema.TaggedStruct("Listening", { endpoint: Endpoint }), State)
export type FromServer = typeof FromServer.Type

export const ToServer = Schema.TaggedStruct("TellState", {})
export type ToServer = typeof ToServer.Type

/** What a client asks the script to do with the server, or with the client itself. */
export const Request = Schema.Literal("state", "stop-server", "continue-server", "kill-server", "kill-client")
export type Request = typeof Request.Type

export const FromClient = Schema.Union(
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Ask", { request: Request }),
  Schema.TaggedStruct("Done", { failure: Schema.NullOr(Schema.String) })
)
export type FromClient = typeof FromClient.Type

export const ToClient = Schema.Union(
  Schema.TaggedStruct("Run", { case: Case }),
  Schema.TaggedStruct("Answer", { state: Schema.NullOr(State) })
)
export type ToClient = typeof ToClient.Type

export const decodeServerSettings = Schema.decodeUnknownSync(Schema.parseJson(ServerSettings))
export const decodeClientSettings = Schema.decodeUnknownSync(Schema.parseJson(ClientSettings))

/** The types of the streams that the server understands. */
export const StreamType = {
  /** Sends back what arrives, as it arrives. */
  Echo: 1,
  /** Sends `BULK_BYTES` of `SERVER_SEED`, and receives at the same time. */
  Bulk: 2,
  /** Finishes at once, and goes on receiving. */
  FinishFirst: 3,
  /** Reads until it is interrupted. */
  Park: 4,
  /** Drains the session. */
  Drain: 5,
  /** Sends everything back, half a second after the client has finished. */
  Late: 6,
  /** Fails after the first bytes. */
  Fail: 7
} as const

export const BULK_BYTES = 20 * 1024 * 1024
export const SERVER_SEED = 0x5eed
export const CLIENT_SEED = 0xc11e
