/** The cells of the bench: the work of each, and its measurements. */
import { numberIn } from "./json.js"
import type { Peer, Service } from "./peer.js"
import type { Pair } from "./pair.js"

export type Lack = keyof NonNullable<Peer["lacks"]>

export interface Metric {
  readonly name: string
  readonly better: "more" | "less"
}

/** What a pair of processes is started for. Cells with the same setup share a pair. */
export interface Setup {
  readonly name: string
  readonly service: Service
  /** The most streams that will be open at once. */
  readonly streams: number
  /** Both processes on one core: they take turns, and would only wake another core each time. */
  readonly alternating: boolean
  readonly link?: Link
}

export interface Link {
  /** Milliseconds. */
  readonly roundTrip: number
  /** Megabits a second, each way. */
  readonly rate: number
}

/** Milliseconds. */
export interface Times {
  /** Before the first cell that a pair of processes is asked for, and before each other. */
  readonly warmUp: number
  readonly warmUpAgain: number
  readonly cell: number
  /** Of a cell over a link: long enough for its round trips. */
  readonly wan: number
}

export type Sample = Readonly<Record<string, number>>

export type Family = "echo" | "ping" | "bulk" | "mixed" | "idle" | "connect" | "wan" | "scale"

export interface Cell {
  readonly id: string
  readonly family: Family
  readonly title: string
  readonly setup: Setup
  readonly needs: ReadonlyArray<Lack>
  /** It hardly varies: twice is enough, and once with `--quick`. */
  readonly steady?: true
  /** It leaves the session as it is not to be found again. */
  readonly spends?: true
  /** The first is the one that the ratio is of. */
  readonly metrics: readonly [Metric, ...ReadonlyArray<Metric>]
  readonly run: (pair: Pair, times: Times) => Promise<Sample>
}

const more = (name: string): Metric => ({ name, better: "more" })
const less = (name: string): Metric => ({ name, better: "less" })

/** Requests of one kind, first to warm up, then for the time that counts. */
const timed = async (pair: Pair, request: Record<string, unknown>, times: Times, milliseconds: number) => {
  await pair.warmUp(request, times)
  return pair.measure({ ...request, milliseconds })
}

// --- echo ---

const echoCell = (family: "echo" | "scale", id: string, concurrency: number, size: number, setup: Setup): Cell => ({
  id,
  family,
  title: `${concurrency.toLocaleString("en")} at once, ${size} bytes`,
  setup,
  needs: concurrency > 1000 ? ["echo", "scale"] : ["echo"],
  metrics: [more("streams/s"), less("client CPU us/stream"), less("server CPU us/stream")],
  run: async (pair, times) => {
    const { answer, client, server } = await timed(pair, { op: "echo", concurrency, size }, times, times.cell)
    const streams = numberIn(answer, "streams")
    return {
      "streams/s": (1000 * streams) / numberIn(answer, "milliseconds"),
      "client CPU us/stream": client.cpu / streams,
      "server CPU us/stream": server.cpu / streams
    }
  }
})

const echoSetup = (concurrency: number): Setup => ({
  name: concurrency === 1 ? "echo-alternating" : "echo",
  service: "echo",
  streams: 1000,
  alternating: concurrency === 1
})

const echo = [64, 1024].flatMap((size) =>
  [1, 64, 1000].map((concurrency) =>
    echoCell("echo", `echo-${concurrency}-${size}`, concurrency, size, echoSetup(concurrency))
  )
)

/** One setup for all of them, so that nothing differs but the concurrency. */
const scaleSetup: Setup = { name: "scale", service: "echo", streams: 10_000, alternating: false }

const scale = [1, 64, 1000, 10_000].map((concurrency) =>
  echoCell("scale", `scale-${concurrency}`, concurrency, 64, scaleSetup)
)

// --- ping and mixed ---

const pingCell = (family: "ping" | "mixed", service: Service, beside: number): Cell => ({
  id: family,
  family,
  title: beside === 0 ? "64 bytes on one stream" : `64 bytes on one stream, beside ${beside} that write all the time`,
  setup: { name: family, service, streams: 1 + beside, alternating: beside === 0 },
  needs: [family],
  metrics:
    beside === 0
      ? [more("round trips/s"), less("p50 us"), less("p99 us"), less("CPU us/trip")]
      : [less("p99 us"), less("p50 us"), more("round trips/s")],
  run: async (pair, times) => {
    const request = { op: "ping", size: 64, beside }
    const { answer, client, server } = await timed(pair, request, times, times.cell)
    const trips = numberIn(answer, "trips")
    return {
      "round trips/s": (1000 * trips) / numberIn(answer, "milliseconds"),
      "p50 us": numberIn(answer, "p50"),
      "p99 us": numberIn(answer, "p99"),
      ...(beside === 0 ? { "CPU us/trip": (client.cpu + server.cpu) / trips } : {})
    }
  }
})

// --- bulk and wan ---

const MEGABYTE = 1_000_000

const bulkCell = (streams: number, bothWays: boolean): Cell => ({
  id: `bulk-${streams}-${bothWays ? "both" : "up"}`,
  family: "bulk",
  title: `${streams === 1 ? "1 stream" : `${streams} streams`}, ${bothWays ? "both ways" : "client to server"}`,
  setup: {
    name: bothWays ? "duplex" : "sink",
    service: bothWays ? "duplex" : "sink",
    streams: 64,
    alternating: false
  },
  needs: [
    "bulk",
    ...(streams > 1 ? (["bulk of many"] as const) : []),
    ...(bothWays ? (["bulk both ways"] as const) : [])
  ],
  metrics: [more("MB/s"), less("client CPU us/MB"), less("server CPU us/MB")],
  run: async (pair, times) => {
    const request = { op: "bulk", streams, bothWays }
    const { answer, client, server } = await timed(pair, request, times, times.cell)
    const megabytes = numberIn(answer, "bytes") / MEGABYTE
    return {
      "MB/s": (1000 * megabytes) / numberIn(answer, "milliseconds"),
      "client CPU us/MB": client.cpu / megabytes,
      "server CPU us/MB": server.cpu / megabytes
    }
  }
})

const bulk = [bulkCell(1, false), bulkCell(64, false), bulkCell(1, true), bulkCell(64, true)]

const wanCell = (roundTrip: number, rate: number): Cell => ({
  id: `wan-${roundTrip}-${rate}`,
  family: "wan",
  title: `one stream, client to server, ${roundTrip} ms at ${rate} Mbit/s`,
  setup: {
    name: `wan-${roundTrip}-${rate}`,
    service: "sink",
    streams: 1,
    alternating: false,
    link: { roundTrip, rate }
  },
  needs: ["bulk", "wan"],
  steady: true,
  metrics: [more("% of the link"), more("MB/s")],
  run: async (pair, times) => {
    const { answer } = await timed(pair, { op: "bulk", streams: 1, bothWays: false }, times, times.wan)
    const perSecond = (1000 * numberIn(answer, "bytes")) / numberIn(answer, "milliseconds")
    return { "% of the link": (100 * 8 * perSecond) / (rate * 1e6), "MB/s": perSecond / MEGABYTE }
  }
})

const wan = [100, 1000].flatMap((rate) => [50, 100].map((roundTrip) => wanCell(roundTrip, rate)))

// --- idle and connect ---

const IDLE_STREAMS = 10_000
/** Opened before, so that what is only needed once is there already. */
const IDLE_WARM_UP = 200

const idle: Cell = {
  id: "idle",
  family: "idle",
  title: "10,000 open streams, their readers waiting",
  setup: { name: "idle", service: "ping", streams: IDLE_STREAMS + IDLE_WARM_UP, alternating: false },
  needs: ["idle"],
  steady: true,
  spends: true,
  metrics: [less("KB/stream"), less("client KB/stream"), less("server KB/stream"), less("RSS KB/stream")],
  run: async (pair) => {
    await pair.ask({ op: "idle", streams: IDLE_WARM_UP })
    const { client, server } = await pair.measure({ op: "idle", streams: IDLE_STREAMS }, true)
    const each = (bytes: number) => bytes / 1000 / IDLE_STREAMS
    return {
      "KB/stream": each(client.heap + server.heap),
      "client KB/stream": each(client.heap),
      "server KB/stream": each(server.heap),
      "RSS KB/stream": each(client.rss + server.rss)
    }
  }
}

const connect: Cell = {
  id: "connect",
  family: "connect",
  title: "sessions one after the other, each for one echo of 64 bytes",
  setup: { name: "connect", service: "echo", streams: 1, alternating: true },
  needs: ["connect", "echo"],
  metrics: [more("sessions/s"), less("client CPU us/session"), less("server CPU us/session")],
  run: async (pair, times) => {
    const { answer, client, server } = await timed(pair, { op: "connects" }, times, times.cell)
    const sessions = numberIn(answer, "sessions")
    return {
      "sessions/s": (1000 * sessions) / numberIn(answer, "milliseconds"),
      "client CPU us/session": client.cpu / sessions,
      "server CPU us/session": server.cpu / sessions
    }
  }
}

/** In the order of running. */
export const cells: ReadonlyArray<Cell> = [
  ...echo,
  pingCell("ping", "ping", 0),
  ...bulk,
  pingCell("mixed", "mixed", 4),
  idle,
  connect,
  ...wan,
  ...scale
]
