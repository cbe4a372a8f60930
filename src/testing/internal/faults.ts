/** The faults of a simulated connection, and how they change its links and sides. */
import * as Duration from "effect/Duration"
import type { Hangs } from "./endpoint.js"
import type { Link } from "./link.js"
import type { Direction } from "./trace.js"

/**
 * The start of a fault: `true` is now, `false` is never, and a duration is that much later. A number is milliseconds.
 *
 * @since 0.1.0
 * @category faults
 */
export type When = boolean | Duration.DurationInput

/**
 * A byte to change on its way.
 *
 * @since 0.1.0
 * @category faults
 */
export interface Corruption {
  /** The byte's offset in its direction, 0 for the first byte. */
  readonly at: number
  /** The number that the byte is XORed with, 1 to 255. Default: one that comes from the seed. */
  readonly xor?: number | undefined
}

/**
 * Faults of one direction. Counts and offsets are in bytes of that direction, from its first written byte.
 *
 * @since 0.1.0
 * @category faults
 */
export interface DirectionFaults {
  /**
   * The connection is reset on both sides when this number of bytes of the direction has arrived. The writer sends at
   * most this number, and the reader reads at most this number. Default: never.
   */
  readonly cutAt?: number | undefined
  /**
   * The bytes at these offsets (0 is the first byte) arrive changed, unless they are already sent. Default: none.
   */
  readonly corruptAt?: number | Corruption | ReadonlyArray<number | Corruption> | undefined
  /** The time from which the direction loses all bytes without an error: see `Pair.blackHole`. Default: never. */
  readonly blackHole?: When | undefined
  /** After this number of bytes, which still arrive, the direction loses all others. Default: never. */
  readonly blackHoleAt?: number | undefined
  /** The time from which `write` accepts no bytes: see `Pair.stallWrites`. Default: never. */
  readonly stallWrites?: When | undefined
  /** After this number of bytes, `write` accepts no more. Default: never. */
  readonly stallWritesAt?: number | undefined
}

/**
 * Operations of one side that never complete. They can be interrupted.
 *
 * @since 0.1.0
 * @category faults
 */
export interface SideFaults {
  /**
   * The time from which a `write` sends as many bytes as the buffer has space for, and never completes, even after
   * `destroy`. Default: never.
   */
  readonly neverWrite?: When | undefined
  /** The time from which an `end` sends nothing and never completes, even after `destroy`. Default: never. */
  readonly neverEnd?: When | undefined
  /**
   * The time from which a `destroy` does nothing and never completes. Closing the pair's scope still destroys the side.
   * No correct `Transport` does this: a finalizer that calls `destroy` would never complete. Default: never.
   */
  readonly neverDestroy?: When | undefined
}

/**
 * The faults of one direction (`clientToServer`, `serverToClient`), of the operations of one side (`client`, `server`),
 * or of the whole connection (`cut`). A fault is permanent. Of two faults of the same kind, the earlier one applies.
 *
 * @since 0.1.0
 * @category faults
 */
export interface Faults {
  /** Faults of the bytes that the client writes. Default: none. */
  readonly clientToServer?: DirectionFaults | undefined
  /** Faults of the bytes that the server writes. Default: none. */
  readonly serverToClient?: DirectionFaults | undefined
  /** Operations of the client that never complete. Default: none. */
  readonly client?: SideFaults | undefined
  /** Operations of the server that never complete. Default: none. */
  readonly server?: SideFaults | undefined
  /** When the connection is reset: see `Pair.cut`. Default: never. */
  readonly cut?: When | undefined
}

/** The links and sides that the faults of a pair change. */
export interface Targets {
  readonly clientToServer: Link
  readonly serverToClient: Link
  readonly client: Hangs
  readonly server: Hangs
}

/** Throws a `RangeError` for a fault that is out of range. */
export const checkFaults = (faults: Faults): void => {
  for (const direction of [faults.clientToServer, faults.serverToClient]) {
    if (direction === undefined) continue
    const { blackHoleAt, cutAt, stallWritesAt } = direction
    for (const [name, bytes] of Object.entries({ blackHoleAt, cutAt, stallWritesAt })) {
      if (bytes !== undefined && !isCount(bytes)) throw new RangeError(`${name} must be a number of bytes: ${bytes}`)
    }
    for (const { at, xor } of corruptions(direction)) {
      if (!isCount(at)) throw new RangeError(`corruptAt must be the offset of a byte: ${at}`)
      if (xor !== undefined && !(isCount(xor) && 0 < xor && xor < 256)) {
        throw new RangeError(`xor of corruptAt must be a whole number from 1 to 255: ${xor}`)
      }
    }
  }
}

/** Applies the faults. A `When` is relative to `now`, in milliseconds. It wakes no fiber. */
export const applyFaults = (targets: Targets, faults: Faults, now: number): void => {
  applyToLink(targets.clientToServer, faults.clientToServer ?? {}, now)
  applyToLink(targets.serverToClient, faults.serverToClient ?? {}, now)
  applyToSide(targets.client, faults.client ?? {}, now)
  applyToSide(targets.server, faults.server ?? {}, now)
  const cutAt = time(faults.cut, now)
  if (cutAt === Infinity) return
  targets.clientToServer.cut(cutAt)
  targets.serverToClient.cut(cutAt)
}

const applyToLink = (link: Link, faults: DirectionFaults, now: number): void => {
  for (const { at, xor } of corruptions(faults)) link.corrupt(at, xor)
  const lostAt = time(faults.blackHole, now)
  if (lostAt !== Infinity) link.lose(lostAt)
  if (faults.blackHoleAt !== undefined) link.loseAfter(faults.blackHoleAt)
  link.stall(time(faults.stallWrites, now))
  if (faults.stallWritesAt !== undefined) link.stallAfter(faults.stallWritesAt)
  if (faults.cutAt !== undefined) link.cutAfter(now, faults.cutAt)
}

const applyToSide = (hangs: Hangs, faults: SideFaults, now: number): void => {
  hangs.write = Math.min(hangs.write, time(faults.neverWrite, now))
  hangs.end = Math.min(hangs.end, time(faults.neverEnd, now))
  hangs.destroy = Math.min(hangs.destroy, time(faults.neverDestroy, now))
}

/** Describes the faults in words, each with its direction. */
export const describeFaults = (faults: Faults) => [
  ...words(faults.clientToServer, "clientToServer", ""),
  ...words(faults.serverToClient, "serverToClient", ""),
  ...words(faults.client, "clientToServer", "client "),
  ...words(faults.server, "serverToClient", "server "),
  ...words({ cut: faults.cut }, "both", "")
]

const words = (faults: object | undefined, direction: Direction | "both", prefix: string) =>
  Object.entries(faults ?? {})
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => ({ direction, detail: `${prefix}${name}${argument(value)}` }))

const argument = (value: unknown): string => {
  if (value === true) return ""
  if (typeof value === "bigint") return ` ${value} ns`
  return Duration.isDuration(value) ? ` ${Duration.format(value)}` : ` ${JSON.stringify(value)}`
}

const corruptions = ({ corruptAt = [] }: DirectionFaults): ReadonlyArray<Corruption> =>
  [corruptAt].flat().map((one) => (typeof one === "number" ? { at: one } : one))

const time = (when: When | undefined, now: number): number => {
  if (when === undefined || when === false) return Infinity
  return when === true ? now : now + Duration.toMillis(when)
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
