/**
 * A long link: a TCP proxy that delays every byte by half a round trip, and limits the rate in each direction. `node
 * proxy.js TARGET ROUND_TRIP RATE`: port, milliseconds, megabits a second. It uses the protocol of the bench.
 */
import * as Net from "node:net"
import { createInterface } from "node:readline"

const HOST = "127.0.0.1"
const TICK_MILLISECONDS = 1
/** Room in a direction beyond what is under way and a round trip's worth before the bottleneck. */
const SPARE_BYTES = 256 * 1024

interface Packet {
  /** None is the end. */
  readonly bytes: Uint8Array | undefined
  readonly due: number
}

interface Link {
  /** Milliseconds, one way. */
  readonly delay: number
  /** Bytes in a millisecond. */
  readonly rate: number
}

class Direction {
  private packets: Array<Packet> = []
  private next = 0
  private held = 0
  /** When the bottleneck has sent all that it was given. */
  private free = 0
  private ticking = false
  private blocked = false
  private readonly room: number
  private readonly slice: number

  constructor(
    private readonly from: Net.Socket,
    private readonly to: Net.Socket,
    private readonly link: Link
  ) {
    this.room = link.rate * link.delay * 3 + SPARE_BYTES
    this.slice = Math.ceil(link.rate * TICK_MILLISECONDS)
    from.on("data", (bytes: Uint8Array) => this.take(bytes))
    from.on("end", () => this.add(undefined))
    to.on("drain", () => {
      this.blocked = false
      this.release()
    })
    from.on("close", () => {
      if (from.errored !== null) to.destroy()
    })
    from.on("error", () => undefined)
  }

  private take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += this.slice) this.add(bytes.subarray(at, at + this.slice))
    this.held += bytes.length
    if (this.held > this.room) this.from.pause()
  }

  private add(bytes: Uint8Array | undefined): void {
    this.free = Math.max(this.free, performance.now()) + (bytes?.length ?? 0) / this.link.rate
    this.packets.push({ bytes, due: this.free + this.link.delay })
    this.schedule()
  }

  private schedule(): void {
    if (this.ticking || this.blocked || this.next === this.packets.length) return
    this.ticking = true
    setTimeout(() => {
      this.ticking = false
      this.release()
    }, TICK_MILLISECONDS)
  }

  /** What is due goes on, as far as the receiver takes it. */
  private release(): void {
    const now = performance.now()
    while (!this.blocked) {
      const packet = this.packets[this.next]
      if (packet === undefined || packet.due > now) break
      this.next += 1
      if (packet.bytes === undefined) this.to.end()
      else {
        this.held -= packet.bytes.length
        this.blocked = !this.to.write(packet.bytes)
      }
    }
    if (this.next > 1024 || this.next === this.packets.length) {
      this.packets = this.packets.slice(this.next)
      this.next = 0
    }
    if (this.held <= this.room && this.from.isPaused()) this.from.resume()
    this.schedule()
  }
}

const [target, roundTrip, rate] = process.argv.slice(2).map(Number)
if (target === undefined || roundTrip === undefined || rate === undefined) throw new Error("TARGET ROUND_TRIP RATE")

const link: Link = { delay: roundTrip / 2, rate: (rate * 1e6) / 8 / 1000 }
const options = { allowHalfOpen: true, noDelay: true }

const server = Net.createServer(options, (near) => {
  const far = Net.connect({ ...options, host: HOST, port: target })
  new Direction(near, far, link)
  new Direction(far, near, link)
})

const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`)

server.listen(0, HOST, () => {
  const address = server.address()
  say({ ready: true, port: typeof address === "object" ? address?.port : undefined })
})

// its only request is to close
const requests = createInterface({ input: process.stdin })
requests.on("line", () => {
  say({ closed: true })
  process.exit(0)
})
requests.on("close", () => process.exit(0))
