/** Signals as a terminal and npm send them: the same one several times. */
import type { ChildProcess } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"

/** The program gets the first one when this begins or later, so that all of them are within a second of that. */
const WITHIN_MILLIS = 400

/** Sends SIGINT and SIGTERM in turn, every 20 ms for 0.4 s or until the program has ended. */
export const signalOften = async (child: ChildProcess): Promise<void> => {
  const end = performance.now() + WITHIN_MILLIS
  for (let i = 0; performance.now() < end && child.exitCode === null && child.signalCode === null; i++) {
    child.kill(i % 2 === 0 ? "SIGINT" : "SIGTERM")
    await sleep(20)
  }
}

/** Sends SIGTERM until the program has ended. */
export const signalUntilEnd = async (child: ChildProcess): Promise<void> => {
  while (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM")
    await sleep(50)
  }
}
