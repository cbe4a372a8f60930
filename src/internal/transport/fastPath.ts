/**
 * The fast path as a capability: how a transport, a reader or a writer offers one, and when it is used.
 *
 * A session must never go around code that stands between it and its transport. So an offer names its owner, and
 * counts for this object alone: a copy, a Proxy or an object that inherits from the owner has the owner's offer at
 * most, and its own `read` and `write` are used. The property is not enumerable, so a spread loses it. The owner is
 * frozen, so that nothing can replace its `read` or `write` behind the offer.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { TransportFailed } from "../../MuxadoError.js"
import { describe } from "../support/describe.js"
import { call } from "./foreignCalls.js"

interface Offer {
  readonly owner: object
}

/** What may offer a fast path. */
interface Service<F extends Offer> {
  readonly fastPath?: F | undefined
}

/** Makes the offer of a new object, which nothing else has seen yet. */
export const offerFastPath = <F extends Offer, S extends Service<F>>(owner: S, fastPath: F): S => {
  Object.defineProperty(owner, "fastPath", { value: fastPath })
  Object.freeze(owner)
  return owner
}

/**
 * The fast path that the object offers for itself; `undefined` where it offers none, and where the offer is wrong. It
 * is read without a getter, which would be code that is not ours.
 */
export const fastPathOf = <F extends Offer>(
  service: Service<F>,
  parts: ReadonlyArray<Exclude<keyof F, "owner"> & string>
): F | undefined => {
  const offered: unknown = offeredBy(service)
  const isOffer = (value: unknown): value is F => isOwn(value, service) && wrongPart(value, parts) === undefined
  return isOffer(offered) ? offered : undefined
}

/** What is wrong with the offer of an object, in words. */
export const fastPathFault = (service: object, what: string, parts: ReadonlyArray<string>): string | undefined => {
  const offered: unknown = offeredBy(service)
  if (offered === undefined) return undefined
  if (typeof offered !== "object" || offered === null || !("owner" in offered)) {
    return `the fastPath of a ${what} is made by withFastPath, it cannot be ${describe(offered)}`
  }
  if (!isOwn(offered, service)) return undefined
  const wrong = wrongPart(offered, parts)
  if (wrong === undefined) return undefined
  return `${wrong} of a ${what}'s fastPath must be a function, not ${describe(Reflect.get(offered, wrong))}`
}

/**
 * Runs an `each` that is not ours. It may throw, give no effect, complete too early, or call `take` once it has
 * failed or was interrupted; none of that reaches `take`.
 */
export const runEach = <A>(
  what: string,
  fastPath: { readonly each: (take: (a: A) => boolean) => Effect.Effect<void, TransportFailed> },
  take: (a: A) => boolean
): Effect.Effect<void, TransportFailed> =>
  Effect.suspend(() => {
    let asksForMore = true
    let isOver = false
    const handOver = (a: A): boolean => {
      if (isOver) return false
      asksForMore = take(a)
      return asksForMore
    }
    return call(`what each of a ${what}'s fastPath gives`, () => fastPath.each(handOver)).pipe(
      Effect.flatMap(() =>
        asksForMore ? Effect.die(new Error(`each of a ${what}'s fastPath completed before it had failed`)) : Effect.void
      ),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          isOver = Exit.isFailure(exit)
        })
      )
    )
  })

const offeredBy = (service: unknown): unknown =>
  typeof service === "object" && service !== null
    ? Object.getOwnPropertyDescriptor(service, "fastPath")?.value
    : undefined

const isOwn = (offered: unknown, service: object): offered is Offer =>
  typeof offered === "object" && offered !== null && "owner" in offered && offered.owner === service

const wrongPart = (offered: object, parts: ReadonlyArray<string>): string | undefined =>
  parts.find((part) => typeof Reflect.get(offered, part) !== "function")
