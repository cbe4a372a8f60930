/** The totals of a session since its start. */
import type { Frame, InboundFrame } from "../../protocol/wire/frame.js"
import { ByteTotal } from "../../protocol/collections/v8.js"

export class SessionTotals {
  opened = 0
  accepted = 0
  peakStreams = 0
  /** The number of streams that were live when the session ended or was closed. */
  lost = 0
  private readonly bytesReceived = new ByteTotal()
  private readonly bytesSent = new ByteTotal()

  received(frame: InboundFrame): void {
    if (frame._tag === "Data") this.bytesReceived.add(frame.payload.length)
  }

  sent(frame: Frame): void {
    if (frame._tag === "Data") this.bytesSent.add(frame.payload.length)
  }

  /** Records the current number of live streams. */
  alive(streams: number): void {
    this.peakStreams = Math.max(this.peakStreams, streams)
  }

  /** The current totals. Those of bytes count only the payload of DATA. */
  get numbers() {
    const { accepted, bytesReceived, bytesSent, lost, peakStreams, opened } = this
    return { opened, accepted, lost, peakStreams, bytesReceived: bytesReceived.value, bytesSent: bytesSent.value }
  }
}
