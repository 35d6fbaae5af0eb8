/**
 * Records of the log as lines of JSON. The chain is most of a record, and the same few chains come again: the text of a
 * certificate's entry is made once, and put where the rest of the record leaves room for it.
 */
import { jsonText } from '../bytes/invisible.ts';
import type { LoggedEvent } from '../judge/events.ts';
import type { CertificateEntry } from './certificate-entry.ts';
import { type EveOptions, type EveRecord, toEve } from './eve.ts';

export function eveLine(event: LoggedEvent, options: EveOptions): string {
  return recordLine(toEve(event, options));
}

/** What `jsonText` makes of the record. */
export function recordLine(record: EveRecord): string {
  const tls = record['tls'] as { certificates?: unknown } | undefined;
  if (!Array.isArray(tls?.certificates)) return jsonText(record);
  const chain = tls.certificates as readonly CertificateEntry[];
  // A number in its place.
  tls.certificates = 0;
  const line = jsonText(record);
  tls.certificates = chain;
  // No string has this in it, where a quotation mark would be escaped; and no other object has such a key.
  const at = line.indexOf(ROOM) + ROOM.length;
  return `${line.slice(0, at - 1)}[${chain.map(textOf).join(',')}]${line.slice(at)}`;
}

function textOf(entry: CertificateEntry): string {
  let text = texts.get(entry);
  if (text === undefined) {
    text = jsonText(entry);
    texts.set(entry, text);
  }
  return text;
}

/** As long as the entries are kept. */
const texts = new WeakMap<CertificateEntry, string>();
const ROOM = '"certificates":0';
