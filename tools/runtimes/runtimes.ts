/** The runtimes: their versions, and where to find their binaries. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"

export const RUNTIMES = ["node20", "node22", "node24", "bun", "deno"] as const
export type RuntimeName = (typeof RUNTIMES)[number]

/** A runtime that is installed. */
export interface Runtime {
  readonly name: RuntimeName
  readonly version: string
  readonly binary: string
  /** What comes before the name of the program. */
  readonly flags: ReadonlyArray<string>
}

/** Why a runtime is not there. */
export class NotInstalled extends Data.TaggedError("NotInstalled")<{
  readonly name: RuntimeName
  readonly detail: string
}> {
  override get message(): string {
    return this.detail
  }
}

/** Kept from one run to the next, outside of the tree: the binaries are 100 MB each. */
const CACHE = resolve("node_modules", ".cache", "effect-muxado-runtimes")

const INSTALL_TIMEOUT = "5 minutes"

interface Source {
  readonly package: string
  readonly version: string
  readonly binary: string
  readonly flags: ReadonlyArray<string>
}

const musl = process.platform === "linux" && !isGlibc()
const windows = process.platform === "win32"

const node = (version: string, major: number): Source => ({
  package: `node-${windows ? "win" : process.platform}-${process.arch}`,
  // not every version is there for every platform
  version: process.platform === "linux" && process.arch === "x64" ? version : String(major),
  binary: windows ? "bin/node.exe" : "bin/node",
  flags: []
})

const SOURCES: Readonly<Record<RuntimeName, Source>> = {
  node20: node("20.20.2", 20),
  node22: node("22.23.5", 22),
  node24: node("24.22.3", 24),
  bun: {
    // the binary itself is in the package `bun`, moved there by a script of its installation; this needs none
    package: `@oven/bun-${windows ? "windows" : process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}${musl ? "-musl" : ""}`,
    version: "1.4.5",
    binary: windows ? "bin/bun.exe" : "bin/bun",
    flags: ["run"]
  },
  deno: {
    package: `@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`,
    version: "2.9.6",
    binary: windows ? "deno.exe" : "deno",
    flags: ["run", "--allow-all", "--no-lock", "--node-modules-dir=manual", "--quiet"]
  }
}

/** Finds the runtime, or installs it; `say` reports what takes long. */
export const provide = (name: RuntimeName, say: (line: string) => void): Effect.Effect<Runtime, NotInstalled> =>
  Effect.gen(function* () {
    const { binary, flags, package: packageName, version } = SOURCES[name]
    if (name === `node${process.versions.node.split(".")[0]}`) {
      return { name, version: process.versions.node, binary: process.execPath, flags }
    }
    const folder = join(CACHE, `${name}-${version}`)
    const path = join(folder, "node_modules", packageName, binary)
    if (!existsSync(path)) {
      say(`installing ${packageName}@${version} into ${folder}`)
      yield* install(name, folder, `${packageName}@${version}`, say)
    }
    const found = yield* versionOf(name, path)
    return { name, version: found, binary: path, flags }
  })

const install = (
  name: RuntimeName,
  folder: string,
  spec: string,
  say: (line: string) => void
): Effect.Effect<void, NotInstalled> =>
  Effect.gen(function* () {
    yield* Effect.tryPromise({
      try: async () => {
        await mkdir(folder, { recursive: true })
        await writeFile(join(folder, "package.json"), `{ "private": true }\n`)
      },
      catch: (cause) => new NotInstalled({ name, detail: `${folder} cannot be made: ${String(cause)}` })
    })
    const started = Date.now()
    const progress = setInterval(() => say(`still installing ${spec} (${seconds(started)})`), 10_000)
    const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--prefer-offline"]
    const npm = windows ? "npm.cmd" : "npm"
    yield* output(name, npm, ["install", ...flags, spec], folder).pipe(
      Effect.timeoutFail({
        duration: INSTALL_TIMEOUT,
        onTimeout: () => new NotInstalled({ name, detail: `${spec} was not installed within ${INSTALL_TIMEOUT}` })
      }),
      Effect.ensuring(Effect.sync(() => clearInterval(progress)))
    )
    say(`installed ${spec} (${seconds(started)})`)
  })

/** Also says whether the binary runs on this machine at all. */
const versionOf = (name: RuntimeName, binary: string): Effect.Effect<string, NotInstalled> =>
  Effect.flatMap(output(name, binary, ["--version"], process.cwd()), (text) => {
    const version = /\d+\.\d+\.\d+/.exec(text)?.[0]
    return version === undefined
      ? Effect.fail(new NotInstalled({ name, detail: `${binary} does not tell its version, but: ${text}` }))
      : Effect.succeed(version)
  })

/** What the command writes to its standard output. */
const output = (
  name: RuntimeName,
  command: string,
  args: ReadonlyArray<string>,
  cwd: string
): Effect.Effect<string, NotInstalled> =>
  Effect.async((resume) => {
    const fail = (why: string): void =>
      resume(Effect.fail(new NotInstalled({ name, detail: `${command} ${args.join(" ")}: ${why}` })))
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], shell: command.endsWith(".cmd") })
    let out = ""
    let complaints = ""
    child.stdout.on("data", (data) => (out += String(data)))
    child.stderr.on("data", (data) => (complaints += String(data)))
    child.on("error", (error) => fail(error.message))
    child.on("close", (code) =>
      code === 0 ? resume(Effect.succeed(out)) : fail(`exit code ${code}: ${complaints.trim().slice(0, 500)}`)
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

const seconds = (since: number): string => `${Math.round((Date.now() - since) / 1000)} s`

function isGlibc(): boolean {
  const { header } = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime !== undefined
}
