/** Extension blocks (RFC 8446 §4.2), alike in every hello: types in order, bodies as spans, duplicates a fault. */
import type { ByteReader } from '../bytes/reader.ts';

export class Extensions {
  /** In wire order. */
  readonly types: number[] = [];
  readonly #bytes: Uint8Array;
  /** Where each body begins and ends. */
  readonly #edges: number[] = [];
  /** There once they are more than a look through them would take long. */
  #places: Map<number, number> | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  has(type: number): boolean {
    return this.#placeOf(type) >= 0;
  }

  /** A view of its body. */
  get(type: number): Uint8Array | undefined {
    const place = this.#placeOf(type);
    return place < 0 ? undefined : this.#bodyAt(place);
  }

  /** Types and views of their bodies, in wire order. */
  *[Symbol.iterator](): Iterator<readonly [type: number, body: Uint8Array]> {
    for (const [place, type] of this.types.entries()) yield [type, this.#bodyAt(place)];
  }

  /** False for one that is there already. The body is at [start, end) of the octets. */
  add(type: number, start: number, end: number): boolean {
    if (this.has(type)) return false;
    this.types.push(type);
    this.#edges.push(start, end);
    if (this.types.length > MANY) this.#places ??= new Map(this.types.map((each, place) => [each, place]));
    this.#places?.set(type, this.types.length - 1);
    return true;
  }

  #placeOf(type: number): number {
    return this.#places === undefined ? this.types.indexOf(type) : (this.#places.get(type) ?? -1);
  }

  #bodyAt(place: number): Uint8Array {
    return this.#bytes.subarray(this.#edges[2 * place], this.#edges[2 * place + 1]);
  }
}

/** Reads what is left of a hello. Undefined when lengths do not fit or a type comes twice; absent is empty. */
export function readExtensions(hello: ByteReader): Extensions | undefined {
  // RFC 5246 §7.4.1.2: a hello without extensions simply ends.
  if (!hello.more()) return hello.ok ? new Extensions(hello.bytes) : undefined;
  const extensions = readExtensionList(hello.vector16());
  return hello.atEnd() ? extensions : undefined;
}

/** The extensions themselves, without the length before them. */
export function readExtensionList(list: ByteReader): Extensions | undefined {
  const extensions = new Extensions(list.bytes);
  while (list.more()) {
    const type = list.u16();
    const length = list.u16();
    const start = list.at;
    list.skip(length);
    if (!list.ok || !extensions.add(type, start, list.at)) return undefined;
  }
  return list.ok ? extensions : undefined;
}

const MANY = 32;
