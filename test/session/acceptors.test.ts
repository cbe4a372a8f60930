import { assert, describe, it } from "@effect/vitest"
import { Acceptors } from "../../src/internal/session/acceptors.js"
import type { Server } from "../../src/internal/session/acceptSource.js"
import type { StreamHandle } from "../../src/internal/stream/streamHandle.js"
import type { Connection } from "../../src/protocol/connection.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import { wrong } from "../support/wrong.js"

/** Acceptors over a session that only records what it is told. */
const setup = (acceptBacklog: number) => {
  const demands: Array<number> = []
  const refused: Array<string> = []
  const tasks: Array<() => void> = []
  const connection = wrong<Connection>({
    accept: () => undefined,
    defer: () => undefined,
    setAcceptCapacity: (streams: number) => demands.push(streams)
  })
  const acceptors = new Acceptors(
    {
      connection,
      step: (f) => f(connection),
      schedule: (task) => tasks.push(task),
      error: () => assert.fail("nothing fails")
    },
    acceptBacklog
  )
  return {
    acceptors,
    demands,
    refused,
    runScheduled: () => tasks.splice(0).forEach((task) => task()),
    stream: (name: string, type?: number): StreamHandle =>
      wrong({ name, type, core: {}, refuse: (code?: ErrorCode) => refused.push(`${name} with ${code}`) })
  }
}

const server = (free: number, types?: ReadonlyArray<number>): Server & { readonly started: ReadonlyArray<string> } => {
  const started: Array<string> = []
  return {
    free,
    types: types && new Set(types),
    started,
    start: (handle) => started.push(wrong<{ name: string }>(handle).name)
  }
}

describe("the acceptors of a session", () => {
  it("a stream that no server takes any more is refused with AcceptQueueFull once the backlog is full", () => {
    const { acceptors, refused, stream } = setup(1)
    const only = server(3)
    acceptors.subscribe(only)
    assert.isTrue(acceptors.offer(stream("the first")))
    acceptors.unsubscribe(only)
    assert.isTrue(acceptors.offer(stream("the second")))
    assert.isFalse(acceptors.offer(stream("the third")))
    assert.deepStrictEqual(only.started, ["the first"])
    assert.deepStrictEqual(refused, [`the third with ${ErrorCode.AcceptQueueFull}`])
  })

  it("a server without types announces how many streams it takes, one with types announces all or none", () => {
    const { acceptors, demands, stream } = setup(8)
    const untyped = server(3)
    acceptors.subscribe(untyped)
    assert.strictEqual(demands.at(-1), 3)
    const typed = server(1, [7])
    acceptors.subscribe(typed)
    assert.strictEqual(demands.at(-1), Infinity)
    untyped.free = 0
    acceptors.offer(stream("typed", 7))
    acceptors.announceDemand()
    assert.strictEqual(demands.at(-1), 0)
    acceptors.unsubscribe(typed)
    untyped.free = 2
    acceptors.announceDemand()
    assert.strictEqual(demands.at(-1), 2)
  })

  it("a server of several types takes the streams of all its types in the order of their arrival", () => {
    const { acceptors, runScheduled, stream } = setup(8)
    const both = server(0, [1, 2])
    acceptors.subscribe(both)
    runScheduled()
    acceptors.offer(stream("a", 2))
    acceptors.offer(stream("b", 1))
    acceptors.offer(stream("c", 2))
    both.free = 3
    acceptors.giveWaiting(both)
    assert.deepStrictEqual(both.started, ["a", "b", "c"])
  })

  it("a server that serves two sessions takes as many streams of both as it is free for", () => {
    const [near, far] = [setup(8), setup(8)]
    const shared = server(1, [1])
    near.acceptors.subscribe(shared)
    far.acceptors.subscribe(shared)
    assert.isTrue(near.acceptors.offer(near.stream("near", 1)))
    // the core of the second session still has the old demand, so it announces the stream
    assert.isTrue(far.acceptors.offer(far.stream("far", 1)))
    assert.deepStrictEqual(shared.started, ["near"])
    shared.free++
    near.acceptors.giveWaiting(shared)
    assert.deepStrictEqual(shared.started, ["near"])
    far.acceptors.giveWaiting(shared)
    assert.deepStrictEqual(shared.started, ["near", "far"])
    assert.strictEqual(shared.free, 0)
    assert.deepStrictEqual([...near.refused, ...far.refused], [])
    near.acceptors.unsubscribe(shared)
    far.acceptors.unsubscribe(shared)
  })

  it("a burst in the turn in which a server starts does not overflow the backlog while the server is free", () => {
    const { acceptors, refused, runScheduled, stream } = setup(1)
    const untyped = server(3)
    acceptors.subscribe(untyped)
    for (const name of ["a", "b", "c", "d", "e"]) acceptors.offer(stream(name, 1))
    assert.deepStrictEqual(untyped.started, [])
    assert.deepStrictEqual(refused, [`e with ${ErrorCode.AcceptQueueFull}`])
    runScheduled()
    assert.deepStrictEqual(untyped.started, ["a", "b", "c"])
  })

  it("streams that wait for a server without types go to the server of their type that starts later", () => {
    const { acceptors, refused, runScheduled, stream } = setup(8)
    const untyped = server(0)
    acceptors.subscribe(untyped)
    runScheduled()
    acceptors.offer(stream("one", 1))
    acceptors.offer(stream("two", 2))
    const typed = server(5, [2])
    acceptors.subscribe(typed)
    assert.deepStrictEqual(typed.started, ["two"])
    acceptors.unsubscribe(untyped)
    runScheduled()
    assert.deepStrictEqual(refused, ["one with undefined"])
  })
})
