import { Effect } from "effect"
import { Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
const N = Number(process.argv[2] ?? 1000)
const program = Effect.gen(function* () {
  const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
  yield* Effect.forkScoped(server.run((s) => s.serve(() => Effect.void)))
  const port = server.address._tag === "TcpAddress" ? server.address.port : 0
  globalThis.gc?.()
  const before = process.memoryUsage()
  for (let i = 0; i < N; i++) {
    const t = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
    yield* Session.make("client").pipe(Effect.provide(yield* Effect.promise(async () => {
      const { Context } = await import("effect"); const { FrameReader, FrameWriter, Transport } = await import("effect-muxado")
      return Context.empty().pipe(Context.add(Transport.Transport, t), Context.add(FrameReader.FrameReader, FrameReader.make(t)), Context.add(FrameWriter.FrameWriter, FrameWriter.make(t)))
    })))
    if (i % 50 === 0) yield* Effect.sleep(10)
  }
  yield* Effect.sleep("25 seconds")
  globalThis.gc?.()
  const after = process.memoryUsage()
  const a = process.cpuUsage(), s = Date.now()
  yield* Effect.sleep("30 seconds")
  const b = process.cpuUsage(a)
  console.log(`${N} pairs: ${((b.user + b.system) / 1000 / (Date.now() - s) * 100).toFixed(1)} % of a core; heap a pair ${((after.heapUsed - before.heapUsed) / N / 1024).toFixed(1)} KiB, rss ${((after.rss - before.rss) / N / 1024).toFixed(1)} KiB`)
  process.exit(0)
})
await Effect.runPromise(Effect.scoped(program))
