/**
 * Builds and packs the package, and checks it as a user gets it: with publint and attw, then installed in an empty
 * folder, where plain node imports every entry and a strict consumer type-checks it.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, unknown>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>
}

const readJson = <A>(path: string): A => JSON.parse(readFileSync(path, "utf8")) as A

const manifest = readJson<Manifest>("package.json")
const lockfile = readJson<Lockfile>("package-lock.json")
const folder = mkdtempSync(join(tmpdir(), "effect-muxado-"))

const run = (command: string, args: ReadonlyArray<string>, cwd: string): void => {
  console.log(`> ${command} ${args.join(" ")}`)
  execFileSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] })
}

const bin = (name: string): string => resolve("node_modules", ".bin", name)

/** `name@version`, as the lockfile has it: what the tests ran with is what the consumer gets. */
const locked = (name: string): string => {
  const version = lockfile.packages[`node_modules/${name}`]?.version
  if (version === undefined) throw new Error(`${name} is not in package-lock.json`)
  return `${name}@${version}`
}

const install = (packages: ReadonlyArray<string>): void =>
  run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", ...packages], folder)

const importAll = (entries: ReadonlyArray<string>): void => {
  const code = entries
    .map((entry) => `if (Object.keys(await import("${entry}")).length === 0) throw new Error("${entry} is empty")`)
    .join("\n")
  run("node", ["--input-type=module", "--eval", code], folder)
}

const typeCheck = (entries: ReadonlyArray<string>): void => {
  const imports = entries.map((entry, index) => `import * as Entry${index} from "${entry}"`)
  const uses = entries.map((_, index) => `Entry${index}`).join(", ")
  writeFileSync(join(folder, "consumer.ts"), `${imports.join("\n")}\n\nexport const entries = [${uses}] as const\n`)
  writeFileSync(join(folder, "emitter.ts"), EMITTER)
  const options = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "false"]
  run(bin("tsc"), [...options, "--exactOptionalPropertyTypes", "--types", "node", "--noEmit", "consumer.ts"], folder)
  // What a program infers from this library's types must have a name in its own declarations.
  run(bin("tsc"), [...options, "--declaration", "--types", "node", "--outDir", "emitted", "emitter.ts"], folder)
}

/** Exports whose types are inferred: copies of transports, readers, writers and servers. */
const EMITTER = `import { FrameReader, FrameWriter, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { Effect } from "effect"

export const copied = (transport: Transport.TransportService) => ({ ...transport, read: transport.read })
export const assigned = (transport: Transport.TransportService) => Object.assign({}, transport, { end: Effect.void })
export const connected = Effect.map(NodeTransport.makeTcp({ port: 1 }), copied)
export const reader = (transport: Transport.TransportService) => ({ ...FrameReader.make(transport) })
export const writer = (transport: Transport.TransportService) => ({ ...FrameWriter.make(transport) })
export const server = Effect.map(NodeSessionServer.makeTcp({ port: 0 }), (made) => ({ ...made }))
export const fast = (transport: Transport.TransportService) => {
  const { fastPath, ...others } = transport
  return { ...Transport.withFastPath(transport, { each: () => Effect.never, tryWrite: () => false }), fastPath, others }
}
`

try {
  // as the README says: .npmrc turns scripts off, and with them the build that `prepack` is
  const pack = ["pack", "--ignore-scripts=false", "--json", "--pack-destination", folder]
  const packed = execFileSync("npm", pack, { encoding: "utf8" })
  const [{ filename }] = JSON.parse(packed) as readonly [{ readonly filename: string }]
  const tarball = join(folder, filename)

  run(bin("publint"), ["run", tarball, "--strict"], process.cwd())
  run(bin("attw"), [tarball, "--profile", "esm-only"], process.cwd())

  writeFileSync(join(folder, "package.json"), `{ "name": "consumer", "private": true, "type": "module" }\n`)
  const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith(".json"))
  const specifier = (entry: string): string => manifest.name + entry.slice(1)
  const isOptional = (peer: string): boolean => manifest.peerDependenciesMeta?.[peer]?.optional === true
  const peers = Object.keys(manifest.peerDependencies)

  // The optional peers come second: without them, every entry must already work.
  install([tarball, ...peers.filter((peer) => !isOptional(peer)).map(locked)])
  importAll(entries.map(specifier))

  const peersOfPeers = ["@effect/cluster", "@effect/rpc", "@effect/sql"]
  install([...peers.filter(isOptional), ...peersOfPeers, "@types/node"].map(locked))
  importAll(entries.map(specifier))
  typeCheck(entries.map(specifier))
  console.log(`${filename}: ${entries.length} entries work in an empty folder`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
