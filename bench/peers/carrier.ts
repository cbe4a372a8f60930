/** A TCP connection that carries one stream after the other. The ends of streams are in band. */
import type { Socket } from "node:net"
import type { Stream } from "../peer.js"
import { drained } from "./duplexStream.js"
import { END, piece, PieceReader, prefix } from "./framing.js"
import { Inbox } from "./inbox.js"

export interface Turns {
  /** The other side has begun a stream. */
  readonly begun?: (carrier: Carrier) => void
  /** Both directions of the stream have ended: the connection is free. */
  readonly over?: (carrier: Carrier) => void
}

/** Up to here a copy costs less than a second buffer to write. */
const COPY_BYTES = 4096

export class Carrier {
  private inbox = this.freshInbox()
  private taken = false
  private sent = false
  private received = false
  /** Small pieces wait for the end of their tick, and go out with what follows them in it. */
  private held: Array<Uint8Array> = []

  constructor(
    readonly socket: Socket,
    private readonly turns: Turns
  ) {
    const pieces = new PieceReader({
      bytes: (bytes) => {
        this.begin()
        this.inbox.put(bytes)
      },
      end: () => {
        this.begin()
        this.received = true
        this.inbox.end()
        this.leave()
      }
    })
    socket.on("data", (chunk: Uint8Array) => pieces.take(chunk))
    socket.on("end", () => socket.end())
    socket.on("error", (error) => this.inbox.fail(error))
    socket.on("close", () => this.inbox.fail(new Error("the connection has closed")))
  }

  /** The stream it carries from now on. */
  stream(): Stream {
    this.taken = true
    const inbox = this.inbox
    return {
      write: (bytes) => this.write(bytes),
      finish: () => {
        this.hold(END)
        this.sent = true
        this.leave()
      },
      read: () => inbox.read()
    }
  }

  private begin(): void {
    if (!this.taken) this.turns.begun?.(this)
  }

  private leave(): void {
    if (!this.sent || !this.received) return
    this.taken = false
    this.sent = false
    this.received = false
    this.inbox = this.freshInbox()
    this.turns.over?.(this)
  }

  private write(bytes: Uint8Array): Promise<void> | undefined {
    // an empty piece would be the end
    if (bytes.length === 0) return undefined
    if (bytes.length <= COPY_BYTES) {
      this.hold(piece(bytes))
    } else {
      this.flush()
      this.socket.cork()
      this.socket.write(prefix(bytes.length))
      this.socket.write(bytes)
      this.socket.uncork()
    }
    return this.socket.writableNeedDrain ? drained(this.socket) : undefined
  }

  private hold(bytes: Uint8Array): void {
    if (this.held.length === 0) queueMicrotask(() => this.flush())
    this.held.push(bytes)
  }

  private flush(): void {
    const [first, ...more] = this.held
    if (first === undefined) return
    this.held = []
    if (this.socket.destroyed) return
    this.socket.write(more.length === 0 ? first : Buffer.concat([first, ...more]))
  }

  private freshInbox(): Inbox {
    return new Inbox(
      () => this.socket.pause(),
      () => this.socket.resume()
    )
  }
}
