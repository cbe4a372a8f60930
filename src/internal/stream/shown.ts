/** The parts of a stream that Effect's data types have in common: type id, `pipe`, and how it looks in a log. */
import type { Inspectable } from "effect/Inspectable"
import { format, NodeInspectSymbol } from "effect/Inspectable"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import type { StreamCore } from "../../protocol/streams/streamCore.js"
import { streamError } from "./toError.js"
import { MuxStreamTypeId } from "../support/typeIds.js"

export abstract class ShownStream implements Inspectable, Pipeable {
  abstract readonly core: StreamCore

  get [MuxStreamTypeId](): MuxStreamTypeId {
    return MuxStreamTypeId
  }

  pipe() {
    // eslint-disable-next-line prefer-rest-params -- `pipeArguments` takes an `IArguments`
    return pipeArguments(this, arguments)
  }

  /** A few facts about the stream, without any of its bytes. */
  toJSON(): object {
    const { failure, id, initiator, state, type } = this.core
    return {
      _id: "effect-muxado/MuxStream",
      id,
      ...(type === undefined ? {} : { type }),
      initiator,
      state,
      ...(failure === undefined ? {} : { reason: streamError(id, failure).message })
    }
  }

  toString(): string {
    return format(this.toJSON())
  }

  [NodeInspectSymbol](): object {
    return this.toJSON()
  }
}
