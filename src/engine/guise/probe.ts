/** A probe's connection while it is under way, and what its packets leave as. Knows no queue. */
import { Decoy } from './decoy.ts';
import type { Guise, Headers } from './guise.ts';
import type { Link } from './links.ts';
import type { Pacing } from './pacing.ts';

export interface Probe {
  readonly seq: number;
  /** When its SYN left. */
  readonly begun: number;
  /** Undefined: none fits it. */
  readonly guise: Guise | undefined;
  /** Undefined: nothing of it waits. */
  readonly pacing: Pacing | undefined;
  /** What waits. */
  readonly kept: KeptPacket[];
  /** Its client's, where it leaves over a bridge. */
  readonly link: Link | undefined;
}

export interface KeptPacket {
  readonly packetId: number;
  readonly octets: Uint8Array;
  /** Microseconds, on the engine's clock. */
  until: number;
}

/** Undefined: as it is. */
export function dressed(headers: Headers, { guise, pacing, begun }: Probe, now: number): Uint8Array | undefined {
  const { tcp } = headers;
  if (guise === undefined) return undefined;
  if (pacing instanceof Decoy && pacing.isAhead(tcp)) {
    return guise.leaving(headers, now, guise.client.timestampBeside(tcp.dataLength > 0, begun));
  }
  return guise.leaving(headers, now - (pacing?.ageOf?.(tcp) ?? 0));
}
