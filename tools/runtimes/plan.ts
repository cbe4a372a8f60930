/** The pairs that run over each medium, and the cases that are skipped because the platform has a fault. */
import type { Selection } from "./arguments.js"
import type { Case, Medium } from "./programs/messages.js"
import type { RuntimeName } from "./runtimes.js"

export interface Row {
  readonly client: RuntimeName
  readonly server: RuntimeName
  readonly medium: Medium
  readonly cases: ReadonlyArray<Case>
}

/** Every runtime with itself over every medium, and Node's with the others: the wire must not depend on the runtime. */
export const planOf = ({ cases, media, runtimes }: Selection): ReadonlyArray<Row> => {
  const own = runtimes.flatMap((name) => media.map((medium): Row => ({ client: name, server: name, medium, cases })))
  const mixed = MIXED.filter(
    ({ client, medium, server }) => runtimes.includes(client) && runtimes.includes(server) && media.includes(medium)
  ).map((pair): Row => ({ ...pair, cases }))
  return [...own, ...mixed]
}

const both = (a: RuntimeName, b: RuntimeName, medium: Medium): ReadonlyArray<Omit<Row, "cases">> => [
  { client: a, server: b, medium },
  { client: b, server: a, medium }
]

const MIXED: ReadonlyArray<Omit<Row, "cases">> = [
  ...both("node22", "bun", "tcp"),
  ...both("node22", "deno", "tcp"),
  ...both("node22", "bun", "ws"),
  ...both("node22", "deno", "ws")
]

export const nameOf = ({ client, server }: Pick<Row, "client" | "server">): string =>
  client === server ? client : `${client}->${server}`
