/** Both sides of every workload over peers that give `Streams`. A value that is there at once is not awaited. */
import type { BulkResult, Driver, EchoResult, PingResult, Service, Stream, Streams } from "./peer.js"
import {
  CHUNK,
  checkEcho,
  COUNT_BYTES,
  echoPayload,
  encodeCount,
  IDLE_BYTES,
  IDLE_OPENING,
  Latencies,
  PING_BYTE,
  pingPayload,
  SETTLE_MILLISECONDS,
  Tally
} from "./workload.js"

/** Writes that never wait would keep the event loop from reading: after so many bytes they let it go round once. */
const TURN_BYTES = 1024 * 1024

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

const delay = (milliseconds: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, milliseconds))

/** Writes chunks while it may. */
const writeWhile = async (stream: Stream, more: () => boolean): Promise<void> => {
  let sinceTurn = 0
  while (more()) {
    const written = stream.write(CHUNK)
    if (written !== undefined) await written
    sinceTurn += CHUNK.length
    if (sinceTurn >= TURN_BYTES) {
      sinceTurn = 0
      await turn()
    }
  }
}

/** Gives all that comes to `each`, which says how much later more may. */
const readEach = async (stream: Stream, each: (bytes: Uint8Array) => Promise<void> | undefined): Promise<void> => {
  for (;;) {
    const pending = stream.read()
    const bytes = pending instanceof Promise ? await pending : pending
    if (bytes === undefined) return
    const done = each(bytes)
    if (done !== undefined) await done
  }
}

// --- the server's side ---

/** One stream of the service, from its opening to its end. */
export const serveStream = (service: Service, stream: Stream): Promise<void> => {
  switch (service) {
    case "echo":
      return echo(stream)
    case "ping":
      return answer(stream)
    case "sink":
      return sink(stream)
    case "duplex":
      return duplex(stream)
    case "mixed":
      return mixed(stream)
  }
}

const echo = async (stream: Stream): Promise<void> => {
  const chunks: Array<Uint8Array> = []
  await readEach(stream, (bytes) => void chunks.push(bytes))
  for (const chunk of chunks) {
    const written = stream.write(chunk)
    if (written !== undefined) await written
  }
  stream.finish()
}

const answer = async (stream: Stream, first?: Uint8Array): Promise<void> => {
  if (first !== undefined) await stream.write(first)
  await readEach(stream, (bytes) => stream.write(bytes))
  stream.finish()
}

const sink = async (stream: Stream, first?: Uint8Array): Promise<void> => {
  let count = first?.length ?? 0
  await readEach(stream, (bytes) => {
    count += bytes.length
    return undefined
  })
  await stream.write(encodeCount(count))
  stream.finish()
}

const duplex = async (stream: Stream): Promise<void> => {
  let count = 0
  let ended = false
  const reading = readEach(stream, (bytes) => {
    count += bytes.length
    return undefined
  }).finally(() => {
    ended = true
  })
  await Promise.all([writeWhile(stream, () => !ended), reading])
  await stream.write(encodeCount(count))
  stream.finish()
}

const mixed = async (stream: Stream): Promise<void> => {
  const first = await stream.read()
  return first?.[0] === PING_BYTE ? answer(stream, first) : sink(stream, first)
}

// --- the client's side ---

/** Every workload over one session that is open. */
export const drive = (streams: Streams): Driver => ({
  echo: async ({ concurrency, size, milliseconds }): Promise<EchoResult> => {
    const payload = echoPayload(size)
    const started = performance.now()
    let done = 0
    const caller = async (): Promise<void> => {
      do {
        await callOnce(streams, payload)
        done += 1
      } while (performance.now() - started < milliseconds)
    }
    await Promise.all(Array.from({ length: concurrency }, caller))
    return { streams: done, milliseconds: performance.now() - started }
  },
  ping: async ({ size, beside, milliseconds }): Promise<PingResult> => {
    let over = false
    const others = Array.from({ length: beside }, () => push(streams, () => !over))
    if (beside > 0) await delay(SETTLE_MILLISECONDS)
    const pinging = ping(streams, size, milliseconds).finally(() => {
      over = true
    })
    const [result] = await Promise.all([pinging, ...others])
    return result
  },
  bulk: async ({ streams: count, bothWays, milliseconds }): Promise<BulkResult> => {
    const started = performance.now()
    const more = () => performance.now() - started < milliseconds
    const totals = await Promise.all(Array.from({ length: count }, () => push(streams, more)))
    const taken = performance.now() - started
    totals.forEach((total) => checkBulk(total, bothWays))
    return { bytes: totals.reduce((sum, { bytes }) => sum + bytes, 0), milliseconds: taken }
  },
  idle: async (count) => {
    let left = count
    const opener = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        await openIdle(streams)
      }
    }
    await Promise.all(Array.from({ length: IDLE_OPENING }, opener))
  },
  close: () => streams.close()
})

const callOnce = async (streams: Streams, payload: Uint8Array): Promise<void> => {
  const opened = streams.open()
  const stream = opened instanceof Promise ? await opened : opened
  const written = stream.write(payload)
  if (written !== undefined) await written
  stream.finish()
  let received = 0
  let first: number | undefined
  let last: number | undefined
  await readEach(stream, (bytes) => {
    if (received === 0) first = bytes[0]
    last = bytes[bytes.length - 1]
    received += bytes.length
    return undefined
  })
  checkEcho(payload.length, received, first, last)
}

const ping = async (streams: Streams, size: number, milliseconds: number): Promise<PingResult> => {
  const payload = pingPayload(size)
  const stream = await streams.open()
  const latencies = new Latencies(milliseconds)
  const started = performance.now()
  let sent = started
  while (sent - started < milliseconds) {
    await trip(stream, payload)
    const now = performance.now()
    latencies.add(now - sent)
    sent = now
  }
  stream.finish()
  await readEach(stream, (bytes) => {
    throw new Error(`${bytes.length} bytes more than were sent`)
  })
  return latencies.result(sent - started)
}

/** One round trip on a stream that stays open. */
const trip = async (stream: Stream, payload: Uint8Array): Promise<void> => {
  const written = stream.write(payload)
  if (written !== undefined) await written
  for (let received = 0; received < payload.length;) {
    const pending = stream.read()
    const bytes = pending instanceof Promise ? await pending : pending
    if (bytes === undefined) throw new Error("the stream ended while its ping was out")
    received += bytes.length
    if (received > payload.length) throw new Error(`a ping of ${payload.length} bytes came back as ${received}`)
  }
}

interface Pushed {
  /** What both sides have received of this stream. */
  readonly bytes: number
  /** What came down of it. */
  readonly down: number
}

/** A stream that writes while it may, and reads all the while: to the server's count. */
const push = async (streams: Streams, more: () => boolean): Promise<Pushed> => {
  const stream = await streams.open()
  const tally = new Tally()
  let down = 0
  const reading = readEach(stream, (bytes) => {
    down += bytes.length
    tally.add(bytes)
    return undefined
  })
  await Promise.all([writeWhile(stream, more).then(() => stream.finish()), reading])
  return { bytes: tally.total(), down: down - COUNT_BYTES }
}

const checkBulk = ({ down }: Pushed, bothWays: boolean): void => {
  if (down > 0 !== bothWays) throw new Error(`${down} bytes came down: is the server's service the right one?`)
}

const openIdle = async (streams: Streams): Promise<void> => {
  const stream = await streams.open()
  await trip(stream, pingPayload(IDLE_BYTES))
  // its end is the session's
  Promise.resolve(stream.read()).catch(() => undefined)
}
