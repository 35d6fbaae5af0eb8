/** What is said of a capture that was not read whole: a sentence for people, and a `stats` record for programs. */
import { type EveRecord, recordOf } from './eve.ts';

/** What of a capture was not read, or not whole; all of it is 0 or empty in most. */
export interface Unread {
  readonly frames: number;
  readonly withoutIp: number;
  readonly cut: number;
  /** By LINKTYPE number. */
  readonly linkTypesNotRead: ReadonlyMap<number, number>;
  /** Packets that no receiver takes, by code. */
  readonly refused: ReadonlyMap<string, number>;
  /** Of the last packet, in microseconds since the epoch. */
  readonly time: number;
}

/** Undefined where there is nothing to say. Frames without IP are worth a word only where there were no others. */
export function unreadSentence(unread: Unread): string | undefined {
  const parts: string[] = [];
  for (const [linkType, frames] of unread.linkTypesNotRead) {
    parts.push(`${frames} of a link type that is not read (LINKTYPE ${linkType})`);
  }
  if (unread.cut > 0) parts.push(`${unread.cut} cut by the snap length, read as far as they go`);
  if (unread.withoutIp > 0 && unread.withoutIp === unread.frames) parts.push(`${unread.withoutIp} without IP`);
  for (const [code, packets] of unread.refused) {
    if (!EVERYDAY.has(code)) parts.push(`${packets} refused (${code})`);
  }
  const all = unread.frames === 1 ? '1 frame' : `${unread.frames} frames`;
  return parts.length === 0 ? undefined : `of ${all} ${parts.join(', ')}`;
}

export function unreadRecord(unread: Unread, capture: string): EveRecord {
  const fields = {
    frames: unread.frames,
    without_ip: unread.withoutIp,
    cut: unread.cut,
    link_types_not_read: Object.fromEntries(unread.linkTypesNotRead),
    refused: Object.fromEntries(unread.refused),
  };
  return recordOf('stats', unread.time, fields, { capture });
}

/** What honest captures hold, and what hides nothing: the connections in question have records of their own. */
const EVERYDAY: ReadonlySet<string> = new Set(['tcp.simultaneous-open', 'tcp.syn-ack', 'packet.flags']);
