/** An example, run by the command that the README gives for it. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url))

/** As from a shell: nothing of the test runner that runs this. */
const outsideEnv = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV$)/.test(name)))

/** Runs a script of package.json until it ends. */
export const runScript = async (script: string) => {
  const child = spawn("npm", ["run", "-s", script], {
    cwd: root,
    env: outsideEnv(),
    stdio: ["ignore", "pipe", "pipe"]
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  await once(child, "close")
  return { code: child.exitCode, lines: stdout.trimEnd().split("\n"), stderr }
}
