/** Targets that handle a received frame wrongly. */
import * as Effect from "effect/Effect"
import {
  Code,
  data,
  Flag,
  FrameType,
  HEARTBEAT,
  isFin,
  isSyn,
  rst,
  UINT31,
  WINDOW,
  windowIncrement,
  word,
  wordAt
} from "../frames.js"
import { kept } from "../tampering.js"
import type { Mutant } from "./mutant.js"
import { changed, nothing } from "./mutant.js"

export const receiving: ReadonlyArray<Mutant> = [
  {
    fault: "begins with another stream",
    make: () => ({
      outbound: (frame) => [frame.streamId > 0 ? changed(frame, { streamId: frame.streamId + 2 }) : kept(frame)],
      inbound: (frame) => [frame.streamId > 0 ? changed(frame, { streamId: frame.streamId - 2 }) : kept(frame)]
    }),
    fails: ["O-01"],
    passes: ["O-04"]
  },
  {
    fault: "ignores the window",
    make: () => ({
      inbound: (frame) => (isSyn(frame) ? [kept(frame), windowIncrement(frame.streamId, 10_000_000)] : [kept(frame)])
    }),
    fails: ["W-01", "W-04", "F-15", "R-02"],
    passes: ["W-08", "F-01"]
  },
  {
    fault: "does not use credit",
    make: () => ({ inbound: (frame) => (frame.type === FrameType.WindowIncrement ? nothing : [kept(frame)]) }),
    fails: ["W-04", "W-05", "W-06", "W-17", "W-18", "S-11"],
    passes: ["W-01", "W-12"]
  },
  {
    fault: "answers RST with RST",
    make: () => {
      const answers: Array<Uint8Array> = []
      return {
        inbound: (frame) => {
          if (frame.type === FrameType.Rst) answers.push(rst(frame.streamId, Code.StreamReset))
          return [kept(frame)]
        },
        outbound: (frame) => [...answers.splice(0), kept(frame)]
      }
    },
    fails: ["R-01", "R-03", "S-20", "S-21"],
    passes: ["R-02", "F-01"]
  },
  {
    fault: "does not hear RST",
    make: () => ({ inbound: (frame) => (frame.type === FrameType.Rst ? nothing : [kept(frame)]) }),
    fails: ["R-02"],
    passes: ["R-01", "F-01"]
  },
  {
    fault: "says in its GOAWAY which stream came last",
    make: () => {
      let last = 0
      return {
        inbound: (frame) => {
          if (isSyn(frame)) last = frame.streamId
          return [kept(frame)]
        },
        outbound: (frame) => [
          frame.type === FrameType.GoAway
            ? changed(frame, { payload: Uint8Array.from([...word(last), ...frame.payload.subarray(4)]) })
            : kept(frame)
        ]
      }
    },
    fails: ["G-06"],
    passes: ["V-01", "F-20"]
  },
  {
    fault: "takes 8 bytes too many for a GOAWAY",
    make: () => {
      let swallows = false
      return {
        inbound: (frame) => {
          if (swallows) {
            swallows = false
            return [kept(frame).subarray(8)]
          }
          swallows = frame.type === FrameType.GoAway
          return [kept(frame)]
        }
      }
    },
    fails: ["F-18"],
    passes: ["G-01", "G-02", "F-17"]
  },
  {
    fault: "ends at any GOAWAY",
    make: () => ({ inbound: (frame) => [frame.type === FrameType.GoAway ? data(0) : kept(frame)] }),
    fails: ["G-01", "G-02", "G-03", "G-04", "F-17", "F-23"],
    passes: ["F-01", "V-01"]
  },
  {
    fault: "opens streams after a GOAWAY",
    make: () => ({ inbound: (frame) => (frame.type === FrameType.GoAway ? nothing : [kept(frame)]) }),
    fails: ["G-05"],
    passes: ["G-04", "G-01"]
  },
  {
    fault: "does not mask stream ids",
    make: () => ({ inbound: (frame) => (frame.reserved ? [data(0)] : [kept(frame)]) }),
    fails: ["F-04"],
    passes: ["F-01"]
  },
  {
    fault: "does not mask increments",
    make: () => ({
      inbound: (frame) =>
        frame.type === FrameType.WindowIncrement && (wordAt(frame, 0) ?? 0) > UINT31
          ? [rst(frame.streamId, 3)]
          : [kept(frame)]
    }),
    fails: ["F-15"],
    passes: ["W-04"]
  },
  {
    fault: "knows no unknown frames",
    make: () => ({ inbound: (frame) => [frame.type > FrameType.GoAway ? data(0) : kept(frame)] }),
    fails: ["F-02", "F-09", "F-10", "F-11", "G-01"],
    passes: ["F-01", "F-18"]
  },
  {
    fault: "takes flags of WNDINC for those of DATA",
    make: () => ({
      inbound: (frame) =>
        frame.type === FrameType.WindowIncrement && frame.flags !== 0
          ? [data(frame.streamId, undefined, { syn: true })]
          : [kept(frame)]
    }),
    fails: ["F-07"],
    passes: ["F-06"]
  },
  {
    fault: "waits for the payload of a frame that is too long",
    // frames pass when they are whole
    make: () => ({}),
    fails: ["W-13", "W-14", "V-05", "V-08"],
    passes: ["W-12", "V-01"]
  },
  {
    fault: "refuses streams that come out of order",
    make: () => {
      let highest = 0
      return {
        inbound: (frame) => {
          if (!isSyn(frame)) return [kept(frame)]
          const late = frame.streamId < highest
          highest = Math.max(highest, frame.streamId)
          return [late ? data(0) : kept(frame)]
        }
      }
    },
    fails: ["S-02", "L-05"],
    passes: ["S-01", "F-03"]
  },
  {
    fault: "takes ids again",
    make: () => {
      const used = new Set<number>()
      const names = new Map<number, number>()
      const name = (id: number): number => names.get(id) ?? id
      return {
        inbound: (frame) => {
          if (isSyn(frame) && used.has(frame.streamId)) names.set(frame.streamId, frame.streamId + 1000)
          used.add(frame.streamId)
          return [changed(frame, { streamId: name(frame.streamId) })]
        }
      }
    },
    fails: ["V-11", "V-12", "V-13"],
    passes: ["F-01", "V-09"]
  },
  {
    fault: "loses FIN that comes with SYN",
    make: () => ({
      inbound: (frame) => [isSyn(frame) ? changed(frame, { flags: frame.flags & ~Flag.Fin }) : kept(frame)]
    }),
    fails: ["S-07", "S-08"],
    passes: ["S-09", "S-10"]
  },
  {
    fault: "cannot bear a second FIN",
    make: () => {
      const finished = new Set<number>()
      return {
        inbound: (frame) => {
          const again = isFin(frame) && finished.has(frame.streamId)
          if (isFin(frame)) finished.add(frame.streamId)
          return [again ? data(0) : kept(frame)]
        }
      }
    },
    fails: ["S-12", "S-20"],
    passes: ["S-10", "S-21"]
  },
  {
    fault: "cannot bear frames on streams that never were",
    make: () => {
      const known = new Set<number>()
      return {
        inbound: (frame) => {
          if (isSyn(frame) || frame.streamId === 0) known.add(frame.streamId)
          return [known.has(frame.streamId) || frame.type > FrameType.GoAway ? kept(frame) : data(0)]
        }
      }
    },
    fails: ["S-18", "S-19", "S-21"],
    passes: ["S-17", "S-20"]
  },
  {
    fault: "resets every stream for one",
    make: () => {
      const open = new Set<number>()
      return {
        inbound: (frame) => {
          if (isSyn(frame)) open.add(frame.streamId)
          if (frame.type !== FrameType.Rst) return [kept(frame)]
          const all = [...open, frame.streamId]
          open.clear()
          return all.map((id) => rst(id, 6))
        }
      }
    },
    fails: ["R-04"],
    passes: ["R-01", "R-05"]
  },
  {
    fault: "has a window half as large",
    make: () => {
      const received = new Map<number, number>()
      return {
        inbound: (frame) => {
          const total = (received.get(frame.streamId) ?? 0) + frame.payload.length
          if (frame.type === FrameType.Data) received.set(frame.streamId, total)
          return [frame.type === FrameType.Data && total > WINDOW / 2 ? data(0) : kept(frame)]
        }
      }
    },
    fails: ["W-01", "W-03", "W-15"],
    passes: ["F-01", "W-09"]
  },
  {
    fault: "cannot bear a large window",
    make: () => ({
      inbound: (frame) =>
        frame.type === FrameType.WindowIncrement && (wordAt(frame, 0) ?? 0) > 1_000_000
          ? [rst(frame.streamId, 3), data(0)]
          : [kept(frame)]
    }),
    fails: ["W-07"],
    passes: ["W-06"]
  },
  {
    fault: "takes the first bytes of a stream for its type, however few",
    make: () => ({
      inbound: (frame) => [
        isSyn(frame) && frame.payload.length < 4
          ? changed(frame, { payload: Uint8Array.from([...frame.payload, 0, 0, 0, 0].slice(0, 4)) })
          : kept(frame)
      ]
    }),
    fails: ["T-02", "T-03", "T-04", "T-05"],
    passes: ["T-01", "T-06", "H-01"]
  },
  {
    fault: "waits for a type before it looks at another stream",
    make: () => {
      const waiting: Array<Uint8Array> = []
      let untyped = 0
      return {
        inbound: (frame) => {
          if (isSyn(frame) && frame.payload.length < 4) untyped = frame.streamId
          else if (untyped === frame.streamId) untyped = 0
          waiting.push(kept(frame))
          return untyped === 0 ? waiting.splice(0) : nothing
        }
      }
    },
    fails: ["T-02", "T-03"],
    passes: ["T-01", "T-06"]
  },
  {
    fault: "answers part of a heartbeat with the whole of another",
    make: () => ({
      inbound: (frame) => [
        frame.type === FrameType.Data && frame.payload.length === 2
          ? changed(frame, { payload: Uint8Array.from([...frame.payload, 0, 0]) })
          : kept(frame)
      ]
    }),
    fails: ["H-03"],
    passes: ["H-01", "H-02"]
  },
  {
    fault: "answers the end of a heartbeat stream with zeros",
    make: () => {
      const beating = new Set<number>()
      const answers: Array<Uint8Array> = []
      return {
        inbound: (frame) => {
          if (isSyn(frame) && wordAt(frame, 0) === HEARTBEAT) beating.add(frame.streamId)
          if (isFin(frame) && beating.has(frame.streamId)) answers.push(data(frame.streamId, word(0)))
          return [kept(frame)]
        },
        outbound: (frame) => [...answers.splice(0), kept(frame)]
      }
    },
    fails: ["H-06"],
    passes: ["H-01", "H-07"]
  },
  {
    fault: "never ends the connection",
    make: () => ({}),
    wrap: (transport) => ({
      ...transport,
      read: Effect.catchAll(transport.read, () => Effect.never),
      end: Effect.void,
      destroy: Effect.void
    }),
    fails: ["E-01", "E-02", "E-03", "V-03", "V-04", "V-06", "V-07", "V-12"],
    passes: ["F-01", "G-06"]
  }
]
