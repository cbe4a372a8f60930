import { Effect } from "effect"
import { Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { writeHeapSnapshot } from "node:v8"
import { readFileSync } from "node:fs"
const summarize = (file: string) => {
  const h = JSON.parse(readFileSync(file, "utf8")); const f = h.snapshot.meta.node_fields; const types = h.snapshot.meta.node_types[0]
  const m = new Map<string, [number, number]>()
  for (let i = 0; i < h.nodes.length; i += f.length) {
    const type = types[h.nodes[i]]; const name = type === "object" || type === "closure" ? type + " " + h.strings[h.nodes[i + 1]].slice(0, 40) : type
    const e = m.get(name) ?? [0, 0]; e[0]++; e[1] += h.nodes[i + 3]; m.set(name, e)
  }
  return m
}
const N = 200
await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
  const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
  yield* Effect.forkScoped(server.run((s) => s.serve(() => Effect.void)))
  const port = server.address._tag === "TcpAddress" ? server.address.port : 0
  const dial = (n: number) => Effect.gen(function* () { for (let i = 0; i < n; i++) { const t = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port }); yield* Session.fromTransport(t, { role: "client" }) } })
  yield* dial(50)
  yield* Effect.sleep(12000)
  const a = summarize(writeHeapSnapshot("/tmp/a.heapsnapshot"))
  yield* dial(N)
  yield* Effect.sleep(24000)
  const b = summarize(writeHeapSnapshot("/tmp/b.heapsnapshot"))
  const rows = [...b].map(([k, [n, s]]) => [k, (n - (a.get(k)?.[0] ?? 0)) / N, (s - (a.get(k)?.[1] ?? 0)) / N] as const).sort((x, y) => y[2] - x[2])
  console.log("total per pair", rows.reduce((s, r) => s + r[2], 0) | 0)
  for (const r of rows.slice(0, 45)) console.log(r[2].toFixed(0).padStart(7), r[1].toFixed(1).padStart(7), r[0])
  process.exit(0)
})))
