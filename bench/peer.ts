/**
 * The model of a peer of the bench. A peer with streams gives `Streams`, and `streams.ts` runs the workloads over them.
 * A peer whose users would write a workload in another way (ours, in Effect) gives a `Driver`.
 */

/** What the server does with each stream. */
export type Service =
  /** Reads to the end, then writes all of it back, and finishes. */
  | "echo"
  /** Writes back what comes, as it comes, and finishes after the end. */
  | "ping"
  /** Reads and discards to the end, then writes the count of bytes (8 bytes, big endian), and finishes. */
  | "sink"
  /** As `sink`, and meanwhile writes chunks of 64 KiB; stops at the client's end, writes the count, and finishes. */
  | "duplex"
  /** `ping` for a stream whose first byte is 0x70 ("p"), `sink` for any other. */
  | "mixed"

export interface Server {
  readonly port: number
  readonly close: () => Promise<void>
}

export interface Stream {
  /** Takes these bytes; a promise says when more may be written, `undefined` that it may be at once. */
  readonly write: (bytes: Uint8Array) => Promise<void> | undefined
  /** No more bytes will be written; what was, still goes out. */
  readonly finish: () => void
  /** The next bytes, or `undefined` at the end. Given at once where they are there. */
  readonly read: () => Promise<Uint8Array | undefined> | Uint8Array | undefined
}

/** One session (or whatever the peer has instead of one). */
export interface Streams {
  readonly open: () => Promise<Stream> | Stream
  readonly close: () => Promise<void>
}

/** Echo: open, write, finish, read to the end; so many at once for so long, and each of them at least once. */
export interface EchoOptions {
  readonly concurrency: number
  /** Bytes. */
  readonly size: number
  readonly milliseconds: number
}

/** Round trips of bytes 0x70 on one stream, beside so many others of the same session that write all the time. */
export interface PingOptions {
  readonly size: number
  readonly beside: number
  readonly milliseconds: number
}

/** So many streams that write (chunks of 64 KiB) for so long, then finish and wait for the server's count. */
export interface BulkOptions {
  readonly streams: number
  /** The server writes too. */
  readonly bothWays: boolean
  readonly milliseconds: number
}

export interface EchoResult {
  readonly streams: number
  readonly milliseconds: number
}

export interface PingResult {
  readonly trips: number
  readonly milliseconds: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
}

export interface BulkResult {
  /** As the receivers counted them: up, and down where it was both ways. */
  readonly bytes: number
  /** To the last receiver's count. */
  readonly milliseconds: number
}

/** The client's side of every workload, over one session that is open until `close`. */
export interface Driver {
  readonly echo: (options: EchoOptions) => Promise<EchoResult>
  readonly ping: (options: PingOptions) => Promise<PingResult>
  readonly bulk: (options: BulkOptions) => Promise<BulkResult>
  /** Opens so many streams that write 64 bytes, read them back, and stay open with their readers waiting. */
  readonly idle: (streams: number) => Promise<void>
  readonly close: () => Promise<void>
}

export interface Peer {
  readonly name: string
  /** What one must know to read its figures: versions, options, what it lacks. */
  readonly about: string
  /** What it cannot do, and why: the table says so in the cell's place. */
  readonly lacks?: Partial<
    Record<
      | "echo"
      | "ping"
      | "bulk"
      | "bulk both ways"
      /** Bulk over more than one stream. */
      | "bulk of many"
      | "mixed"
      | "idle"
      | "connect"
      | "wan"
      /** Echo of 10 000 at once. */
      | "scale",
      string
    >
  >
  readonly serve: (service: Service, port: number) => Promise<Server>
  readonly connect: (port: number) => Promise<Driver>
}
