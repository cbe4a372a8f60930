/** Texts in the messages of errors: what a peer said, made safe for a log, and hints. */
import { ErrorCode } from "../../protocol/wire/errorCode.js"

/** A wrong setting of one side is the usual cause of these codes. */
export const hintFor = (code: ErrorCode): string => {
  switch (code) {
    case ErrorCode.FlowControlError:
      return " (are the windows of both sides configured alike?)"
    case ErrorCode.ProtocolError:
      return " (is one side typed and the other not?)"
    default:
      return ""
  }
}

/** A text that may come from the peer, behind a colon, in one line. */
export const said = (text: string): string => (text === "" ? "" : `: ${escapeControls(text)}`)

/** Control characters would let a peer write lines of its own into a log, or turn the direction of one. */
const escapeControls = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (character) => {
    const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character]
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  })
