/** `npm run -s example:transport`: two sessions over a hand-written transport, a pair of Node's MessagePorts. */
import { Console, Effect } from "effect"
import { MuxStream, Session } from "effect-muxado"
import { MessageChannel } from "node:worker_threads"
import { fromMessagePort } from "./customTransport/messagePort.js"

const main = Effect.gen(function* () {
  const { port1, port2 } = new MessageChannel() // a port could be sent to a worker
  const client = yield* Session.fromTransport(yield* fromMessagePort(port1), { role: "client" })
  const server = yield* Session.fromTransport(yield* fromMessagePort(port2), { role: "server" })

  yield* Effect.forkScoped(
    server.serve((stream) =>
      Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, `${bytes.length} bytes`))
    )
  )
  yield* client.withStream((stream) =>
    Effect.gen(function* () {
      yield* MuxStream.write(stream, new Uint8Array(5_000_000)) // waits each time the peer's window is full
      yield* MuxStream.finish(stream)
      yield* Console.log(`the server read ${new TextDecoder().decode(yield* MuxStream.readAll(stream))}`)
    })
  )
  yield* client.close
  yield* Console.log(`the server's session ended: ${(yield* server.closed)._tag}`)
}).pipe(Effect.scoped)

await Effect.runPromise(main)
