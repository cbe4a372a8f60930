import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Program } from "../support/examples/echo.js"
import { echo } from "../support/examples/echo.js"
import type { Attack } from "../../tools/attacks/attack.js"
import { carryOut, judge } from "../../tools/attacks/attack.js"
import * as Bytes from "../../tools/attacks/bytes.js"
import { corpus } from "../../tools/attacks/corpus/index.js"
import { Peer } from "../../tools/attacks/peer.js"
import { sumOf } from "../../tools/attacks/seen.js"
import { overTcp } from "../../tools/attacks/socketPeer.js"

/** Processes take a second or more to start where there is much to do. */
const LONG = 60_000

/** The echo program, in processes that meet every attack. */
class Servers extends Context.Tag("test/Servers")<Servers, { readonly echo: Program; readonly hold: Program }>() {
  static readonly live = Layer.scoped(
    Servers,
    Effect.all({ echo: echo("serve", "--port", 0), hold: echo("serve", "--port", 0, "--hold") })
  )
}

const connect = (program: Program) =>
  Effect.flatMap(program.port, (port) => Effect.map(overTcp(port), (medium) => new Peer(medium, 1)))

/** An honest peer is served, whatever went before. */
const stillEchoes = (program: Program): Effect.Effect<void> =>
  Effect.gen(function* () {
    const peer = yield* connect(program)
    const bytes = Bytes.hex("68656c6c6f")
    yield* peer.send(Bytes.syn(3, bytes), Bytes.fin(3))
    yield* peer.until((seen) => seen.answer(3).finished)
    assert.strictEqual(peer.seen.answer(3).sum, sumOf(bytes))
  }).pipe(Effect.scoped)

const isFor = ({ options, role, virtual }: Attack): boolean =>
  options === undefined && role === undefined && virtual === undefined

layer(Servers.live, { excludeTestServices: true, timeout: LONG })("an attack over TCP on the echo program", (it) => {
  for (const attack of corpus.filter(isFor)) {
    it.scoped(
      `${attack.id}: ${attack.what}`,
      () =>
        Effect.gen(function* () {
          const servers = yield* Servers
          const peer = yield* connect(servers[attack.app ?? "echo"])
          yield* carryOut(attack, peer)
          judge(attack, peer)
          yield* stillEchoes(servers.echo)
        }),
      LONG
    )
  }

  it.scoped("leaves both programs running, with no unexpected line in their logs", () =>
    Effect.gen(function* () {
      const servers = yield* Servers
      yield* stillEchoes(servers.echo)
      for (const { child, stderr } of [servers.echo, servers.hold]) {
        assert.isNull(child.exitCode)
        const complaints = stderr
          .split("\n")
          .filter(
            (line) =>
              line !== "" &&
              !/ level=WARN .*(The peer broke the protocol|Are both sides of the session typed)/.test(line)
          )
        assert.deepStrictEqual(complaints, [])
      }
    })
  )
})
