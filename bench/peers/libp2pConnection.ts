/** A socket in the form that libp2p needs. */
import { AbstractMessageStream, type SendResult } from "@libp2p/utils"
import type { Socket } from "node:net"

type Logger = AbstractMessageStream["log"]
type Bytes = Parameters<AbstractMessageStream["sendData"]>[0]

/** Says nothing. One for all scopes: the usual one makes itself anew for every stream. */
const silent: Logger = Object.assign(() => undefined, {
  error: () => undefined,
  trace: () => undefined,
  enabled: false,
  newScope: () => silent
})

export class SocketConnection extends AbstractMessageStream {
  private corked = false

  constructor(
    private readonly socket: Socket,
    direction: "inbound" | "outbound"
  ) {
    super({ log: silent, direction })
    socket.on("data", (chunk) => this.onData(chunk))
    socket.on("drain", () => this.safeDispatchEvent("drain"))
    socket.on("error", (error) => this.abort(error))
    socket.on("close", () => this.onTransportClosed())
  }

  override sendData(data: Bytes): SendResult {
    if (!this.corked) {
      this.corked = true
      this.socket.cork()
      process.nextTick(() => {
        this.corked = false
        this.socket.uncork()
      })
    }
    let canSendMore = true
    for (const bytes of data) canSendMore = this.socket.write(bytes)
    return { sentBytes: data.byteLength, canSendMore }
  }

  override sendReset(): void {
    this.socket.destroy()
  }

  override sendPause(): void {
    this.socket.pause()
  }

  override sendResume(): void {
    this.socket.resume()
  }

  override close(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once("close", () => resolve())
      this.socket.destroySoon()
    })
  }
}
