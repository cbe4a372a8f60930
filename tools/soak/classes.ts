/** The objects on the heap at two moments, by class. If streams leave something behind, a class has more objects. */
import { readFileSync } from "node:fs"

/** Of one class of objects, or one kind of other things. */
export interface Class {
  readonly name: string
  /** Whether it is the engine's: code, what it knows of code and of the shapes of objects. */
  readonly ofEngine: boolean
  readonly count: number
  /** In bytes, without what they refer to. */
  readonly bytes: number
}

export type Census = ReadonlyMap<string, Class>

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: ReadonlyArray<string>
      readonly node_types: readonly [ReadonlyArray<string>]
    }
  }
  readonly nodes: ReadonlyArray<number>
  readonly strings: ReadonlyArray<string>
}

/** The engine's own, by the type of the node. */
const OF_ENGINE = ["code", "hidden", "object shape", "synthetic"]

/** Of these every one has its own name. */
const NAMELESS = ["string", "concatenated string", "sliced string", "number", "bigint", "symbol"]

/** What `v8.writeHeapSnapshot` wrote. */
export const censusOf = (file: string): Census => {
  const { nodes, snapshot, strings } = JSON.parse(readFileSync(file, "utf8")) as Snapshot
  const fields = snapshot.meta.node_fields
  const [types] = snapshot.meta.node_types
  const [type, name, size] = ["type", "name", "self_size"].map((field) => fields.indexOf(field))
  const census = new Map<string, Class>()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const field = (offset = 0): number => nodes[at + offset] ?? 0
    const kind = types[field(type)] ?? ""
    const ofEngine = OF_ENGINE.includes(kind)
    const key = ofEngine || NAMELESS.includes(kind) ? kind : `${kind} ${strings[field(name)] ?? ""}`
    const { bytes, count } = census.get(key) ?? { bytes: 0, count: 0 }
    census.set(key, { name: key, ofEngine, count: count + 1, bytes: bytes + field(size) })
  }
  return census
}

/** By how much each became more; those that grew most come first. */
export const growth = (before: Census, after: Census): ReadonlyArray<Class> =>
  [...new Set([...before.keys(), ...after.keys()])]
    .map((key) => {
      const [was, is] = [before.get(key), after.get(key)]
      return {
        name: key,
        ofEngine: (is ?? was)?.ofEngine === true,
        count: (is?.count ?? 0) - (was?.count ?? 0),
        bytes: (is?.bytes ?? 0) - (was?.bytes ?? 0)
      }
    })
    .sort((a, b) => b.bytes - a.bytes)
