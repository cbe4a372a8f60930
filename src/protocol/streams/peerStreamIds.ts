/**
 * The stream ids that the peer has used.
 *
 * Ids may arrive out of order: Go takes an id when a stream is opened, and writes its SYN with the first bytes. So an
 * id is new if it is above the highest used id, or if it was skipped and not used since.
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
  /** The highest used id. Before the first use it is below the first legal id. */
  highest: number

  /** The skipped ids, ascending and disjoint, both ends included. */
  private readonly gaps: Array<Interval> = []

  /** Remembers at most `most` gaps. A peer that leaves more is attacking. */
  constructor(
    parity: "odd" | "even",
    private readonly most: number
  ) {
    this.highest = parity === "odd" ? -1 : 0
  }

  /** The number of remembered gaps. */
  get size(): number {
    return this.gaps.length
  }

  /**
   * Marks an id of the peer's parity as used. Returns whether it was new, was used before, or would leave too many
   * gaps.
   */
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

  /** Whether an id of the peer's parity was marked as used. */
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
