/**
 * Owns the listening socket and starts the servers, as systemd does. The socket is descriptor 4 here and in the servers.
 * This process never accepts a connection, so connections wait in the kernel while no server listens.
 */
import type { ChildProcess } from "node:child_process"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { FromOwner } from "./messages.js"
import { FromServer, onMessage, say, ToOwner } from "./messages.js"
import * as Schema from "effect/Schema"

const LISTENING = 4

const path = fileURLToPath(new URL("server.ts", import.meta.url))
const servers = new Map<number, ChildProcess>()
const decode = Schema.decodeUnknownSync(FromServer)
const tell = (message: FromOwner): void => say(message)

const start = ({ server, settings }: Extract<ToOwner, { _tag: "Start" }>): void => {
  const child = fork(path, [JSON.stringify(settings)], {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "inherit", "inherit", "ipc", ...(settings.inherits ? [LISTENING] : [])]
  })
  servers.set(server, child)
  child.on("message", (message) => tell({ _tag: "Said", server, what: decode(message) }))
  child.once("exit", (code, signal) => {
    servers.delete(server)
    tell({ _tag: "Ended", server, code, signal })
  })
}

onMessage(ToOwner, (message) => {
  switch (message._tag) {
    case "Start":
      return start(message)
    case "Tell":
      return void servers.get(message.server)?.send(message.what)
    case "Signal":
      return void servers.get(message.server)?.kill(message.signal)
  }
})

process.once("disconnect", () => {
  for (const child of servers.values()) child.kill("SIGKILL")
})
