/** Counts of what a run has tried, and of the results. */

export class Tally {
  private readonly counts = new Map<string, number>()

  add(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  addAll(other: Tally): void {
    for (const [what, count] of other.counts) this.add(what, count)
  }

  /** The counts under one heading, most first: `heading: what`. */
  under(heading: string): ReadonlyArray<readonly [what: string, count: number]> {
    const prefix = `${heading}: `
    return [...this.counts]
      .filter(([what]) => what.startsWith(prefix))
      .map(([what, count]) => [what.slice(prefix.length), count] as const)
      .sort(([, a], [, b]) => b - a)
  }

  get(what: string): number {
    return this.counts.get(what) ?? 0
  }
}
