/**
 * A server that is replaced. It listens when it hears so, appends each request that it executes to a file, and drains
 * after SIGTERM. It ends only when nothing is left in it: no code calls `process.exit`.
 */
import { NodeSessionServer } from "effect-muxado/node"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Schedule from "effect/Schedule"
import { closeSync, openSync, writeSync } from "node:fs"
import { answer } from "../call.js"
import type { FromServer } from "./messages.js"
import { onMessage, say, Settings, settingsOf, ToServer } from "./messages.js"

const { inherits, log, tls } = settingsOf(Settings)
const file = openSync(log, "a")
const tell = (message: FromServer): void => say(message)
const port = Deferred.unsafeMake<number>(FiberId.none)

const listen = (port: number) => {
  const where = inherits ? { listening: { fd: 4 } } : { host: "127.0.0.1", port }
  return tls === undefined ? NodeSessionServer.makeTcp(where) : NodeSessionServer.makeTls({ ...where, ...tls })
}

const program = Effect.gen(function* () {
  tell({ _tag: "Ready" })
  const wanted = yield* Deferred.await(port)
  const server = yield* listen(wanted).pipe(
    // the old server may not have closed its socket yet
    Effect.retry({
      while: (error) => error._tag === "ServerFailed" && error.reason === "AddressInUse",
      schedule: Schedule.spaced("5 millis")
    })
  )
  const { address } = server
  if (address._tag === "TcpAddress") tell({ _tag: "Listening", at: Date.now(), port: address.port })
  return yield* server.run((session) =>
    session.serve((stream) => answer(stream, ({ attempt, id }) => void writeSync(file, `${id} ${attempt}\n`)))
  )
}).pipe(Effect.scoped)

const running = Effect.runFork(program)

onMessage(ToServer, (message) => {
  if (message._tag === "Listen") return void Deferred.unsafeDone(port, Exit.succeed(message.port))
  const { system, user } = process.cpuUsage()
  tell({ _tag: "Used", cpu: (user + system) / 1000 })
})

process.once("SIGTERM", () => void Effect.runFork(Fiber.interrupt(running)))

running.addObserver((exit) => {
  closeSync(file)
  if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) {
    process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
    process.exitCode = 1
  }
  process.disconnect()
})
