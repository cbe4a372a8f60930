/** The client: opens streams, and checks that their echo is equal to the sent bytes. */
import type { MuxadoError } from "effect-muxado"
import { MuxStream, Session } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Dial } from "./arguments.js"
import { Content, ContentCheck } from "./content.js"

/** The echo differs from the sent bytes. `stream` counts the streams from 0, `offset` their bytes. */
export class EchoDiffers extends Data.TaggedError("EchoDiffers")<{
  readonly reason: "Byte" | "EndedEarly" | "TooLong"
  readonly stream: number
  readonly offset: number
}> {
  override get message(): string {
    const what = {
      Byte: "is not what was sent",
      EndedEarly: "ended too early",
      TooLong: "went on after its end"
    }[this.reason]
    return `The echo of stream ${this.stream} ${what}, at byte ${this.offset}`
  }
}

/** The streams and bytes that were correct. */
export interface Summary {
  readonly streams: number
  readonly bytes: number
  readonly ok: true
  /** Whether it was stopped before all streams were opened or had ended. */
  readonly interrupted: boolean
  readonly milliseconds: number
  readonly stats: Session.SessionStats
}

/** Checks all streams. After `stop` it opens no more, and waits for the open ones for the drain timeout. */
export const dial = (
  command: Dial,
  stop: Effect.Effect<void>
): Effect.Effect<Summary, EchoDiffers | MuxadoError.MuxadoError> =>
  Effect.provide(
    Effect.gen(function* () {
      const session = yield* Session.Session
      const began = yield* Clock.currentTimeMillis
      let opened = 0
      let checked = 0
      let stopped = false
      const work: Effect.Effect<void, EchoDiffers | MuxadoError.MuxadoError> = Effect.suspend(() => {
        if (stopped || opened >= command.streams) return Effect.void
        return Effect.zipRight(
          checkStream(session, opened++, command.bytes),
          Effect.suspend(() => {
            checked++
            return work
          })
        )
      })
      const workers = Array.from({ length: Math.min(command.concurrency, command.streams) }, () => work)
      const overdue = stop.pipe(
        Effect.tap(() => Effect.sync(() => (stopped = true))),
        Effect.zipRight(Effect.sleep(command.session.drainTimeout))
      )
      yield* Effect.raceFirst(Effect.all(workers, { concurrency: "unbounded", discard: true }), overdue)
      return {
        streams: checked,
        bytes: checked * command.bytes,
        ok: true,
        interrupted: checked < command.streams,
        milliseconds: (yield* Clock.currentTimeMillis) - began,
        stats: yield* session.stats
      } as const
    }),
    Session.layerClient(command.session).pipe(Layer.provide(layerTransport(command)))
  )

const layerTransport = ({ host, port, tls }: Dial) =>
  tls ? NodeTransport.layerTls({ host, port, rejectUnauthorized: false }) : NodeTransport.layerTcp({ host, port })

const checkStream = (
  session: Session.SessionService,
  index: number,
  bytes: number
): Effect.Effect<void, EchoDiffers | MuxadoError.MuxadoError> =>
  session.withStream((stream) =>
    Effect.all([send(stream, new Content(index), bytes), receive(stream, new ContentCheck(index, bytes), index)], {
      concurrency: 2,
      discard: true
    })
  )

const send = (
  stream: MuxStream.MuxStream,
  content: Content,
  left: number
): Effect.Effect<void, MuxadoError.StreamError> =>
  Effect.suspend(() => {
    if (left === 0) return MuxStream.finish(stream)
    const block = content.block().subarray(0, left)
    return Effect.zipRight(MuxStream.write(stream, block), send(stream, content, left - block.length))
  })

const receive = (
  stream: MuxStream.MuxStream,
  check: ContentCheck,
  index: number
): Effect.Effect<void, EchoDiffers | MuxadoError.StreamError> => {
  const differs = (reason: EchoDiffers["reason"]) => new EchoDiffers({ reason, stream: index, offset: check.offset })
  const loop: Effect.Effect<void, EchoDiffers | MuxadoError.StreamError> = Effect.flatMap(
    MuxStream.read(stream),
    (chunk): typeof loop => {
      if (chunk._tag === "None") return check.complete ? Effect.void : differs("EndedEarly")
      if (check.matches(chunk.value)) return loop
      return differs(check.complete ? "TooLong" : "Byte")
    }
  )
  return loop
}
