import { assert, describe, it } from "@effect/vitest"
import type { Initiator } from "../../src/protocol/endReason.js"
import { MAX_UINT31 } from "../../src/protocol/wire/frame.js"
import { HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { StreamTable } from "../../src/protocol/streams/streamTable.js"

const stream = (id: number, initiator: Initiator, type?: number): StreamCore =>
  new StreamCore(id, initiator, { window: 1024, peerWindow: 1024 }, type)

const WINDOW = 1000

const tableOf = (role: "client" | "server", firstStreamId?: number): StreamTable =>
  new StreamTable({ role, firstStreamId, maxIdGaps: 1024, window: WINDOW })

const ignoresLate = (table: StreamTable, id: number): boolean => table.closed.late(id, 0) !== "Unknown"

const counts = (table: StreamTable) => [table.inboundCount, table.outboundCount, table.size]

describe("ids of this side in the stream table", () => {
  it("of a client are odd and start with 3, of a server even and start with 2", () => {
    const client = tableOf("client")
    assert.deepStrictEqual([client.takeLocalId(), client.takeLocalId(), client.takeLocalId()], [3, 5, 7])
    const server = tableOf("server")
    assert.deepStrictEqual([server.takeLocalId(), server.takeLocalId(), server.takeLocalId()], [2, 4, 6])
  })

  it("end at 2^31-1, and do not start again", () => {
    const client = tableOf("client", MAX_UINT31 - 2)
    assert.deepStrictEqual(
      [client.takeLocalId(), client.takeLocalId(), client.takeLocalId(), client.takeLocalId()],
      [MAX_UINT31 - 2, MAX_UINT31, undefined, undefined]
    )
    const server = tableOf("server", MAX_UINT31 - 1)
    assert.deepStrictEqual([server.takeLocalId(), server.takeLocalId()], [MAX_UINT31 - 1, undefined])
  })
})

describe("ids of the peer in the stream table", () => {
  it("of the wrong parity are refused, and change nothing", () => {
    const client = tableOf("client")
    assert.strictEqual(client.useRemoteId(3), "WrongParity")
    const server = tableOf("server")
    assert.strictEqual(server.useRemoteId(2), "WrongParity")
    assert.deepStrictEqual([client.highestRemote, server.highestRemote], [0, 0])
    assert.deepStrictEqual([client.idGaps, server.idGaps], [0, 0])
  })

  it("can be used once, in any order, and the highest is remembered", () => {
    const client = tableOf("client")
    assert.deepStrictEqual(
      [2, 6, 4, 4, 2, 6].map((id) => client.useRemoteId(id)),
      ["New", "New", "New", "Used", "Used", "Used"]
    )
    assert.strictEqual(client.highestRemote, 6)
    assert.strictEqual(client.idGaps, 0)
    const server = tableOf("server")
    assert.strictEqual(server.highestRemote, 0)
    assert.strictEqual(server.useRemoteId(9), "New")
    assert.strictEqual(server.useRemoteId(1), "New")
    assert.strictEqual(server.highestRemote, 9)
    assert.strictEqual(server.idGaps, 1)
  })

  it("with too many gaps between them are refused", () => {
    const server = tableOf("server")
    let id = 3
    while (server.useRemoteId(id) === "New") id += 4
    assert.strictEqual(server.useRemoteId(id), "TooManyGaps")
    assert.strictEqual(server.idGaps, 1024)
  })
})

describe("the stream table knows which ids were used", () => {
  const used = (table: StreamTable, ids: ReadonlyArray<number>): ReadonlyArray<number> =>
    ids.filter((id) => table.wasUsed(id))

  it("by this side: those that it has taken", () => {
    const client = tableOf("client")
    assert.deepStrictEqual(used(client, [1, 3, 5]), [1])
    client.takeLocalId()
    client.takeLocalId()
    assert.deepStrictEqual(used(client, [3, 5, 7, 9]), [3, 5])
    const server = tableOf("server")
    server.takeLocalId()
    assert.deepStrictEqual(used(server, [2, 4]), [2])
  })

  it("by the peer: those of its SYNs, and none between them", () => {
    const client = tableOf("client")
    client.useRemoteId(2)
    client.useRemoteId(8)
    assert.deepStrictEqual(used(client, [2, 4, 6, 8, 10]), [2, 8])
    const server = tableOf("server")
    server.useRemoteId(3)
    assert.deepStrictEqual(used(server, [1, 3, 5]), [3])
  })
})

describe("live streams in the stream table", () => {
  it("are found by their id until they are removed", () => {
    const table = tableOf("client")
    const local = stream(3, "Local")
    const remote = stream(2, "Remote")
    table.add(local)
    table.add(remote)
    assert.strictEqual(table.get(3), local)
    assert.strictEqual(table.get(2), remote)
    assert.isUndefined(table.get(5))
    assert.deepStrictEqual([...table.values()], [local, remote])
    table.remove(local)
    assert.isUndefined(table.get(3))
    assert.deepStrictEqual([...table.values()], [remote])
  })

  it("are counted for the side that opened them, and removing one twice counts once", () => {
    const table = tableOf("client")
    const [a, b, c] = [stream(3, "Local"), stream(2, "Remote"), stream(4, "Remote")]
    for (const each of [a, b, c]) table.add(each)
    assert.deepStrictEqual(counts(table), [2, 1, 3])
    assert.isTrue(table.remove(b))
    assert.deepStrictEqual(counts(table), [1, 1, 2])
    assert.isFalse(table.remove(b))
    assert.deepStrictEqual(counts(table), [1, 1, 2])
    table.remove(a)
    table.remove(c)
    assert.deepStrictEqual(counts(table), [0, 0, 0])
  })

  it("heartbeat streams of this side are in the table, but are not counted", () => {
    const table = tableOf("client")
    const heartbeat = stream(3, "Local", HEARTBEAT_TYPE)
    table.add(heartbeat)
    assert.deepStrictEqual(counts(table), [0, 0, 1])
    table.remove(heartbeat)
    assert.deepStrictEqual(counts(table), [0, 0, 0])
  })

  it("heartbeat streams of the peer are not counted when their type is known, and not subtracted twice", () => {
    const table = tableOf("client")
    const remote = stream(2, "Remote")
    table.add(remote)
    remote.type = HEARTBEAT_TYPE
    table.uncount(remote)
    assert.deepStrictEqual(counts(table), [0, 0, 1])
    table.remove(remote)
    assert.deepStrictEqual(counts(table), [0, 0, 0])
  })
})

it("a cleared stream table is like a new one, except that used ids stay used", () => {
  const table = tableOf("client")
  const remote = stream(2, "Remote")
  table.useRemoteId(2)
  table.add(remote)
  table.add(stream(3, "Local"))
  table.closed.ignoreLate(9)
  table.clear()
  assert.deepStrictEqual(counts(table), [0, 0, 0])
  assert.isFalse(ignoresLate(table, 9))
  table.remove(remote)
  assert.deepStrictEqual(counts(table), [0, 0, 0])
  assert.strictEqual(table.useRemoteId(2), "Used")
})
