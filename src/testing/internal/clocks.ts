/** Which clock is under a clock that shows its time, and whether a `VirtualTime.run` moves it. */
import type * as Clock from "effect/Clock"

const bases = new WeakMap<Clock.Clock, Clock.Clock>()

/** Records that a clock shows the time of another, and returns it. */
export const derive = <C extends Clock.Clock>(clock: C, base: Clock.Clock): C => {
  bases.set(clock, base)
  return clock
}

/** The clock whose time it shows. */
export const rootOf = (clock: Clock.Clock): Clock.Clock => {
  let root = clock
  for (let base = bases.get(root); base !== undefined; base = bases.get(root)) root = base
  return root
}

const passing = new WeakSet<Clock.Clock>()

/** Records whether a `VirtualTime.run` moves this clock. */
export const setPassing = (clock: Clock.Clock, isPassing: boolean): void => {
  if (isPassing) passing.add(clock)
  else passing.delete(clock)
}

/** Whether a `VirtualTime.run` moves this clock, or one under it. */
export const isPassing = (clock: Clock.Clock): boolean => {
  const base = bases.get(clock)
  return passing.has(clock) || (base !== undefined && isPassing(base))
}
