/**
 * Which stream ids of the remote side were used. Synchronous and total.
 *
 * Ids may arrive out of order: Go takes an id when a stream is opened, and writes its SYN with the first bytes. So an
 * id is new when it lies above the highest seen, or was skipped and not used since.
 *
 * @since 0.1.0
 */

interface Interval {
  from: number
  to: number
}

/**
 * The used ids of one parity, kept as the highest one and the gaps below it.
 *
 * @since 0.1.0
 * @category models
 */
export class PeerStreamIds {
  /** The highest id used; below the first legal id while there is none. */
  highest: number

  /** The skipped ids, ascending and disjoint, both ends included. */
  private readonly gaps: Array<Interval> = []

  /** `most` gaps are remembered; a peer that leaves more is up to no good. */
  constructor(
    parity: "odd" | "even",
    private readonly most: number
  ) {
    this.highest = parity === "odd" ? -1 : 0
  }

  /** How many gaps are remembered. */
  get size(): number {
    return this.gaps.length
  }

  /** Marks an id of the right parity as used: it was new, it was used before, or there are too many gaps. */
  use(id: number): "New" | "Used" | "TooManyGaps" {
    if (id > this.highest) {
      if (id > this.highest + 2) {
        if (this.gaps.length >= this.most) return "TooManyGaps"
        this.gaps.push({ from: this.highest + 2, to: id - 2 })
      }
      this.highest = id
      return "New"
    }
    const index = this.find(id)
    const gap = this.gaps[index]
    if (gap === undefined || id < gap.from) return "Used"
    if (gap.from === gap.to) {
      this.gaps.splice(index, 1)
    } else if (id === gap.from) {
      gap.from = id + 2
    } else if (id === gap.to) {
      gap.to = id - 2
    } else {
      if (this.gaps.length >= this.most) return "TooManyGaps"
      this.gaps.splice(index + 1, 0, { from: id + 2, to: gap.to })
      gap.to = id - 2
    }
    return "New"
  }

  /** Whether an id of the right parity was marked as used. */
  isUsed(id: number): boolean {
    const gap = this.gaps[this.find(id)]
    return id <= this.highest && (gap === undefined || id < gap.from)
  }

  /** The index of the first gap that ends at or above `id`. */
  private find(id: number): number {
    let low = 0
    let high = this.gaps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const gap = this.gaps[middle]
      if (gap !== undefined && gap.to < id) low = middle + 1
      else high = middle
    }
    return low
  }
}
