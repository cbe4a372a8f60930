/**
 * Bytes that are read one piece after the other and wanted as one.
 *
 * Each piece is an object that knows the one before it, and not an array: of an array literal the engine may decide
 * that what it makes lives long, because it did so while the program started, and then each dead array keeps what was
 * in it until the next full collection.
 */
export class Gathered {
  /** Bytes of this piece and of those before it. */
  readonly length: number

  constructor(
    private readonly before: Gathered | undefined,
    private readonly bytes: Uint8Array
  ) {
    this.length = (before?.length ?? 0) + bytes.length
  }

  /** Copied only when there are several. */
  concat(): Uint8Array {
    if (this.before === undefined) return this.bytes
    const all = new Uint8Array(this.length)
    this.putInto(all)
    let piece: Gathered | undefined = this.before
    for (; piece !== undefined; piece = piece.before) piece.putInto(all)
    return all
  }

  private putInto(all: Uint8Array): void {
    all.set(this.bytes, this.length - this.bytes.length)
  }
}
