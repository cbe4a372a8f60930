/** @effect/rpc over a socket. An echo is one call. */
import { SocketServer } from "@effect/platform"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Rpc, RpcClient, type RpcClientError, RpcGroup, RpcSerialization, RpcServer } from "@effect/rpc"
import { Context, Effect, Layer, ManagedRuntime, Schema } from "effect"
import type { Driver, EchoOptions, EchoResult, Peer, Server } from "../peer.js"
import { checkEcho, echoPayload } from "../workload.js"
import { HOST } from "./tcp.js"

const NO_STREAMS = "calls only: a stream of bytes in both directions is not one of them"

export const peer: Peer = {
  name: "effectRpc",
  about:
    "@effect/rpc 0.76 over a socket of @effect/platform-node: msgpack, bytes as they are, no tracing; an echo is a call",
  lacks: {
    ping: NO_STREAMS,
    bulk: NO_STREAMS,
    "bulk both ways": NO_STREAMS,
    mixed: NO_STREAMS,
    idle: NO_STREAMS,
    wan: NO_STREAMS
  },
  serve: (service, port) => (service === "echo" ? serve(port) : lacking()),
  connect: (port) => connect(port)
}

const lacking = () => Promise.reject(new Error(NO_STREAMS))

const Bytes = Schema.Uint8ArrayFromSelf

const Calls = RpcGroup.make(Rpc.make("Echo", { payload: { bytes: Bytes }, success: Bytes }))

// --- the server's side ---

const serve = async (port: number): Promise<Server> => {
  const protocol = RpcServer.layerProtocolSocketServer.pipe(
    Layer.provide(RpcSerialization.layerMsgPack),
    Layer.provideMerge(NodeSocketServer.layer({ port, host: HOST, noDelay: true }))
  )
  const runtime = ManagedRuntime.make(
    RpcServer.layer(Calls, { disableTracing: true }).pipe(
      Layer.provide(Calls.toLayer({ Echo: ({ bytes }) => Effect.succeed(bytes) })),
      Layer.provideMerge(protocol)
    )
  )
  const { address } = await runtime.runPromise(SocketServer.SocketServer)
  if (address._tag !== "TcpAddress") throw new Error("a TCP server has an address and a port")
  return { port: address.port, close: () => runtime.dispose() }
}

// --- the client's side ---

class Client extends Context.Tag("bench/effectRpc/Client")<
  Client,
  RpcClient.RpcClient<RpcGroup.Rpcs<typeof Calls>, RpcClientError.RpcClientError>
>() {}

const connect = async (port: number): Promise<Driver> => {
  const protocol = RpcClient.layerProtocolSocket().pipe(
    Layer.provide(RpcSerialization.layerMsgPack),
    Layer.provide(NodeSocket.layerNet({ port, host: HOST, noDelay: true }))
  )
  const runtime = ManagedRuntime.make(
    Layer.scoped(Client, RpcClient.make(Calls, { disableTracing: true })).pipe(Layer.provide(protocol))
  )
  const client = await runtime.runPromise(Client)
  return {
    echo: (options) => runtime.runPromise(echo(client, options)),
    ping: lacking,
    bulk: lacking,
    idle: lacking,
    close: () => runtime.dispose()
  }
}

const echo = (client: Client["Type"], { concurrency, size, milliseconds }: EchoOptions) =>
  Effect.suspend(() => {
    const bytes = echoPayload(size)
    const started = performance.now()
    let done = 0
    const call = client.Echo({ bytes }).pipe(
      Effect.map((echoed) => {
        checkEcho(size, echoed.length, echoed[0], echoed[echoed.length - 1])
        done += 1
      })
    )
    const more = Effect.whileLoop({
      while: () => performance.now() - started < milliseconds,
      body: () => call,
      step: () => undefined
    })
    const caller = Effect.zipRight(call, more)
    return Effect.replicateEffect(caller, concurrency, { concurrency: "unbounded", discard: true }).pipe(
      Effect.map((): EchoResult => ({ streams: done, milliseconds: performance.now() - started }))
    )
  })
