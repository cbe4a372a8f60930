/**
 * The services of a simulated link for its sessions. They are found by the transport's operations, so that they are
 * also found for a copy of the transport with another `write`.
 */
import type * as Effect from "effect/Effect"
import type { ConnectionStats } from "../../protocol/stats.js"
import type { TransportService } from "./transportService.js"

/** A session over the link, as far as the link asks it what it is doing. */
export interface CarriedSession {
  readonly stats: Effect.Effect<ConnectionStats>
}

export interface Simulated {
  /** Runs the finalizer of the session's scope while virtual time passes. */
  readonly whileClosing: <A, E, R>(closing: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Registers the session, so that the link can show what it does. */
  readonly carries: (session: CarriedSession) => void
}

const links = new WeakMap<object, Simulated>()

const OPERATIONS = ["read", "write", "end", "destroy"] as const

export const simulate = (transport: TransportService, link: Simulated): void => {
  for (const operation of OPERATIONS) links.set(transport[operation], link)
}

export const simulatedBy = (transport: TransportService): Simulated => {
  for (const operation of OPERATIONS) {
    // calls no getter, because a program's getter may throw or have side effects
    const value: unknown = Object.getOwnPropertyDescriptor(transport, operation)?.value
    const link = typeof value === "object" || typeof value === "function" ? links.get(value ?? REAL) : undefined
    if (link !== undefined) return link
  }
  return REAL
}

const REAL: Simulated = { whileClosing: (closing) => closing, carries: () => undefined }
