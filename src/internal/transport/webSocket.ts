/** WebSockets that this library connects itself. */
import * as Socket from "@effect/platform/Socket"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { announce, endpointOf } from "./medium.js"
import type { SocketOptions } from "./fromSocket.js"
import { open } from "./fromSocket.js"

/**
 * Options for a WebSocket that is used as a transport.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebSocketOptions extends Omit<SocketOptions, "bufferedAmount"> {
  /** The subprotocols that are offered to the server. Default: none. */
  readonly protocols?: string | Array<string> | undefined
}

/** What `Transport.makeWebSocket` is. */
export const makeWebSocket = (url: string | Effect.Effect<string>, options: WebSocketOptions = {}) =>
  Effect.gen(function* () {
    const construct = deliveringArrayBuffers(yield* Socket.WebSocketConstructor)
    let endpoint: string | undefined
    const acquire = Effect.acquireRelease(
      Effect.map(Effect.isEffect(url) ? url : Effect.succeed(url), (url) => {
        // not every WebSocket names the URL that it does not take, and a program without types may give any value
        endpoint = endpointOf(String(url))
        return construct(url, options.protocols)
      }),
      (webSocket) => Effect.sync(() => webSocket.close(1000))
    )
    const socket = yield* Socket.fromWebSocket(acquire, {
      // Otherwise 1006, a connection that broke off, is reported as an orderly end.
      closeCodeIsError: () => true,
      // Its own limit is no option here, and must not be the shorter one.
      openTimeout: Duration.infinity
    })
    const { transport } = yield* open(socket, options, {}, () => endpoint)
    return transport
  })

/** A constructor whose WebSockets give each message at once and in order, as an `ArrayBuffer`. */
export const deliveringArrayBuffers =
  (construct: WebSocketConstructor): WebSocketConstructor =>
  (url, protocols) => {
    const webSocket = construct(url, protocols)
    webSocket.binaryType = "arraybuffer"
    announce(webSocket)
    return webSocket
  }

type WebSocketConstructor = Context.Tag.Service<typeof Socket.WebSocketConstructor>
