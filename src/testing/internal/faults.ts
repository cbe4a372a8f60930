/** The faults of a simulated connection: what users ask for, applied to its links and sides. */
import * as Duration from "effect/Duration"
import type { Hangs } from "./endpoint.js"
import type { Link } from "./link.js"
import type { Direction } from "./trace.js"

/**
 * From when on a fault is there: `true` for at once, `false` for never, or how much later; a number is
 * milliseconds.
 *
 * @since 0.1.0
 * @category faults
 */
export type When = boolean | Duration.DurationInput

/**
 * A byte that arrives changed.
 *
 * @since 0.1.0
 * @category faults
 */
export interface Corruption {
  /** The byte's offset in its direction, 0 for the first byte. */
  readonly at: number
  /** What the byte is XORed with, 1 to 255. Default: one of these, which the seed decides. */
  readonly xor?: number | undefined
}

/**
 * What goes wrong on the way of the bytes of one direction. Counts and offsets are of bytes of that direction, from
 * the first one that was written.
 *
 * @since 0.1.0
 * @category faults
 */
export interface DirectionFaults {
  /**
   * The connection is reset, for both sides, when this many bytes of the direction have arrived. The writer hands over
   * no more bytes than these, and the reader reads no more. Default: never.
   */
  readonly cutAt?: number | undefined
  /**
   * The bytes at these offsets (0 is the first byte) arrive changed, unless the writer has handed them over already.
   * Default: none.
   */
  readonly corruptAt?: number | Corruption | ReadonlyArray<number | Corruption> | undefined
  /** From when on the direction loses all bytes without an error: see `Pair.blackHole`. Default: never. */
  readonly blackHole?: When | undefined
  /** After how many bytes the direction loses all others; these still arrive. Default: never. */
  readonly blackHoleAt?: number | undefined
  /** From when on a `write` of this direction takes no more bytes: see `Pair.stallWrites`. Default: never. */
  readonly stallWrites?: When | undefined
  /** After how many bytes a `write` of this direction takes no more. Default: never. */
  readonly stallWritesAt?: number | undefined
}

/**
 * Which operations of a side never complete; they can be interrupted.
 *
 * @since 0.1.0
 * @category faults
 */
export interface SideFaults {
  /**
   * From when on a `write` hands over what there is room for, and never completes, not even after `destroy`.
   * Default: never.
   */
  readonly neverWrite?: When | undefined
  /** From when on an `end` sends nothing and never completes, not even after `destroy`. Default: never. */
  readonly neverEnd?: When | undefined
  /**
   * From when on a `destroy` does nothing and never completes; closing the pair's scope destroys the side all the same.
   * No `Transport` may do this: an uninterruptible `destroy`, as that of a finalizer, never completes. Default: never.
   */
  readonly neverDestroy?: When | undefined
}

/**
 * What goes wrong: on the way of the bytes (`clientToServer`, `serverToClient`), with what a side does (`client`,
 * `server`), or with the whole connection (`cut`). A fault stays, and the earlier of two of a kind counts.
 *
 * @since 0.1.0
 * @category faults
 */
export interface Faults {
  /** What goes wrong with bytes that the client writes. Default: nothing. */
  readonly clientToServer?: DirectionFaults | undefined
  /** What goes wrong with bytes that the server writes. Default: nothing. */
  readonly serverToClient?: DirectionFaults | undefined
  /** Which operations of the client never complete. Default: none. */
  readonly client?: SideFaults | undefined
  /** Which operations of the server never complete. Default: none. */
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

/** Throws a `RangeError` for what makes no sense. */
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
        throw new RangeError(`corruptAt needs a byte that changes something, 1 to 255: ${xor}`)
      }
    }
  }
}

/** Applies the faults, those with a time counted from `now` in milliseconds. It wakes no fiber. */
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

/** The faults in words, each with the direction that it is of. */
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
