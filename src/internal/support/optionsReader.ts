/** Reads options that a program gives: checks each of them, and has one line for each that is wrong. */
import * as Duration from "effect/Duration"
import * as LogLevel from "effect/LogLevel"
import { describe, describeName, tagOf } from "./describe.js"
import { nearest } from "./nearest.js"

/** What an integer may be. */
interface IntegerRange {
  readonly least: number
  readonly most: number
  readonly unit?: "bytes" | undefined
}

/** What the readers of an object and of the objects within it share. */
class Findings {
  /** What is wrong, by the path of the option. */
  readonly wrong = new Map<string, string>()
  /** The paths of all options that exist. */
  readonly known = new Set<string>()
  /** Options that do not exist. */
  readonly unknown: Array<{ readonly prefix: string; readonly name: string | symbol }> = []
}

/**
 * Reads the options of one object, each once, so that a later change of the object has no effect. A method returns the
 * fallback where an option is not given, and where it is wrong: then `lines` names it. Nothing here throws, whatever
 * the object is.
 */
export class OptionsReader<Name extends string> {
  private readonly names = new Set<PropertyKey>()

  private constructor(
    private readonly source: object,
    private readonly prefix: string,
    private readonly findings: Findings
  ) {}

  /** `usage` is a call that would be right; it is told to one who gave no object. */
  static over<Name extends string>(given: unknown, usage?: string): OptionsReader<Name> {
    const findings = new Findings()
    if (given === undefined) return new OptionsReader(NOTHING, "", findings)
    if (isRecord(given)) return new OptionsReader(given, "", findings)
    const call = usage === undefined ? "" : `: call ${usage}`
    findings.wrong.set("", `the options must be an object, not ${describe(given)}${call}`)
    return new OptionsReader(NOTHING, "", findings)
  }

  boolean(name: Name, fallback: boolean): boolean {
    return this.read(name, fallback, "true or false", (given) => (typeof given === "boolean" ? given : undefined))
  }

  integer(name: Name, fallback: number, { least, most, unit }: IntegerRange): number {
    const allowed = `an integer from ${least} to ${most}${unit === undefined ? "" : ` (${unit})`}`
    return this.read(name, fallback, allowed, (given) =>
      typeof given === "number" && Number.isInteger(given) && given >= least && given <= most ? given : undefined
    )
  }

  number(name: Name, fallback: number, least: number, most: number): number {
    return this.read(name, fallback, `a number from ${least} to ${most}`, (given) =>
      typeof given === "number" && given >= least && given <= most ? given : undefined
    )
  }

  duration(name: Name, fallback: Duration.DurationInput): Duration.Duration {
    return this.read(name, Duration.decode(fallback), DURATION, positiveDuration)
  }

  /** One of these words, which must be given. */
  word<Word extends string>(name: Name, words: readonly [Word, ...ReadonlyArray<Word>]): Word {
    const allowed = words.map((word) => JSON.stringify(word)).join(" or ")
    const given = this.take(name)
    const found = words.find((word) => word === given)
    // where there is no object at all, one line says it
    const missing = found === undefined && given !== UNREADABLE && !this.findings.wrong.has("")
    if (missing) this.refuse(name, `must be ${allowed}, not ${describe(given)}`)
    return found ?? words[0]
  }

  /** The options within this one. */
  within<Inner extends string, A>(name: Name, shape: string, use: (inner: OptionsReader<Inner>) => A): A {
    return this.inside(name, this.take(name), `an object such as ${shape}`, use)
  }

  /** The options within this one, which may be `false` instead. */
  falseOrWithin<Inner extends string, A>(
    name: Name,
    shape: string,
    use: (inner: OptionsReader<Inner>) => A
  ): A | false {
    const given = this.take(name)
    return given === false ? false : this.inside(name, given, `false or an object such as ${shape}`, use)
  }

  /**
   * The options within this one, for which `true` stands if all of them are left out; `false` where it is not given.
   */
  booleanOrWithin<Inner extends string, A>(
    name: Name,
    shape: string,
    use: (inner: OptionsReader<Inner>) => A
  ): A | false {
    const given = this.take(name)
    if (given === undefined || given === false || given === UNREADABLE) return false
    return this.inside(name, given === true ? NOTHING : given, `true, false or an object such as ${shape}`, use)
  }

  text(name: Name): string | undefined {
    return this.read<string | undefined>(name, undefined, "a string", (given) =>
      typeof given === "string" ? given : undefined
    )
  }

  logLevel(name: Name): LogLevel.LogLevel | undefined {
    return this.read<LogLevel.LogLevel | undefined>(name, undefined, "a LogLevel of Effect", (given) =>
      LogLevel.allLevels.find((level) => level === given)
    )
  }

  /** Names for numbers, such as stream types. */
  numbered(name: Name): Readonly<Record<number, string>> | undefined {
    return this.read<Readonly<Record<number, string>> | undefined>(
      name,
      undefined,
      'an object from stream types to names such as { 1: "rpc" }',
      (given) => {
        if (!isRecord(given)) return undefined
        try {
          const entries = Object.entries(given)
          return entries.every(([, value]) => typeof value === "string") ? Object.fromEntries(entries) : undefined
        } catch {
          return undefined
        }
      }
    )
  }

  /** Refuses an option that does not go with another one. */
  refuse(name: Name, why: string): void {
    this.findings.wrong.set(this.prefix + name, why)
  }

  /** Whether one of these, or an option within it, is wrong. */
  isWrong(...names: ReadonlyArray<Name>): boolean {
    const paths = names.map((name) => this.prefix + name)
    return [...this.findings.wrong.keys()].some((wrong) =>
      paths.some((path) => wrong === path || wrong.startsWith(`${path}.`))
    )
  }

  /** A line for each option that is wrong, and for each that does not exist. Ask when all options have been read. */
  lines(): ReadonlyArray<string> {
    this.findUnknown()
    const { known, unknown, wrong } = this.findings
    const lines = [...wrong].map(([path, why]) => (path === "" ? why : `${path}: ${why}`))
    for (const { name, prefix } of unknown.slice(0, UNKNOWN_SHOWN)) {
      const meant = typeof name === "string" ? nearest(prefix, name, known) : undefined
      const hint = meant === undefined ? "" : ` (did you mean ${meant}?)`
      lines.push(`${prefix}${describeName(name)}: there is no such option${hint}`)
    }
    if (unknown.length > UNKNOWN_SHOWN) lines.push(`${unknown.length - UNKNOWN_SHOWN} more options do not exist`)
    return lines
  }

  private read<A>(name: Name, fallback: A, allowed: string, check: (given: unknown) => A | undefined): A {
    const given = this.take(name)
    if (given === undefined || given === UNREADABLE) return fallback
    const checked = check(given)
    if (checked === undefined) this.refuse(name, `must be ${allowed}, not ${describe(given)}`)
    return checked ?? fallback
  }

  private inside<Inner extends string, A>(
    name: Name,
    given: unknown,
    allowed: string,
    use: (inner: OptionsReader<Inner>) => A
  ): A {
    const ok = isRecord(given)
    if (!ok && given !== undefined && given !== UNREADABLE) {
      this.refuse(name, `must be ${allowed}, not ${describe(given)}`)
    }
    const inner = new OptionsReader<Inner>(ok ? given : NOTHING, `${this.prefix}${name}.`, this.findings)
    const result = use(inner)
    inner.findUnknown()
    return result
  }

  private take(name: Name): unknown {
    this.names.add(name)
    this.findings.known.add(this.prefix + name)
    try {
      return Reflect.get(this.source, name)
    } catch {
      this.refuse(name, "cannot be read: its getter throws")
      return UNREADABLE
    }
  }

  private findUnknown(): void {
    try {
      for (const name of Reflect.ownKeys(this.source)) {
        if (this.names.has(name) || Object.getOwnPropertyDescriptor(this.source, name)?.enumerable !== true) continue
        this.findings.unknown.push({ prefix: this.prefix, name })
      }
    } catch {
      const path = this.prefix.slice(0, -1)
      this.findings.wrong.set(
        path,
        `${path === "" ? "the options " : ""}cannot be read: the object refuses to list them`
      )
    }
  }
}

const NOTHING: object = Object.freeze({})

/** What stands for a value whose getter throws. */
const UNREADABLE = Symbol("unreadable")

const UNKNOWN_SHOWN = 20

const DURATION = 'a positive, finite duration such as "10 seconds" or a number of milliseconds'

/** Objects that hold other things than options: without this check they would count as options that set nothing. */
const NO_RECORDS: ReadonlySet<string> = new Set(["Array", "Date", "Error", "Map", "Promise", "RegExp", "Set"])

const isRecord = (given: unknown): given is object =>
  typeof given === "object" && given !== null && !ArrayBuffer.isView(given) && !NO_RECORDS.has(tagOf(given))

/** A copy, which later changes of what was given do not reach. */
const positiveDuration = (given: unknown): Duration.Duration | undefined => {
  try {
    const decoded = Duration.decodeUnknown(given)
    if (decoded._tag === "None") return undefined
    const copy = Duration.match(decoded.value, { onMillis: Duration.millis, onNanos: Duration.nanos })
    const millis = Duration.toMillis(copy)
    return millis > 0 && millis < Infinity ? copy : undefined
  } catch {
    return undefined
  }
}
