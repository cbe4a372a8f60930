/**
 * An echo server in a process of its own, told by its argument how to be. It prints its port, then a line of JSON when a
 * session ends; every line that it reads is a number of milliseconds for which it is to hang.
 */
import type { SessionOptions } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createInterface } from "node:readline"
import { echo } from "../echo.js"

export interface Settings {
  readonly session?: SessionOptions
  readonly tls?: { readonly key: string; readonly cert: string; readonly handshakeTimeout: number }
}

const Text = Schema.parseJson(Schema.Unknown)

const isSettings = (value: unknown): value is Settings => typeof value === "object" && value !== null

const settings = Schema.decodeUnknownSync(Text)(process.argv[2])
if (!isSettings(settings)) throw new TypeError("no settings")

const print = (fields: object): void => void process.stdout.write(`${JSON.stringify(fields)}\n`)

const where = { host: "127.0.0.1", port: 0 }

const serve = ({ session, tls }: Settings) =>
  Effect.gen(function* () {
    const server = yield* tls === undefined
      ? NodeSessionServer.makeTcp(where, session)
      : NodeSessionServer.makeTls({ ...where, ...tls }, session)
    if (server.address._tag === "TcpAddress") print({ port: server.address.port })
    return yield* server.run((session) =>
      Effect.zipRight(
        session.serve(echo),
        Effect.map(session.closed, (end) =>
          print({ ended: end._tag, ...("reason" in end ? { reason: end.reason } : {}) })
        )
      )
    )
  }).pipe(Effect.scoped)

const hang = (milliseconds: number): void => {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
  print({ hung: milliseconds })
}

for (const event of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(event, (error: unknown) => print({ unhandled: String(error) }))
}

createInterface({ input: process.stdin }).on("line", (line) => hang(Number(line)))

Effect.runFork(serve(settings))
