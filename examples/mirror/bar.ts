/** The progress bar on a terminal. It is drawn before the files are counted. */
import { SingleBar } from "cli-progress"
import type { Amount } from "./format.js"
import { formatBytes, formatCount } from "./format.js"

export interface Bar {
  readonly update: (done: Amount, total: Amount) => void
  readonly stop: () => void
}

export const drawBar = (): Bar => {
  const bar = new SingleBar({
    format: "{bar} {percentage}% | {files} | {bytes} | {duration_formatted}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 30,
    hideCursor: true,
    stream: process.stderr
  })
  bar.start(1, 0, { files: "starting", bytes: formatBytes(0) })
  return {
    update: (done, total) => {
      // counts files too, so that an empty file moves the bar
      bar.setTotal(Math.max(1, total.files + total.bytes))
      bar.update(done.files + done.bytes, {
        files: `${formatCount(done.files)}/${formatCount(total.files)} files`,
        bytes: `${formatBytes(done.bytes)} of ${formatBytes(total.bytes)}`
      })
    },
    stop: () => bar.stop()
  }
}
