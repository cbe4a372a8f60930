/**
 * A map from stream ids to values.
 *
 * Ids are used in order, so the ids of live streams are close together. They share pages of 32 slots, which are created
 * and deleted as a whole. A `Map` of all ids would have the fault of reason 2 of `v8.ts`.
 *
 * @since 0.1.0
 */

const SLOT_BITS = 5
const SLOTS = 1 << SLOT_BITS

/** One side uses odd ids, the other even ones, so each side has its own pages. */
const pageOf = (id: number): number => ((id >>> (SLOT_BITS + 1)) << 1) | (id & 1)
const slotOf = (id: number): number => (id >>> 1) & (SLOTS - 1)

class Page<V> {
  used = 0
  readonly slots = new Array<V | undefined>(SLOTS).fill(undefined)
}

/**
 * Maps stream ids to values. Ids that are far apart use a page of 32 slots each.
 *
 * @since 0.1.0
 * @category models
 */
export class StreamIdMap<V> {
  size = 0
  private readonly pages = new Map<number, Page<V>>()

  get(id: number): V | undefined {
    return this.pages.get(pageOf(id))?.slots[slotOf(id)]
  }

  set(id: number, value: V): void {
    const key = pageOf(id)
    let page = this.pages.get(key)
    if (page === undefined) {
      page = new Page<V>()
      this.pages.set(key, page)
    }
    const slot = slotOf(id)
    if (page.slots[slot] === undefined) {
      page.used++
      this.size++
    }
    page.slots[slot] = value
  }

  /** Removes an id. False if it has no value. */
  delete(id: number): boolean {
    const key = pageOf(id)
    const page = this.pages.get(key)
    const slot = slotOf(id)
    if (page?.slots[slot] === undefined) return false
    page.slots[slot] = undefined
    this.size--
    if (--page.used === 0) this.pages.delete(key)
    return true
  }

  /**
   * A copy of all values, so the caller may add and delete ids while it iterates. Odd ids come first, then even ones,
   * both ascending. The order in which pages were created is not used, since it depends on how the bytes arrived in
   * chunks.
   */
  values(): ReadonlyArray<V> {
    const values: Array<V> = []
    const pages = [...this.pages].sort(([a], [b]) => (b & 1) - (a & 1) || a - b)
    for (const [, { slots }] of pages) {
      for (const value of slots) if (value !== undefined) values.push(value)
    }
    return values
  }

  clear(): void {
    this.pages.clear()
    this.size = 0
  }
}
