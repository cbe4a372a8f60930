/** The command line of `npm run test:runtimes`. */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import type { Case, Medium } from "./programs/messages.js"
import { CASES, MEDIA } from "./programs/messages.js"
import type { RuntimeName } from "./runtimes.js"
import { RUNTIMES } from "./runtimes.js"

export interface Selection {
  readonly runtimes: ReadonlyArray<RuntimeName>
  readonly media: ReadonlyArray<Medium>
  readonly cases: ReadonlyArray<Case>
}

export type Command = { readonly _tag: "Help" } | { readonly _tag: "Run"; readonly selection: Selection }

export class WrongUsage extends Data.TaggedError("WrongUsage")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export const USAGE = `usage: npm run test:runtimes -- [--runtime NAME,...] [--medium NAME,...] [--case NAME,...]

Runs the built package in every runtime: a server and a client in processes of their own, over every medium.

  --runtime  ${RUNTIMES.join(", ")}; pairs of two runtimes run when both are named. Default: all
  --medium   ${MEDIA.join(", ")}. Default: all
  --case     ${CASES.join(", ")}. Default: all
  --help     this text

Each flag may be repeated. The exit code is 1 if a case failed, 2 for a wrong flag. With CI=true a runtime that cannot
be installed is a failure.
`

export const parse = (args: ReadonlyArray<string>): Either.Either<Command, WrongUsage> => {
  const chosen = {
    "--runtime": new Set<RuntimeName>(),
    "--medium": new Set<Medium>(),
    "--case": new Set<Case>()
  }
  for (let i = 0; i < args.length; i++) {
    const [flag = "", ...inline] = (args[i] ?? "").split("=")
    if (flag === "--help" || flag === "-h") return Either.right({ _tag: "Help" })
    const value = inline.length > 0 ? inline.join("=") : args[i + 1]
    const fault =
      flag === "--runtime"
        ? add(flag, value, RUNTIMES, chosen[flag])
        : flag === "--medium"
          ? add(flag, value, MEDIA, chosen[flag])
          : flag === "--case"
            ? add(flag, value, CASES, chosen[flag])
            : `there is no flag ${flag}`
    if (fault !== undefined) return Either.left(new WrongUsage({ detail: fault }))
    if (inline.length === 0) i++
  }
  const all = <A>(names: ReadonlyArray<A>, set: ReadonlySet<A>): ReadonlyArray<A> =>
    set.size === 0 ? names : names.filter((name) => set.has(name))
  return Either.right({
    _tag: "Run",
    selection: {
      runtimes: all(RUNTIMES, chosen["--runtime"]),
      media: all(MEDIA, chosen["--medium"]),
      cases: all(CASES, chosen["--case"])
    }
  })
}

/** Why the value is wrong, if it is. */
const add = <A extends string>(
  flag: string,
  value: string | undefined,
  names: ReadonlyArray<A>,
  chosen: Set<A>
): string | undefined => {
  if (value === undefined || value === "" || value.startsWith("--")) {
    return `${flag} needs a value: ${names.join(", ")}`
  }
  for (const part of value.split(",")) {
    const name = names.find((name) => name === part)
    if (name === undefined) return `${flag} ${part} is not known: it is one of ${names.join(", ")}`
    chosen.add(name)
  }
  return undefined
}
