import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import { AsyncLocalStorage } from "node:async_hooks"
import * as Fs from "node:fs"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import * as Path from "node:path"
import { join } from "node:path"
import { pathProblem } from "../../src/node/internal/where.js"
import { certificates } from "../support/certificates.js"
import { failing } from "../support/failing.js"
import { quietly } from "../support/logs.js"
import type { Medium } from "../support/node/support.js"
import { media, socketPath, turns } from "../support/node/support.js"
import { quick } from "../support/session/sessionTest.js"
import { yields } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

const fast = { drainTimeout: 200, closeTimeout: 200 }

/** A server on `medium`, and the transport's layer for its clients. */
const serverOn = (medium: Medium) =>
  Effect.gen(function* () {
    if (medium === "unix") {
      const path = yield* socketPath
      return [yield* NodeSessionServer.makeUnix({ path }, fast), NodeTransport.layerUnix({ path })] as const
    }
    const where = { host: "127.0.0.1", port: 0 }
    const { ca, client, server: identity } = yield* Effect.promise(certificates)
    const server = yield* medium === "tcp"
      ? NodeSessionServer.makeTcp(where, fast)
      : NodeSessionServer.makeTls({ ...where, ...identity, ca, requestCert: true, ALPNProtocols: ["mux"] }, fast)
    const at = { host: "127.0.0.1", port: server.address._tag === "TcpAddress" ? server.address.port : 0 }
    const tls = { ...at, ca, ...client, servername: "localhost", ALPNProtocols: ["mux"] }
    return [server, medium === "tcp" ? NodeTransport.layerTcp(at) : NodeTransport.layerTls(tls)] as const
  })

for (const medium of media) {
  describe(`sessions over ${medium}`, () => {
    it.scopedLive("a handler and a client know the address of the peer, also after the connection has closed", () =>
      Effect.gen(function* () {
        const [server, transport] = yield* serverOn(medium)
        const peers: Array<Session.SessionService["peer"]> = []
        yield* Effect.forkScoped(
          server.run((session) =>
            Effect.zipRight(
              Effect.sync(() => peers.push(session.peer)),
              session.closed
            )
          )
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* Session.Session
            peers.push(session.peer)
            while (peers.length < 2) yield* turns(1)
          }).pipe(Effect.provide(Layer.provide(Session.layerClient(fast), transport)))
        )
        yield* Effect.sleep("20 millis")
        for (const peer of peers) {
          if (medium === "unix")
            assert.deepStrictEqual(peer, {
              _tag: "Unix",
              path: server.address._tag === "UnixAddress" ? server.address.path : ""
            })
          else if (peer?._tag === "Tcp") {
            assert.strictEqual(peer.address, "127.0.0.1")
            assert.isAbove(peer.port, 0)
            assert.strictEqual(peer.tls === undefined, medium === "tcp")
            if (peer.tls !== undefined) {
              assert.isTrue(peer.tls.authorized)
              assert.deepStrictEqual(
                [peer.tls.alpnProtocol, peer.tls.serverName, peer.tls.protocol],
                ["mux", "localhost", "TLSv1.3"]
              )
              assert.include(["client", "localhost"], peer.tls.certificate?.subject["CN"])
              assert.strictEqual(peer.tls.certificate, peer.tls.certificate)
            }
          } else assert.fail("no peer")
        }
      })
    )

    it.scopedLive("after a read, a request sees its own AsyncLocalStorage store or none, and so does a handler", () =>
      Effect.gen(function* () {
        const tenant = new AsyncLocalStorage<string>()
        const [server, transport] = yield* tenant.run("server", () => serverOn(medium))
        const inHandlers: Array<string | undefined> = []
        yield* Effect.forkScoped(
          server.run((session) =>
            session.serve((stream) =>
              Effect.flatMap(MuxStream.readAll(stream), (bytes) => {
                inHandlers.push(tenant.getStore())
                return MuxStream.write(stream, bytes)
              })
            )
          )
        )
        const memo = yield* Layer.makeMemoMap
        const scope = yield* Effect.scope
        const context = yield* Effect.promise(() =>
          tenant.run("tenant-1", () =>
            Effect.runPromise(Layer.buildWithMemoMap(Layer.provide(Session.layerClient(fast), transport), memo, scope))
          )
        )
        const request = (name: string) =>
          Effect.promise(() =>
            tenant.run(name, () =>
              Effect.runPromise(
                Effect.flatMap(Session.Session, (session) =>
                  session.withStream((stream) =>
                    MuxStream.write(stream, Uint8Array.of(1)).pipe(
                      Effect.zipRight(MuxStream.finish(stream)),
                      Effect.zipRight(MuxStream.readAll(stream)),
                      Effect.map(() => tenant.getStore())
                    )
                  )
                ).pipe(Effect.provide(context))
              )
            )
          )
        assert.include([undefined, "tenant-1"], yield* request("tenant-1"))
        assert.include([undefined, "tenant-2"], yield* request("tenant-2"))
        for (const store of inHandlers) assert.isUndefined(store)
      })
    )

    it.scopedLive("two layers are two connections, and one layer used twice is one", () =>
      Effect.gen(function* () {
        const [server, one] = yield* serverOn(medium)
        let sessions = 0
        yield* Effect.forkScoped(
          server.run((session) =>
            Effect.zipRight(
              Effect.sync(() => sessions++),
              session.closed
            )
          )
        )
        const client = Layer.provide(Session.layerClient(fast), one)
        const use = Layer.scopedDiscard(Effect.asVoid(Session.Session))
        yield* Layer.build(Layer.merge(Layer.provide(use, client), Layer.provide(Layer.fresh(use), client)))
        yield* Effect.sleep("50 millis")
        assert.strictEqual(sessions, 1)
        const [otherServer, two] = yield* serverOn(medium)
        let others = 0
        yield* Effect.forkScoped(
          otherServer.run((session) =>
            Effect.zipRight(
              Effect.sync(() => others++),
              session.closed
            )
          )
        )
        yield* Layer.build(
          Layer.merge(Layer.provide(use, client), Layer.provide(use, Layer.provide(Session.layerClient(fast), two)))
        )
        yield* Effect.sleep("50 millis")
        assert.deepStrictEqual([sessions, others], [2, 1])
      })
    )

    it.scopedLive("run fails when it is called twice, and when the scope of the server has closed", () =>
      Effect.gen(function* () {
        const [late] = yield* Effect.scoped(serverOn(medium))
        assert.include((yield* Effect.flip(late.run(() => Effect.void))).message, "is closed")
        const [server] = yield* serverOn(medium)
        yield* Effect.forkScoped(server.run(() => Effect.void))
        yield* Effect.yieldNow()
        assert.include((yield* Effect.flip(server.run(() => Effect.void))).message, "run was already called")
      })
    )
  })
}

it.scopedLive(
  "a handshake that fails or takes too long logs one debug line with its cause and the peer's address",
  () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
      const { server: identity } = yield* Effect.promise(certificates)
      const server = yield* NodeSessionServer.makeTls({
        ...identity,
        host: "127.0.0.1",
        port: 0,
        handshakeTimeout: 100
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.Debug))
      const port = server.address._tag === "TcpAddress" ? server.address.port : 0
      for (const first of ["GET / HTTP/1.1\r\n\r\n", "", "cut"]) {
        const before = lines.length
        const socket = Net.connect({ host: "127.0.0.1", port })
        socket.on("error", () => {})
        while (socket.localPort === undefined) yield* turns(1)
        const from = `127.0.0.1:${socket.localPort}`
        yield* Effect.sleep("20 millis")
        if (first === "cut") socket.resetAndDestroy()
        else socket.write(first)
        while (lines.length === before) yield* turns(1)
        yield* Effect.sleep("20 millis")
        socket.destroy()
        assert.lengthOf(lines, before + 1)
        assert.match(
          lines[before] ?? "",
          new RegExp(`^DEBUG A TLS handshake with ${from} failed: .*(http request|timeout|cut)`)
        )
      }
    })
)

describe("a wrong option", () => {
  const wrong: ReadonlyArray<readonly [unknown, string]> = [
    [{ port: "x" }, "port must be an integer from"],
    [{ port: -1 }, "not -1"],
    [{ port: 70_000 }, "not 70000"],
    [{ port: Number.NaN }, "not NaN"],
    [{ port: 1, host: 5 }, "host must be a non-empty string, not 5"],
    [null, "port must be|must be an object"]
  ]
  it.scoped("of a TCP or TLS server or client is refused with a line that names it", () =>
    Effect.gen(function* () {
      for (const [options, text] of wrong) {
        for (const make of [NodeSessionServer.makeTcp, NodeSessionServer.makeTls]) {
          const error = yield* Effect.flip(make(options as never))
          assert.strictEqual(error._tag, "InvalidOptions")
          assert.match(error.message, new RegExp(text))
        }
        for (const make of [NodeTransport.makeTcp, NodeTransport.makeTls]) {
          const error = yield* Effect.flip(make(options as never))
          assert.deepStrictEqual([error.reason, error.processed], ["Open", "no"])
          assert.match(error.message, new RegExp(text))
        }
      }
      for (const connectTimeout of ["abc", -1, Number.NaN]) {
        const error = yield* Effect.flip(NodeTransport.makeTcp({ port: 1, connectTimeout: connectTimeout as never }))
        assert.include(error.message, "connectTimeout must be a duration of more than 0")
      }
    })
  )

  it("of a path is refused: bytes count, not characters; abstract names and pipes have other limits", () => {
    assert.deepStrictEqual(pathProblem("a".repeat(107), "linux"), [])
    assert.include(pathProblem("é".repeat(54), "linux")[0], "at most 107 bytes here, and this one 108")
    assert.include(pathProblem("a".repeat(104), "darwin")[0], "at most 103 bytes here, and this one 104")
    assert.deepStrictEqual(pathProblem(`\0${"a".repeat(107)}`, "linux"), [])
    assert.lengthOf(pathProblem(`\0${"a".repeat(108)}`, "linux"), 1)
    assert.lengthOf(pathProblem("\0a", "darwin"), 1)
    assert.lengthOf(pathProblem("a\0b", "linux"), 1)
    assert.deepStrictEqual(pathProblem(`\\\\.\\pipe\\${"a".repeat(200)}`, "win32"), [])
    for (const path of ["", 5, null]) assert.lengthOf(pathProblem(path), 1)
  })
})

describe("a socket file", () => {
  const stale = (path: string) =>
    Effect.promise(
      () =>
        new Promise<void>((resolve) => {
          const server = Net.createServer().listen(`${path}.made`, () => {
            Fs.renameSync(`${path}.made`, path)
            server.close(() => resolve())
          })
        })
    )

  it.scopedLive("whose path is too long is refused, by server and client, and not created", () =>
    Effect.gen(function* () {
      const folder = Path.dirname(yield* socketPath)
      const path = `${folder}/${"l".repeat(120)}`
      assert.include((yield* Effect.flip(NodeSessionServer.makeUnix({ path }))).message, "path is too long")
      assert.include((yield* Effect.flip(NodeTransport.makeUnix({ path }))).message, "path is too long")
      assert.deepStrictEqual(Fs.readdirSync(folder), [])
    })
  )

  it.scopedLive("has the given mode, may have the longest path, and is the only file left in its folder", () =>
    Effect.gen(function* () {
      const folder = Path.dirname(yield* socketPath)
      for (const path of [`${folder}/s`, `${folder}/${"p".repeat(107 - folder.length - 1)}`]) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* NodeSessionServer.makeUnix({ path, mode: 0o600 })
            assert.strictEqual(Fs.statSync(path).mode & 0o777, 0o600)
            assert.deepStrictEqual(Fs.readdirSync(folder), [Path.basename(path)])
            yield* NodeTransport.makeUnix({ path })
          })
        )
        assert.deepStrictEqual(Fs.readdirSync(folder), [])
      }
    })
  )

  it.scopedLive(
    "is replaced only with replaceStale, and only if it is stale; the socket of a live server and other files never are",
    () =>
      Effect.gen(function* () {
        const path = yield* socketPath
        yield* stale(path)
        assert.include((yield* Effect.flip(NodeSessionServer.makeUnix({ path }))).message, "replaceStale: true")
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* NodeSessionServer.makeUnix({ path, replaceStale: true })
            const second = yield* Effect.flip(NodeSessionServer.makeUnix({ path, replaceStale: true }))
            assert.include(second.message, "a server already listens on it (EADDRINUSE)")
            yield* NodeTransport.makeUnix({ path })
          })
        )
        Fs.writeFileSync(path, "mine")
        const file = yield* Effect.flip(NodeSessionServer.makeUnix({ path, replaceStale: true }))
        assert.include(file.message, "the file at that path is not a socket")
        assert.strictEqual(Fs.readFileSync(path, "utf8"), "mine")
      })
  )

  it.scopedLive("of a new server is not removed by the end of the old one", () =>
    Effect.gen(function* () {
      const path = yield* socketPath
      const old = yield* Effect.fork(Effect.scoped(Effect.zipRight(NodeSessionServer.makeUnix({ path }), Effect.never)))
      while (!Fs.existsSync(path)) yield* turns(1)
      Fs.unlinkSync(path)
      yield* NodeSessionServer.makeUnix({ path })
      yield* Fiber.interrupt(old)
      yield* Effect.sleep("20 millis")
      yield* NodeTransport.makeUnix({ path })
    })
  )

  it.scopedLive("that is stale goes to one of several servers that start at once", () =>
    Effect.gen(function* () {
      const path = yield* socketPath
      yield* stale(path)
      const made = yield* Effect.all(
        Array.from({ length: 8 }, () => Effect.either(NodeSessionServer.makeUnix({ path, replaceStale: true }))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(made.filter((one) => one._tag === "Right").length, 1)
      yield* NodeTransport.makeUnix({ path })
    })
  )

  it.scopedLive("does not stay after an interrupted start of a server", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "edges-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const listening = yield* Effect.fork(
        Effect.scoped(Effect.zipRight(NodeSessionServer.makeUnix({ path: join(folder, "mux.sock") }), Effect.never))
      )
      yield* Effect.sleep(20)
      yield* Fiber.interrupt(listening)
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )

  it.scopedLive("that is not a socket is neither listened on nor removed", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "edges-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const path = join(folder, "notes")
      writeFileSync(path, "kept")
      for (const replaceStale of [true, false]) {
        const error = yield* Effect.flip(NodeSessionServer.makeUnix({ path, replaceStale }))
        assert.match(error.message, /the file at that path is not a socket/)
      }
      assert.match((yield* Effect.flip(NodeTransport.makeUnix({ path }))).message, /nothing listens on that address/)
      assert.deepStrictEqual(readdirSync(folder), ["notes"])
    })
  )
})

describe("a handler of a server", () => {
  for (const [way, handler] of Object.entries({ ...failing, "is over at once": () => Effect.void })) {
    it.scopedLive(`that ${way} ends its own session in order, and the server keeps running`, () =>
      Effect.gen(function* () {
        const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
        const running = yield* Effect.forkScoped(server.run(wrong<() => Effect.Effect<void>>(handler)))
        const port = server.address._tag === "TcpAddress" ? server.address.port : 0
        for (let i = 0; i < 2; i++) {
          const context = yield* Layer.build(
            Session.layerClient(quick).pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })))
          )
          assert.strictEqual((yield* Context.get(context, Session.Session).closed)._tag, "RemoteGoneAway")
        }
        assert.isNull(running.unsafePoll())
      }).pipe(quietly)
    )
  }
})

const named = (name: string) =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
    let connections = 0
    yield* Effect.forkScoped(
      server.run((session) => {
        connections++
        return session.serve((stream) => MuxStream.write(stream, name))
      })
    )
    const port = server.address._tag === "TcpAddress" ? server.address.port : 0
    const layer = Session.layerClient(quick).pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })))
    return { layer, port, connections: () => connections }
  })

it.scopedLive("two servers on one port: the second says that the address is in use", () =>
  Effect.gen(function* () {
    const { port } = yield* named("one")
    const error = yield* Effect.flip(NodeSessionServer.makeTcp({ host: "127.0.0.1", port }))
    assert.include(error.message, `127.0.0.1:${port}`)
    assert.include(error.message, "EADDRINUSE")
  })
)

it.scopedLive("run can be called only once, also after an interruption or after the server's scope has closed", () =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
    const running = yield* Effect.fork(server.run(() => Effect.void))
    yield* Effect.yieldNow()
    assert.strictEqual((yield* Effect.flip(server.run(() => Effect.void)))._tag, "ServerFailed")
    yield* Fiber.interrupt(running)
    assert.strictEqual((yield* Effect.flip(server.run(() => Effect.void)))._tag, "ServerFailed")
    const over = yield* Effect.scoped(NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick))
    assert.strictEqual((yield* Effect.flip(over.run(() => Effect.void)))._tag, "ServerFailed")
  })
)

it.scopedLive("a server that has stopped listening fails with ServerFailed when it is run again", () =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
    const running = yield* Effect.fork(server.run(() => Effect.void))
    yield* yields(50)
    yield* Fiber.interrupt(running)
    const error = yield* Effect.flip(server.run(() => Effect.void))
    assert.strictEqual(error._tag, "ServerFailed")
  })
)
