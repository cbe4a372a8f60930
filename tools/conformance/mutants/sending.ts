/** Targets that send wrong frames. */
import { Code, data, fin, Flag, FrameType, isFin, isSyn, rst, text, word } from "../frames.js"
import { kept } from "../tampering.js"
import type { Mutant } from "./mutant.js"
import { changed, nothing } from "./mutant.js"

export const sending: ReadonlyArray<Mutant> = [
  {
    fault: "never sends FIN",
    make: () => ({
      outbound: (frame) => (isFin(frame) ? [changed(frame, { flags: frame.flags & ~Flag.Fin })] : [kept(frame)])
    }),
    fails: ["F-01", "S-09", "S-10", "O-04"],
    passes: ["V-01", "F-20"]
  },
  {
    fault: "sends FIN twice",
    make: () => ({ outbound: (frame) => (isFin(frame) ? [kept(frame), fin(frame.streamId)] : [kept(frame)]) }),
    fails: ["S-14", "O-08"],
    passes: ["F-01", "S-13"]
  },
  {
    fault: "sends payload after FIN",
    make: () => ({
      outbound: (frame) => (isFin(frame) ? [kept(frame), data(frame.streamId, text("more"))] : [kept(frame)])
    }),
    fails: ["S-13", "O-07"],
    passes: ["V-01"]
  },
  {
    fault: "has SYN on every frame of its streams",
    make: () => {
      const own = new Set<number>()
      return {
        outbound: (frame) => {
          if (isSyn(frame)) own.add(frame.streamId)
          const again = frame.type === FrameType.Data && own.has(frame.streamId)
          return [again ? changed(frame, { flags: frame.flags | Flag.Syn }) : kept(frame)]
        }
      }
    },
    fails: ["O-03", "O-05"],
    passes: ["O-10", "F-01"]
  },
  {
    fault: "splits the type from its SYN",
    make: () => ({
      outbound: (frame) =>
        isSyn(frame)
          ? [changed(frame, { payload: frame.payload.slice(0, 2) }), data(frame.streamId, frame.payload.slice(2))]
          : [kept(frame)]
    }),
    fails: ["O-06"],
    passes: ["O-01", "O-03"]
  },
  {
    fault: "grants no credit",
    make: () => ({ outbound: (frame) => (frame.type === FrameType.WindowIncrement ? nothing : [kept(frame)]) }),
    fails: ["W-08", "W-09", "W-10", "W-11", "G-04"],
    passes: ["F-01", "W-12"]
  },
  {
    fault: "grants nothing with a WNDINC of 0",
    make: () => ({
      outbound: (frame) =>
        frame.type === FrameType.WindowIncrement ? [kept(frame), changed(frame, { payload: word(0) })] : [kept(frame)]
    }),
    fails: ["F-16"],
    passes: ["W-08"]
  },
  {
    fault: "sends each RST twice",
    make: () => ({ outbound: (frame) => (frame.type === FrameType.Rst ? [kept(frame), kept(frame)] : [kept(frame)]) }),
    fails: ["R-06", "S-19", "L-02"],
    passes: ["S-18", "L-01"]
  },
  {
    fault: "sends no RST",
    make: () => ({ outbound: (frame) => (frame.type === FrameType.Rst ? nothing : [kept(frame)]) }),
    fails: ["F-13", "S-16", "S-17", "S-18", "W-12", "W-17", "L-01", "T-04"],
    passes: ["F-01", "V-01"]
  },
  {
    fault: "says another code",
    make: () => ({
      outbound: (frame) =>
        frame.type === FrameType.Rst
          ? [changed(frame, { payload: word(77) })]
          : frame.type === FrameType.GoAway
            ? [changed(frame, { payload: Uint8Array.from([...frame.payload.subarray(0, 4), ...word(77)]) })]
            : [kept(frame)]
    }),
    fails: ["F-22", "S-17", "W-13", "V-01", "V-05", "V-11", "T-05"],
    passes: ["F-20", "T-04"]
  },
  {
    fault: "sends no GOAWAY",
    make: () => ({ outbound: (frame) => (frame.type >= FrameType.GoAway ? nothing : [kept(frame)]) }),
    fails: ["F-20", "G-06", "V-02", "V-09", "V-10", "V-14"],
    passes: ["E-01", "F-01"]
  },
  {
    fault: "sends nothing behind its GOAWAY",
    make: () => ({ outbound: (frame) => (frame.type > FrameType.GoAway ? nothing : [kept(frame)]) }),
    fails: ["G-07"],
    passes: ["V-01", "F-12"]
  },
  {
    fault: "announces a GOAWAY that is 8 bytes too short",
    make: () => ({
      outbound: (frame) => [
        frame.type === FrameType.GoAway
          ? changed(frame, {}).map((byte, at) => (at === 2 ? frame.payload.length - 8 : byte))
          : kept(frame)
      ]
    }),
    fails: ["F-20", "G-07"],
    passes: ["F-01"]
  },
  {
    fault: "sets the reserved bit",
    make: () => ({ outbound: (frame) => [changed(frame, { reserved: true })] }),
    fails: ["F-05", "O-10"],
    passes: ["F-01", "F-08"]
  },
  {
    fault: "sets an undefined flag",
    make: () => ({ outbound: (frame) => [changed(frame, { flags: frame.flags | 8 })] }),
    fails: ["F-08", "O-10"],
    passes: ["F-01", "F-05"]
  },
  {
    fault: "sends frames of its own invention",
    make: () => ({ outbound: (frame) => [kept(frame), kept({ ...frame, type: 9, flags: 0 })] }),
    fails: ["F-12"],
    passes: ["F-01", "V-01"]
  },
  {
    fault: "changes a byte",
    make: () => ({
      outbound: (frame) => [
        frame.type === FrameType.Data && frame.payload.length > 0
          ? changed(frame, {
              payload: frame.payload.map((byte, at, { length }) => (at === length - 1 ? byte ^ 1 : byte))
            })
          : kept(frame)
      ]
    }),
    fails: ["F-01", "W-08", "O-04", "H-01"],
    passes: ["F-20"]
  },
  {
    fault: "resets what it has read to the end",
    make: () => ({
      outbound: (frame) => (isFin(frame) ? [kept(frame), rst(frame.streamId, Code.StreamCancelled)] : [kept(frame)])
    }),
    fails: ["S-12", "S-15", "S-20", "O-09"],
    passes: ["S-10", "S-14"]
  }
]
