/** Makes inputs from a grammar: frames (most of them valid) on few ids, with commands and time between them. */
import { concat } from "../../test/support/bytes.js"
import type { Case, Command, Setting, Step } from "./case.js"
import { command, COMMANDS, peer } from "./case.js"
import * as frames from "./frames.js"
import type { Random } from "./random.js"
import { edge } from "./random.js"
import { anySetting, optionsOf } from "./settings.js"

const CODES = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 0xffff_ffff] as const
const HEARTBEAT = 0xffff_ffff

export const anyCase = (random: Random): Case => {
  const setting = anySetting(random)
  const steps: Array<Step> = []
  const count = 1 + random.below(random.pick([4, 12, 30]))
  for (let i = 0; i < count; i++) steps.push(anyStep(random, setting))
  return { setting, steps }
}

export const anyStep = (random: Random, setting: Setting): Step => {
  if (random.below(5) < 2) return anyCommand(random)
  const parts: Array<Uint8Array> = []
  for (let i = 1 + random.below(random.pick([1, 3, 6])); i > 0; i--) parts.push(anyFrame(random, setting))
  const bytes = concat(parts)
  return peer(random.oneIn(12) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes)
}

/** Those that end everything are rare: little can be found behind them. */
const RARE: ReadonlySet<string> = new Set(["goaway", "close", "abort", "lost", "resetall", "drain"])

export const anyCommand = (random: Random): Command => {
  const name = random.pick(COMMANDS)
  if (RARE.has(name) && !random.oneIn(5)) return command("tick", anyTime(random))
  switch (name) {
    case "fill":
      return command(name, random.oneIn(20) ? edge(random) : random.below(300))
    case "open":
      return command(name, random.below(10))
    case "write":
      return command(name, random.below(6), random.oneIn(20) ? edge(random) : random.below(200))
    case "tick":
      return command(name, anyTime(random))
    case "take":
      return command(name, random.pick([1, 20, 1000, 131_072]))
    case "withdraw":
      return command(name, random.below(6), 1 + random.below(60))
    case "reset":
      return command(name, random.below(6), random.pick(CODES))
    case "goaway":
      return command(name, random.pick(CODES), random.below(300))
    case "resetall":
      return command(name, random.pick(CODES))
    case "demand":
      return command(name, random.below(4))
    case "ping":
      return command(name, random.uint32())
    default:
      return command(name, random.below(6))
  }
}

const anyTime = (random: Random): number =>
  random.pick([0, 1, 5, 10, 11, 20, 49, 50, 70, 100, 120, 200, 300, 1000, 10_000, 15_000, 30_000])

/** Of the peer's parity mostly, and low: few ids, so that frames meet. */
const anyId = (random: Random, { role }: Setting): number => {
  const theirs = role === "client" ? 0 : 1
  switch (random.below(12)) {
    case 0:
      return edge(random)
    case 1:
    case 2:
    case 3:
      return 2 * (1 + random.below(4)) + 1 - theirs
    default:
      return 2 * (1 + random.below(7)) + theirs
  }
}

const anyLength = (random: Random, setting: Setting): number => {
  const { window } = optionsOf(setting)
  switch (random.below(12)) {
    case 0:
      return 0
    case 1:
      return setting.limits === "small" ? window - 1 + random.below(3) : 1 + random.below(4)
    case 2:
      return random.below(2000)
    default:
      return random.below(60)
  }
}

export const anyFrame = (random: Random, setting: Setting): Uint8Array => {
  const id = anyId(random, setting)
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return syn(random, setting, id)
    case 4:
    case 5:
    case 6:
    case 7:
      return frames.data(id, random.oneIn(4) ? frames.FIN : 0, frames.text(anyLength(random, setting), id))
    case 8:
      return frames.data(id, frames.FIN)
    case 9:
      return frames.rst(id, random.pick(CODES))
    case 10:
    case 11:
      return frames.windowIncrement(id, random.oneIn(3) ? edge(random) : random.below(300))
    case 12:
      return frames.goAway(random.oneIn(2) ? id : edge(random), random.pick(CODES), frames.text(random.below(20)))
    case 13:
      return frames.frame(4 + random.below(12), random.below(16), random.below(9), frames.text(random.below(30)))
    case 14:
      return wrong(random, setting, id)
    default:
      return frames.data(id, random.below(16), random.bytes(random.below(12)))
  }
}

const syn = (random: Random, setting: Setting, id: number): Uint8Array => {
  const payload = frames.text(anyLength(random, setting), id)
  const flags = frames.SYN | (random.oneIn(8) ? frames.FIN : 0)
  if (!setting.typed) return frames.data(id, flags, payload)
  const type = frames.uint32(random.oneIn(4) ? HEARTBEAT : random.below(9))
  const typed = concat([type, payload])
  // now and then the type does not come with it, or not whole
  return frames.data(id, flags, random.oneIn(6) ? typed.subarray(0, random.below(5)) : typed)
}

const wrong = (random: Random, setting: Setting, id: number): Uint8Array => {
  switch (random.below(6)) {
    case 0:
      return frames.frame(random.below(4), random.below(16), 0, frames.text(random.below(12)))
    case 1:
      return frames.frame(random.below(4), random.below(16), id, frames.text(random.below(12)))
    case 2:
      return frames.header(edge(random) & 0xff_ffff, random.below(16), random.below(4), id)
    case 3:
      return frames.frame(random.below(4), 0, id, frames.text(4), random.below(6))
    case 4:
      return frames.frame(1, random.below(4), (id | 0x8000_0000) >>> 0, frames.text(random.below(9)))
    default:
      return concat([frames.goAway(edge(random), 0, frames.text(1030)), syn(random, setting, id)])
  }
}
