/** Implements `SessionService` over the state of a session. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { nonce } from "../support/nonce.js"
import type { OpenError } from "../../MuxadoError.js"
import { InvalidOptions } from "../../MuxadoError.js"
import type { MuxStream } from "../stream/muxStream.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import { HEARTBEAT_TYPE } from "../../protocol/wire/heartbeat.js"
import type { GoAwayOptions, OpenOptions, SessionService } from "./sessionService.js"
import type { Role } from "../../protocol/options.js"
import type { Peer } from "../transport/transportService.js"
import { isUint32 } from "../support/bytes.js"
import { describe } from "../support/describe.js"
import { inspectable } from "../support/inspect.js"
import { SessionTypeId } from "../support/typeIds.js"
import { sessionError } from "../stream/toError.js"
import type { Restore } from "../support/restore.js"
import type { ServedSessions } from "./acceptSource.js"
import { serve } from "./serve.js"
import type { SessionState } from "./state.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import { Using } from "../stream/using.js"

/** Makes the service of a running session. It checks the arguments and calls the modules that do the work. */
export const fromRuntime = (
  role: Role,
  peer: Peer | undefined,
  session: SessionState,
  options: { readonly typed: boolean },
  endings: Pick<SessionService, "close" | "closeWith" | "drain">
): SessionService => {
  const typeOf = (requested: OpenOptions | undefined): number | undefined | InvalidOptions => {
    if (requested === undefined) return options.typed ? 0 : undefined
    const wrong = notOptions("open", requested, "{ type: 1 }")
    if (wrong !== undefined) return wrong
    const { type } = requested
    if (type === undefined) return options.typed ? 0 : undefined
    const fault = typeFault(type, options.typed)
    return fault === undefined ? type : new InvalidOptions({ detail: `open: ${fault}` })
  }
  /** Opens a stream at once. Returns `undefined` if the call must wait or would fail. */
  const openNow = (requested: OpenOptions | undefined): StreamHandle | undefined => {
    const type = typeOf(requested)
    return typeof type === "object" ? undefined : session.opening.openNow(type)
  }
  const open = (requested: OpenOptions | undefined, restore: Restore): Effect.Effect<StreamHandle, OpenError> => {
    const type = typeOf(requested)
    return typeof type === "object" ? Effect.fail(type) : session.opening.open(type, restore)
  }
  const withStream = <A, E, R>(
    use: (stream: MuxStream) => Effect.Effect<A, E, R>,
    requested: OpenOptions | undefined
  ): Effect.Effect<A, E | OpenError, R> =>
    Effect.uninterruptibleMask((restore) => {
      const using = (stream: StreamHandle): Effect.Effect<A, E, R> =>
        Effect.matchCauseEffect(restore(Effect.suspend(() => use(stream))), new Using<A, E>(stream))
      const stream = openNow(requested)
      return stream === undefined ? Effect.flatMap(open(requested, restore), using) : using(stream)
    })
  return {
    [SessionTypeId]: SessionTypeId,
    ...inspectable(() => factsOf(role, peer, session)),
    role,
    peer,
    open: (requested) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.tap(open(requested, restore), (stream) =>
          Effect.addFinalizer((exit) => Effect.sync(() => stream.endWith(exit)))
        )
      ),
    withStream: (use, requested) => {
      const wrong = withoutUse(use)
      return wrong === undefined ? withStream(use, requested) : Effect.fail(wrong)
    },
    accept: Effect.uninterruptibleMask((restore) =>
      Effect.tap(session.accepting.accept(restore), (stream) =>
        Effect.addFinalizer((exit) => Effect.sync(() => stream.endWith(exit)))
      )
    ),
    serve: serveOver(session, options.typed),
    ping: options.typed
      ? Effect.flatMap(nonce, (number) => Effect.map(session.pings.ping(number), Duration.millis))
      : invalid(`ping: ${UNTYPED}`),
    goAway: (reason) =>
      saying("goAway", reason, (code, debug) =>
        Effect.sync(() => session.step((connection) => connection.goAway(code, debug)))
      ),
    ...endings,
    draining: Effect.map(session.draining.await, (end) => sessionError(end, "maybe")),
    closed: Effect.map(session.ended.await, (end) => sessionError(end, "maybe")),
    stats: Effect.sync(() => ({ ...session.connection.stats(session.now()), ...session.totals.numbers }))
  }
}

/** Makes the `serve` of a session, or of a managed session over several. */
export const serveOver =
  (sessions: ServedSessions, typed: boolean): SessionService["serve"] =>
  (handler, served) =>
    Effect.suspend(() => {
      const wrong = served === undefined ? undefined : notOptions("serve", served, "{ concurrency: 10 }")
      if (wrong !== undefined) return Effect.die(wrong)
      const { concurrency = "unbounded", resetCode, type } = served ?? {}
      // a copy, which the caller cannot change later
      const types = type === undefined ? undefined : isList(type) ? [...type] : [type]
      const fault = serveFault(handler, concurrency, resetCode) ?? typesFault(types, typed)
      return fault === undefined
        ? serve(
            sessions,
            handler,
            types && new Set(types),
            concurrency === "unbounded" ? Infinity : concurrency,
            resetCode
          )
        : Effect.die(new InvalidOptions({ detail: `serve: ${fault}` }))
    })

/**
 * The facts that a log or a debugger shows. Of the peer, only the address: a certificate can have several kilobytes.
 */
const factsOf = (role: Role, peer: Peer | undefined, runtime: SessionState): object => {
  const { connection } = runtime
  const { inboundStreams, outboundStreams } = connection.stats()
  const leaving = connection.end ?? connection.refusal ?? connection.remoteEnd
  return {
    _id: "effect-muxado/Session",
    role,
    ...(peer === undefined
      ? {}
      : { peer: peer._tag === "Tcp" ? { address: peer.address, port: peer.port } : { path: peer.path } }),
    state: connection.end !== undefined ? "Ended" : leaving === undefined ? "Open" : "Draining",
    ...(leaving === undefined ? {} : { reason: sessionError(leaving, "maybe").message }),
    streams: inboundStreams + outboundStreams
  }
}

/**
 * Checks the code and the text for the peer, and runs `use` with them. A wrong value is a defect, because these
 * operations have no error type.
 */
export const saying = (
  operation: string,
  reason: GoAwayOptions | undefined,
  use: (code: number, debug: string) => Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const unusable = reason === undefined ? undefined : notOptions(operation, reason, '{ code: 99, debug: "moving" }')
    if (unusable !== undefined) return Effect.die(unusable)
    const { code = ErrorCode.NoError, debug = "" } = reason ?? {}
    const wrong = isUint32(code)
      ? typeof debug === "string"
        ? undefined
        : `the debug text must be a string, not ${describe(debug)}`
      : `the code must be an integer from 0 to 4294967295, not ${describe(code)}`
    return wrong === undefined ? use(code, debug) : Effect.die(new InvalidOptions({ detail: `${operation}: ${wrong}` }))
  })

const serveFault = (handler: unknown, concurrency: unknown, resetCode: unknown): string | undefined => {
  if (typeof handler !== "function") return `the handler must be a function, not ${describe(handler)}`
  if (concurrency !== "unbounded" && !(typeof concurrency === "number" && concurrency >= 1)) {
    return `the concurrency must be at least 1 or "unbounded", not ${describe(concurrency)}`
  }
  return resetCode === undefined || typeof resetCode === "function"
    ? undefined
    : `resetCode must be a function, not ${describe(resetCode)}`
}

const isList = (type: number | ReadonlyArray<number>): type is ReadonlyArray<number> => Array.isArray(type)

const typesFault = (types: ReadonlyArray<unknown> | undefined, typed: boolean): string | undefined =>
  types?.length === 0
    ? "the list of types must not be empty"
    : types?.map((type) => typeFault(type, typed)).find((fault) => fault !== undefined)

const typeFault = (type: unknown, typed: boolean): string | undefined => {
  if (!typed) return UNTYPED
  if (isUint32(type) && type !== HEARTBEAT_TYPE) return undefined
  return `the stream type must be a uint32 below 0xFFFFFFFF, not ${describe(type)}`
}

/** Rejects options that are not an object: a number or a string would otherwise be ignored silently. */
export const notOptions = (operation: string, given: unknown, example: string): InvalidOptions | undefined =>
  typeof given === "object" && given !== null && !Array.isArray(given)
    ? undefined
    : new InvalidOptions({
        detail: `${operation}: the options must be an object such as ${example}, not ${describe(given)}`
      })

/** Rejects a call of `withStream` whose first argument is not the function. */
export const withoutUse = (use: unknown): InvalidOptions | undefined =>
  typeof use === "function" ? undefined : new InvalidOptions({ detail: `withStream: ${NO_USE}, not ${describe(use)}` })

const NO_USE = "the first argument must be a function from a stream to an effect, and the options come after it"

const UNTYPED = "this session is untyped, so it has no stream types and no heartbeats"

const invalid = (detail: string): Effect.Effect<never, InvalidOptions> => Effect.fail(new InvalidOptions({ detail }))
