/** The entries of a client's key_share extension (RFC 8446 §4.2.8). */
import { ByteReader } from '../bytes/reader.ts';

export interface Share {
  readonly group: number;
  readonly keyExchange: Uint8Array;
}

/** As far as they can be read. */
export function sharesOf(keyShare: Uint8Array): Share[] {
  const list = new ByteReader(keyShare).vector16();
  const shares: Share[] = [];
  while (list.more()) {
    const share = { group: list.u16(), keyExchange: list.vector16().rest() };
    if (list.ok) shares.push(share);
  }
  return shares;
}
