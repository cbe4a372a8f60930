/** SIGINT and SIGTERM, where npm passes on to its script what the terminal has already sent to the whole process group. */

const SIGNALS = ["SIGINT", "SIGTERM"] as const

/** A second signal within this time is the first one again. */
const SAME_MILLIS = 1000

/** Calls `react` at the first SIGINT or SIGTERM. Others within a second are the same one; later ones kill at once. */
export const onFirstSignal = (react: () => void): void => {
  let signalled = false
  const onSignal = (): void => {
    if (signalled) return
    signalled = true
    // without a listener, the system's default holds again
    setTimeout(() => SIGNALS.forEach((signal) => process.off(signal, onSignal)), SAME_MILLIS).unref()
    react()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
}
