/**
 * Checks the structure of a MessagePack value before it is unpacked. msgpackr allocates an array as long as its header
 * says, knows extensions that make other objects than data, and replaces invalid UTF-8. The lengths of a peer cost
 * nothing here, and depth costs no stack.
 */

/** How deep arrays and maps may be nested. */
const MAX_DEPTH = 256

const PROTO = "__proto__"

/** Says why the bytes are not one plain value; `undefined` if they are. */
export const msgPackFault = (bytes: Uint8Array): string | undefined => new Check(bytes).run()

/** The values that a map or an array still needs. */
interface Open {
  readonly isMap: boolean
  missing: number
}

class Check {
  private at = 0
  private readonly open: Array<Open> = []
  private readonly view: DataView

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  run(): string | undefined {
    do {
      const fault = this.value()
      if (fault !== undefined) return `${fault} at byte ${this.at}`
      while (this.open.at(-1)?.missing === 0) this.open.pop()
    } while (this.open.length > 0)
    return this.at === this.bytes.length ? undefined : `${this.bytes.length - this.at} bytes follow the value`
  }

  private value(): string | undefined {
    const parent = this.open.at(-1)
    const isKey = parent?.isMap === true && parent.missing % 2 === 0
    if (parent !== undefined) parent.missing--
    if (this.at >= this.bytes.length) return "the value is cut"
    const token = this.view.getUint8(this.at)
    this.at++
    if (token < 0x80 || token >= 0xe0) return undefined
    if (token < 0x90) return this.nest(2 * (token & 0xf), true)
    if (token < 0xa0) return this.nest(token & 0xf, false)
    if (token < 0xc0) return this.text(token & 0x1f, isKey)
    switch (token) {
      case 0xc0: // nil, false, true
      case 0xc2:
      case 0xc3:
        return undefined
      case 0xc4: // bytes
        return this.skip(this.length(1))
      case 0xc5:
        return this.skip(this.length(2))
      case 0xc6:
        return this.skip(this.length(4))
      case 0xcc: // integers and floats
      case 0xd0:
        return this.skip(1)
      case 0xcd:
      case 0xd1:
        return this.skip(2)
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.skip(4)
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.skip(8)
      case 0xd9: // text
        return this.text(this.length(1), isKey)
      case 0xda:
        return this.text(this.length(2), isKey)
      case 0xdb:
        return this.text(this.length(4), isKey)
      case 0xdc: // arrays
        return this.nest(this.length(2), false)
      case 0xdd:
        return this.nest(this.length(4), false)
      case 0xde: // maps
        return this.nest(2 * this.length(2), true)
      case 0xdf:
        return this.nest(2 * this.length(4), true)
      case 0xd4: // `undefined`, as msgpackr packs it, and the timestamps
        return this.extension(1, 0x00)
      case 0xd6:
        return this.extension(4, 0xff)
      case 0xd7:
        return this.extension(8, 0xff)
      case 0xc7:
        return this.length(1) === 12 ? this.extension(12, 0xff) : EXTENSION
      default:
        return EXTENSION
    }
  }

  /** Reads a length. `NaN` if it is cut, which fits nowhere. */
  private length(size: 1 | 2 | 4): number {
    const { at, view } = this
    if (at + size > this.bytes.length) return NaN
    this.at += size
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at)
  }

  private skip(length: number): string | undefined {
    if (!(this.at + length <= this.bytes.length)) return "the value is cut"
    this.at += length
    return undefined
  }

  private nest(values: number, isMap: boolean): string | undefined {
    // each value has at least one byte
    if (!(this.at + values <= this.bytes.length)) return "the value is cut"
    if (values === 0) return undefined
    if (this.open.length >= MAX_DEPTH) return `the value is nested more than ${MAX_DEPTH} deep`
    this.open.push({ isMap, missing: values })
    return undefined
  }

  private text(length: number, isKey: boolean): string | undefined {
    const { at } = this
    const fault = this.skip(length)
    if (fault !== undefined) return fault
    const bytes = this.bytes.subarray(at, this.at)
    if (bytes.every(isAscii)) {
      return isKey && length === PROTO.length && String.fromCharCode(...bytes) === PROTO ? PROTO_KEY : undefined
    }
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes)
      return undefined
    } catch {
      return "a text is not UTF-8"
    }
  }

  private extension(length: number, type: number): string | undefined {
    const found = this.length(1)
    return found === type ? this.skip(length) : EXTENSION
  }
}

const isAscii = (byte: number): boolean => byte < 0x80

const EXTENSION = "it has a value that is no plain data"

/** Also of JSON. */
export const PROTO_KEY = "an object has the key __proto__"
