/** `npm run -s example:express`: an Express server whose route calls a backend over one session, which recovers. */
import { Effect, Exit, ManagedRuntime, Schedule } from "effect"
import { MuxStream, Session } from "effect-muxado"
import { NodeSession } from "effect-muxado/node"
import express from "express"
import { onFirstSignal } from "../shared/signals.js"

const { BACKEND_PORT = "7000", PORT = "3000" } = process.env

// made once, and never again: it connects, and connects again. All requests share the connection
const runtime = ManagedRuntime.make(
  NodeSession.layerTcp(
    { host: "127.0.0.1", port: Number(BACKEND_PORT) },
    {
      openTimeout: "30 seconds", // how long a request waits for the backend
      reconnect: Schedule.spaced("500 millis"), // the only client of the backend: its delays need not grow
      retry: true
    }
  )
)

const shout = (text: string) =>
  Effect.flatMap(Session.Session, (session) =>
    session.withStream((stream) =>
      MuxStream.write(stream, text).pipe(
        Effect.zipRight(MuxStream.finish(stream)),
        Effect.zipRight(MuxStream.readAll(stream)),
        Effect.map((answer) => new TextDecoder().decode(answer))
      )
    )
  )

const app = express()

app.get("/shout/:text", async (request, response) => {
  const gone = new AbortController()
  response.on("close", () => gone.abort()) // interrupts the call, and with it the handler of the backend
  const call = Effect.match(shout(request.params.text), {
    onSuccess: (body) => ({ status: 200, body }),
    // 503: the backend has done nothing. 502: it may have acted
    onFailure: ({ message, processed }) => ({ status: processed === "no" ? 503 : 502, body: message })
  })
  const exit = await runtime.runPromiseExit(call, { signal: gone.signal })
  if (Exit.isSuccess(exit)) response.status(exit.value.status).type("text").send(exit.value.body)
  else if (!gone.signal.aborted) throw new Error("the call died", { cause: exit.cause })
})

await runtime.runtime() // begins to connect, and does not wait for the backend
const server = app.listen(Number(PORT), "127.0.0.1", () => {
  const address = server.address()
  console.log(`Listening on http://127.0.0.1:${typeof address === "object" ? address?.port : address}`)
})
onFirstSignal(() => server.close(() => void runtime.dispose())) // the requests end first, and then the session
