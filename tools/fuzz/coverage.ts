/** The code of the core that a run has reached, as V8 counts it. It is exact, but too slow to guide a search. */
import type { Profiler } from "node:inspector"
import { Session } from "node:inspector"

/** Places in the code: script and offset. */
export type Reached = Set<number>

/** More than a script is long. */
const SCRIPT = 1_000_000

export class Coverage {
  private readonly scripts: Array<string> = []
  private readonly names = new Map<number, string>()
  /** Every place that there is. */
  private readonly places: Reached = new Set()

  private constructor(private readonly session: Session) {}

  static begin(): Coverage {
    const session = new Session()
    session.connect()
    session.post("Profiler.enable")
    session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
    return new Coverage(session)
  }

  end(): void {
    this.session.disconnect()
  }

  none(): Reached {
    return new Set()
  }

  /** What runs during `action`. */
  during(action: () => void): Reached {
    this.take()
    action()
    const reached: Reached = new Set()
    for (const script of this.take()) if (script.url.includes("/src/protocol/")) this.script(script, reached)
    return reached
  }

  /** In one's own thread the session answers at once. */
  private take(): ReadonlyArray<Profiler.ScriptCoverage> {
    let taken: ReadonlyArray<Profiler.ScriptCoverage> = []
    this.session.post("Profiler.takePreciseCoverage", (_error, { result }) => {
      taken = result
    })
    return taken
  }

  private script({ functions, url }: Profiler.ScriptCoverage, reached: Reached): void {
    let index = this.scripts.indexOf(url)
    if (index < 0) index = this.scripts.push(url) - 1
    const file = /[^/]*$/.exec(url)?.[0] ?? ""
    // the ranges of a function nest, and so do functions: the innermost says what ran
    for (const { functionName, ranges } of functions) {
      for (const { count, endOffset, startOffset } of ranges) {
        for (let at = startOffset; at < endOffset; at += GRAIN) {
          const place = index * SCRIPT + Math.ceil(at / GRAIN)
          this.places.add(place)
          if (functionName !== "") this.names.set(place, `${functionName} (${file})`)
          if (count > 0) reached.add(place)
          else reached.delete(place)
        }
      }
    }
  }

  add(to: Reached, what: Reached): void {
    for (const place of what) to.add(place)
  }

  minus(from: Reached, what: Reached): Reached {
    return new Set([...from].filter((place) => !what.has(place)))
  }

  /** In which functions the places are. */
  functions(places: Reached): ReadonlyArray<string> {
    return [...new Set([...places].flatMap((place) => this.names.get(place) ?? []))]
  }

  part(of: Reached): number {
    return of.size / this.places.size
  }
}

/** Bytes of code that count as one place: less than the shortest statement. */
const GRAIN = 8
