/**
 * Keeps an error that no code waits for any more from ending the process.
 *
 * @since 0.1.0
 */
import type { Duplex } from "node:stream"

/**
 * Swallows the errors of `duplex` until its `"close"`, or until the returned function is called. An `"error"` without a
 * listener is thrown as an uncaught exception, and a socket may still report one after it was destroyed.
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
