/** What a soak found, for people and for programs. */
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

The soak runs two sessions in one process, so that one heap shows the leaks of both sides. They are connected by TCP on
the loopback interface, through a proxy. Both sides open streams, 64 at a time: echoes of 1 byte to 256 KiB, resets from
either side, interrupted fibers, half-closes, readers that stop before the end, and streams without a byte. Heartbeats
are on. After every 5,000 streams, when no stream is open, the soak collects garbage and takes a sample. After every
25,000 streams, it ends the connection and makes a new one.

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
${row("compiled code and its metadata, MiB", ({ code }) => mib(code))}
${row("external, MiB", ({ external }) => mib(external))}
${row("array buffers, MiB", ({ arrayBuffers }) => mib(arrayBuffers))}
${row("resident set, MiB", ({ rss }) => mib(rss))}
${row("handles", ({ handles }) => `${handles}`)}
${row("fibers", ({ fibers }) => `${fibers}`)}
${row("open streams, held bytes, gaps in ids", (s) => `${s.streamsOpen}, ${s.bytesHeld}, ${s.gapsInIds}`)}

Over the second half of the samples, the heap without code grows by **${kib(line.slope)} KiB in a million streams**. At 99 %
confidence the true growth is between ${kib(line.slope - line.margin)} and ${kib(line.slope + line.margin)} KiB, which is at most
${((line.slope + line.margin) / 1_000_000).toFixed(2)} bytes for each stream. The interval accounts for the correlation between successive samples.
The resident set grows once, when the soak writes the first heap snapshot, because the process keeps that memory.
${kept === undefined ? "" : keptInWords(kept)}
The soak fails when

- the whole confidence interval is above ${kib(SLOPE_BOUND)} KiB for a million streams, which is 0.25 bytes for each stream (a number
  that stays in a table needs about 16 bytes);
- a class of objects of the program gains one object or more for every ${count(STREAMS_PER_OBJECT)} streams between the two snapshots,
  not counting the first 100 objects;
- a sample in the last quarter has more handles or fibers than every sample in the first quarter;
- an idle session still has a stream, a held byte, or more than one gap in the ids. One gap always exists: clients begin
  with stream 3, so a server remembers the unused id 1;
- more than ${IDLE_BOUND} bytes remain of each idle stream, after a deduction of 0.5 MiB for noise.

${idleInWords(idle)}

${faults.length === 0 ? "The run exceeded no limit." : faults.map((fault) => `**It failed**: ${fault}.`).join("\n")}
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
The tables show the growth by class between two heap snapshots: one at half of the run, and one at its end, ${count(streams)} streams
later. Objects of the program grew by ${kib(sum(program))} KiB, and objects of V8 itself (code, feedback, shapes) by ${kib(sum(engine))} KiB.

| class of the program | more objects | more bytes |
| --- | --: | --: |
${rows(program)}

| class of V8 | more objects | more bytes |
| --- | --: | --: |
${rows(engine)}
`
}

const idleInWords = ({ after, before, open, streams }: Idle): string =>
  `Each of ${count(streams)} open and idle streams needs ${count((open - before) / Math.max(1, streams))} bytes of heap ` +
  `(both ends, their scopes, and the fiber of the handler).\nThe heap has ${mib(before)} MiB before, ${mib(open)} MiB while ` +
  `the streams are open, and ${mib(after)} MiB after they have ended.`

export const asJson = ({ connections, endings, samples, streams }: Progress, idle?: Idle): string => {
  const all = { streams, connections, endings: Object.fromEntries(endings), idle, samples: samples.all() }
  return `${JSON.stringify(all, null, 1)}\n`
}
