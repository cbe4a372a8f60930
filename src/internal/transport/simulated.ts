/**
 * What a simulated link does for the sessions over it. It is found by the transport's operations, so that a transport
 * made of them, by a copy with another `write` say, is known too.
 */
import type * as Effect from "effect/Effect"
import type { ConnectionStats } from "../../protocol/stats.js"
import type { TransportService } from "./transportService.js"

/** A session over the link, as far as the link asks it what it is doing. */
export interface CarriedSession {
  readonly stats: Effect.Effect<ConnectionStats>
}

export interface Simulated {
  /** Runs what the end of the session's scope does, while virtual time passes. */
  readonly whileClosing: <A, E, R>(closing: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The session may be asked what it is doing. */
  readonly carries: (session: CarriedSession) => void
}

const links = new WeakMap<object, Simulated>()

const OPERATIONS = ["read", "write", "end", "destroy"] as const

export const simulate = (transport: TransportService, link: Simulated): void => {
  for (const operation of OPERATIONS) links.set(transport[operation], link)
}

export const simulatedBy = (transport: TransportService): Simulated => {
  for (const operation of OPERATIONS) {
    // read without its getter: that is code of somebody else's, and may count, throw or have an effect
    const value: unknown = Object.getOwnPropertyDescriptor(transport, operation)?.value
    const link = typeof value === "object" || typeof value === "function" ? links.get(value ?? REAL) : undefined
    if (link !== undefined) return link
  }
  return REAL
}

const REAL: Simulated = { whileClosing: (closing) => closing, carries: () => undefined }
