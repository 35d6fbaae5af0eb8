/**
 * A strict, sticky walk over DER (X.690 §10): definite lengths, low tag numbers, bounded depth. A length may take more
 * octets than it needs: common clients read such certificates, so their keys have to be found here too (what certificates
 * say of themselves is read `strict`ly). After a fault
 * every read yields an empty element and `ok` is false, so a parser checks once, at its end. It never throws,
 * never copies and never recurses by itself; it knows no structure.
 */

/** Offsets into the reader's bytes. */
export interface DerElement {
  /** Identifier octet as on the wire. */
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

export class DerReader {
  readonly bytes: Uint8Array;
  #at: number;
  readonly #end: number;
  readonly #depth: number;
  /** Shared with every reader made of this one: a fault inside a structure is a fault of the structure. */
  readonly #state: { ok: boolean; readonly isStrict: boolean };

  /** Of what takes lengths in their shortest form only. */
  static strict(bytes: Uint8Array): DerReader {
    return new DerReader(bytes, 0, bytes.length, undefined, true);
  }

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, parent?: DerReader, isStrict = false) {
    this.bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
    this.#state = parent === undefined ? { ok: true, isStrict } : parent.#state;
    if (this.#depth > MAX_DEPTH) this.fail();
  }

  /** False once this reader, or one that came of it, met what is not DER or not what was asked for. */
  get ok(): boolean {
    return this.#state.ok;
  }

  get at(): number {
    return this.#at;
  }

  /** True while a further element can begin. */
  more(): boolean {
    return this.#state.ok && this.#at < this.#end;
  }

  /** True when everything was read and nothing was wrong. */
  atEnd(): boolean {
    return this.#state.ok && this.#at === this.#end;
  }

  /** Ends a structure: octets left over are a fault. */
  finish(): void {
    if (this.#at !== this.#end) this.fail();
  }

  /** Lets a parser record what it found wrong in a content. */
  fail(): void {
    this.#state.ok = false;
  }

  /** Identifier octet of the next element, or -1. */
  peek(): number {
    return this.more() ? this.bytes[this.#at]! : -1;
  }

  /** The next element, whatever its tag. */
  next(): DerElement {
    const start = this.#at;
    const { bytes } = this;
    if (!this.more() || this.#end - start < 2 || (bytes[start]! & 0x1f) === 0x1f) return this.#nothing();
    let content = start + 2;
    let length = bytes[start + 1]!;
    if (length >= 0x80) {
      // X.690 §8.1.3: 0x80 would be the indefinite form.
      const octets = length & 0x7f;
      if (octets === 0 || octets > MAX_LENGTH_OCTETS || octets > this.#end - content) return this.#nothing();
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + bytes[content + i]!;
      content += octets;
      // X.690 §10.1.
      if (this.#state.isStrict && length < Math.max(0x80, 256 ** (octets - 1))) return this.#nothing();
    }
    if (length > this.#end - content) return this.#nothing();
    this.#at = content + length;
    return { tag: bytes[start]!, start, content, end: content + length };
  }

  /** The next element, which must have this tag. */
  expect(tag: number): DerElement {
    return this.peek() === tag ? this.next() : this.#nothing();
  }

  /** The next element if it has this tag. */
  optional(tag: number): DerElement | undefined {
    return this.peek() === tag ? this.next() : undefined;
  }

  /** A reader that cannot leave the element's content. */
  inside(element: DerElement): DerReader {
    return new DerReader(this.bytes, element.content, element.end, this);
  }

  /** Steps into the next element, which must have this tag. */
  enter(tag: number): DerReader {
    return this.inside(this.expect(tag));
  }

  /** The whole element, header included: a view. */
  whole(element: DerElement): Uint8Array {
    return this.bytes.subarray(element.start, element.end);
  }

  /** What the element holds: a view. */
  content(element: DerElement): Uint8Array {
    return this.bytes.subarray(element.content, element.end);
  }

  #nothing(): DerElement {
    this.fail();
    return NOTHING;
  }
}

/** Identifier octets (X.680 §8.4, with the constructed bit where DER has it). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Dotted decimal of an OBJECT IDENTIFIER's content; undefined when it is not one. */
export function oidText(content: Uint8Array): string | undefined {
  if (content.length === 0 || content.length > MAX_OID_OCTETS || content[content.length - 1]! >= 0x80) return undefined;
  const arcs: number[] = [];
  let arc = 0;
  let first = true;
  for (const octet of content) {
    if (first && octet === 0x80) return undefined; // X.690 §8.19.2: no leading zero septets
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) return undefined;
    first = octet < 0x80;
    if (!first) continue;
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40));
      arcs.push(root, arc - 40 * root);
    } else {
      arcs.push(arc);
    }
    arc = 0;
  }
  return arcs.join('.');
}

const NOTHING: DerElement = { tag: 0, start: 0, content: 0, end: 0 };
const MAX_DEPTH = 32;
/** A TLS Certificate message cannot carry more than 2^24 octets. */
const MAX_LENGTH_OCTETS = 3;
const MAX_OID_OCTETS = 64;
