/** The tester's end of one connection: sends bytes, and states what it expects of the target. */
import type { Transport } from "effect-muxado"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Deviation } from "./failure.js"
import type { WireFrame } from "./frames.js"
import { concat, data, fin, header, FrameParser, isSyn, text, word, wordAt } from "./frames.js"
import { goAwayInWords, Seen } from "./seen.js"
import { codeInWords } from "./words.js"

export interface WireOptions {
  /** The role of the tester. */
  readonly role: "client" | "server"
  readonly typed: boolean
  /** How long the whole of a row may take; only those that fail do. */
  readonly limit: Duration.DurationInput
}

type Check = Effect.Effect<void, Deviation>

export interface Wire {
  readonly role: "client" | "server"
  readonly typed: boolean
  readonly seen: Seen

  /** The id of our `n`th stream, from 0. */
  readonly id: (n: number) => number
  /** The frame that opens a stream; on typed sessions the payload follows a type, which is 0 unless given. */
  readonly syn: (
    id: number,
    payload?: Uint8Array,
    options?: { readonly fin?: boolean; readonly type?: number }
  ) => Uint8Array

  /** Sends the parts as one write. A target that is gone is no failure: what is expected next will say so. */
  readonly send: (...parts: ReadonlyArray<Uint8Array>) => Check
  /** Sends the parts in writes of `size` bytes. */
  readonly sendInPieces: (size: number, ...parts: ReadonlyArray<Uint8Array>) => Check
  /** Ends the tester's direction of the connection. */
  readonly end: Effect.Effect<void>

  /**
   * Waits until `judge` says true. It says false while there is hope, and in words what it saw once there is none. It
   * is asked again whenever something has arrived.
   */
  readonly until: (expected: string, judge: (seen: Seen) => boolean | string) => Check
  /** Fails unless the condition holds now. */
  readonly assert: (expected: string, judge: (seen: Seen) => true | string) => Check

  /** Waits until the stream has brought exactly these bytes. */
  readonly expectContent: (id: number, bytes: Uint8Array) => Check
  readonly expectFin: (id: number) => Check
  /** Content, and FIN. */
  readonly expectEcho: (id: number, bytes: Uint8Array) => Check
  readonly expectReset: (id: number, code: number | ReadonlyArray<number>) => Check
  /** Waits for a frame; `expected` says which in words. */
  readonly expect: (expected: string, matches: (frame: WireFrame) => boolean) => Check
  readonly expectGoAway: (code: number) => Check
  readonly expectClosed: Check
  /** A session fault: GOAWAY with the code, and the connection's end. */
  readonly expectFault: (code: number) => Check
  /** A stream of the target's application, from the `n`th on (from 0): its id. */
  readonly expectStream: (n?: number) => Effect.Effect<number, Deviation>

  /** Shows that the session lives, and that nothing else was to come: new streams are echoed, one after the other. */
  readonly proveAlive: (rounds?: number) => Check
  /** Fails if the target has sent such a frame. */
  readonly neverSaw: (what: string, matches: (frame: WireFrame) => boolean) => Check
  /** An id that the tester has not used. */
  readonly freshId: () => number
}

export const make = (
  transport: Transport.TransportService,
  options: WireOptions
): Effect.Effect<Wire, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { role, typed } = options
    const seen = new Seen(typed)
    const began = yield* Clock.currentTimeMillis
    const limit = Duration.toMillis(options.limit)
    const waiting = new Set<() => void>()
    const wake = (): void => [...waiting].forEach((check) => check())

    yield* Effect.addFinalizer(() => transport.destroy)
    yield* transport.read.pipe(
      Effect.map((chunk) => {
        seen.take(chunk)
        wake()
      }),
      Effect.forever,
      Effect.catchAll(() =>
        Effect.sync(() => {
          seen.end()
          wake()
        })
      ),
      Effect.forkScoped
    )

    const deviation = (expected: string, saw: string): Deviation =>
      new Deviation({ expected, saw, transcript: seen.transcript })
    const inTime = <A, E>(expected: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | Deviation> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.timeoutFail(effect, {
          duration: Math.max(0, began + limit - now),
          onTimeout: () => deviation(expected, "nothing within the time limit")
        })
      )

    const until: Wire["until"] = (expected, judge) =>
      inTime(
        expected,
        Effect.async<void, Deviation>((resume) => {
          const check = (): void => {
            const verdict = judge(seen)
            if (verdict === false) return
            waiting.delete(check)
            resume(verdict === true ? Effect.void : Effect.fail(deviation(expected, verdict)))
          }
          waiting.add(check)
          check()
          return Effect.sync(() => waiting.delete(check))
        })
      )
    const assert: Wire["assert"] = (expected, judge) =>
      Effect.suspend(() => {
        const verdict = judge(seen)
        return verdict === true ? Effect.void : Effect.fail(deviation(expected, verdict))
      })

    // --- sending

    const first = role === "client" ? 3 : 2
    const used = new Set<number>()
    const noteIds = (bytes: Uint8Array): void => {
      const parser = new FrameParser()
      for (const frame of parser.push(bytes)) if (isSyn(frame)) used.add(frame.streamId)
      const rest = header(parser.pending)
      if (rest !== undefined && isSyn({ ...rest, payload: new Uint8Array(0) })) used.add(rest.streamId)
    }
    const freshId = (): number => {
      const id = Math.max(first - 2, ...[...used].filter((id) => id < LAST_IDS)) + 2
      used.add(id)
      return id
    }
    const write = (bytes: Uint8Array): Check =>
      inTime("the target to read what it is sent", Effect.ignore(transport.write([bytes])))
    const send: Wire["send"] = (...parts) =>
      Effect.suspend(() => {
        const bytes = concat(parts)
        noteIds(bytes)
        seen.sent(bytes)
        return write(bytes)
      })
    const sendInPieces: Wire["sendInPieces"] = (size, ...parts) =>
      Effect.suspend(() => {
        const bytes = concat(parts)
        noteIds(bytes)
        seen.sent(bytes, `, in writes of ${size}`)
        return Effect.forEach(
          Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.slice(i * size, (i + 1) * size)),
          write,
          { discard: true }
        )
      })
    const syn: Wire["syn"] = (id, payload = new Uint8Array(0), { fin, type = 0 } = {}) =>
      data(id, typed ? concat([word(type), payload]) : payload, { syn: true, fin: fin === true })

    // --- expecting

    const expectContent: Wire["expectContent"] = (id, bytes) =>
      until(`the ${bytes.length} bytes on stream ${id}`, () => {
        const stream = seen.stream(id)
        // what the target opened begins with its type
        const from = typed && seen.opened.includes(id) ? 4 : 0
        const length = stream.length - from
        if (length > bytes.length) return `more than ${bytes.length} bytes on stream ${id}`
        if (length === bytes.length) return same(stream.content.subarray(from), bytes) || `other bytes on stream ${id}`
        const [reset] = stream.resets
        if (reset !== undefined) return `RST ${codeInWords(reset)} on stream ${id}`
        if (stream.fins > 0) return `FIN on stream ${id} before all of these bytes`
        return seen.death ?? false
      })
    const expectFin: Wire["expectFin"] = (id) =>
      until(`FIN on stream ${id}`, () => {
        const stream = seen.stream(id)
        const [reset] = stream.resets
        if (stream.fins > 0) return true
        return reset === undefined ? (seen.death ?? false) : `RST ${codeInWords(reset)} on stream ${id}`
      })
    const expectEcho: Wire["expectEcho"] = (id, bytes) => Effect.zipRight(expectContent(id, bytes), expectFin(id))
    const expectReset: Wire["expectReset"] = (id, code) => {
      const codes: ReadonlyArray<number> = typeof code === "number" ? [code] : code
      return until(`RST ${codes.map(codeInWords).join(" or ")} on stream ${id}`, () => {
        const [reset] = seen.stream(id).resets
        if (reset === undefined) return seen.death ?? false
        return codes.includes(reset) || `RST ${codeInWords(reset)} on stream ${id}`
      })
    }
    const expect: Wire["expect"] = (expected, matches) =>
      until(expected, () => (seen.frames.some(matches) ? true : (seen.death ?? false)))
    const expectGoAway: Wire["expectGoAway"] = (code) =>
      until(`GOAWAY ${codeInWords(code)}`, () => {
        const [goAway] = seen.goAways
        if (goAway === undefined) return seen.closed ? "the connection's end without a GOAWAY" : false
        return wordAt(goAway, 4) === code || goAwayInWords(goAway)
      })
    const expectClosed: Check = until("the connection's end", () => seen.closed)
    const expectStream: Wire["expectStream"] = (n = 0) =>
      Effect.map(
        until(
          n === 0 ? "a stream of the target" : `stream number ${n + 1} of the target`,
          () => seen.openedByApplication[n] !== undefined || (seen.death ?? false)
        ),
        () => seen.openedByApplication[n] ?? 0
      )

    const proveAlive: Wire["proveAlive"] = (rounds = 1) =>
      Effect.suspend(() => {
        const id = freshId()
        const round = Effect.zipRight(
          send(syn(id, text("ping")), fin(id)),
          Effect.mapError(
            expectEcho(id, text("ping")),
            ({ saw, transcript }) => new Deviation({ expected: "the session to continue", saw, transcript })
          )
        )
        return rounds > 1 ? Effect.zipRight(round, proveAlive(rounds - 1)) : round
      })
    const neverSaw: Wire["neverSaw"] = (what, matches) => assert(`no ${what}`, () => !seen.frames.some(matches) || what)

    return {
      role,
      typed,
      seen,
      id: (n) => first + 2 * n,
      syn,
      send,
      sendInPieces,
      end: transport.end,
      until,
      assert,
      expectContent,
      expectFin,
      expectEcho,
      expectReset,
      expect,
      expectGoAway,
      expectClosed,
      expectFault: (code) => Effect.zipRight(expectGoAway(code), expectClosed),
      expectStream,
      proveAlive,
      neverSaw,
      freshId
    }
  })

/** The rows that try the end of the ids must not end them for what follows. */
const LAST_IDS = 0x7fffff00

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
