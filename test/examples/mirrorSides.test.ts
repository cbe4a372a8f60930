import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxStream, Session, Transport } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterEach, beforeEach } from "vitest"
import { mirror } from "../../examples/mirror/client.js"
import {
  FileHeader,
  HEADER_REFUSED,
  receiveMessage,
  sendMessage,
  StreamType,
  Verdict
} from "../../examples/mirror/protocol.js"
import { receiveFiles } from "../../examples/mirror/server.js"
import * as Source from "../../examples/mirror/source.js"

let from: string
let to: string

beforeEach(async () => {
  from = await Fs.mkdtemp(Path.join(Os.tmpdir(), "test-mirror-"))
  to = await Fs.mkdtemp(Path.join(Os.tmpdir(), "test-mirror-"))
})

afterEach(async () => {
  await Fs.rm(from, { recursive: true, force: true })
  await Fs.rm(to, { recursive: true, force: true })
})

const sessionOver = (role: "client" | "server", transport: Transport.TransportService) =>
  Session.make({ role }).pipe(
    Effect.provide(
      Layer.provideMerge(
        Layer.merge(FrameReader.layer, FrameWriter.layer),
        Layer.succeed(Transport.Transport, transport)
      )
    )
  )

const sessions = Effect.gen(function* () {
  const pair = yield* SimulatedTransport.makePair()
  return { client: yield* sessionOver("client", pair.client), server: yield* sessionOver("server", pair.server) }
})

const silent = { bytesSent: () => {}, fileDone: () => {} }

/** Mirrors one file of ten bytes to a server that does as `serve` says. */
const mirrorTo = <R>(serve: (server: Session.SessionService) => Effect.Effect<void, never, R>) =>
  Effect.gen(function* () {
    const { client, server } = yield* sessions
    yield* Effect.forkScoped(serve(server))
    yield* Effect.promise(() => Fs.writeFile(Path.join(from, "file"), "0123456789"))
    const source = yield* Source.fromPath(from)
    return yield* Effect.provideService(mirror(source, silent), Session.Session, client)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

/** A server that stores nothing, and says of each file what it is told to. */
const saying = (verdict: Verdict | undefined) => (server: Session.SessionService) =>
  server.serve((stream) =>
    Effect.gen(function* () {
      yield* receiveMessage(stream, FileHeader)
      yield* MuxStream.readAll(stream)
      if (verdict === undefined) return
      yield* server.withStream(
        (judging) =>
          Effect.zipRight(
            Effect.zipRight(sendMessage(judging, Verdict, verdict), MuxStream.finish(judging)),
            MuxStream.readAll(judging)
          ),
        { type: StreamType.Verdict }
      )
    })
  )

/** SHA-256 of "0123456789". */
const SHA256 = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"

describe("the client of the mirror", () => {
  it.live("succeeds if the server stored the bytes that were sent", () =>
    Effect.gen(function* () {
      const mirrored = yield* mirrorTo((server) => receiveFiles(server, to))
      assert.deepInclude(mirrored, { files: 1, bytes: 10, skipped: [] })
      assert.strictEqual(yield* Effect.promise(() => Fs.readFile(Path.join(to, "file"), "utf8")), "0123456789")
    })
  )

  it.live("succeeds if the server's verdict is the expected one", () =>
    Effect.gen(function* () {
      const mirrored = yield* mirrorTo(saying({ _tag: "Stored", path: "file", size: 10, sha256: SHA256 }))
      assert.strictEqual(mirrored.files, 1)
    })
  )

  it.live("fails if the digest is wrong", () =>
    Effect.gen(function* () {
      const stored = { _tag: "Stored", path: "file", size: 10, sha256: "0".repeat(64) } as const
      assert.strictEqual((yield* Effect.flip(mirrorTo(saying(stored))))._tag, "DigestMismatch")
    })
  )

  it.live("fails if the size is wrong", () =>
    Effect.gen(function* () {
      const stored = { _tag: "Stored", path: "file", size: 9, sha256: SHA256 } as const
      assert.strictEqual((yield* Effect.flip(mirrorTo(saying(stored))))._tag, "DigestMismatch")
    })
  )

  it.live("fails if the stream of a file ends without a verdict", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(mirrorTo(saying(undefined))))._tag, "VerdictMissing")
    })
  )

  it.live("reports why the server could not store a file", () =>
    Effect.gen(function* () {
      yield* Effect.promise(() => Fs.writeFile(Path.join(to, "file"), "is there already"))
      const error = yield* Effect.flip(mirrorTo((server) => receiveFiles(server, to)))
      assert.strictEqual(error._tag, "NotStored")
      assert.strictEqual(error.message, "file was not stored: EEXIST: file already exists")
    })
  )

  for (const [what, change] of [
    ["grows", (path: string) => Fs.appendFile(path, "more")],
    ["shrinks", (path: string) => Fs.truncate(path, 5)],
    ["is written to", (path: string) => Fs.utimes(path, 1, 1)]
  ] as const) {
    it.live(`leaves out a file that ${what} while it is being read`, () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { client, server } = yield* sessions
        yield* Effect.forkScoped(receiveFiles(server, to))
        const path = Path.join(from, "file")
        yield* Effect.promise(() => Fs.writeFile(path, "0123456789"))
        const changing = FileSystem.make({
          ...fs,
          open: (opened, options) =>
            Effect.map(fs.open(opened, options), (file) =>
              opened === path
                ? {
                    ...file,
                    stat: file.stat,
                    readAlloc: (size) =>
                      Effect.zipRight(
                        Effect.promise(() => change(path)),
                        file.readAlloc(size)
                      )
                  }
                : file
            )
        })
        const source = yield* Source.fromPath(from)
        const mirrored = yield* mirror(source, silent).pipe(
          Effect.provideService(Session.Session, client),
          Effect.provideService(FileSystem.FileSystem, changing)
        )
        assert.deepStrictEqual(
          mirrored.skipped.map((file) => file.message),
          ["file: changed while it was being read"]
        )
        assert.strictEqual(mirrored.files, 0)
      }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
    )
  }
})

describe("the server of the mirror", () => {
  const send = (header: string, content: string) =>
    Effect.gen(function* () {
      const { client, server } = yield* sessions
      yield* Effect.forkScoped(receiveFiles(server, Path.join(to, "root")))
      return yield* client.withStream(
        (stream) =>
          Effect.gen(function* () {
            const length = Buffer.alloc(4)
            length.writeUInt32BE(header.length)
            yield* MuxStream.write(stream, Buffer.concat([length, Buffer.from(header + content)]))
            yield* MuxStream.finish(stream)
            return yield* Effect.flip(MuxStream.readAll(stream))
          }),
        { type: StreamType.File }
      )
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

  for (const path of ["../outside", "/outside", "a/../../outside", "", ".", "a//b", "a\\u0000b"]) {
    it.live(`refuses the path "${path}" with a reset, and writes nothing`, () =>
      Effect.gen(function* () {
        const error = yield* send(`{"path":"${path}","size":4}`, "evil")
        assert.strictEqual(error._tag, "StreamReset")
        assert.deepInclude(error, { code: HEADER_REFUSED, initiator: "Remote" })
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(to)), [])
      })
    )
  }
})
