/** What the processes of a rolling restart say to each other: the tool, the owner of the socket, servers and clients. */
import * as Schema from "effect/Schema"

/** How a server is started. */
export const Settings = Schema.Struct({
  /** The file to which it appends each request that it executes. */
  log: Schema.String,
  /** Whether it inherits the listening socket, or listens on a port itself. */
  inherits: Schema.Boolean,
  tls: Schema.optional(Schema.Struct({ key: Schema.String, cert: Schema.String }))
})

export type Settings = typeof Settings.Type

/** To a server. */
export const ToServer = Schema.Union(
  /** It listens, on the inherited socket or on this port; with 0, on a free one. */
  Schema.TaggedStruct("Listen", { port: Schema.Number }),
  Schema.TaggedStruct("Usage", {})
)

export type ToServer = typeof ToServer.Type

/** From a server. Points in time are in milliseconds since 1970, in all messages. */
export const FromServer = Schema.Union(
  /** It has loaded its code, and does not listen. */
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Listening", { at: Schema.Number, port: Schema.Number }),
  /** Its CPU time so far, in milliseconds. */
  Schema.TaggedStruct("Used", { cpu: Schema.Number })
)

export type FromServer = typeof FromServer.Type

/** To the owner of the listening socket, which starts the servers. */
export const ToOwner = Schema.Union(
  Schema.TaggedStruct("Start", { server: Schema.Number, settings: Settings }),
  Schema.TaggedStruct("Tell", { server: Schema.Number, what: ToServer }),
  Schema.TaggedStruct("Signal", { server: Schema.Number, signal: Schema.Literal("SIGTERM", "SIGKILL") })
)

export type ToOwner = typeof ToOwner.Type

/** From the owner of the listening socket. */
export const FromOwner = Schema.Union(
  Schema.TaggedStruct("Said", { server: Schema.Number, what: FromServer }),
  Schema.TaggedStruct("Ended", {
    server: Schema.Number,
    code: Schema.NullOr(Schema.Number),
    signal: Schema.NullOr(Schema.String)
  })
)

export type FromOwner = typeof FromOwner.Type

/** How a process with many clients is started. */
export const ClientsSettings = Schema.Struct({ port: Schema.Number, clients: Schema.Number })

export type ClientsSettings = typeof ClientsSettings.Type

/** To a process with many clients. */
export const ToClients = Schema.Union(
  /** It forgets the attempts so far. */
  Schema.TaggedStruct("Forget", {}),
  Schema.TaggedStruct("Report", {}),
  Schema.TaggedStruct("End", {})
)

export type ToClients = typeof ToClients.Type

/** From a process with many clients: how many are connected, and what each has done. */
export const FromClients = Schema.Struct({
  connected: Schema.Number,
  /** For each client, when its attempts to connect began. */
  dials: Schema.Array(Schema.Array(Schema.Number)),
  /** When the last session of each client was ready; 0 for none. */
  ready: Schema.Array(Schema.Number)
})

export type FromClients = typeof FromClients.Type

/** The settings in the first argument of a program. */
export const settingsOf = <A, I>(schema: Schema.Schema<A, I>): A =>
  Schema.decodeUnknownSync(Schema.parseJson(schema))(process.argv[2])

/** Handles each message that this process gets. */
export const onMessage = <A, I>(schema: Schema.Schema<A, I>, handle: (message: A) => void): void => {
  const decode = Schema.decodeUnknownSync(schema)
  process.on("message", (message) => handle(decode(message)))
}

/** Sends a message to the parent. It does nothing if the parent has gone. */
export const say = (message: object): void => {
  if (process.connected) process.send?.(message)
}
