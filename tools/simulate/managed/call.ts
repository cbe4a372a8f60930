/** One call with an id of its own: what its caller and its server do, and how often it was executed. */
import type { MuxadoError } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { isNoise, noise } from "../noise.js"
import type { Run } from "../sessions/run.js"

export const KINDS = ["short", "short", "long", "answer", "upload", "fail", "die"] as const
export type Kind = (typeof KINDS)[number]

const HEADER = 8

/** What the handler fails with. */
export class Refusal extends Data.TaggedError("Refusal")<{ readonly by: "handler" }> {}

export class Call {
  executed = 0
  /** Its error promised that the server did nothing, and will do nothing. */
  isDenied = false
  readonly request: number
  readonly answer: number
  /** The pieces of the longer direction, and the time between two of them in milliseconds. */
  readonly pieces: number
  readonly pace: number
  readonly size: number

  constructor(
    readonly run: Run,
    readonly id: number,
    readonly kind: Kind
  ) {
    this.request = run.sequence()
    this.answer = run.sequence()
    this.pieces = kind === "answer" || kind === "upload" ? run.random.between(1, 5) : 1
    this.pace = kind === "short" ? 0 : run.random.pick([0, 5, 100, 1000])
    this.size = run.random.size(3000)
  }

  get sent(): number {
    return this.kind === "upload" ? this.pieces * this.size : this.size
  }

  get answered(): number {
    return this.kind === "answer" ? this.pieces * this.size : this.size
  }
}

/** What the caller does with its stream. It fails if the answer is not the right one. */
export const caller = (call: Call, stream: MuxStream.MuxStream): Effect.Effect<void, MuxadoError.StreamError> =>
  MuxStream.write(stream, headerOf(call)).pipe(
    Effect.zipRight(send(call, stream, call.request, call.sent)),
    Effect.zipRight(MuxStream.finish(stream)),
    Effect.zipRight(MuxStream.readAll(stream)),
    Effect.map((bytes) => {
      const right = bytes.length === call.answered && isNoise(bytes, call.answer, 0)
      call.run.insist(right, `call ${call.id} got another answer, of ${bytes.length} bytes`)
      call.run.insist(call.executed === 1, `call ${call.id} was answered, and executed ${call.executed} times`)
    })
  )

/** Reads the header, executes the call, and answers it. */
export const handler = (
  run: Run,
  calls: ReadonlyMap<number, Call>,
  stream: MuxStream.MuxStream
): Effect.Effect<void, MuxadoError.StreamError | Refusal> =>
  Effect.suspend(() => {
    let header: Uint8Array = new Uint8Array(0)
    const read: Effect.Effect<void, MuxadoError.StreamError | Refusal> = Effect.flatMap(
      MuxStream.read(stream),
      (chunk) => {
        // its caller has given up before it said anything
        if (chunk._tag === "None") return Effect.void
        header = Buffer.concat([header, chunk.value])
        if (header.length < HEADER) return read
        const call = calls.get(new DataView(header.buffer, header.byteOffset).getUint32(0))
        if (call === undefined) return Effect.sync(() => run.insist(false, "a call that nobody made"))
        return execute(call, stream, header.subarray(HEADER))
      }
    )
    return read
  })

const execute = (call: Call, stream: MuxStream.MuxStream, first: Uint8Array) =>
  Effect.suspend((): Effect.Effect<void, MuxadoError.StreamError | Refusal> => {
    const { run } = call
    call.executed++
    run.tell(`call ${call.id} is executed`)
    run.insist(call.executed === 1, `call ${call.id} is executed ${call.executed} times`)
    run.insist(!call.isDenied, `call ${call.id} is executed after its caller was told that it is not`)
    if (call.kind === "die") return Effect.die("a defect of the handler")
    if (call.kind === "fail") return Effect.fail(new Refusal({ by: "handler" }))
    return MuxStream.readAll(stream).pipe(
      Effect.tap((rest) =>
        Effect.sync(() => {
          const bytes = Buffer.concat([first, rest])
          const right = bytes.length === call.sent && isNoise(bytes, call.request, 0)
          run.insist(right, `call ${call.id} got another request, of ${bytes.length} bytes`)
        })
      ),
      Effect.zipRight(call.kind === "long" ? Effect.sleep(call.pace) : Effect.void),
      Effect.zipRight(send(call, stream, call.answer, call.answered))
    )
  })

/** Writes the bytes of a sequence, in pieces, with pauses between them. */
const send = (call: Call, stream: MuxStream.MuxStream, sequence: number, length: number) => {
  const { pace, size } = call
  const piece = (from: number): Effect.Effect<void, MuxadoError.StreamError> => {
    if (from >= length) return Effect.void
    const pause = from === 0 || pace === 0 ? Effect.void : Effect.sleep(pace)
    return pause.pipe(
      Effect.zipRight(MuxStream.write(stream, noise(sequence, from, Math.min(size, length - from)))),
      Effect.zipRight(Effect.suspend(() => piece(from + size)))
    )
  }
  return piece(0)
}

const headerOf = ({ id }: Call): Uint8Array => {
  const bytes = new Uint8Array(HEADER)
  new DataView(bytes.buffer).setUint32(0, id)
  return bytes
}
