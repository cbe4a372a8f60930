/**
 * Collects pieces of bytes that are read one after the other, and returns them as one.
 *
 * Each piece is an object with a link to the piece before it, and not an element of an array: see reason 1 in
 * `protocol/collections/v8.ts`.
 */
export class Gathered {
  /** The number of bytes in this piece and in those before it. */
  readonly length: number

  constructor(
    private readonly before: Gathered | undefined,
    private readonly bytes: Uint8Array
  ) {
    this.length = (before?.length ?? 0) + bytes.length
  }

  /** Returns all bytes. Copies them only if there are several pieces. */
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
