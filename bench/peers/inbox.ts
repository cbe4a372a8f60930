/** The unread bytes, and the reader that waits for them: the reading half of a `Stream`. */

interface Reader {
  readonly resolve: (bytes: Uint8Array | undefined) => void
  readonly reject: (error: Error) => void
}

/** Whoever fills it stops above, and goes on when all is read. */
const FULL_BYTES = 256 * 1024

export class Inbox {
  private unread: Array<Uint8Array> = []
  private unreadBytes = 0
  private ended = false
  private failure: Error | undefined
  private reader: Reader | undefined
  private stopped = false

  constructor(
    private readonly stop: () => void,
    private readonly goOn: () => void
  ) {}

  put(bytes: Uint8Array): void {
    const reader = this.reader
    if (reader !== undefined) {
      this.reader = undefined
      reader.resolve(bytes)
      return
    }
    this.unread.push(bytes)
    this.unreadBytes += bytes.length
    if (this.unreadBytes >= FULL_BYTES && !this.stopped) {
      this.stopped = true
      this.stop()
    }
  }

  end(): void {
    this.ended = true
    this.reader?.resolve(undefined)
    this.reader = undefined
  }

  fail(error: Error): void {
    if (this.ended) return
    this.failure ??= error
    this.reader?.reject(error)
    this.reader = undefined
  }

  read(): Promise<Uint8Array | undefined> | Uint8Array | undefined {
    const bytes = this.unread.shift()
    if (bytes !== undefined) {
      this.unreadBytes -= bytes.length
      if (this.stopped && this.unreadBytes === 0) {
        this.stopped = false
        this.goOn()
      }
      return bytes
    }
    if (this.ended) return undefined
    if (this.failure !== undefined) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      this.reader = { resolve, reject }
    })
  }
}
