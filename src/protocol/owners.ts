/**
 * The owners of a session's state, each made with the owners that it uses. Only this file constructs them.
 *
 * @since 0.1.0
 */
import { Budgets } from "./budgets.js"
import { DeadlineQueue } from "./collections/deadlineQueue.js"
import { Draining } from "./draining.js"
import { EventQueue } from "./events.js"
import { Heartbeats } from "./heartbeats.js"
import { Lifecycle } from "./lifecycle.js"
import { Liveness } from "./liveness.js"
import type { ConnectionOptions } from "./options.js"
import { Receiver } from "./receiver.js"
import { CreditPolicy } from "./receiving/creditPolicy.js"
import { ReceiveBuffer } from "./receiving/receiveBuffer.js"
import { BlockedWriters } from "./sending/blockedWriters.js"
import { Scheduler } from "./sending/scheduler.js"
import { SendCapacity } from "./sending/sendCapacity.js"
import { SessionEndings } from "./sessionEndings.js"
import { AcceptBacklog } from "./streams/acceptBacklog.js"
import type { StreamCore } from "./streams/streamCore.js"
import { StreamEndings } from "./streams/streamEndings.js"
import { StreamTable } from "./streams/streamTable.js"
import { Time } from "./time.js"
import { ErrorCode } from "./wire/errorCode.js"

/**
 * Constructs the owners of one session. `now` is in milliseconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeOwners = (options: ConnectionOptions, now: number) => {
  const time = new Time(now)
  const events = new EventQueue()
  const lifecycle = new Lifecycle()
  const liveness = new Liveness(options, now)
  const budgets = new Budgets(options, time, (reason) =>
    sessionEndings.closeWithError(ErrorCode.EnhanceYourCalm, reason)
  )
  const table = new StreamTable(options)
  const backlog = new AcceptBacklog(options.acceptBacklog)
  /** Streams of the peer whose type has not arrived. */
  const untyped = new DeadlineQueue<StreamCore>(options.typeTimeout)

  const capacity = new SendCapacity(options.maxSendBuffer)
  const scheduler = new Scheduler(
    capacity,
    (stream) => streamEndings.finSent(stream),
    (stream) => streamEndings.bytesLost(stream)
  )
  const writers = new BlockedWriters(capacity, events, time)

  const received = new ReceiveBuffer(options.maxReceiveBuffer)
  const credit = new CreditPolicy(options, table, scheduler)

  const heartbeats = new Heartbeats({ time, events, capacity, scheduler, received, credit })
  const streamEndings: StreamEndings = new StreamEndings(
    { budgets, credit, events, heartbeats, received, scheduler, table, untyped, writers },
    options.maxInboundStreams
  )
  const owners = {
    backlog,
    budgets,
    capacity,
    credit,
    events,
    heartbeats,
    lifecycle,
    liveness,
    received,
    scheduler,
    streamEndings,
    table,
    time,
    untyped,
    writers
  }
  const sessionEndings: SessionEndings = new SessionEndings(owners)
  const draining = new Draining(owners, options.announceDrain)
  const receiver = new Receiver({ ...owners, options, sessionEndings })
  return { ...owners, draining, receiver, sessionEndings }
}

/**
 * The owners of one session.
 *
 * @since 0.1.0
 * @category models
 */
export type Owners = ReturnType<typeof makeOwners>
