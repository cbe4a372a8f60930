/** One call: a stream that one side opens and the other handles, and what both sides have seen of it. */
import type { MuxadoError } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { both } from "./concurrency.js"
import type { Run } from "./run.js"
import { Script } from "./script.js"

/** What the handler does. */
export const KINDS = ["echo", "sink", "source", "slow", "stop", "early", "reset", "fail", "die", "hang"] as const
export type Kind = (typeof KINDS)[number]

/** Of these a call that nobody disturbs succeeds. */
export const RELIABLE: ReadonlyArray<Kind> = ["echo", "sink", "source", "slow"]

/** Number and kind of a call, at the beginning of its stream. */
const HEADER = 8

/** What a caller, or a handler, fails with when it is told to. */
export class Refusal extends Data.TaggedError("Refusal")<{ readonly by: "caller" | "handler" }> {}

export type Failure = Refusal | MuxadoError.MuxadoError

export class Call {
  readonly request: Script
  readonly answer: Script
  /** Handlers that were begun, and those that are at it. */
  handled = 0
  handling = 0
  /** It need not succeed. */
  disturbed = false
  /** Its error promised that the peer did nothing. */
  denied = false

  constructor(
    readonly run: Run,
    readonly number: number,
    readonly kind: Kind,
    readonly size: number
  ) {
    this.request = new Script(run, `request ${number}`)
    this.answer = new Script(run, `answer ${number}`)
  }
}

const headerOf = (call: Call): Uint8Array => {
  const bytes = new Uint8Array(HEADER)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, call.number)
  view.setUint8(4, KINDS.indexOf(call.kind))
  return bytes
}

/** What the caller does with its stream. */
export const caller = (call: Call, stream: MuxStream.MuxStream): Effect.Effect<void, Failure> => {
  const { answer, kind, request, run, size } = call
  const { random } = run
  const chunks = random.between(0, 4)
  const pieces = Array.from({ length: chunks }, () => random.size(size))
  const impatient = () => {
    if (!random.chance(0.1)) return undefined
    call.disturbed = true
    return random.size(300)
  }
  const send = Effect.forEach(pieces, (piece) => request.write(stream, piece, impatient()), { discard: true })
  const begin = Effect.suspend(() => {
    run.now("begins")
    return MuxStream.write(stream, headerOf(call))
  })
  // the stream's own end finishes it as well as a FIN of its own does
  const finish = random.chance(0.8) ? request.finish(stream) : Effect.sync(() => request.willFinish())
  switch (kind) {
    case "source":
    case "sink":
    case "reset":
    case "fail":
    case "die":
      return begin.pipe(
        Effect.zipRight(send),
        Effect.zipRight(request.finish(stream)),
        Effect.zipRight(answer.readAll(stream)),
        Effect.asVoid
      )
    case "early":
    case "stop":
      return begin.pipe(Effect.zipRight(send), Effect.zipRight(finish))
    case "echo":
    case "slow":
    case "hang":
      return Effect.zipRight(begin, both(Effect.zipRight(send, request.finish(stream)), answer.readAll(stream)))
  }
}

/** Reads the header, and does what it says. */
export const handler = (
  run: Run,
  calls: ReadonlyMap<number, Call>,
  stream: MuxStream.MuxStream,
  served: boolean
): Effect.Effect<void, Failure> =>
  Effect.suspend(() => {
    let header: Uint8Array = new Uint8Array(0)
    const read: Effect.Effect<void, Failure> = Effect.flatMap(MuxStream.read(stream), (chunk) => {
      // the caller was interrupted, or has ended, before it had said anything
      if (chunk._tag === "None") return Effect.void
      header = concat(header, chunk.value)
      if (header.length < HEADER) return read
      const call = calls.get(new DataView(header.buffer).getUint32(0))
      if (call === undefined)
        return Effect.sync(() => run.require(false, `a call that nobody made: ${header.join(" ")}`))
      return handle(call, stream, header.subarray(HEADER), served)
    })
    return read
  })

const handle = (
  call: Call,
  stream: MuxStream.MuxStream,
  first: Uint8Array,
  served: boolean
): Effect.Effect<void, Failure> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { run } = call
      run.require(++call.handled === 1, `call ${call.number} is handled once`)
      run.require(!call.denied, `call ${call.number} is handled although that was denied`)
      call.handling++
      run.tell(`call ${call.number} is handled`)
    }),
    () =>
      Effect.suspend(() => {
        call.request.take(first)
        return work(call, stream, served)
      }),
    () =>
      Effect.sync(() => {
        call.handling--
        call.run.tell(`call ${call.number} is not handled any more`)
      })
  )

const work = (call: Call, stream: MuxStream.MuxStream, served: boolean): Effect.Effect<void, Failure> => {
  const { answer, kind, request, run, size } = call
  const { random } = run
  const all = request.readAll(stream)
  const waitAndEnd = Effect.map(Effect.sleep(5000), () => answer.willFinish())
  const respond = Effect.zipRight(answer.write(stream, random.size(size)), answer.finish(stream))
  switch (kind) {
    case "echo":
    case "slow":
      return Effect.zipRight(
        Effect.iterate(true, {
          while: (more) => more,
          body: () =>
            Effect.flatMap(request.read(stream), (more) =>
              Effect.as(
                Effect.zipRight(
                  kind === "slow" ? Effect.sleep(random.size(40)) : Effect.void,
                  answer.write(stream, more ? random.size(size) : 0)
                ),
                more
              )
            )
        }),
        answer.finish(stream)
      )
    case "sink":
      return Effect.zipRight(all, respond)
    case "source":
      return both(respond, all)
    case "stop":
      return Effect.zipRight(
        MuxStream.stopReading(stream),
        Effect.sync(() => answer.willFinish())
      )
    case "early":
      return Effect.sync(() => answer.willFinish())
    case "reset":
      return MuxStream.reset(stream, random.pick([0, 1, 77, 0xffff_ffff]))
    case "fail":
      return Effect.zipRight(random.chance(0.5) ? all : Effect.void, Effect.fail(new Refusal({ by: "handler" })))
    case "die":
      return Effect.zipRight(random.chance(0.5) ? all : Effect.void, Effect.die(new Refusal({ by: "handler" })))
    case "hang":
      // only who is served is interrupted when the caller is
      return Effect.zipRight(random.chance(0.5) ? all : Effect.void, served ? Effect.never : waitAndEnd)
  }
}

const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}
