/** An input of the fuzzer: the bytes of a peer, the commands of the application, and the passing of time. */
import { fromHex, toHex } from "../../test/support/bytes.js"

/** What the session is, and what it is used by. */
export interface Setting {
  readonly role: "client" | "server"
  readonly typed: boolean
  /** The limits that users have, or so little of everything that a few frames reach each limit. */
  readonly limits: "default" | "small"
  /** Sends back what it reads; reads; or does nothing but what the steps say. */
  readonly app: "echo" | "sink" | "manual"
  /** The transport takes what is sent after each step, or when the steps say so. */
  readonly output: "auto" | "manual"
  /** Decides into which chunks the peer's bytes are cut, and how the session ends when the steps are done. */
  readonly cut: number
}

/**
 * What the application or the transport does, with up to two numbers: of a stream (modulo those there are), a length, a
 * code, milliseconds. `fill` is the peer's: so many bytes of nothing in particular.
 */
export const COMMANDS = [
  "fill",
  "open",
  "accept",
  "read",
  "write",
  "withdraw",
  "unblock",
  "finish",
  "stop",
  "reset",
  "refuse",
  "demand",
  "ping",
  "drain",
  "goaway",
  "close",
  "abort",
  "resetall",
  "lost",
  "tick",
  "take",
  "written"
] as const

export type CommandName = (typeof COMMANDS)[number]

export interface Command {
  readonly name: CommandName
  readonly a: number
  readonly b: number
}

/** The peer's bytes: frames, or parts of them, or neither. */
export interface Peer {
  readonly name: "peer"
  readonly bytes: Uint8Array
}

export type Step = Command | Peer

export interface Case {
  readonly setting: Setting
  readonly steps: ReadonlyArray<Step>
}

export const peer = (bytes: Uint8Array): Peer => ({ name: "peer", bytes })

export const command = (name: CommandName, a = 0, b = 0): Command => ({ name, a, b })

// --- as text

export const print = ({ setting, steps }: Case, about: ReadonlyArray<string> = []): string => {
  const { app, cut, limits, output, role, typed } = setting
  const lines = steps.map((step) =>
    step.name === "peer" ? `peer ${toHex(step.bytes)}` : `${step.name} ${step.a} ${step.b}`
  )
  return [
    ...about.map((line) => `# ${line}`),
    `session ${role} ${typed ? "typed" : "untyped"} ${limits} ${app} ${output} ${cut}`,
    ...lines,
    ""
  ].join("\n")
}

/** Reads what `print` wrote; throws on anything else. */
export const parse = (text: string): Case => {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
  const [first = "", ...rest] = lines
  return { setting: parseSetting(first.split(/\s+/)), steps: rest.map(parseStep) }
}

const parseSetting = ([word, role, typed, limits, app, output, cut]: ReadonlyArray<string>): Setting => {
  if (word !== "session") throw new Error(`the first line must be the session, not ${word}`)
  return {
    role: oneOf(["client", "server"], role),
    typed: oneOf(["typed", "untyped"], typed) === "typed",
    limits: oneOf(["default", "small"], limits),
    app: oneOf(["echo", "sink", "manual"], app),
    output: oneOf(["auto", "manual"], output),
    cut: numberOf(cut)
  }
}

const parseStep = (line: string): Step => {
  const [name, a, b] = line.split(/\s+/)
  if (name === "peer") return peer(fromHex(a ?? ""))
  return command(oneOf(COMMANDS, name), numberOf(a), numberOf(b))
}

const oneOf = <const T extends string>(words: ReadonlyArray<T>, word: string | undefined): T => {
  const found = words.find((one) => one === word)
  if (found === undefined) throw new Error(`${word} is none of ${words.join(", ")}`)
  return found
}

const numberOf = (text: string | undefined): number => {
  const number = Number(text)
  if (text === undefined || !Number.isSafeInteger(number) || number < 0) throw new Error(`${text} is not a number`)
  return number
}
