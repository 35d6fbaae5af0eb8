/** Extension blocks (RFC 8446 §4.2), alike in every hello: types in order, bodies as spans, duplicates a fault. */
import type { ByteReader } from '../bytes/reader.ts';

export interface Extensions {
  /** In wire order. */
  readonly types: readonly number[];
  readonly bodies: ReadonlyMap<number, Uint8Array>;
}

/** Reads what is left of a hello. Undefined when lengths do not fit or a type comes twice; absent is empty. */
export function readExtensions(hello: ByteReader): Extensions | undefined {
  // RFC 5246 §7.4.1.2: a hello without extensions simply ends.
  if (!hello.more()) return hello.ok ? { types: [], bodies: new Map() } : undefined;
  const extensions = readExtensionList(hello.vector16());
  return hello.atEnd() ? extensions : undefined;
}

/** The extensions themselves, without the length before them. */
export function readExtensionList(list: ByteReader): Extensions | undefined {
  const types: number[] = [];
  const bodies = new Map<number, Uint8Array>();
  while (list.more()) {
    const type = list.u16();
    const body = list.vector16();
    if (!body.ok || bodies.has(type)) return undefined;
    types.push(type);
    bodies.set(type, body.rest());
  }
  return list.ok ? { types, bodies } : undefined;
}
