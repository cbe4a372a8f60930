/** Reads and checks the options that a program gives, and collects one line for each wrong option. */
import * as Duration from "effect/Duration"
import * as LogLevel from "effect/LogLevel"
import { describe, describeName, tagOf } from "./describe.js"
import { nearest } from "./nearest.js"

/** The allowed values of an integer. */
interface IntegerRange {
  readonly least: number
  readonly most: number
  readonly unit?: "bytes" | undefined
}

/** The findings that the reader of an object shares with the readers of its nested objects. */
class Findings {
  /** The error text of each wrong option, by its path. */
  readonly wrong = new Map<string, string>()
  /** The paths of all options that exist. */
  readonly known = new Set<string>()
  /** Given options that do not exist. */
  readonly unknown: Array<{ readonly prefix: string; readonly name: string | symbol }> = []
}

/**
 * Reads each option of one object once, so that a later change of the object has no effect. A method returns the
 * fallback if the option is missing or wrong. If it is wrong, `lines` reports it. No method throws, even if the
 * object's getters do.
 */
export class OptionsReader<Name extends string> {
  private readonly names = new Set<PropertyKey>()

  private constructor(
    private readonly source: object,
    private readonly prefix: string,
    private readonly findings: Findings
  ) {}

  /** Makes a reader. `usage` is an example of a correct call, for the error if `given` is not an object. */
  static over<Name extends string>(given: unknown, usage?: string): OptionsReader<Name> {
    const findings = new Findings()
    if (given === undefined) return new OptionsReader(NOTHING, "", findings)
    if (isRecord(given)) return new OptionsReader(given, "", findings)
    const call = usage === undefined ? "" : `: call ${usage}`
    findings.wrong.set("", `the options must be an object, not ${describe(given)}${call}`)
    return new OptionsReader(NOTHING, "", findings)
  }

  boolean(name: Name, fallback: boolean): boolean {
    return this.value(name, fallback, "true or false", (given) => (typeof given === "boolean" ? given : undefined))
  }

  integer(name: Name, fallback: number, { least, most, unit }: IntegerRange): number {
    const allowed = `an integer from ${least} to ${most}${unit === undefined ? "" : ` (${unit})`}`
    return this.value(name, fallback, allowed, (given) =>
      typeof given === "number" && Number.isInteger(given) && given >= least && given <= most ? given : undefined
    )
  }

  number(name: Name, fallback: number, least: number, most: number): number {
    return this.value(name, fallback, `a number from ${least} to ${most}`, (given) =>
      typeof given === "number" && given >= least && given <= most ? given : undefined
    )
  }

  duration(name: Name, fallback: Duration.DurationInput): Duration.Duration {
    return this.value(name, Duration.decode(fallback), DURATION, positiveDuration)
  }

  /** A duration that may be 0, which is the default. */
  pause(name: Name): Duration.Duration {
    return this.value(name, Duration.zero, PAUSE, (given) => durationFrom(given, 0))
  }

  /** A required option that must be one of these words. */
  word<Word extends string>(name: Name, words: readonly [Word, ...ReadonlyArray<Word>]): Word {
    const allowed = words.map((word) => JSON.stringify(word)).join(" or ")
    return this.required(name, words[0], allowed, (given) => words.find((word) => word === given))
  }

  /** An option that must be given. `check` returns `undefined` for a wrong value. */
  required<A>(name: Name, fallback: A, allowed: string, check: (given: unknown) => A | undefined): A {
    const given = this.take(name)
    if (given === UNREADABLE) return fallback
    const found = check(given)
    // if the options are not an object, one line already says so
    if (found === undefined && !this.findings.wrong.has("")) {
      this.refuse(name, `must be ${allowed}, not ${describe(given)}`)
    }
    return found ?? fallback
  }

  /** The options of a nested object. */
  within<Inner extends string, A>(name: Name, shape: string, use: (inner: OptionsReader<Inner>) => A): A {
    return this.inside(name, this.take(name), `an object such as ${shape}`, use)
  }

  /** The options of a nested object, or `false`. */
  falseOrWithin<Inner extends string, A>(
    name: Name,
    shape: string,
    use: (inner: OptionsReader<Inner>) => A
  ): A | false {
    const given = this.take(name)
    return given === false ? false : this.inside(name, given, `false or an object such as ${shape}`, use)
  }

  /**
   * The options of a nested object, where `true` stands for an object without options. Returns `false` if it is
   * missing.
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
    return this.value<string | undefined>(name, undefined, "a string", (given) =>
      typeof given === "string" ? given : undefined
    )
  }

  logLevel(name: Name): LogLevel.LogLevel | undefined {
    return this.value<LogLevel.LogLevel | undefined>(name, undefined, "an Effect LogLevel", (given) =>
      LogLevel.allLevels.find((level) => level === given)
    )
  }

  /** An object that maps numbers, such as stream types, to names. */
  numbered(name: Name): Readonly<Record<number, string>> | undefined {
    return this.value<Readonly<Record<number, string>> | undefined>(
      name,
      undefined,
      'an object that maps stream types to names, such as { 1: "rpc" }',
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

  /** Reports a wrong option, also one that conflicts with another option. */
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

  /** One line for each wrong option and for each unknown one. Call it after all options have been read. */
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

  /** An option of any other kind: `check` returns `undefined` for a wrong value. */
  value<A>(name: Name, fallback: A, allowed: string, check: (given: unknown) => A | undefined): A {
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
        `${path === "" ? "the options " : ""}cannot be read: listing the object's keys throws`
      )
    }
  }
}

const NOTHING: object = Object.freeze({})

/** Stands for a value whose getter has thrown. */
const UNREADABLE = Symbol("unreadable")

const UNKNOWN_SHOWN = 20

const DURATION = 'a positive, finite duration such as "10 seconds" or a number of milliseconds'

const PAUSE = 'a finite duration such as "10 seconds", 0 or a number of milliseconds'

/** Types of objects that cannot be options. Without this check, they would count as options that set nothing. */
const NO_RECORDS: ReadonlySet<string> = new Set(["Array", "Date", "Error", "Map", "Promise", "RegExp", "Set"])

const isRecord = (given: unknown): given is object =>
  typeof given === "object" && given !== null && !ArrayBuffer.isView(given) && !NO_RECORDS.has(tagOf(given))

/** A duration of more than 0. */
export const positiveDuration = (given: unknown): Duration.Duration | undefined => durationFrom(given, Number.MIN_VALUE)

/** Returns a copy of a duration, so that later changes of the given object have no effect. */
const durationFrom = (given: unknown, least: number): Duration.Duration | undefined => {
  // Effect makes 0 of a negative number
  if (typeof given === "number" && !(given >= least)) return undefined
  try {
    const decoded = Duration.decodeUnknown(given)
    if (decoded._tag === "None") return undefined
    const copy = Duration.match(decoded.value, { onMillis: Duration.millis, onNanos: Duration.nanos })
    const millis = Duration.toMillis(copy)
    return millis >= least && millis < Infinity ? copy : undefined
  } catch {
    return undefined
  }
}
