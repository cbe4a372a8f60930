/**
 * Finds what belongs to an id. Synchronous and total.
 *
 * Ids are used one after the other, so those that are alive lie close together: they share pages, which come and go as
 * a whole. They are no `Map` for reason 2 of `v8.ts`.
 *
 * @since 0.1.0
 */

const SLOT_BITS = 5
const SLOTS = 1 << SLOT_BITS

/** Each side uses every other id: theirs and ours have pages of their own. */
const pageOf = (id: number): number => ((id >>> (SLOT_BITS + 1)) << 1) | (id & 1)
const slotOf = (id: number): number => (id >>> 1) & (SLOTS - 1)

class Page<V> {
  used = 0
  readonly slots = new Array<V | undefined>(SLOTS).fill(undefined)
}

/**
 * From stream ids to values. Ids far apart cost a page of 32 slots each.
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

  /** False when there was none. */
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
   * All that are there now, whatever is added or deleted meanwhile: those of odd ids first, each side's in the order of
   * their ids. Pages come and go, so their own order would tell how the bytes of a session were cut.
   */
  values(): ReadonlyArray<V> {
    const values: Array<V> = []
    const keys = [...this.pages.keys()].sort((a, b) => (b & 1) - (a & 1) || a - b)
    for (const key of keys) {
      for (const value of this.pages.get(key)?.slots ?? []) if (value !== undefined) values.push(value)
    }
    return values
  }

  clear(): void {
    this.pages.clear()
    this.size = 0
  }
}
