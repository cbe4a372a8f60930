/** The metrics of all managed sessions of a program. */
import * as Metric from "effect/Metric"

const counter = (name: string, description: string) =>
  Metric.counter(`muxado_client_${name}`, { description, incremental: true })

/** Sessions that took calls. */
export const connects = counter("connects", "Sessions made by managed sessions")

/** The same, without the first of each connection. */
export const reconnects = counter("reconnects", "Sessions that replaced a lost or leaving one")

/** Failed attempts to connect, and lost sessions; the tag `reason` is the tag of the error. */
export const failures = counter("failures", "Failed attempts to connect and lost sessions, by the tag of the error")

/** Calls that were opened again on a fresh session, because theirs was leaving and had done nothing. */
export const streamsMoved = counter("streams_moved", "Calls opened again because their session was leaving")

/** Calls that no session took in time. */
export const unavailable = counter("unavailable", "Calls that failed because there was no session, by the reason")

/** Calls that wait for a session now. */
export const waiting = Metric.gauge("muxado_client_waiting", { description: "Calls that wait for a session" })
