/** The echo program as a process, and the peers that it meets. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"

// --- the program as a process

export class Program {
  readonly lines: Array<string> = []
  stdout = ""
  stderr = ""
  private readonly closed: Promise<number | null>
  private readonly watchers = new Set<() => void>()

  constructor(readonly child: ChildProcessWithoutNullStreams) {
    this.closed = new Promise((resolve) => child.once("close", (code) => resolve(code)))
    void this.closed.then(() => this.wake())
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text
      this.lines.splice(0, Infinity, ...this.stdout.split("\n").slice(0, -1))
      this.wake()
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text))
  }

  private wake(): void {
    for (const watcher of this.watchers) watcher()
  }

  /** The exit code, once everything that it wrote was read. */
  get exit(): Effect.Effect<number | null> {
    return Effect.promise(() => this.closed)
  }

  /** The line with this number, which must come before the process ends. */
  line(number: number): Effect.Effect<string> {
    return Effect.async((resume) => {
      const look = (): void => {
        const line = this.lines[number]
        if (line !== undefined) resume(Effect.succeed(line))
        else if (this.child.exitCode !== null) resume(Effect.dieMessage(`no line ${number}: ${this.stderr}`))
      }
      this.watchers.add(look)
      look()
      return Effect.sync(() => this.watchers.delete(look))
    })
  }

  event(number: number): Effect.Effect<Record<string, unknown>> {
    return Effect.map(this.line(number), (line) => JSON.parse(line) as Record<string, unknown>)
  }

  get port(): Effect.Effect<number> {
    return Effect.map(this.line(0), (line) => {
      const port = /^listening 127\.0\.0\.1:(\d+)$/.exec(line)?.[1]
      assert.isDefined(port, line)
      return Number(port)
    })
  }
}

export const echo = (...args: ReadonlyArray<string | number>): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const cwd = fileURLToPath(new URL("../../../", import.meta.url))
      return new Program(spawn(process.execPath, ["--import", "tsx", "examples/echo.ts", ...args.map(String)], { cwd }))
    }),
    (program) => Effect.sync(() => program.child.kill("SIGKILL"))
  )

// --- a peer that speaks in bytes

interface RawFrame {
  readonly type: number
  readonly streamId: number
  readonly payload: Buffer
}

export class RawPeer {
  private received = Buffer.alloc(0)

  constructor(readonly socket: Net.Socket) {
    socket.on("error", () => {})
    socket.on("data", (bytes) => (this.received = Buffer.concat([this.received, bytes])))
  }

  private find(type: number): RawFrame | undefined {
    for (let at = 0; at + 8 <= this.received.length;) {
      const length = this.received.readUIntBE(at, 3)
      const payload = this.received.subarray(at + 8, at + 8 + length)
      const frame = {
        type: this.received.readUInt8(at + 3) >> 4,
        streamId: this.received.readUInt32BE(at + 4),
        payload
      }
      if (frame.type === type && payload.length === length) return frame
      at += 8 + length
    }
    return undefined
  }

  /** Sends the bytes, and gives the first frame of this type that ever came. */
  ask(hex: string, type: number): Effect.Effect<RawFrame> {
    return Effect.async((resume) => {
      const look = (): void => {
        const frame = this.find(type)
        if (frame !== undefined) resume(Effect.succeed(frame))
        else if (this.socket.destroyed) resume(Effect.dieMessage("the connection ended"))
      }
      this.socket.on("data", look).on("close", look)
      this.socket.write(Buffer.from(hex, "hex"))
    })
  }
}

export const connect = (start: () => Net.Socket, ready = "connect"): Effect.Effect<RawPeer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const peer = new RawPeer(start())
      await once(peer.socket, ready)
      return peer
    }),
    (peer) => Effect.sync(() => peer.socket.destroy())
  )

export const tcp = (port: number): Effect.Effect<RawPeer, never, Scope.Scope> =>
  connect(() => Net.connect({ port, host: "127.0.0.1" }))

export const RST = 0
export const DATA = 1
export const GOAWAY = 3

export const hex = (value: number, bytes: number): string => value.toString(16).padStart(bytes * 2, "0")

/** SYNs on the first odd stream ids, each with a 4-byte type. */
export const syns = (count: number): string =>
  Array.from({ length: count }, (_, i) => `00000412${hex(3 + 2 * i, 4)}00000000`).join("")

// --- ports

/** Waits until nobody listens there any more. */
export const refused = (port: number): Effect.Effect<void> =>
  Effect.async<boolean>((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(false))
    })
    socket.on("error", (error) => resume(Effect.succeed("code" in error && error.code === "ECONNREFUSED")))
  }).pipe(Effect.flatMap((gone) => (gone ? Effect.void : Effect.delay(refused(port), 20))))

const listening = (server: Net.Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const address = server.address()
      assert(address !== null && typeof address === "object")
      return address.port
    }),
    () => Effect.sync(() => server.close())
  )

export const freePort: Effect.Effect<number> = Effect.scoped(listening(Net.createServer()))

/** Passes one connection on, and holds what comes back once it was so many bytes. */
export const holdingProxy = (to: number, bytes: number) =>
  Effect.gen(function* () {
    const holding = yield* Deferred.make<void>()
    const sockets: Array<Net.Socket> = []
    let left = bytes
    let release = (): void => {}
    const server = Net.createServer((near) => {
      const far = Net.connect({ port: to, host: "127.0.0.1" })
      sockets.push(near, far)
      for (const socket of sockets) socket.on("error", () => {})
      near.pipe(far)
      far.on("data", (chunk) => {
        near.write(chunk)
        left -= chunk.length
        if (left > 0) return
        far.removeAllListeners("data").pause()
        release = () => void far.pipe(near)
        Deferred.unsafeDone(holding, Effect.void)
      })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
    const port = yield* listening(server)
    return { port, holding: Deferred.await(holding), release: Effect.sync(() => release()) }
  })
