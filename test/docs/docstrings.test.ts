/** What an editor shows: every public name, and every member of a public type, says what it is. */
import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("../..", import.meta.url))

const program = (): ts.Program => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: unknown }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  return ts.createProgram(
    ["index.ts", "node/index.ts", "testing/index.ts"].map((entry) => `${root}src/${entry}`),
    options
  )
}

/** The public names without a docstring, as a path from their entry. */
const undocumented = (program: ts.Program): { readonly missing: ReadonlyArray<string>; readonly seen: number } => {
  const checker = program.getTypeChecker()
  const seen = new Set<ts.Symbol>()
  const missing = new Set<string>()

  const isDocumented = (symbol: ts.Symbol): boolean => symbol.getDocumentationComment(checker).length > 0
  const isOurs = (symbol: ts.Symbol): boolean =>
    (symbol.declarations ?? []).some((declaration) => declaration.getSourceFile().fileName.startsWith(`${root}src/`))

  const checkExport = (symbol: ts.Symbol, path: string): void => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
    // the compiler gives none for `export * as Module`
    const isModule = (target.flags & ts.SymbolFlags.ValueModule) !== 0
    if (!isModule && !isDocumented(symbol) && !isDocumented(target)) missing.add(path)
    if (seen.has(target)) return
    seen.add(target)
    if (isModule) {
      for (const member of checker.getExportsOfModule(target)) checkExport(member, `${path}.${member.name}`)
      return
    }
    if (target.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class))
      checkProperties(checker.getDeclaredTypeOfSymbol(target), path)
    for (const declaration of target.declarations ?? []) checkMembers(declaration, path)
  }

  const checkMember = (symbol: ts.Symbol, path: string): void => {
    // what these two are is the same for every error of Effect
    if (symbol.name === "_tag" || symbol.name === "message" || !isOurs(symbol)) return
    seen.add(symbol)
    if (!isDocumented(symbol)) missing.add(path)
  }

  /** Those that are inherited, too. */
  const checkProperties = (type: ts.Type, path: string): void => {
    for (const property of type.getProperties()) checkMember(property, `${path}.${property.name}`)
  }

  /** Those within members, within the type arguments of a class's heritage, and within unions, too. */
  const checkMembers = (node: ts.Node, path: string): void => {
    if (ts.isFunctionLike(node) || ts.isExpressionStatement(node) || ts.isVariableDeclaration(node)) return
    const isMember = ts.isPropertySignature(node) || ts.isPropertyDeclaration(node)
    const within = isMember ? `${path}.${node.name.getText()}` : path
    if (isMember) {
      const symbol = checker.getSymbolAtLocation(node.name)
      if (symbol !== undefined) checkMember(symbol, within)
    }
    ts.forEachChild(node, (child) => checkMembers(child, within))
  }

  for (const entry of program.getRootFileNames()) {
    const file = program.getSourceFile(entry)
    const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
    assert(module !== undefined, entry)
    for (const member of checker.getExportsOfModule(module)) {
      checkExport(member, `${entry.slice(`${root}src/`.length)}: ${member.name}`)
    }
  }
  return { missing: [...missing], seen: seen.size }
}

describe("docstrings", () => {
  it("are on every public name, and on every member of a public type", { timeout: 60_000 }, () => {
    const { missing, seen } = undocumented(program())
    assert.deepStrictEqual(missing, [])
    // the modules were found
    assert.isAbove(seen, 300)
  })
})
