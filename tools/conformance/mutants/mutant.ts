/** The model of a mutant. */
import type { Transport } from "effect-muxado"
import type { WireFrame } from "../frames.js"
import type { Tampering } from "../tampering.js"
import { kept } from "../tampering.js"

export interface Mutant {
  readonly fault: string
  readonly make: () => Tampering
  /** What is wrong with the transport as a whole. */
  readonly wrap?: (transport: Transport.TransportService) => Transport.TransportService
  /** The rows that must fail, and some that must not. */
  readonly fails: ReadonlyArray<string>
  readonly passes: ReadonlyArray<string>
}

export const changed = (frame: WireFrame, fields: Partial<WireFrame>): Uint8Array => kept({ ...frame, ...fields })

export const nothing: ReadonlyArray<Uint8Array> = []
