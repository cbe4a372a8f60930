/**
 * Keeps an `"error"` event that no other code handles from ending the process.
 *
 * @since 0.1.0
 */
import type { Duplex } from "node:stream"

/**
 * Ignores the errors of `duplex` until its `"close"`, or until the returned function is called. Node throws an
 * `"error"` event without a listener as an uncaught exception, and a socket may emit one even after it was destroyed.
 *
 * @since 0.1.0
 * @category utilities
 */
export const guardErrors = (duplex: Duplex): (() => void) => {
  const release = (): void => {
    duplex.off("error", ignore)
    duplex.off("close", release)
  }
  duplex.on("error", ignore)
  duplex.on("close", release)
  return release
}

const ignore = (): void => {}
