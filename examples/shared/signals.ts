/**
 * SIGINT and SIGTERM under npm, which sends them to its script again after the terminal has sent them to all processes.
 */

const SIGNALS = ["SIGINT", "SIGTERM"] as const

/** A second signal within this time (in milliseconds) counts as the first one. */
const SAME_MILLIS = 1000

/**
 * Calls `react` at the first SIGINT or SIGTERM. Others within a second count as the same one; later ones kill the
 * process.
 */
export const onFirstSignal = (react: () => void): void => {
  let signalled = false
  const onSignal = (): void => {
    if (signalled) return
    signalled = true
    // without a listener, the default of the system applies again: the process is killed
    setTimeout(() => SIGNALS.forEach((signal) => process.off(signal, onSignal)), SAME_MILLIS).unref()
    react()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
}
