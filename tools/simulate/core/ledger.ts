/** The frames and bytes that one direction of the wire has carried for one stream. */

export interface Ledger {
  synSent: boolean
  finSent: boolean
  rstSent: boolean
  /** The how manieth SYN that arrived it was; 0 while it has not. */
  synArrived: number
  finArrived: boolean
  rstArrived: boolean
  /** Payload bytes, the type included: of whole frames that were put on the wire, and as they arrived. */
  payloadSent: number
  payloadArrived: number
  /** Payload bytes of frames whose header has arrived. */
  payloadAnnounced: number
  /** Sums of the increments. */
  creditSent: number
  creditArrived: number
}

const newLedger = (): Ledger => ({
  synSent: false,
  finSent: false,
  rstSent: false,
  synArrived: 0,
  finArrived: false,
  rstArrived: false,
  payloadSent: 0,
  payloadArrived: 0,
  payloadAnnounced: 0,
  creditSent: 0,
  creditArrived: 0
})

export class Ledgers {
  private readonly byId = new Map<number, Ledger>()

  /** A ledger is begun with the first frame. */
  of(id: number): Ledger {
    const known = this.byId.get(id)
    if (known !== undefined) return known
    const ledger = newLedger()
    this.byId.set(id, ledger)
    return ledger
  }

  get(id: number): Ledger | undefined {
    return this.byId.get(id)
  }

  entries(): IterableIterator<[number, Ledger]> {
    return this.byId.entries()
  }
}
