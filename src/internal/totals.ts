/** What a session counts from its beginning to its end, for people. */
import type { Frame, InboundFrame } from "../protocol/frame.js"
import { Total } from "../protocol/total.js"

export class Totals {
  opened = 0
  accepted = 0
  mostAtOnce = 0
  /** Streams that were alive when the session ended, or was closed. */
  lost = 0
  private readonly bytesReceived = new Total()
  private readonly bytesSent = new Total()

  received(frame: InboundFrame): void {
    if (frame._tag === "Data") this.bytesReceived.add(frame.payload.length)
  }

  sent(frame: Frame): void {
    if (frame._tag === "Data") this.bytesSent.add(frame.payload.length)
  }

  /** So many streams are alive. */
  alive(streams: number): void {
    this.mostAtOnce = Math.max(this.mostAtOnce, streams)
  }

  /** The numbers of now; those of bytes are of payload. */
  get numbers() {
    const { accepted, bytesReceived, bytesSent, lost, mostAtOnce, opened } = this
    return { opened, accepted, lost, mostAtOnce, bytesReceived: bytesReceived.value, bytesSent: bytesSent.value }
  }
}
