/** How the attempts of many clients are spread in time, and how they must be with full jitter. */

/** One slot of a histogram, in milliseconds. */
const SLOT = 100

/** The default schedule of a managed session, in milliseconds: its first delay, and its longest. */
const FIRST_DELAY = 100
const LONGEST_DELAY = 30_000

/** The number of times in each slot, from 0 on. */
export const histogram = (times: ReadonlyArray<number>): ReadonlyArray<number> => {
  const slots: Array<number> = []
  for (const time of times) {
    const slot = Math.floor(time / SLOT)
    while (slots.length <= slot) slots.push(0)
    slots[slot] = (slots[slot] ?? 0) + 1
  }
  return slots
}

/** The step of the calculation, in milliseconds. */
const STEP = 10

/**
 * The expected share of the clients in each slot after an outage of `outage` milliseconds, for the first attempt of each
 * client after the outage.
 *
 * With full jitter, delay number n is even over 0 to 100 ms times 2^n, and at most 30 s. Attempts during the outage fail
 * at once. So the times of attempt n during the outage are those of attempt n - 1, each plus an even delay. The part of
 * them that is after the outage makes no further attempt.
 */
export const expectedShares = (outage: number): ReadonlyArray<number> => {
  const steps = Math.round(outage / STEP)
  const shares: Array<number> = []
  let during = new Float64Array(steps)
  during[0] = 1
  for (let delay = FIRST_DELAY; during.some((share) => share > 0); delay = Math.min(2 * delay, LONGEST_DELAY)) {
    const length = delay / STEP
    const next = new Float64Array(steps)
    for (const [time, share] of during.entries()) {
      if (share < 1e-12) continue
      for (let after = time + 1; after <= time + length; after++) {
        if (after < steps) next[after] = (next[after] ?? 0) + share / length
        else {
          const slot = Math.floor(((after - steps) * STEP) / SLOT)
          while (shares.length <= slot) shares.push(0)
          shares[slot] = (shares[slot] ?? 0) + share / length
        }
      }
    }
    during = next
  }
  return shares
}

/**
 * The number of clients in one slot that is not exceeded: the expected number of the fullest slot, and 5 standard
 * deviations of a binomial distribution.
 */
export const mostInOneSlot = (clients: number, outage: number): number => {
  const share = Math.max(...expectedShares(outage))
  return Math.ceil(clients * share + 5 * Math.sqrt(clients * share * (1 - share)))
}

const BAR = 60

/** A histogram as text, one line for each slot that has a client. */
export const draw = (slots: ReadonlyArray<number>): ReadonlyArray<string> => {
  const most = Math.max(1, ...slots)
  return slots.flatMap((count, i) => {
    if (count === 0) return []
    const time = ((i * SLOT) / 1000).toFixed(1).padStart(5)
    return [`${time} s ${String(count).padStart(5)} ${"#".repeat(Math.ceil((BAR * count) / most))}`]
  })
}
