/**
 * A shell around `Connection`, written only from the tables in the header of `connection.ts`: each method is a row of
 * them. It uses callbacks instead of fibers, and a wire that delivers bytes in any chunks.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Connection } from "../../src/protocol/connection.js"
import type { SessionEnd } from "../../src/protocol/endReason.js"
import type { Event } from "../../src/protocol/events.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import { pattern } from "../support/bytes.js"
import type { Overrides } from "../support/protocol/options.js"
import { connectionOptions } from "../support/protocol/options.js"
import { assertAtRest } from "../support/protocol/scripted.js"

/** Bytes of streams in one batch. */
const BATCH = 20_000

/** One direction of a transport: writes end when their bytes have been taken. */
class Wire {
  private bytes = new Uint8Array(0)
  private taken: (() => void) | undefined = undefined
  hasEnded = false

  write(chunks: ReadonlyArray<Uint8Array>, taken: () => void): void {
    assert(this.bytes.length === 0 && this.taken === undefined, "one write at a time")
    this.bytes = Uint8Array.from(Buffer.concat(chunks))
    this.taken = taken
  }

  /** Up to `max` bytes, as a chunk of their own. */
  read(max: number): Uint8Array | undefined {
    if (this.bytes.length === 0) return undefined
    const chunk = this.bytes.slice(0, max)
    this.bytes = this.bytes.slice(max)
    if (this.bytes.length === 0) {
      const { taken } = this
      this.taken = undefined
      taken?.()
    }
    return chunk
  }
}

class Shell {
  readonly connection: Connection
  readonly ended: Array<SessionEnd> = []
  /** Streams that the peer opened. */
  onStream: (stream: StreamCore) => void = (stream) => this.step((connection) => connection.refuse(stream))

  private readonly decoder = new Decoder()
  private readonly readers = new Map<StreamCore, () => void>()
  private readonly writers = new Map<StreamCore, () => void>()
  private readonly pings = new Map<number, (roundTrip: number | undefined) => void>()
  private openers: Array<() => void> = []
  private isStepping = false
  private isWriting = false
  private nonce = 0x8000_0000

  constructor(
    role: "client" | "server",
    overrides: Overrides,
    private readonly clock: { now: number },
    private readonly out: Wire
  ) {
    this.connection = new Connection(connectionOptions(role, overrides), clock.now)
  }

  // --- inputs

  chunk(bytes: Uint8Array): void {
    const frames = this.decoder.push(bytes)
    this.step((connection) => {
      connection.heard(this.decoder.midFrame, this.clock.now)
      for (const frame of frames) connection.receive(frame)
    })
  }

  transportEnded(): void {
    this.step((connection) =>
      connection.transportFailed({ _tag: "TransportFailed", reason: "Ended", cause: undefined, initiator: "Remote" })
    )
  }

  /** The time of `nextDeadline` has come. */
  timer(): void {
    this.step((connection) => connection.tick(this.clock.now, this.nonce++))
  }

  // --- commands, as the application calls them: each calls back once

  open(type: number, opened: (stream: StreamCore | "Over") => void): void {
    const result = this.step((connection) => {
      const result = connection.open(type)
      if (result instanceof StreamCore) return result
      if (result._tag === "Full") this.openers.push(() => this.open(type, opened))
      return result._tag
    })
    if (result instanceof StreamCore) opened(result)
    else if (result !== "Full") opened("Over")
  }

  /** Calls back with whether everything was taken. */
  write(stream: StreamCore, bytes: Uint8Array, written: (whole: boolean) => void): void {
    const result = this.step((connection) => {
      const result = connection.write(stream, bytes)
      if (typeof result === "number" && result < bytes.length) {
        this.writers.set(stream, () => this.write(stream, bytes.subarray(result), written))
      }
      return result
    })
    if (typeof result !== "number") written(false)
    else if (result === bytes.length) written(true)
  }

  read(stream: StreamCore, read: (bytes: Uint8Array | "End" | "Failed") => void): void {
    const result = this.step((connection) => {
      const result = connection.read(stream)
      if (result._tag === "Blocked") this.readers.set(stream, () => this.read(stream, read))
      return result
    })
    if (result._tag === "Bytes") read(result.bytes)
    else if (result._tag !== "Blocked") read(result._tag === "End" ? "End" : "Failed")
  }

  ping(nonce: number, answered: (roundTrip: number | undefined) => void): void {
    this.pings.set(nonce, answered)
    if (this.step((connection) => connection.ping(nonce, this.clock.now))) return
    this.pings.delete(nonce)
    answered(undefined)
  }

  drain(): void {
    this.step((connection) => connection.drain())
    this.wakeOpeners()
  }

  close(): void {
    this.step((connection) => connection.close())
    this.wakeOpeners()
  }

  // --- outputs

  step<A>(call: (connection: Connection) => A): A {
    const result = call(this.connection)
    if (!this.isStepping) this.drainOutputs()
    return result
  }

  private drainOutputs(): void {
    this.isStepping = true
    for (let events = this.connection.takeEvents(); events.length > 0; events = this.connection.takeEvents()) {
      for (const event of events) this.on(event)
    }
    this.isStepping = false
    this.send()
  }

  private send(): void {
    if (this.isWriting) return
    if (!this.connection.hasFrames) {
      if (this.ended.length > 0) this.out.hasEnded = true
      return
    }
    this.isWriting = true
    const frames = this.step((connection) => connection.takeFrames(BATCH, this.clock.now))
    if (frames.length === 0) {
      this.isWriting = false
      return this.send()
    }
    this.out.write(encode(frames), () => {
      this.isWriting = false
      this.step((connection) => connection.written())
    })
  }

  private on(event: Event): void {
    switch (event._tag) {
      case "Opened":
        this.step((connection) => connection.accept(event.stream))
        return this.onStream(event.stream)
      case "Readable":
        return wake(this.readers, event.stream)
      case "Writable":
        return wake(this.writers, event.stream)
      case "Failed":
        wake(this.readers, event.stream)
        return wake(this.writers, event.stream)
      case "Finished":
      case "BytesLost":
        return
      case "OpenAvailable":
      case "GoneAway":
        return this.wakeOpeners()
      case "Pong":
      case "PingLost": {
        const answered = this.pings.get(event.nonce)
        this.pings.delete(event.nonce)
        return answered?.(event._tag === "Pong" ? event.roundTrip : undefined)
      }
      case "Idle":
        return this.close()
      case "Ended":
        this.ended.push(event.end)
        return this.wakeOpeners()
    }
  }

  private wakeOpeners(): void {
    const { openers } = this
    this.openers = []
    for (const open of openers) open()
  }

  /** Nothing of the application waits any more. */
  assertNothingWaits(): void {
    const waiting = [this.readers.size, this.writers.size, this.pings.size, this.openers.length]
    assert.deepStrictEqual(waiting, [0, 0, 0, 0], "readers, writers, pings, openers")
  }
}

const wake = (waiting: Map<StreamCore, () => void>, stream: StreamCore): void => {
  const go = waiting.get(stream)
  waiting.delete(stream)
  go?.()
}

/** Two shells, the wires between them, and the time. */
class World {
  readonly clock = { now: 0 }
  private readonly toServer = new Wire()
  private readonly toClient = new Wire()
  readonly client: Shell
  readonly server: Shell

  constructor(
    overrides: Overrides = {},
    private readonly cut: () => number = () => Infinity
  ) {
    const options: Overrides = { typed: true, ...overrides }
    this.client = new Shell("client", options, this.clock, this.toServer)
    this.server = new Shell("server", options, this.clock, this.toClient)
  }

  /** Until nothing moves any more, or the next deadline lies beyond `until`. */
  run(until: number): void {
    for (let turns = 0; ; turns++) {
      assert.isBelow(turns, 1_000_000, "it comes to rest")
      if (this.move(this.toServer, this.server) || this.move(this.toClient, this.client)) continue
      const next = Math.min(this.client.connection.nextDeadline(), this.server.connection.nextDeadline())
      if (next > until) break
      this.clock.now = Math.max(this.clock.now, next)
      for (const shell of [this.client, this.server]) {
        if (shell.connection.nextDeadline() <= this.clock.now) shell.timer()
      }
    }
    this.clock.now = Math.max(this.clock.now, until)
  }

  private move(wire: Wire, to: Shell): boolean {
    const chunk = wire.read(this.cut())
    if (chunk !== undefined) to.chunk(chunk)
    else if (wire.hasEnded && to.connection.end === undefined) to.transportEnded()
    else return false
    return true
  }

  assertOver(): void {
    for (const shell of [this.client, this.server]) {
      assert.strictEqual(shell.ended.length, 1, "it ended once")
      assert.deepStrictEqual(shell.ended[0], shell.connection.end)
      assert.strictEqual(shell.connection.nextDeadline(), Infinity)
      assert.deepStrictEqual(shell.connection.takeEvents(), [])
      shell.assertNothingWaits()
      assertAtRest(shell.connection)
      assert.strictEqual(shell.connection.stats().heldBytes, 0)
    }
  }
}

/** Writes back what arrives, and finishes behind it. */
const echo = (shell: Shell): void => {
  shell.onStream = (stream) => {
    const next = (): void =>
      shell.read(stream, (bytes) => {
        if (bytes === "Failed") return
        if (bytes === "End") return shell.step((connection) => connection.finish(stream))
        shell.write(stream, bytes, (whole) => {
          if (whole) next()
        })
      })
    next()
  }
}

/** Opens a stream, writes `bytes` and a FIN, reads to the end, and gives what that was. */
const call = (shell: Shell, bytes: Uint8Array, answered: (answer: Uint8Array | "Failed") => void): void =>
  shell.open(1, (stream) => {
    if (stream === "Over") return answered("Failed")
    shell.write(stream, bytes, (whole) => {
      if (whole) shell.step((connection) => connection.finish(stream))
    })
    const parts: Array<Uint8Array> = []
    const next = (): void =>
      shell.read(stream, (bytes) => {
        if (bytes === "Failed") return answered("Failed")
        if (bytes === "End") return answered(Uint8Array.from(Buffer.concat(parts)))
        parts.push(bytes)
        next()
      })
    next()
  })

describe("a shell that follows the header of Connection", () => {
  it("carries more streams and bytes than may be open and buffered at once, in any chunks, and drains", () => {
    const sizes = fc.array(fc.nat(30_000), { minLength: 1, maxLength: 12 })
    const cuts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(sizes, cuts, fc.integer({ min: 1, max: 3 }), (sizes, cuts, maxOutboundStreams) => {
        let cut = 0
        const world = new World(
          { window: 4096, maxSendBuffer: 8192, maxOutboundStreams, acceptBacklog: 3 },
          () => cuts[cut++ % cuts.length] ?? 1
        )
        echo(world.server)
        const answers = sizes.map((): Uint8Array | "Failed" | undefined => undefined)
        sizes.forEach((size, i) => call(world.client, pattern(size, i), (answer) => (answers[i] = answer)))
        world.run(60_000)
        assert.deepStrictEqual(
          answers,
          sizes.map((size, i) => pattern(size, i))
        )
        world.client.drain()
        world.run(120_000)
        assert.deepStrictEqual(
          world.client.ended.map((end) => end._tag),
          ["Closed"]
        )
        assert.deepStrictEqual(
          world.server.ended.map((end) => end._tag),
          ["GoneAway"]
        )
        world.assertOver()
      }),
      { numRuns: 40 }
    )
  })

  it("drains: open streams continue to their end, waiting opens fail, and Idle leads to close", () => {
    const world = new World({ maxOutboundStreams: 1 })
    echo(world.server)
    const answers: Array<number | "Failed"> = []
    for (const size of [300_000, 10]) {
      call(world.client, pattern(size), (answer) => answers.push(answer === "Failed" ? answer : answer.length))
    }
    world.client.drain()
    assert.deepStrictEqual(answers, ["Failed"])
    world.run(60_000)
    assert.deepStrictEqual(answers, ["Failed", 300_000])
    world.assertOver()
  })

  it("wakes every waiting reader, writer, open and ping when the peer closes", () => {
    const world = new World({ window: 1000, maxOutboundStreams: 1 })
    const told: Array<string> = []
    const unread: Array<StreamCore> = []
    world.server.onStream = (stream) => unread.push(stream)
    world.client.open(1, (stream) => {
      assert(stream !== "Over")
      world.client.read(stream, (bytes) => told.push(`read ${String(bytes)}`))
      world.client.write(stream, new Uint8Array(5000), (whole) => told.push(`write ${whole}`))
    })
    call(world.client, new Uint8Array(1), (answer) => told.push(`open ${String(answer)}`))
    world.run(1000)
    assert.deepStrictEqual(told, [])
    world.server.close()
    world.client.ping(5, (roundTrip) => told.push(`ping ${roundTrip}`))
    world.run(2000)
    assert.deepStrictEqual(told.sort(), ["open Failed", "ping undefined", "read Failed", "write false"])
    assert.strictEqual(world.server.connection.stats().heldBytes, 996, "of a stream that failed, and that nothing read")
    for (const stream of unread) world.server.step((connection) => connection.stopReading(stream))
    world.assertOver()
  })

  it("wakes a writer whose bytes are sent in the step that did not accept the rest", () => {
    const world = new World({ maxSendBuffer: 1000 })
    echo(world.server)
    const told: Array<string> = []
    world.client.open(1, (stream) => {
      assert(stream !== "Over")
      world.run(1000)
      world.client.write(stream, new Uint8Array(5000), (whole) => told.push(`write ${whole}`))
      world.run(2000)
    })
    assert.deepStrictEqual(told, ["write true"])
  })

  it("pings, and sends heartbeats from tick, whose answers complete no ping", () => {
    const world = new World({ heartbeat: { interval: 1000, tolerance: 1000 } })
    const told: Array<number | undefined> = []
    world.client.ping(5, (roundTrip) => told.push(roundTrip))
    world.client.ping(5, (roundTrip) => told.push(roundTrip))
    world.run(10_000)
    assert.include(told, undefined, "the number was taken")
    assert.strictEqual(world.client.connection.end, undefined)
    assert.strictEqual(world.client.connection.stats().roundTrip, 0)
    world.client.close()
    world.run(20_000)
    world.assertOver()
  })

  it("a refused stream leaves the backlog without accept", () => {
    const world = new World({ acceptBacklog: 1 })
    const refused: Array<string> = []
    for (let i = 0; i < 5; i++) {
      call(world.client, new Uint8Array(1), (answer) => refused.push(String(answer)))
      world.run(100 * (i + 1))
    }
    assert.deepStrictEqual(refused, ["Failed", "Failed", "Failed", "Failed", "Failed"])
    assert.strictEqual(world.server.connection.stats().backlog, 0)
  })
})
