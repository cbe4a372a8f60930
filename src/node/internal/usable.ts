/**
 * Which Duplexes can become transports.
 *
 * @since 0.1.0
 */
import { describe } from "../../internal/support/describe.js"
import { InvalidOptions } from "../../MuxadoError.js"

/** The Duplexes that carry a transport. A second transport would begin in the middle of the first one's bytes. */
const adapted = new WeakSet<object>()

/**
 * The reason why a value cannot become a transport. If there is none, marks the value as used and returns `undefined`.
 *
 * @since 0.1.0
 * @category guards
 */
export const unusable = (duplex: unknown): InvalidOptions | undefined => {
  if (typeof duplex !== "object" || duplex === null || !("on" in duplex && "read" in duplex && "write" in duplex)) {
    return new InvalidOptions({ detail: `fromDuplex takes a Duplex, not ${describe(duplex)}` })
  }
  if (adapted.has(duplex)) return new InvalidOptions({ detail: "fromDuplex: this Duplex already carries a transport" })
  adapted.add(duplex)
  return undefined
}
