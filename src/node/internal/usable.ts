/**
 * Which Duplexes can become transports.
 *
 * @since 0.1.0
 */
import { describe } from "../../internal/support/describe.js"
import { InvalidOptions } from "../../MuxadoError.js"

/** The Duplexes that are transports: what one leaves unread is no beginning for another. */
const adapted = new WeakSet<object>()

/**
 * Why a value cannot become a transport; from now on it is one, otherwise.
 *
 * @since 0.1.0
 * @category guards
 */
export const unusable = (duplex: unknown): InvalidOptions | undefined => {
  if (typeof duplex !== "object" || duplex === null || !("on" in duplex && "read" in duplex && "write" in duplex)) {
    return new InvalidOptions({ detail: `fromDuplex: takes a Duplex, not ${describe(duplex)}` })
  }
  if (adapted.has(duplex)) return new InvalidOptions({ detail: "fromDuplex: this Duplex already is a transport" })
  adapted.add(duplex)
  return undefined
}
