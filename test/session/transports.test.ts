import { sessionSuite } from "../support/session/suite.js"
import { overDuplexes, overSimulated, overTcp, overTls, overUnix, overWebSocket } from "../support/session/media.js"

sessionSuite("a simulated link", overSimulated({}))
sessionSuite(
  "a link with tiny buffers and chunks",
  overSimulated({ bufferSize: 4096, chunking: { min: 1, max: 3000 } })
)
sessionSuite("a slow-to-answer link", overSimulated({ latency: "2 millis", bufferSize: 1_000_000, seed: 3 }))
sessionSuite("a pair of Duplexes", overDuplexes)
sessionSuite("TCP", overTcp)
sessionSuite("TLS", overTls)
sessionSuite("a unix socket", overUnix)
sessionSuite("WebSocket", overWebSocket)
