/**
 * The time of a session, as the last input gave it: milliseconds of a clock that only goes forward.
 *
 * @internal
 */

/**
 * The current time of one session. `Connection` sets it; the other owners read it.
 *
 * @category models
 */
export class Time {
  constructor(public now: number) {}
}
