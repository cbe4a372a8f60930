/**
 * The features of a run, by which the fuzzer finds new behaviour cheaply: pairs of successive events, and the state in
 * which they came. Numbers that would make each run look new are left out.
 */
import type { FuzzedSession, Listener } from "./session.js"

export class Features {
  private readonly names = new Map<string, number>()
  private readonly seen = new Set<number>()

  get size(): number {
    return this.seen.size
  }

  /** Watches one run. */
  watch(): { readonly listener: Listener; readonly found: () => ReadonlyArray<number> } {
    const found = new Set<number>()
    let last = 0
    return {
      listener: (line, _detail, session) => {
        const name = this.number(coarse(line))
        found.add(last * 4096 + name)
        found.add(-(this.number(`${fine(line)} ${state(session)}`) + 1))
        last = name
      },
      found: () => [...found]
    }
  }

  /** Whether there is one among them that no run had before. */
  add(found: ReadonlyArray<number>): boolean {
    const { size } = this.seen
    for (const feature of found) this.seen.add(feature)
    return this.seen.size > size
  }

  private number(name: string): number {
    const known = this.names.get(name)
    if (known !== undefined) return known
    this.names.set(name, this.names.size)
    return this.names.size - 1
  }
}

/** What it was, and no more. */
const coarse = (line: string): string => /^[A-Za-z]*/.exec(line)?.[0] ?? ""

/** Codes stay, as far as they have a name; ids, lengths, times and texts go. */
const fine = (line: string): string =>
  line
    .replaceAll(/"[^]*"/g, "")
    .replaceAll(/(code |Reset |Violation )(\d+)/g, (_, what: string, code: string) => what + codeName(Number(code)))
    .replaceAll(/\d+/g, "")

const codeName = (code: number): string => (code < 16 ? String.fromCharCode(97 + code) : "other")

const state = ({ connection, setting }: FuzzedSession): string => {
  const { heldBytes, inboundStreams, outboundStreams, queuedBytes } = connection.stats()
  const some = (count: number): string => (count === 0 ? "0" : "1")
  return `${some(heldBytes)}${some(inboundStreams)}${some(outboundStreams)}${some(queuedBytes)}${setting.role}`
}
