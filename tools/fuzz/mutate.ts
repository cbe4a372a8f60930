/** Makes inputs from inputs: moves steps, changes bytes, joins two inputs. */
import { concat } from "../../test/support/bytes.js"
import type { Case, Setting, Step } from "./case.js"
import { command, peer } from "./case.js"
import { anyCommand, anyFrame, anyStep } from "./generate.js"
import type { Random } from "./random.js"
import { edge } from "./random.js"
import { anySetting } from "./settings.js"

const MAX_STEPS = 40
const MAX_BYTES = 3000

/** Changes an input here and there, with parts of another. */
export const mutate = (random: Random, input: Case, other: Case): Case => {
  let steps = [...input.steps]
  let { setting } = input
  for (let i = 1 + random.below(4); i > 0; i--) {
    const at = random.below(steps.length)
    const step = steps[at]
    switch (random.below(13)) {
      case 0:
        steps.splice(at, 1 + random.below(2))
        break
      case 1:
        if (step !== undefined) steps.splice(at, 0, step)
        break
      case 2:
        steps = [...steps.slice(0, at), ...other.steps.slice(random.below(other.steps.length + 1))]
        break
      case 3:
        if (step !== undefined) steps.push(...Array.from({ length: random.below(12) }, () => step))
        break
      case 4:
      case 5:
        steps.splice(at, 0, anyStep(random, setting))
        break
      case 6:
        steps.splice(at, 0, anyCommand(random))
        break
      case 7: {
        const { app, cut, limits, output, role, typed } = anySetting(random)
        const changes = [{ role }, { typed }, { limits }, { app }, { output }, { cut }]
        setting = { ...setting, ...random.one<Partial<Setting>>(changes) }
        break
      }
      case 8:
        steps.splice(at, 0, peer(anyFrame(random, setting)))
        break
      case 9: {
        const from = random.below(steps.length)
        steps.splice(at, 0, ...steps.splice(from, 1))
        break
      }
      default:
        if (step !== undefined) steps[at] = mutateStep(random, step, other)
    }
  }
  return { setting, steps: steps.slice(0, MAX_STEPS) }
}

const mutateStep = (random: Random, step: Step, other: Case): Step => {
  if (step.name === "peer") return peer(mutateBytes(random, step.bytes, bytesOf(other)))
  const number = (from: number) => (random.oneIn(2) ? edge(random) : Math.max(0, from - 2 + random.below(5)))
  return random.oneIn(2) ? command(step.name, number(step.a), step.b) : command(step.name, step.a, number(step.b))
}

/** The peer's bytes of an input as one piece, in which no frame is known. */
export const raw = (random: Random, input: Case, other: Case): Case => {
  let bytes = bytesOf(input)
  const theirs = bytesOf(other)
  for (let i = 1 + random.below(4); i > 0; i--) bytes = mutateBytes(random, bytes, theirs)
  const at = random.below(bytes.length + 1)
  const time = command("tick", random.below(2000))
  return { setting: input.setting, steps: [peer(bytes.subarray(0, at)), time, peer(bytes.subarray(at))] }
}

const bytesOf = ({ steps }: Case): Uint8Array =>
  concat(steps.flatMap((step) => (step.name === "peer" ? [step.bytes] : [])))

const mutateBytes = (random: Random, from: Uint8Array, other: Uint8Array): Uint8Array => {
  const bytes = from.slice()
  const at = random.below(bytes.length)
  const end = Math.min(bytes.length, at + 1 + random.below(random.pick([4, 16, 64])))
  const joined = (...parts: ReadonlyArray<Uint8Array>) => concat(parts).subarray(0, MAX_BYTES)
  switch (random.below(9)) {
    case 0:
      if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      return bytes
    case 1:
      if (bytes.length > 0) bytes[at] = random.below(256)
      return bytes
    case 2: {
      const value = edge(random)
      for (let i = 0; i < 4 && at + i < bytes.length; i++) bytes[at + i] = value >>> (24 - 8 * i)
      return bytes
    }
    case 3:
      return bytes.subarray(0, at)
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(end))
    case 5:
      return joined(bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end))
    case 6: {
      const piece = bytes.subarray(at, end)
      return joined(
        bytes.subarray(0, end),
        ...Array.from({ length: random.below(40) }, () => piece),
        bytes.subarray(end)
      )
    }
    case 7: {
      const cut = random.below(other.length + 1)
      return joined(bytes.subarray(0, at), other.subarray(cut, cut + random.below(200)), bytes.subarray(at))
    }
    default:
      return joined(bytes.subarray(0, at), random.bytes(random.below(12)), bytes.subarray(at))
  }
}
