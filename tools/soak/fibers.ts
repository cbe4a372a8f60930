/** How many fibers are alive. */
import * as Effect from "effect/Effect"
import * as Supervisor from "effect/Supervisor"

export class FiberCount extends Supervisor.AbstractSupervisor<number> {
  alive = 0
  override readonly value = Effect.sync(() => this.alive)

  override onStart(): void {
    this.alive++
  }

  override onEnd(): void {
    this.alive--
  }
}
