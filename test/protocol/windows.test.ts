import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { MAX_UINT31 } from "../../src/protocol/wire/frame.js"
import { CONVENTIONAL_WINDOW, ReceiveWindow } from "../../src/protocol/receiving/receiveWindow.js"
import { SendWindow } from "../../src/protocol/sending/sendWindow.js"

const KIB = 1024

it("the first window is 256 KiB", () => {
  assert.strictEqual(CONVENTIONAL_WINDOW, 262_144)
})

describe("a send window", () => {
  it("starts with its size as credit, and grows by increments", () => {
    const window = new SendWindow(1000)
    assert.strictEqual(window.initial, 1000)
    assert.strictEqual(window.credit, 1000)
    assert.isTrue(window.grow(500, 0))
    assert.strictEqual(window.credit, 1500)
  })

  it("can reach 2^31-1; a larger increment is refused and does not change the credit", () => {
    const window = new SendWindow(1000)
    assert.isFalse(window.grow(MAX_UINT31 - 999, 0))
    assert.strictEqual(window.credit, 1000)
    assert.isTrue(window.grow(MAX_UINT31 - 1000, 0))
    assert.strictEqual(window.credit, MAX_UINT31)
    assert.isFalse(window.grow(1, 0))
    assert.strictEqual(window.credit, MAX_UINT31)
  })

  it("accepted bytes that are not sent still count as window", () => {
    const window = new SendWindow(1000)
    window.consume(600)
    assert.isFalse(window.grow(MAX_UINT31 - 999, 600))
    assert.isTrue(window.grow(MAX_UINT31 - 1000, 600))
    assert.strictEqual(window.credit, MAX_UINT31 - 600)
  })

  it("credit is worthwhile from 1 KiB, or from a quarter of a smaller window, and never at 0", () => {
    const worthwhile = (initial: number, credit: number) => {
      const window = new SendWindow(initial)
      window.consume(initial - credit)
      return window.worthwhile
    }
    const threshold = (initial: number) => {
      let credit = 0
      while (!worthwhile(initial, credit)) credit++
      assert.isTrue(worthwhile(initial, credit + 1))
      return credit
    }
    assert.deepStrictEqual(
      [0, 1, 3, 4, 7, 8, 100, 4095, 4096, 4100, 256 * KIB].map(threshold),
      [1, 1, 1, 1, 1, 2, 25, 1023, 1024, 1024, 1024]
    )
  })
})

describe("a receive window", () => {
  it("accepts a frame up to the window, and refuses one more byte without accepting any", () => {
    const window = new ReceiveWindow(100)
    assert.strictEqual(window.size, 100)
    assert.isTrue(window.receive(60))
    assert.isFalse(window.receive(41))
    assert.strictEqual(window.available, 40)
    assert.isTrue(window.receive(40))
    assert.strictEqual(window.available, 0)
    assert.isTrue(window.receive(0))
    assert.isFalse(window.receive(1))
  })

  it("grants nothing before half of the window was consumed", () => {
    const window = new ReceiveWindow(100)
    window.receive(100)
    window.consume(49)
    assert.strictEqual(window.takeDue(), 0)
    assert.strictEqual(window.available, 0)
    window.consume(1)
    assert.strictEqual(window.takeDue(), 50)
    assert.strictEqual(window.available, 50)
    assert.strictEqual(window.consumed, 0)
    assert.strictEqual(window.takeDue(), 0)
  })

  it("a window above the conventional one grants at half of the conventional one", () => {
    const window = new ReceiveWindow(16 * KIB * KIB)
    window.receive(256 * KIB)
    window.consume(128 * KIB - 1)
    assert.strictEqual(window.takeDue(), 0)
    window.consume(1)
    assert.strictEqual(window.takeDue(), 128 * KIB)
  })

  it("with 0 or 1 bytes grants what was consumed, and never 0", () => {
    const none = new ReceiveWindow(0)
    assert.isFalse(none.receive(1))
    assert.strictEqual(none.takeDue(), 0)
    const one = new ReceiveWindow(1)
    one.receive(1)
    assert.strictEqual(one.takeDue(), 0)
    one.consume(1)
    assert.strictEqual(one.takeDue(), 1)
    assert.isTrue(one.receive(1))
  })

  it("that has grown grants at half of its first size, or to a near peer at a third of its size", () => {
    const due = (near?: boolean) => (grown: number) => {
      const window = new ReceiveWindow(256 * KIB)
      window.grow(grown)
      for (let consumed = KIB; ; consumed += KIB) {
        window.consume(KIB)
        if (window.takeDue(near) > 0) return consumed / KIB
      }
    }
    const grown = [0, KIB, 128 * KIB, 512 * KIB, 1280 * KIB]
    assert.deepStrictEqual(grown.map(due(true)), [128, 128, 128, 256, 512])
    assert.deepStrictEqual(grown.map(due(false)), [128, 128, 128, 128, 128])
    assert.deepStrictEqual(grown.map(due()), grown.map(due(false)))
  })

  it("that grows accepts as many more bytes", () => {
    const window = new ReceiveWindow(100)
    window.grow(20)
    assert.deepStrictEqual([window.size, window.grown, window.available], [120, 20, 120])
    assert.isTrue(window.receive(120))
    assert.isFalse(window.receive(1))
  })

  it("knows that the peer has credit left, if it once had more bytes outstanding", () => {
    const window = new ReceiveWindow(1000)
    const consume = (length: number): boolean => {
      window.receive(length)
      window.consume(length)
      return window.leavesCredit
    }
    assert.isFalse(consume(300))
    window.takeAll()
    assert.isTrue(consume(299))
    assert.isFalse(consume(1))
    window.takeAll()
    assert.isFalse(consume(301))
    window.takeAll()
    assert.isTrue(consume(300))
  })

  it("grants all consumed bytes, not only the half that made the grant due", () => {
    const window = new ReceiveWindow(100)
    window.receive(90)
    window.consume(90)
    assert.strictEqual(window.takeDue(), 90)
    assert.strictEqual(window.available, 100)
  })

  it("takeAll grants any consumed bytes, and 0 if there are none", () => {
    const window = new ReceiveWindow(100)
    window.receive(10)
    assert.strictEqual(window.takeAll(), 0)
    window.consume(3)
    assert.strictEqual(window.takeAll(), 3)
    assert.strictEqual(window.available, 93)
    assert.strictEqual(window.takeAll(), 0)
  })
})

describe("a peer with a smaller window", () => {
  /** The peer sends its whole window, the application consumes it, and the peer falls silent. */
  const stalled = (size: number, peer: number): ReceiveWindow => {
    const window = new ReceiveWindow(size)
    assert.isTrue(window.receive(peer))
    window.consume(peer)
    assert.strictEqual(window.takeDue(), 0)
    assert.strictEqual(window.takeStalled(), peer)
    assert.strictEqual(window.available, size)
    return window
  }

  /** So much is due at the window's next grant, when single bytes come and go. */
  const dueAt = (window: ReceiveWindow): number => {
    for (let received = 1; ; received++) {
      assert.isTrue(window.receive(1))
      window.consume(1)
      const increment = window.takeDue()
      if (increment > 0) {
        assert.strictEqual(increment, received)
        return received
      }
    }
  }

  it("that is silent and has sent nothing gets no grant, and no window is assumed", () => {
    const window = new ReceiveWindow(1000)
    assert.strictEqual(window.takeStalled(), 0)
    assert.strictEqual(dueAt(window), 500)
  })

  it("gets a grant when it becomes silent, and later grants at half of what it had sent", () => {
    const window = stalled(1000, 100)
    assert.strictEqual(dueAt(window), 50)
    assert.strictEqual(dueAt(window), 50)
  })

  it("does not raise the assumed window by a later stop, but lowers it by an earlier one", () => {
    const window = stalled(1000, 100)
    window.receive(70)
    window.consume(70)
    assert.strictEqual(window.takeStalled(), 70)
    assert.strictEqual(dueAt(window), 35)
    const other = stalled(1000, 100)
    other.receive(100)
    other.consume(100)
    assert.strictEqual(other.takeStalled(), 100)
    assert.strictEqual(dueAt(other), 50)
    const grown = stalled(1000, 20)
    for (let i = 0; i < 3; i++) {
      grown.receive(20)
      grown.consume(10)
    }
    assert.strictEqual(grown.takeStalled(), 30)
    assert.strictEqual(dueAt(grown), 500)
  })

  it("that sent only a few bytes does not change the assumed window", () => {
    assert.strictEqual(dueAt(stalled(1000, 1)), 500)
    assert.strictEqual(dueAt(stalled(1000, 62)), 500)
    assert.strictEqual(dueAt(stalled(1000, 63)), 32)
    assert.strictEqual(dueAt(stalled(200_000, 1023)), 100_000)
    assert.strictEqual(dueAt(stalled(200_000, 1024)), 512)
  })

  it("that has more in transit than the assumed window resets the assumed window", () => {
    const window = stalled(1000, 100)
    assert.isTrue(window.receive(100))
    window.consume(49)
    assert.strictEqual(window.takeDue(), 0) // 100 under way: the guess may still be right
    assert.isTrue(window.receive(1))
    window.consume(450)
    assert.strictEqual(window.takeDue(), 0)
    window.consume(1)
    assert.strictEqual(window.takeDue(), 500)
  })

  it("after 16 consecutive grants is assumed to have twice the assumed window", () => {
    const window = stalled(1000, 100)
    const grants = Array.from({ length: 40 }, () => dueAt(window))
    assert.deepStrictEqual(grants, [
      ...Array.from({ length: 16 }, () => 50),
      ...Array.from({ length: 16 }, () => 100),
      ...Array.from({ length: 8 }, () => 200)
    ])
  })

  it("is never assumed to have more than the conventional window, at which grants are full again", () => {
    const window = stalled(300, 100)
    const grants = Array.from({ length: 70 }, () => dueAt(window))
    assert.deepStrictEqual([grants[15], grants[16], grants[31], grants[32], grants[69]], [50, 100, 100, 150, 150])
  })

  it("restarts the count of grants by becoming silent again", () => {
    const window = stalled(1000, 100)
    for (let i = 0; i < 15; i++) assert.strictEqual(dueAt(window), 50)
    window.receive(100)
    window.consume(80)
    window.takeStalled()
    window.consume(20)
    window.takeAll()
    assert.deepStrictEqual(
      Array.from({ length: 17 }, () => dueAt(window)),
      [...Array.from({ length: 16 }, () => 40), 80]
    )
  })

  it("restarts the count of grants if the assumed window was wrong", () => {
    const window = stalled(1000, 100)
    for (let i = 0; i < 15; i++) dueAt(window)
    window.receive(101)
    window.consume(101)
    window.takeAll()
    window.receive(100)
    window.consume(100)
    assert.strictEqual(window.takeStalled(), 100)
    const grants = Array.from({ length: 17 }, () => dueAt(window))
    assert.deepStrictEqual(grants, [...Array.from({ length: 16 }, () => 50), 100])
  })
})

// --- conservation and progress

const step = fc.oneof(
  fc.record({ op: fc.constant("receive" as const), n: fc.nat(1500) }),
  fc.record({ op: fc.constant("consume" as const), n: fc.nat(1500) }),
  fc.record({ op: fc.constantFrom("due" as const, "stalled" as const, "all" as const), n: fc.constant(0) })
)

it("a receive window keeps the sum of available, buffered and consumed bytes equal to its size", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(step, { maxLength: 100 }), (size, steps) => {
      const window = new ReceiveWindow(size)
      let buffered = 0
      let granted = 0
      let received = 0
      for (const { n, op } of steps) {
        if (op === "receive") {
          const fits = n <= size + granted - received
          assert.strictEqual(window.receive(n), fits)
          if (fits) {
            buffered += n
            received += n
          }
        }
        if (op === "consume") {
          const length = Math.min(n, buffered)
          window.consume(length)
          buffered -= length
        }
        const before = window.consumed
        const increment =
          op === "due"
            ? window.takeDue()
            : op === "stalled"
              ? window.takeStalled()
              : op === "all"
                ? window.takeAll()
                : 0
        granted += increment
        if (op === "stalled" || op === "all") assert.strictEqual(increment, before)
        if (op === "due") assert.include([0, before], increment)
        assert.strictEqual(window.available + buffered + window.consumed, size)
        assert.strictEqual(window.available, size + granted - received)
      }
    })
  )
})

it("a sender with any window never hangs, and one with the same window gets few increments", () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 9, max: 300 }))
  fc.assert(
    fc.property(size, size, fc.integer({ min: 1, max: 40 }), (ours, theirs, piece) => {
      const window = new ReceiveWindow(ours)
      const total = 10 * Math.max(ours, theirs)
      let credit = Math.min(theirs, ours)
      let sent = 0
      let stalls = 0
      let increments = 0
      while (sent < total) {
        const length = Math.min(piece, credit, total - sent)
        if (length === 0 || !window.receive(length)) break
        window.consume(length)
        sent += length
        credit -= length
        const due = window.takeDue()
        const increment = due === 0 && credit === 0 ? window.takeStalled() : due
        if (due === 0 && credit === 0) stalls++
        if (increment > 0) increments++
        credit += increment
      }
      assert.strictEqual(sent, total)
      if (theirs < ours) return
      assert.strictEqual(stalls, 0)
      assert.isAtMost(increments, total / (ours / 2) + 2)
    })
  )
})
