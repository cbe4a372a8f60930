/** The state behind a session, for the parts of the library that run several sessions as one. */
import type { SessionService } from "./sessionService.js"
import type { SessionState } from "./state.js"

/** A `WeakMap`, and no field of the session, so that a program cannot reach the state. */
const states = new WeakMap<SessionService, SessionState>()

export const registerState = (session: SessionService, state: SessionState): void => {
  states.set(session, state)
}

/** The state of a session that this copy of the library has made. */
export const stateOf = (session: SessionService): SessionState | undefined => states.get(session)
