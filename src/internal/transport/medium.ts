/**
 * The medium under a platform `Socket`. It can report its unsent bytes and be paused, which a `Socket` cannot. A
 * WebSocket must be found first.
 */
import * as Socket from "@effect/platform/Socket"
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/**
 * The abilities of a medium. Those that it lacks are missing. Each function may throw, because it calls foreign
 * objects.
 */
export interface Medium {
  /** The number of bytes that were written to the medium and that it has not sent. */
  readonly bufferedAmount?: () => unknown
  readonly pause?: () => void
  readonly resume?: () => void
  /** Drops the connection with all unsent bytes. */
  readonly terminate?: () => void
  /** The address of the peer. */
  readonly endpoint?: string
}

/** Finds the abilities of an object by its methods: a standard WebSocket, one of `ws`, or a Node socket. */
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

/** A URL without the parts that can be secret: user, password, query and fragment. */
export const endpointOf = (url: unknown): string | undefined =>
  typeof url === "string" && url !== ""
    ? url.replace(/[?#].*$/s, "").replace(/^([a-z][a-z0-9+.-]*:)?(\/\/)[^/]*@/i, "$1$2")
    : undefined

/**
 * The socket that `NodeSocketServer` provides. Identified by its key, because this module must not import Node
 * packages.
 */
export const NetSocket = Context.GenericTag<unknown>("@effect/platform-node/NodeSocket/NetSocket")

/** Finds the medium of a connection in the services that its server provides. */
export const mediumIn = (services: Context.Context<never>): Medium | undefined => {
  const webSocket = Context.getOption(services, Socket.WebSocket)
  if (Option.isSome(webSocket)) return mediumOf(webSocket.value)
  const netSocket = Context.getOption(services, NetSocket)
  if (Option.isNone(netSocket)) return undefined
  // without `bufferedAmount` and `terminate`: its writes complete when they are sent, and the Socket itself ends it
  const { pause, resume } = mediumOf(netSocket.value)
  return pause === undefined || resume === undefined ? {} : { pause, resume }
}

/** Receives the WebSocket that a constructor of this library makes. */
class Constructed extends Context.Tag("effect-muxado/internal/Constructed")<
  Constructed,
  (webSocket: globalThis.WebSocket) => void
>() {}

/** Reports a new WebSocket to the transport whose `run` constructs it. */
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
 * If the program itself runs in the handler of a WebSocket server, that context contains the handler's WebSocket,
 * even for a socket that is not a WebSocket. So `context` has a Proxy in its place. If the effect still sees the
 * Proxy, and the socket has not used it, then the socket has no WebSocket.
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
