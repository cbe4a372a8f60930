/**
 * A server in a process of its own, which takes over a listening socket: the one that its parent sends, or descriptor 4.
 * It answers each stream with "new".
 */
import { MuxStream } from "../../../src/index.js"
import { NodeSessionServer } from "../../../src/node/index.js"
import { Effect, Runtime } from "effect"
import { Server } from "node:net"

const inherited = Effect.async<NodeSessionServer.ListeningSocket>((resume) => {
  if (process.argv[2] === "fd") return resume(Effect.succeed({ listening: { fd: 4 } }))
  process.once("message", (_, handle) => {
    if (handle instanceof Server) resume(Effect.succeed({ listening: handle }))
  })
  process.send?.("started")
})

const program = Effect.gen(function* () {
  const server = yield* NodeSessionServer.makeTcp(yield* inherited)
  process.send?.("listening")
  return yield* server.run((session) => session.serve((stream) => MuxStream.write(stream, "new")))
}).pipe(Effect.scoped)

Runtime.runFork(Runtime.defaultRuntime)(program)
