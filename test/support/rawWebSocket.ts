/** A WebSocket client that is bytes on a TCP connection: it can do what no WebSocket does, and stop reading. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { once } from "node:events"
import * as Net from "node:net"

const BINARY = 2
const CLOSE = 8

export interface RawWebSocket {
  readonly socket: Net.Socket
  /** Sends the bytes as one message; false when nothing can be sent any more. */
  readonly send: (bytes: Uint8Array) => Effect.Effect<boolean>
  /** Says goodbye, in order. */
  readonly close: Effect.Effect<void>
}

export interface Listener {
  readonly onBytes?: (bytes: Uint8Array) => void
  readonly onEnd?: () => void
}

/** A frame of a client: masked with zeros, which leave the bytes as they are. */
export const frame = (bytes: Uint8Array, opcode = BINARY): Buffer => {
  const { length } = bytes
  const header = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14)
  header[0] = 0x80 | opcode
  header[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (length >= 65_536) header.writeBigUInt64BE(BigInt(length), 2)
  else if (length >= 126) header.writeUInt16BE(length, 2)
  return Buffer.concat([header, bytes])
}

/** Calls `onBytes` with the payload of all binary messages, in pieces as they come, and `onClose` for a close frame. */
const parser = (onBytes: (bytes: Uint8Array) => void, onClose: () => void): ((chunk: Buffer) => void) => {
  let head: Buffer = Buffer.alloc(0)
  let opcode = 0
  let left = 0
  return (chunk) => {
    let rest = chunk
    while (rest.length > 0) {
      if (left > 0) {
        const piece = rest.subarray(0, left)
        left -= piece.length
        rest = rest.subarray(piece.length)
        if (opcode <= BINARY) onBytes(piece)
        continue
      }
      head = Buffer.concat([head, rest])
      const short = (head[1] ?? 0) & 0x7f
      const size = short < 126 ? 2 : short === 126 ? 4 : 10
      if (head.length < size) return
      opcode = (head[0] ?? 0) & 0x0f
      left = short < 126 ? short : short === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2))
      rest = head.subarray(size)
      head = Buffer.alloc(0)
      if (opcode === CLOSE) onClose()
    }
  }
}

/** Connects to a WebSocket server on this machine. */
export const connect = (
  port: number,
  { onBytes = () => {}, onEnd = () => {} }: Listener = {}
): Effect.Effect<RawWebSocket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
      await once(socket, "connect")
      socket.on("error", () => {})
      const key = Buffer.alloc(16).toString("base64")
      socket.write(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
      )
      let answer = Buffer.alloc(0)
      while (!answer.includes("\r\n\r\n")) {
        const [chunk] = (await once(socket, "data")) as [Buffer]
        answer = Buffer.concat([answer, chunk])
      }
      if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(answer.toString("latin1"))
      const parse = parser(onBytes, () => void socket.end(frame(new Uint8Array(0), CLOSE)))
      parse(answer.subarray(answer.indexOf("\r\n\r\n") + 4))
      socket.on("data", parse)
      socket.on("end", onEnd)
      socket.on("close", onEnd)
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  ).pipe(
    Effect.map((socket) => ({
      socket,
      send: (bytes) =>
        Effect.async<boolean>((resume) => {
          if (!socket.writable) return resume(Effect.succeed(false))
          socket.write(frame(bytes), (error) => {
            const taken = Effect.succeed(error === undefined || error === null)
            // what the kernel takes at once comes back in the same turn, in which nothing is read
            setImmediate(() => resume(taken))
          })
        }),
      close: Effect.sync(() => void socket.end(frame(new Uint8Array(0), CLOSE)))
    }))
  )
