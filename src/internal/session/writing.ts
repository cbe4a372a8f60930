/** Frames out: the fiber that writes what the transport did not take at once. */
import * as Effect from "effect/Effect"
import type { FastPath, FrameWriterService } from "../../FrameWriter.js"
import type { TransportFailed } from "../../MuxadoError.js"
import { describe } from "../support/describe.js"
import { fastPathOf } from "../transport/fastPath.js"
import { failed } from "./failed.js"
import type { SessionState } from "./state.js"

/** The writer's way without a fiber's turn, if it has one. */
export const tryWriteOf = (writer: FrameWriterService): FastPath["tryWrite"] | undefined => {
  const fastPath = fastPathOf(writer, ["tryWrite"])
  if (fastPath === undefined) return undefined
  return (frames) => {
    const written: unknown = fastPath.tryWrite(frames)
    // if it is unknown whether the frames were written, nothing can follow
    if (typeof written !== "boolean") throw new TypeError(`tryWrite must give true or false, not ${describe(written)}`)
    return written
  }
}

/** Frames out: what gathered while the last batch was written goes as one. Ends with the session's last frame. */
export const writeLoop = (runtime: SessionState, writer: FrameWriterService): Effect.Effect<void> => {
  const loop: Effect.Effect<void, TransportFailed> = Effect.suspend(() => {
    const frames = runtime.takeUnsent() ?? runtime.takeFrames()
    if (frames.length > 0) {
      return Effect.flatMap(writer.write(frames), () => {
        runtime.step((connection) => connection.written())
        return loop
      })
    }
    return runtime.connection.end === undefined ? Effect.zipRight(runtime.output.wait, loop) : Effect.void
  })
  return Effect.catchAllCause(loop, (cause) => Effect.sync(() => failed(runtime, "Write", cause)))
}
