import * as Socket from "@effect/platform/Socket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Transport from "../../src/Transport.js"
import { build, layerNodeWebSocket, layerStandardWebSocket, makeNetPair, makeWebSocketPair } from "./socketPairs.js"
import { transportSuite } from "./suite.js"

transportSuite("a net Socket", makeNetPair, { halfClose: false })

transportSuite(
  "a WebSocket of ws",
  makeWebSocketPair((url) => Transport.makeWebSocket(url).pipe(Effect.provide(layerNodeWebSocket))),
  { halfClose: false }
)

transportSuite(
  "a standard WebSocket",
  makeWebSocketPair((url) => build(Transport.layerWebSocket(url).pipe(Layer.provide(layerStandardWebSocket)))),
  { halfClose: false }
)

transportSuite(
  "a Socket over a standard WebSocket that delivers ArrayBuffers",
  makeWebSocketPair((url) =>
    build(
      Transport.layerSocket().pipe(
        Layer.provide(Socket.layerWebSocket(url)),
        Layer.provide(Transport.layerWebSocketConstructorArrayBuffer),
        Layer.provide(layerStandardWebSocket)
      )
    )
  ),
  { halfClose: false }
)
