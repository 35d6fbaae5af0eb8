/** Plays a dialogue into a tracker, whole or cut, and tells what became of it. */
import { PreambleTracker } from '../../src/starttls/tracker.ts';
import type { PreambleLimits } from '../../src/starttls/tracker.ts';

/** `['C', …]`: the client says; text is latin1. */
export type Turn = readonly ['C' | 'S', string | Buffer];

export interface Outcome {
  readonly state: 'preamble' | 'tls' | 'foreign' | 'limit';
  /** Whose octets brought it about. */
  readonly by: 'C' | 'S' | null;
  readonly protocol: string | null;
  /** The octets of each direction that belong to TLS. */
  readonly client: string;
  readonly server: string;
}

export const HELLO = '\x16\x03\x01\x00\x05hello';
export const FLIGHT = '\x16\x03\x03\x00\x06flight';

/** Each turn in chunks of `chunk` octets. */
export function play(turns: readonly Turn[], chunk = Infinity, limits?: PreambleLimits): Outcome {
  const pieces: Turn[] = turns.flatMap(([who, said]) => {
    const bytes = typeof said === 'string' ? Buffer.from(said, 'latin1') : said;
    const cut: Turn[] = [];
    for (let at = 0; at < bytes.length; at += chunk) cut.push([who, bytes.subarray(at, at + chunk)]);
    return cut;
  });
  return playPieces(pieces, limits);
}

/** With one turn cut in two at every position in turn. */
export function playSplitEverywhere(turns: readonly Turn[]): Outcome[] {
  return turns.flatMap(([who, said], index) => {
    const bytes = typeof said === 'string' ? Buffer.from(said, 'latin1') : said;
    return Array.from({ length: bytes.length + 1 }, (_, at) =>
      playPieces([
        ...turns.slice(0, index),
        [who, bytes.subarray(0, at)],
        [who, bytes.subarray(at)],
        ...turns.slice(index + 1),
      ]),
    );
  });
}

function playPieces(pieces: readonly Turn[], limits?: PreambleLimits): Outcome {
  const tracker = new PreambleTracker(limits);
  let state: Outcome['state'] = 'preamble';
  let by: Outcome['by'] = null;
  const tls = { C: [] as Uint8Array[], S: [] as Uint8Array[] };
  for (const [who, said] of pieces) {
    // Views that the tracker may keep only as copies: they are overwritten after each call.
    const view = Buffer.from(typeof said === 'string' ? Buffer.from(said, 'latin1') : said);
    if (state === 'tls') {
      tls[who].push(Buffer.from(view));
      continue;
    }
    const progress = who === 'C' ? tracker.client(view) : tracker.server(view);
    if (progress.state === 'tls') {
      tls.C.push(Buffer.from(tracker.heldClient));
      tls.S.push(Buffer.from(tracker.heldServer));
    }
    view.fill(0xee);
    if (progress.state !== 'preamble') {
      state = progress.state;
      by = who;
      if (state !== 'tls') break;
    }
  }
  const text = (parts: readonly Uint8Array[]): string => Buffer.concat(parts).toString('latin1');
  return { state, by, protocol: tracker.protocol, client: text(tls.C), server: text(tls.S) };
}
