/**
 * The minimum of a multiplexer in JavaScript: ids, lengths and ends. It has no flow control, no limits and no errors,
 * so nobody would use it, but no multiplexer with them is faster.
 */
import { Buffer } from "node:buffer"
import * as Net from "node:net"
import type { Peer, Server, Service, Stream, Streams } from "../peer.js"
import { drive, serveStream } from "../streams.js"

/** The id, then the length with the end's flag on top. */
const HEADER_BYTES = 8
const END = 0x80000000

/** Payloads from here on are written as they are, others are gathered in one buffer. */
const LARGE_BYTES = 4096
const SLAB_BYTES = 256 * 1024
/** So much is written at once without waiting for the end of the tick. */
const BATCH_BYTES = 256 * 1024

class CeilingStream implements Stream {
  private chunks: Array<Uint8Array> = []
  private next = 0
  private ended = false
  private finished = false
  private reader: ((bytes: Uint8Array | undefined) => void) | undefined

  constructor(
    private readonly mux: Mux,
    readonly id: number
  ) {}

  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.mux.send(this.id, bytes, 0)
  }

  finish(): void {
    this.finished = true
    void this.mux.send(this.id, NOTHING, END)
    if (this.ended) this.mux.forget(this.id)
  }

  read(): Promise<Uint8Array | undefined> | Uint8Array | undefined {
    if (this.next < this.chunks.length) {
      const bytes = this.chunks[this.next++]
      if (this.next === this.chunks.length) {
        this.chunks = []
        this.next = 0
      }
      return bytes
    }
    if (this.ended) return undefined
    return new Promise((resolve) => {
      this.reader = resolve
    })
  }

  push(bytes: Uint8Array): void {
    const reader = this.reader
    if (reader === undefined) this.chunks.push(bytes)
    else {
      this.reader = undefined
      reader(bytes)
    }
  }

  end(): void {
    this.ended = true
    if (this.finished) this.mux.forget(this.id)
    const reader = this.reader
    this.reader = undefined
    reader?.(undefined)
  }
}

const NOTHING = new Uint8Array(0)

class Mux implements Streams {
  private readonly streams = new Map<number, CeilingStream>()
  private nextId = 1
  // out
  private slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  private from = 0
  private to = 0
  private gathered = 0
  private scheduled = false
  private full: Promise<void> | undefined
  private drained: (() => void) | undefined
  // in
  private header: Buffer | undefined
  private current: CeilingStream | undefined
  private left = 0
  private ending = false

  constructor(
    private readonly socket: Net.Socket,
    private readonly onStream: (stream: CeilingStream) => void
  ) {
    socket.on("data", (chunk: Buffer) => this.receive(chunk))
    socket.on("drain", () => {
      this.full = undefined
      this.drained?.()
    })
    socket.on("error", () => socket.destroy())
    socket.on("end", () => socket.end())
  }

  open(): CeilingStream {
    const stream = new CeilingStream(this, this.nextId++)
    this.streams.set(stream.id, stream)
    return stream
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once("close", () => resolve())
      this.flush()
      this.socket.end()
    })
  }

  forget(id: number): void {
    this.streams.delete(id)
  }

  // --- out ---

  send(id: number, bytes: Uint8Array, flag: number): Promise<void> | undefined {
    const length = bytes.length
    const large = length >= LARGE_BYTES
    const needed = HEADER_BYTES + (large ? 0 : length)
    if (this.to + needed > SLAB_BYTES) {
      this.cut()
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.from = this.to = 0
    }
    const { slab } = this
    let { to } = this
    slab[to] = id >>> 24
    slab[to + 1] = id >>> 16
    slab[to + 2] = id >>> 8
    slab[to + 3] = id
    const word = length | flag
    slab[to + 4] = word >>> 24
    slab[to + 5] = word >>> 16
    slab[to + 6] = word >>> 8
    slab[to + 7] = word
    to += HEADER_BYTES
    if (large) {
      this.to = to
      this.cut()
      this.put(bytes)
    } else {
      slab.set(bytes, to)
      this.to = to + length
    }
    this.gathered += HEADER_BYTES + length
    if (this.gathered >= BATCH_BYTES) this.flush()
    else if (!this.scheduled) {
      this.scheduled = true
      setImmediate(this.tick)
    }
    return this.full
  }

  private readonly tick = (): void => {
    this.scheduled = false
    this.flush()
  }

  private corked = false

  private put(bytes: Uint8Array): void {
    if (!this.corked) {
      this.corked = true
      this.socket.cork()
    }
    if (!this.socket.write(bytes)) this.wait()
  }

  /** What the slab has gathered goes to the socket. */
  private cut(): void {
    if (this.to === this.from) return
    const bytes = this.slab.subarray(this.from, this.to)
    this.from = this.to
    if (this.corked) this.put(bytes)
    else if (!this.socket.write(bytes)) this.wait()
  }

  private flush(): void {
    this.gathered = 0
    if (this.socket.destroyed) return
    this.cut()
    if (this.corked) {
      this.corked = false
      this.socket.uncork()
    }
  }

  private wait(): void {
    this.full ??= new Promise((resolve) => {
      this.drained = resolve
    })
  }

  // --- in ---

  private receive(arrived: Buffer): void {
    let chunk = arrived
    if (this.header !== undefined) {
      chunk = Buffer.concat([this.header, arrived])
      this.header = undefined
    }
    const { length } = chunk
    let at = 0
    for (;;) {
      if (this.left > 0) {
        if (at === length) return
        const bytes = chunk.subarray(at, at + this.left)
        at += bytes.length
        this.left -= bytes.length
        this.current?.push(bytes)
        if (this.left > 0) return
      }
      if (this.ending) {
        this.ending = false
        this.current?.end()
      }
      if (length - at < HEADER_BYTES) {
        if (at < length) this.header = chunk.subarray(at)
        return
      }
      const id = chunk.readUInt32BE(at)
      const word = chunk.readUInt32BE(at + 4)
      at += HEADER_BYTES
      this.left = word & ~END
      this.ending = word >= END
      this.current = this.streams.get(id) ?? this.accept(id)
    }
  }

  private accept(id: number): CeilingStream {
    const stream = new CeilingStream(this, id)
    this.streams.set(id, stream)
    this.onStream(stream)
    return stream
  }
}

const serve = (service: Service, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const sockets = new Set<Net.Socket>()
    const server = Net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
      new Mux(socket, (stream) => void serveStream(service, stream))
    })
    server.on("error", reject)
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      resolve({
        port: typeof address === "object" && address !== null ? address.port : port,
        close: () =>
          new Promise((done) => {
            server.close(() => done())
            for (const socket of sockets) socket.destroy()
          })
      })
    })
  })

const connect = (port: number): Promise<Streams> =>
  new Promise((resolve, reject) => {
    const socket = Net.connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true })
    socket.once("error", reject)
    socket.once("connect", () => resolve(new Mux(socket, () => {})))
  })

export const peer: Peer = {
  name: "ceiling",
  about: "the least that a multiplexer in JavaScript can be: no flow control, no limits, no errors, no fairness",
  serve,
  connect: async (port) => drive(await connect(port))
}
