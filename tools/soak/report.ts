/** The results of a soak, for people and for programs. */
import type { Idle } from "./idle.js"
import type { Sample } from "./sample.js"
import type { Progress } from "./soak.js"
import type { Kept, Verdict } from "./verdict.js"
import { IDLE_BOUND, SLOPE_BOUND, STREAMS_PER_OBJECT } from "./verdict.js"

/** So many classes are shown that grew. */
const SHOWN = 8

const MIB = 1024 * 1024

const mib = (bytes: number): string => (bytes / MIB).toFixed(1)
const kib = (bytes: number): string => (bytes / 1024).toFixed(0)
const count = (number: number): string => Math.round(number).toLocaleString("en")

export const progressLine = (sample: Sample): string =>
  `${sample.seconds.toFixed(0)} s: ${count(sample.streams)} streams, ${count(sample.streams / sample.seconds)}/s, ` +
  `${sample.connections} connections, heap ${mib(sample.heapUsed)} MiB, rss ${mib(sample.rss)} MiB, ` +
  `${sample.handles} handles, ${sample.fibers} fibers, ${sample.streamsOpen} open`

export const inWords = (progress: Progress, idle: Idle, verdict: Verdict, kept?: Kept): string => {
  const { connections, endings, streams } = progress
  const samples = progress.samples.all()
  const { faults, from, line } = verdict
  const [first, half, last] = [samples[0], samples[from], samples.at(-1)]
  const row = (name: string, of: (sample: Sample) => string): string =>
    `| ${name} | ${[first, half, last].map((sample) => (sample === undefined ? "" : of(sample))).join(" | ")} |`
  const seconds = last?.seconds ?? 0
  return `# Soak

![The memory of the process against the streams opened and closed](soak.svg)

\`\`\`sh
npm run soak -- --out docs/soak.svg
\`\`\`

Two sessions in one process, so that one heap holds whatever either side leaves behind; between them TCP on the loopback
and a proxy. Both sides open streams, 64 at a time: echoes of 1 byte to 256 KiB, resets from either side, interrupted
fibers, half-closes, readers that leave, streams without a byte. Heartbeats are on. After each 5,000 streams, when none
is open, the garbage is collected and a sample is taken. After each 25,000 the connection ends, and a new one is made.

| | |
| --- | --: |
| streams opened and closed | ${count(streams)} |
| connections | ${connections} |
| of these, ended by ${[...endings].map(([how, often]) => `${how}: ${often}`).join(", ")} | |
| streams a second, on a busy machine | ${count(streams / seconds)} |
| samples | ${samples.length} |
| seconds | ${count(seconds)} |

| | after ${count(first?.streams ?? 0)} | after ${count(half?.streams ?? 0)} | after ${count(last?.streams ?? 0)} |
| --- | --: | --: | --: |
${row("heap without code, MiB", ({ code, heapUsed }) => mib(heapUsed - code))}
${row("code and what the engine knows of it, MiB", ({ code }) => mib(code))}
${row("external, MiB", ({ external }) => mib(external))}
${row("array buffers, MiB", ({ arrayBuffers }) => mib(arrayBuffers))}
${row("resident set, MiB", ({ rss }) => mib(rss))}
${row("handles", ({ handles }) => `${handles}`)}
${row("fibers", ({ fibers }) => `${fibers}`)}
${row("streams open, bytes held, gaps in ids", (s) => `${s.streamsOpen}, ${s.bytesHeld}, ${s.gapsInIds}`)}

Over the second half of the samples the heap without code grows by **${kib(line.slope)} KiB in a million streams**; at 99 %
confidence the true slope is between ${kib(line.slope - line.margin)} and ${kib(line.slope + line.margin)} KiB, which is at most
${((line.slope + line.margin) / 1_000_000).toFixed(2)} bytes a stream. The interval is widened by how much successive samples
are alike. The resident set takes one step, where the first snapshot of the heap is written: what the engine needed for
that, the process keeps.
${kept === undefined ? "" : keptInWords(kept)}
The soak fails when

- all of the interval is above ${kib(SLOPE_BOUND)} KiB, which is a quarter of a byte a stream: a single number that stays in
  a table takes some 16;
- of a class of objects there is one more for ${count(STREAMS_PER_OBJECT)} streams, or fewer, between the two snapshots, a hundred
  aside;
- there are more handles or fibers in the last quarter of the samples than there ever were in the first;
- a stream, a byte or a gap in the ids is left in a session at rest. One gap is always there: clients begin with stream
  3, and a server remembers that 1 was left out;
- more than ${IDLE_BOUND} bytes stay of each idle stream, half a MiB of noise aside.

${idleInWords(idle)}

${faults.length === 0 ? "No limit was passed." : faults.map((fault) => `**It failed**: ${fault}.`).join("\n")}
`
}

const keptInWords = ({ growth, streams }: Kept): string => {
  const sum = (some: Kept["growth"]): number => some.reduce((bytes, each) => bytes + each.bytes, 0)
  const [engine, program] = [growth.filter((each) => each.ofEngine), growth.filter((each) => !each.ofEngine)]
  const rows = (some: Kept["growth"]): string =>
    some
      .filter(({ bytes }) => bytes > 0)
      .slice(0, SHOWN)
      .map((each) => `| ${each.name.replaceAll("|", "/").slice(0, 60)} | ${each.count} | ${count(each.bytes)} |`)
      .join("\n")
  return `
What there is more of, by class, between a snapshot of the heap when half is done and one in the end, ${count(streams)} streams
later: of the program's objects ${kib(sum(program))} KiB, of the engine's (code, feedback, shapes) ${kib(sum(engine))} KiB.

| of the program | objects more | bytes more |
| --- | --: | --: |
${rows(program)}

| of the engine | more | bytes more |
| --- | --: | --: |
${rows(engine)}
`
}

const idleInWords = ({ after, before, open, streams }: Idle): string =>
  `${count(streams)} streams that are open and idle take ${count((open - before) / Math.max(1, streams))} bytes of heap each ` +
  `(both ends, their scopes, and the fiber that waits in the handler):\n${mib(before)} MiB before, ${mib(open)} MiB while ` +
  `they are open, ${mib(after)} MiB when they have ended.`

export const asJson = ({ connections, endings, samples, streams }: Progress, idle?: Idle): string => {
  const all = { streams, connections, endings: Object.fromEntries(endings), idle, samples: samples.all() }
  return `${JSON.stringify(all, null, 1)}\n`
}
