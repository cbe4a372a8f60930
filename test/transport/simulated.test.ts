import * as SimulatedTransport from "../../src/testing/SimulatedTransport.js"
import { transportSuite } from "../support/transport/suite.js"

transportSuite("a simulated link", SimulatedTransport.makePair())

transportSuite(
  "a simulated link with latency and bandwidth",
  SimulatedTransport.makePair({ latency: "2 millis", bandwidth: 4_000_000, chunking: { min: 1, max: 3000 }, seed: 1 })
)

transportSuite("a simulated link that gives single bytes", SimulatedTransport.makePair({ chunking: "byte" }), {
  bytes: 4_000
})

transportSuite(
  "a simulated link with a tiny buffer",
  SimulatedTransport.makePair({ bufferSize: 7, chunking: { min: 2, max: 3 } }),
  { bytes: 4_000 }
)

transportSuite(
  "a simulated link that joins writes, jitters and stands still",
  SimulatedTransport.makePair({
    latency: "1 millis",
    jitter: "2 millis",
    stalls: { every: "40 millis", upTo: "5 millis" },
    chunking: "joined",
    seed: 3
  })
)

transportSuite(
  "a simulated link that joins writes in random pieces",
  SimulatedTransport.makePair({ bandwidth: 8_000_000, chunking: { min: 1, max: 5000, joined: true }, seed: 4 })
)
