/** A project as a consumer has it: the packed package, its peer dependencies, and the programs as plain JavaScript. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { certificates } from "../../test/support/certificates.js"

export interface Project {
  readonly folder: string
  readonly server: string
  readonly client: string
  readonly ca: string
  readonly key: string
  readonly cert: string
}

const PROGRAMS = fileURLToPath(new URL("./programs/", import.meta.url))

/** Links instead of an installation: the versions are those that all other tests run with, and no registry is asked. */
const PEERS = ["effect", "@effect/platform", "@effect/platform-node"]

/** Makes the project of what was built in `dist/`; it is removed with the scope. */
export const make: Effect.Effect<Project, Error, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    attempt(() => mkdtempSync(join(tmpdir(), "effect-muxado-runtimes-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const identities = yield* Effect.promise(certificates)
  return yield* attempt(() => {
    writeFileSync(join(folder, "package.json"), `{ "name": "consumer", "private": true, "type": "module" }\n`)
    unpack(folder)
    for (const peer of PEERS) link(folder, peer)
    for (const name of readdirSync(PROGRAMS)) {
      const { outputText } = ts.transpileModule(readFileSync(join(PROGRAMS, name), "utf8"), {
        fileName: name,
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }
      })
      writeFileSync(join(folder, name.replace(/\.ts$/, ".js")), outputText)
    }
    const file = (name: string, text: string): string => {
      const path = join(folder, name)
      writeFileSync(path, text)
      return path
    }
    return {
      folder,
      server: join(folder, "server.js"),
      client: join(folder, "client.js"),
      ca: file("ca.pem", identities.ca),
      key: file("key.pem", identities.server.key),
      cert: file("cert.pem", identities.server.cert)
    }
  })
})

const unpack = (folder: string): void => {
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { encoding: "utf8" })
  const [{ filename }] = JSON.parse(packed) as readonly [{ readonly filename: string }]
  const target = join(folder, "node_modules", "effect-muxado")
  mkdirSync(target, { recursive: true })
  execFileSync("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", target])
}

const link = (folder: string, name: string): void => {
  const path = join(folder, "node_modules", name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(resolve("node_modules", name), path, "junction")
}

const attempt = <A>(make: () => A): Effect.Effect<A, Error> =>
  Effect.try({ try: make, catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause))) })
