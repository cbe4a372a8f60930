/** All rows of the table. */
import type { Row } from "../row.js"
import { over, reset } from "./ends.js"
import { faults } from "./faults.js"
import { frames } from "./frames.js"
import { framing } from "./framing.js"
import { limits } from "./limits.js"
import { opener } from "./opener.js"
import { ends, goAway } from "./session.js"
import { halfClose, ids } from "./streams.js"
import { heartbeats, typed } from "./typed.js"
import { receiving, sending } from "./windows.js"

export const rows: ReadonlyArray<Row> = [
  ...framing,
  ...frames,
  ...ids,
  ...opener,
  ...halfClose,
  ...reset,
  ...over,
  ...sending,
  ...receiving,
  ...limits,
  ...goAway,
  ...faults,
  ...ends,
  ...typed,
  ...heartbeats
]
