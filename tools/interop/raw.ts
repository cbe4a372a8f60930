/** A raw connection to a peer. As the client it sends any bytes, and it reads the peer's frames as words. */
import { assert, it } from "@effect/vitest"
import { Frame } from "effect-muxado"
import type { MuxadoError, Transport } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { WaitSet } from "../../src/internal/support/waiters.js"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import type { CommandFailed, Peer, PeerBroken, PeerError, PeerStream, Start } from "./peer.js"
import { spawnPeer } from "./peer.js"
import type { PeerName } from "./peers.js"
import { programOf } from "./peers.js"
import { eventually } from "./scenario.js"

type RawError = PeerError | MuxadoError.TransportFailed

/** What the peer does with our streams, by their type: any other is echoed, unless the test says otherwise. */
export const Type = { echo: 1, manual: 3, hold: 4, heartbeat: 0xffff_ffff } as const

/** GOAWAY, whatever cannot be decoded, and `END`, the connection's end, are found under this id. */
export const SESSION = 0

/** Far beyond what a test uses. */
const FIRST_FENCE = 0x10_0001

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const bytes = (digits: string): Uint8Array => Buffer.from(digits.replaceAll(" ", ""), "hex")

const word = (value: number): string => value.toString(16).padStart(8, "0")

// --- what is sent

export const data = (id: number, digits = "", flags: { readonly syn?: boolean; readonly fin?: boolean } = {}) =>
  Frame.data(id, bytes(digits), flags)

export const fin = (id: number) => data(id, "", { fin: true })

/** The frame that opens a stream of a typed session. */
export const syn = (id: number, type: number, digits = "", flags: { readonly fin?: boolean } = {}) =>
  data(id, word(type) + digits, { ...flags, syn: true })

export const goAway = (lastStreamId: number, code: number, text = "") =>
  Frame.goAway(lastStreamId, code, Buffer.from(text))

// --- the connection

class Raw {
  private readonly decoder = new Decoder()
  private payload: ReadonlyArray<Uint8Array> = []
  /** What has come and was not taken, by stream. */
  private readonly words = new Map<number, Array<string>>()
  private readonly arrivals = new WaitSet()
  private fences = FIRST_FENCE

  constructor(
    readonly peer: Peer,
    private readonly transport: Transport.TransportService
  ) {}

  /** Hexadecimal digits are sent as they are. All is one write. */
  send(...parts: ReadonlyArray<Frame.Frame | string>): Effect.Effect<void, MuxadoError.TransportFailed> {
    return this.transport.write(parts.flatMap((part) => (typeof part === "string" ? [bytes(part)] : encode([part]))))
  }

  /** Ends our direction of the connection. */
  get end(): Effect.Effect<void> {
    return this.transport.end
  }

  /** The next words on a stream, as many as are expected: each frame is one. */
  expect(id: number, ...expected: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.map(this.next(id, expected.length), (words) => assert.deepStrictEqual(words, expected))
  }

  /** The next so many words on a stream. */
  next(id: number, count: number): Effect.Effect<ReadonlyArray<string>> {
    const words = this.on(id)
    const enough = (): boolean => words.length >= count
    return Effect.repeat(this.arrivals.waitUnless(enough), { until: enough }).pipe(
      Effect.timeoutFail({
        duration: "5 seconds",
        onTimeout: () => new Error(`stream ${id} brought no ${count} frames, but ${words.join(", ") || "none"}`)
      }),
      Effect.orDie,
      Effect.map(() => words.splice(0, count))
    )
  }

  /** The peer has worked off all that was sent: DATA on an id of which it knows nothing draws an RST. */
  get fence(): Effect.Effect<void, RawError> {
    return Effect.suspend(() => {
      const id = this.fences
      this.fences += 2
      return Effect.zipRight(this.send(data(id, "00")), this.expect(id, "RST 4"))
    })
  }

  /** The peer has worked off all that was sent, and has no more to say on that stream. */
  silent(id: number): Effect.Effect<void, RawError> {
    return Effect.zipRight(this.fence, this.empty(id))
  }

  /** Nothing more on those streams for a moment; where there can be no fence, or it proves nothing. */
  quiet(...ids: ReadonlyArray<number>): Effect.Effect<void> {
    return Effect.zipRight(
      Effect.sleep("100 millis"),
      Effect.forEach(ids, (id) => this.empty(id), { discard: true })
    )
  }

  private empty(id: number): Effect.Effect<void> {
    return Effect.sync(() => assert.deepStrictEqual(this.on(id), []))
  }

  /** Opens a stream whose other end is in the hands of the peer's commands. */
  manual(id: number, digits = "", flags: { readonly fin?: boolean } = {}): Effect.Effect<PeerStream, RawError> {
    return Effect.gen(this, function* () {
      yield* this.send(syn(id, Type.manual, digits, flags))
      const stream = yield* this.peer.accepted
      // it has read the type
      yield* this.expect(id, "WNDINC 4")
      return stream
    })
  }

  /** Waits until the peer's program holds so many streams. */
  live(streams: number): Effect.Effect<void, PeerError> {
    return eventually(
      `${streams} streams`,
      Effect.map(this.peer.info, ({ live }) => live === streams)
    )
  }

  /** Takes what the peer sends until the connection ends. */
  get listen(): Effect.Effect<void> {
    return Effect.map(this.transport.read, (chunk) => this.take(chunk)).pipe(
      Effect.forever,
      Effect.catchAll(() => Effect.sync(() => this.say(SESSION, "END")))
    )
  }

  private on(id: number): Array<string> {
    const words = this.words.get(id) ?? []
    this.words.set(id, words)
    return words
  }

  private say(id: number, ...words: ReadonlyArray<string | number>): void {
    this.on(id).push(words.join(" "))
    this.arrivals.notifyAll()
  }

  private take(chunk: Uint8Array): void {
    for (const frame of this.decoder.push(chunk)) {
      switch (frame._tag) {
        case "Data":
          this.payload = frame.first ? [frame.payload] : [...this.payload, frame.payload]
          if (frame.last) this.say(frame.streamId, "DATA", ...dataInWords(frame, Buffer.concat(this.payload)))
          break
        case "Rst":
          this.say(frame.streamId, "RST", frame.code)
          break
        case "WindowIncrement":
          this.say(frame.streamId, "WNDINC", frame.increment)
          break
        case "GoAway":
          this.say(SESSION, "GOAWAY last", frame.lastStreamId, "code", frame.code)
          break
        case "Unknown":
          this.say(frame.streamId, "UNKNOWN", frame.type)
          break
        case "Malformed":
          this.say(SESSION, "MALFORMED", frame.message)
      }
    }
  }
}

const dataInWords = (frame: Frame.Data, payload: Uint8Array): ReadonlyArray<string> => [
  ...(frame.syn ? ["SYN"] : []),
  ...(frame.fin ? ["FIN"] : []),
  ...(payload.length > 16 ? [`of ${payload.length}`] : payload.length > 0 ? [hex(payload)] : [])
]

type Theirs = Omit<Start, "role" | "port" | "tls" | "handlers">

/** The peer is the server. */
const connect = (name: PeerName, theirs: Theirs): Effect.Effect<Raw, RawError, Scope.Scope> =>
  Effect.gen(function* () {
    const peer = yield* spawnPeer(programOf(name))
    const handlers = { [Type.manual]: "manual", [Type.hold]: "hold" } as const
    const port = yield* peer.start({ ...theirs, handlers, role: "server" })
    const raw = new Raw(peer, yield* NodeTransport.makeTcp({ host: "127.0.0.1", port }))
    yield* Effect.forkScoped(raw.listen)
    return raw
  })

/** A test whose connection is set up for it. */
export const faultOf =
  (name: PeerName) =>
  (text: string, theirs: Theirs, body: (raw: Raw) => Effect.Effect<void, RawError, Scope.Scope>): void =>
    it.scopedLive(text, () => Effect.flatMap(connect(name, theirs), body))

/** The failure of a command. */
export const failure = (command: Effect.Effect<unknown, PeerError>): Effect.Effect<CommandFailed, PeerBroken> =>
  Effect.matchEffect(command, {
    onSuccess: () => Effect.dieMessage("the command did not fail"),
    onFailure: (error) => (error._tag === "CommandFailed" ? Effect.succeed(error) : Effect.fail(error))
  })
