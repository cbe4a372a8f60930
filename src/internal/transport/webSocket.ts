/** Opens WebSocket connections as transports. */
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

/** Implements `Transport.makeWebSocket`. */
export const makeWebSocket = (url: string | Effect.Effect<string>, options: WebSocketOptions = {}) =>
  Effect.gen(function* () {
    const construct = deliveringArrayBuffers(yield* Socket.WebSocketConstructor)
    let endpoint: string | undefined
    const acquire = Effect.acquireRelease(
      Effect.map(Effect.isEffect(url) ? url : Effect.succeed(url), (url) => {
        // not every WebSocket names the URL that it refuses, and a program without types may pass any value
        endpoint = endpointOf(String(url))
        return construct(url, options.protocols)
      }),
      (webSocket) => Effect.sync(() => webSocket.close(1000))
    )
    const socket = yield* Socket.fromWebSocket(acquire, {
      // Otherwise code 1006, a broken connection, is reported as an orderly end.
      closeCodeIsError: () => true,
      // Turns off the platform's own limit, so that only our `openTimeout` counts.
      openTimeout: Duration.infinity
    })
    const { transport } = yield* open(socket, options, {}, () => endpoint)
    return transport
  })

/** Makes a constructor whose WebSockets deliver each message at once and in order, as an `ArrayBuffer`. */
export const deliveringArrayBuffers =
  (construct: WebSocketConstructor): WebSocketConstructor =>
  (url, protocols) => {
    const webSocket = construct(url, protocols)
    webSocket.binaryType = "arraybuffer"
    announce(webSocket)
    return webSocket
  }

type WebSocketConstructor = Context.Tag.Service<typeof Socket.WebSocketConstructor>
