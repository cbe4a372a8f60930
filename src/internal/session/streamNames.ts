/** Names the type of each live stream of a typed session, for the frame log. */
import type { Data, InboundFrame } from "../../protocol/wire/frame.js"
import { HEARTBEAT_TYPE } from "../../protocol/wire/heartbeat.js"

/**
 * The maximum number of remembered streams. The log does not see a stream end without RST, so it forgets the oldest.
 */
const MOST = 10_000

export class StreamNames {
  private readonly names = new Map<number, string>()

  constructor(private readonly types: Readonly<Record<number, string>>) {}

  /** The suffix of a frame's line, such as ` (rpc)`. Empty for a frame without a known stream. */
  of(frame: InboundFrame): string {
    if (frame._tag !== "Data" && frame._tag !== "Rst" && frame._tag !== "WindowIncrement") return ""
    const { streamId } = frame
    if (frame._tag === "Data" && frame.syn) this.remember(streamId, this.nameOf(frame))
    const name = this.names.get(streamId)
    if (frame._tag === "Rst") this.names.delete(streamId)
    return name === undefined ? "" : ` (${name})`
  }

  private remember(streamId: number, name: string): void {
    const [oldest] = this.names.keys()
    if (this.names.size >= MOST && oldest !== undefined) this.names.delete(oldest)
    this.names.set(streamId, name)
  }

  private nameOf({ payload }: Data): string {
    if (payload.length < 4) return "type not yet known"
    const type = new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0)
    return type === HEARTBEAT_TYPE ? "heartbeat" : (this.types[type] ?? `type ${type}`)
  }
}
