/** The application of the session under attack: it echoes, or does nothing. */
import type { Session } from "effect-muxado"
import * as Effect from "effect/Effect"
import { echo } from "../../test/support/echo.js"

export type Application = "echo" | "hold"

export const apply = (application: Application, session: Session.SessionService): Effect.Effect<void> =>
  application === "hold" ? Effect.asVoid(session.closed) : session.serve(echo)
