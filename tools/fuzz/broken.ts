/** The error for a broken rule. */
export class Broken extends Error {
  override readonly name = "Broken"
}

export const must = (holds: boolean, rule: () => string): void => {
  if (!holds) throw new Broken(rule())
}
