/** A fiber that runs inside the call that wakes it finds a transport over a `Socket` in its new state. */
import { sessionSuite } from "../support/session/suite.js"
import { overWebSocket } from "../support/session/media.js"
import { eagerly } from "../support/eagerScheduler.js"

sessionSuite("WebSocket, with fibers that run inside the call that wakes them", overWebSocket, eagerly)
