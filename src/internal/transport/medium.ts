/**
 * What the medium under a `Socket` of the platform can do that a `Socket` cannot say: how many bytes it has not sent,
 * and to pause. For a WebSocket this has to be found first.
 */
import * as Socket from "@effect/platform/Socket"
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/** A part is missing where the medium lacks it. Each may throw: the objects behind it are not ours. */
export interface Medium {
  /** Bytes that the medium was given and has not sent. */
  readonly bufferedAmount?: () => unknown
  readonly pause?: () => void
  readonly resume?: () => void
  /** Drops the connection with all that is unsent. */
  readonly terminate?: () => void
  /** Where it leads to. */
  readonly endpoint?: string
}

/** What an object can do, by its methods: a standard WebSocket, one of `ws`, or a socket of Node. */
export const mediumOf = (object: unknown): Medium => {
  if (!Predicate.isObject(object)) return {}
  const method = (name: string): (() => void) | undefined => {
    const f: unknown = Predicate.hasProperty(object, name) ? object[name] : undefined
    return Predicate.isFunction(f) ? () => void f.call(object) : undefined
  }
  const pause = method("pause")
  const resume = method("resume")
  const terminate = method("terminate")
  const endpoint = Predicate.hasProperty(object, "url") ? endpointOf(object.url) : undefined
  return {
    ...(Predicate.hasProperty(object, "bufferedAmount") ? { bufferedAmount: () => object.bufferedAmount } : {}),
    ...(pause === undefined || resume === undefined ? {} : { pause, resume }),
    ...(terminate === undefined ? {} : { terminate }),
    ...(endpoint === undefined ? {} : { endpoint })
  }
}

/** A URL as a person may see it: who logs in, and what follows the path, can be secret. */
export const endpointOf = (url: unknown): string | undefined =>
  typeof url === "string" && url !== ""
    ? url.replace(/[?#].*$/s, "").replace(/^([a-z][a-z0-9+.-]*:)?(\/\/)[^/]*@/i, "$1$2")
    : undefined

/** What `NodeSocketServer` provides for a TCP connection. By its key: this module is not for Node alone. */
export const NetSocket = Context.GenericTag<unknown>("@effect/platform-node/NodeSocket/NetSocket")

/** The medium of a connection, out of what its server provides for it. */
export const mediumIn = (services: Context.Context<never>): Medium | undefined => {
  const webSocket = Context.getOption(services, Socket.WebSocket)
  if (Option.isSome(webSocket)) return mediumOf(webSocket.value)
  const netSocket = Context.getOption(services, NetSocket)
  if (Option.isNone(netSocket)) return undefined
  // its writes complete when they are sent, and its end is the Socket's to choose
  const { pause, resume } = mediumOf(netSocket.value)
  return pause === undefined || resume === undefined ? {} : { pause, resume }
}

/** Asks the constructor of a WebSocket, if it is one of ours, which one it made. */
class Constructed extends Context.Tag("effect-muxado/internal/Constructed")<
  Constructed,
  (webSocket: globalThis.WebSocket) => void
>() {}

/** Tells the transport whose socket's run constructs this WebSocket about it. */
export const announce = (webSocket: globalThis.WebSocket): void => {
  const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
  if (fiber === undefined) return
  const constructed = Context.getOption(fiber.currentContext, Constructed)
  if (Option.isSome(constructed)) constructed.value(webSocket)
}

/**
 * Finds the WebSocket under a `Socket`. `context` is to be the context of its run, and `look` is to be called with
 * the context of an effect that the run starts for a message: the platform provides the WebSocket to those.
 *
 * Where the program itself runs in the handler of a WebSocket server, that context holds the handler's WebSocket
 * anyway, also for a socket that is no WebSocket. So a stand-in takes its place in the run: if the effect still sees
 * the stand-in, and the socket has not used it to open, the socket has no WebSocket.
 */
export const findWebSocket = (
  around: Context.Context<never>,
  found: (webSocket: globalThis.WebSocket) => void
): { readonly context: Context.Context<never>; readonly look: (context: Context.Context<never>) => void } => {
  const asking: Context.Context<never> = Context.make(Constructed, found)
  const handlers = Option.getOrUndefined(Context.getOption(around, Socket.WebSocket))
  if (handlers === undefined) {
    return {
      context: asking,
      look: (context) => void Option.map(Context.getOption(context, Socket.WebSocket), found)
    }
  }
  let used = false
  const standIn = new Proxy(handlers, {
    get: (target, key): unknown => {
      used = true
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === "function" ? (value.bind(target) as unknown) : value
    },
    set: (target, key, value) => Reflect.set(target, key, value, target)
  })
  return {
    context: Context.merge(asking, Context.make(Socket.WebSocket, standIn)),
    look: (context) => {
      const webSocket = Option.getOrUndefined(Context.getOption(context, Socket.WebSocket))
      if (webSocket === undefined) return
      if (webSocket !== standIn) found(webSocket)
      else if (used) found(handlers)
    }
  }
}
