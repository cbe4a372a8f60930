/** The report at the end, on stdout. */
import * as Duration from "effect/Duration"
import type { Mirrored } from "./client.js"
import { formatBytes, formatCount } from "./format.js"

export const render = (mirrored: Mirrored): string => {
  const seconds = Math.max(Duration.toSeconds(mirrored.elapsed), 0.001)
  const rows = [
    ["files", formatCount(mirrored.files)],
    ["bytes", `${formatCount(mirrored.bytes)} (${formatBytes(mirrored.bytes)})`],
    ["streams opened by the client", formatCount(mirrored.session.opened)],
    ["streams opened by the server", formatCount(mirrored.session.accepted)],
    ["most streams at once", formatCount(mirrored.session.peakStreams)],
    ["heartbeat round trip", `${Duration.toMillis(mirrored.roundTrip).toFixed(2)} ms`],
    ["time", `${seconds.toFixed(2)} s`],
    [
      "throughput",
      `${formatBytes(mirrored.bytes / seconds)}/s, ${formatCount(Math.round(mirrored.files / seconds))} files/s`
    ],
    ["peak memory of the client", formatBytes(process.resourceUsage().maxRSS * 1024)],
    ["skipped", formatCount(mirrored.skipped.length)]
  ] as const
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    ...mirrored.skipped.map((file) => `skipped ${file.message}`),
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...(mirrored.files === 0 ? ["there was no file to mirror"] : []),
    `all ${mirrored.files} digests match`
  ].join("\n")
}
