/**
 * The time of a session: milliseconds of a clock that only goes forward, as the last input gave it.
 *
 * @internal
 */

/**
 * One for each session. `Connection` sets it; everything else reads it.
 *
 * @category models
 */
export class Time {
  constructor(public now: number) {}
}
