/** The client of a pair: `client SETTINGS`, see `messages.ts`. It runs one case after the other, on request. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { programs } from "./cases.js"
import { listen, say } from "./lines.js"
import type { Case, FromClient, State } from "./messages.js"
import { decodeClientSettings, ToClient } from "./messages.js"

const settings = decodeClientSettings(process.argv[2])
const decode = Schema.decodeUnknownSync(Schema.parseJson(ToClient))

let awaiting: Deferred.Deferred<State | null> | undefined

const cases = programs(settings, (request) =>
  Effect.flatMap(Deferred.make<State | null>(), (answer) => {
    awaiting = answer
    say({ _tag: "Ask", request } satisfies FromClient)
    return Deferred.await(answer)
  })
)

const run = (name: Case): void => {
  const late = `not done after ${settings.deadline} ms`
  Effect.runFork(
    Effect.timeoutFail(Effect.scoped(cases[name]), { duration: settings.deadline, onTimeout: () => new Error(late) })
  ).addObserver((exit) =>
    say({ _tag: "Done", failure: Exit.isSuccess(exit) ? null : Cause.pretty(exit.cause) } satisfies FromClient)
  )
}

listen((line) => {
  const message = decode(line)
  if (message._tag === "Run") run(message.case)
  else if (awaiting !== undefined) Deferred.unsafeDone(awaiting, Exit.succeed(message.state))
})

say({ _tag: "Ready" } satisfies FromClient)
