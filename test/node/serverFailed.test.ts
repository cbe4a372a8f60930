/** Why a server cannot listen or run: each reason of `ServerFailed`, provoked. */
import { assert, describe, it } from "@effect/vitest"
import { SocketServer, SocketServerError } from "@effect/platform/SocketServer"
import { MuxadoError, SessionServer } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const HOST = "127.0.0.1"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "muxado-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const portOf = (server: SessionServer.SessionServerService): number => {
  assert(server.address._tag === "TcpAddress")
  return server.address.port
}

/** What making a server fails with; the code is that of the system. */
const failure = <E>(make: Effect.Effect<unknown, E, Scope.Scope>) =>
  Effect.map(Effect.flip(Effect.scoped(make)), (error) => {
    assert.instanceOf(error, MuxadoError.ServerFailed)
    assert.isTrue(MuxadoError.isMuxadoError(error))
    assert.strictEqual(MuxadoError.retry(error), "Never")
    const { cause, message, reason } = error
    return { reason, message, code: cause instanceof Error && "code" in cause ? cause.code : undefined }
  })

/** As a user who may not do everything. */
const asNobody = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  process.getuid?.() === 0
    ? Effect.acquireUseRelease(
        Effect.sync(() => process.seteuid?.(65_534)),
        () => effect,
        () => Effect.sync(() => process.seteuid?.(0))
      )
    : effect

describe("a server that cannot listen says why", () => {
  it.scopedLive("AddressInUse: another server has the port", () =>
    Effect.gen(function* () {
      const port = portOf(yield* NodeSessionServer.makeTcp({ host: HOST, port: 0 }))
      const { code, message, reason } = yield* failure(NodeSessionServer.makeTcp({ host: HOST, port }))
      assert.deepStrictEqual([reason, code], ["AddressInUse", "EADDRINUSE"])
      assert.strictEqual(message, `cannot listen on ${HOST}:${port}: the address is already in use (EADDRINUSE)`)
    })
  )

  it.scopedLive("AddressInUse: a file exists at the path of the unix socket", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "socket")
      yield* Effect.promise(() => writeFile(path, ""))
      const { reason } = yield* failure(NodeSessionServer.makeUnix({ path }))
      assert.strictEqual(reason, "AddressInUse")
    })
  )

  it.scopedLive("PermissionDenied: this user may not write to the folder", () =>
    Effect.gen(function* () {
      const closed = yield* folder
      yield* Effect.promise(() => chmod(closed, 0o555))
      const { code, reason } = yield* asNobody(failure(NodeSessionServer.makeUnix({ path: join(closed, "socket") })))
      assert.deepStrictEqual([reason, code], ["PermissionDenied", "EACCES"])
    })
  )

  it.scopedLive(
    "NoSuchAddress: the address belongs to another machine, the host is unknown, the folder is missing",
    () =>
      Effect.gen(function* () {
        const foreign = yield* failure(NodeSessionServer.makeTcp({ host: "203.0.113.1", port: 0 }))
        assert.deepStrictEqual([foreign.reason, foreign.code], ["NoSuchAddress", "EADDRNOTAVAIL"])
        const unknown = yield* failure(NodeSessionServer.makeTcp({ host: "no-such-host.invalid", port: 0 }))
        assert.strictEqual(unknown.reason, "NoSuchAddress")
        const missing = yield* failure(NodeSessionServer.makeUnix({ path: join(yield* folder, "missing", "socket") }))
        assert.deepStrictEqual([missing.reason, missing.code], ["NoSuchAddress", "ENOENT"])
      })
  )

  it.scopedLive("Listen: the certificate is invalid", () =>
    Effect.gen(function* () {
      const { reason } = yield* failure(NodeSessionServer.makeTls({ port: 0, key: "no key", cert: "none" }))
      assert.strictEqual(reason, "Listen")
    })
  )

  it.scopedLive("a path that is too long is InvalidOptions: nothing is created", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(NodeSessionServer.makeUnix({ path: `/tmp/${"x".repeat(200)}` }))
      assert(error._tag === "InvalidOptions")
      assert.include(error.message, "path is too long")
    })
  )
})

describe("a server that cannot run says why", () => {
  const run = (server: SessionServer.SessionServerService) => server.run(() => Effect.void)

  it.scopedLive("RunBefore: run was already called", () =>
    Effect.gen(function* () {
      const server = yield* NodeSessionServer.makeTcp({ host: HOST, port: 0 })
      yield* Effect.forkScoped(run(server))
      yield* Effect.yieldNow()
      assert.strictEqual((yield* failure(run(server))).reason, "RunBefore")
    })
  )

  it.scopedLive("Stopped: its scope has closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.extend(NodeSessionServer.makeTcp({ host: HOST, port: 0 }), scope)
      const running = yield* Effect.fork(failure(run(server)))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      assert.strictEqual((yield* Fiber.join(running)).reason, "Stopped")
    })
  )

  const used = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" })
  const platforms: ReadonlyArray<readonly [Effect.Effect<never, SocketServerError>, string, unknown]> = [
    [Effect.fail(new SocketServerError({ reason: "Open", cause: used })), "AddressInUse", "EADDRINUSE"],
    [Effect.fail(new SocketServerError({ reason: "Unknown", cause: used })), "Stopped", "EADDRINUSE"],
    [Effect.interrupt, "Stopped", undefined],
    [Effect.die("broken"), "Stopped", undefined]
  ]
  it.scopedLive.each(platforms)("%#: the reason of a platform's server", ([platform, reason, code]) =>
    Effect.gen(function* () {
      const server = yield* Effect.provideService(SessionServer.make(), SocketServer, {
        address: { _tag: "TcpAddress", hostname: HOST, port: 1 },
        run: () => platform
      })
      const error = yield* failure(run(server))
      assert.deepStrictEqual([error.reason, error.code], [reason, code])
    })
  )
})
