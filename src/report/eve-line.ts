/**
 * Records of the log as lines of JSON. The chain is most of a record, and the same few chains come again; what is said of
 * the leaf, and most verdicts, come again with them. The text of each of these is made once, and put where the rest of the
 * record leaves room for it.
 */
import { jsonText } from '../bytes/invisible.ts';
import type { LoggedEvent } from '../judge/events.ts';
import type { CertificateEntry } from './certificate-entry.ts';
import { type EveOptions, type EveRecord, LEAF_FIELDS, leafOf, toEve } from './eve.ts';

export function eveLine(event: LoggedEvent, options: EveOptions): string {
  return recordLine(toEve(event, options));
}

/** What `jsonText` makes of the record, which is afterwards as it was. */
export function recordLine(record: EveRecord): string {
  const { tls, verdict } = record as { tls?: Fields; verdict?: Fields };
  const chain = tls?.['certificates'] as readonly CertificateEntry[] | undefined;
  if (tls === undefined || verdict === undefined || !Array.isArray(chain) || chain.length === 0)
    return jsonText(record);
  const entry = chain[0]!;
  makeRoom(record as Fields, tls);
  const rest = jsonText(record);
  const leaf = leafOf(entry);
  for (const name of LEAF_FIELDS) tls[name] = leaf[name];
  tls['certificates'] = chain;
  (record as Fields)['verdict'] = verdict;
  // No string has these in it, where a quotation mark would be escaped; and no other object has a number there.
  const verdictAt = rest.indexOf(VERDICT_ROOM);
  const leafAt = rest.indexOf(LEAF_ROOM, verdictAt);
  const chainAt = rest.indexOf(CHAIN_ROOM, leafAt) + CHAIN_ROOM.length - 1;
  const upToVerdict = rest.slice(0, verdictAt + VERDICT_ROOM.length - 1);
  const upToLeaf = rest.slice(verdictAt + VERDICT_ROOM.length, leafAt);
  const upToChain = rest.slice(leafAt + LEAF_ROOM.length, chainAt);
  return `${upToVerdict}${verdictText(verdict)}${upToLeaf}${leafText(entry)}${upToChain}${chainText(chain)}${rest.slice(chainAt + 1)}`;
}

type Fields = Record<string, unknown>;

/** A number in the place of each. */
function makeRoom(record: Fields, tls: Fields): void {
  record['verdict'] = 0;
  for (const name of LEAF_FIELDS) tls[name] = undefined;
  tls[LEAF_FIELDS[0]] = 0;
  tls['certificates'] = 0;
}

function chainText(chain: readonly CertificateEntry[]): string {
  let text = '[';
  for (const [i, entry] of chain.entries()) text += i === 0 ? textOf(entry) : `,${textOf(entry)}`;
  return `${text}]`;
}

function textOf(entry: CertificateEntry): string {
  return keptText(texts, entry, () => jsonText(entry));
}

/** Without its braces. */
function leafText(entry: CertificateEntry): string {
  return keptText(leafTexts, entry, () => jsonText(leafOf(entry)).slice(1, -1));
}

function keptText(kept: WeakMap<CertificateEntry, string>, entry: CertificateEntry, make: () => string): string {
  let text = kept.get(entry);
  if (text === undefined) {
    text = make();
    kept.set(entry, text);
  }
  return text;
}

/** That of the last one with the same reason, where it says the same. */
function verdictText(verdict: Fields): string {
  const reason = verdict['reason'] as string;
  const last = verdicts.get(reason);
  if (last !== undefined && isSame(last.verdict, verdict)) return last.text;
  const text = jsonText(verdict);
  verdicts.set(reason, { verdict, text });
  return text;
}

/** Whether both have the same fields, in one order; a list is only the same as itself. */
function isSame(one: Fields, other: Fields): boolean {
  const names = Object.keys(one);
  const others = Object.keys(other);
  return names.length === others.length && names.every((name, i) => name === others[i] && one[name] === other[name]);
}

/** As long as the entries are kept. */
const texts = new WeakMap<CertificateEntry, string>();
const leafTexts = new WeakMap<CertificateEntry, string>();
/** By reason. */
const verdicts = new Map<string, { readonly verdict: Fields; readonly text: string }>();
const VERDICT_ROOM = '"verdict":0';
const LEAF_ROOM = '"subject":0';
const CHAIN_ROOM = '"certificates":0';
