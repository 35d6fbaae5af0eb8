/**
 * Records of the log as lines of JSON. The chain is most of a record, and the same few chains come again: the text of a
 * certificate's entry is made once, and put where the rest of the record leaves room for it.
 */
import { jsonText } from '../bytes/invisible.ts';
import type { LoggedEvent } from '../judge/events.ts';
import type { CertificateEntry } from './certificate-entry.ts';
import { type EveOptions, type EveRecord, toEve } from './eve.ts';

/** What `jsonText` makes of the event's record. */
export function eveLine(event: LoggedEvent, options: EveOptions): string {
  const record = toEve(event, options);
  const chain = takeChain(record);
  const line = jsonText(record);
  if (chain === undefined) return line;
  // No string has this in it, where a quotation mark would be escaped; and no other object has such a key.
  const at = line.indexOf(ROOM) + ROOM.length;
  return `${line.slice(0, at - 1)}[${chain.map(textOf).join(',')}]${line.slice(at)}`;
}

/** Leaves a number in its place. */
function takeChain(record: EveRecord): readonly CertificateEntry[] | undefined {
  const tls = record['tls'] as { certificates: unknown } | undefined;
  if (tls === undefined) return undefined;
  const chain = tls.certificates as readonly CertificateEntry[];
  tls.certificates = 0;
  return chain;
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
