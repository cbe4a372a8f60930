/** Which type each live stream of a typed session has, for people: by the name that the program gives it. */
import type { Data, InboundFrame } from "../../protocol/wire/frame.js"
import { HEARTBEAT_TYPE } from "../../protocol/wire/heartbeat.js"

/** The streams whose names are remembered, the newest ones: the log does not see when a stream has left its session. */
const MOST = 10_000

export class StreamNames {
  private readonly names = new Map<number, string>()

  constructor(private readonly types: Readonly<Record<number, string>>) {}

  /** What is put behind a frame's line: ` (rpc)`. */
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
