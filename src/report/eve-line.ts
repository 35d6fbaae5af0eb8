/**
 * Flow events as lines of the log: what `jsonText` makes of their records, without most of the making. Handshakes of the
 * same name, client and chain are told of again and again, and their lines differ in a dozen values: the text around these
 * is made once, of the whole record with a number in the place of each.
 */
import { jsonText } from '../bytes/invisible.ts';
import type { LoggedEvent, TlsSummary, VerdictEvent } from '../judge/events.ts';
import type { CertificateEntry } from './certificate-entry.ts';
import {
  addressText,
  communityIdOf,
  type EveOptions,
  interfaceName,
  LEAF_FIELDS,
  leafOf,
  timestamp,
  toEve,
} from './eve.ts';

export function eveLine(event: LoggedEvent, options: EveOptions): string {
  const record = toEve(event, options) as Fields;
  const chain = takeChain(record);
  return withChain(jsonText(record), chain);
}

/** Lines of events that share what is equal with those before them, as those that come from packet threads do. */
export class EveLines {
  readonly #options: EveOptions;
  /** Those of the last event with the summary; null where there was but one. */
  readonly #frames = new WeakMap<TlsSummary, Frame | null>();

  constructor(options: EveOptions) {
    this.#options = options;
  }

  lineOf(event: LoggedEvent): string {
    if (event.kind !== 'verdict' || event.tls === null) return eveLine(event, this.#options);
    let frame = this.#frames.get(event.tls);
    if (frame === undefined) {
      this.#frames.set(event.tls, null);
      return eveLine(event, this.#options);
    }
    if (frame === null || !this.#isFor(event, frame)) {
      frame = frameOf(event, this.#options);
      this.#frames.set(event.tls, frame);
    }
    return filled(frame, event);
  }

  /** Interfaces can be renamed. */
  #isFor(event: VerdictEvent, { of, inInterface, outInterface }: Frame): boolean {
    if (!isSame(of, event)) return false;
    const { inIfindex, outIfindex } = event;
    return (
      interfaceName(inIfindex, this.#options) === inInterface &&
      interfaceName(outIfindex, this.#options) === outInterface
    );
  }
}

/** A line without the values that are filled in. */
interface Frame {
  /** Whose line it was first. */
  readonly of: VerdictEvent;
  readonly inInterface: unknown;
  readonly outInterface: unknown;
  /** One more than there are rooms between them. */
  readonly parts: readonly string[];
  readonly rooms: readonly Room[];
}

interface Room {
  /** Of the field. */
  readonly name: string;
  readonly isOfVerdict: boolean;
  /** As JSON, in which nothing has to be escaped. */
  readonly text: (event: VerdictEvent) => string | number;
}

function filled({ parts, rooms }: Frame, event: VerdictEvent): string {
  let line = parts[0]!;
  for (let i = 0; i < rooms.length; i++) line = line + rooms[i]!.text(event) + parts[i + 1]!;
  return line;
}

/** Whether their lines differ in nothing that is not filled in. */
function isSame(one: VerdictEvent, other: VerdictEvent): boolean {
  return (
    one.tls === other.tls &&
    one.datagrams === other.datagrams &&
    one.action === other.action &&
    one.reason === other.reason &&
    one.pinset === other.pinset &&
    one.mode === other.mode &&
    one.evidence === other.evidence &&
    one.matched === other.matched &&
    one.connmark === other.connmark &&
    one.config === other.config &&
    (one.tookMicros === undefined) === (other.tookMicros === undefined) &&
    (one.packets === undefined) === (other.packets === undefined) &&
    one.allowedBy === other.allowedBy &&
    one.would === other.would &&
    one.others === other.others &&
    one.rules === other.rules &&
    one.fault === other.fault &&
    one.starttls === other.starttls &&
    one.gaps === other.gaps &&
    one.fronted === other.fronted &&
    one.frame === other.frame
  );
}

type Fields = Record<string, unknown>;

function frameOf(event: VerdictEvent, options: EveOptions): Frame {
  const record = toEve(event, options) as Fields;
  const verdict = record['verdict'] as Fields;
  const rooms = ROOMS.filter(({ name, isOfVerdict }) => (isOfVerdict ? verdict : record)[name] !== undefined);
  for (const { name, isOfVerdict } of rooms) (isOfVerdict ? verdict : record)[name] = 0;
  const chain = takeChain(record);
  const text = jsonText(record);
  const parts: string[] = [];
  let at = 0;
  // No string has these in it, where a quotation mark would be escaped; and no other object has a number there.
  for (const { name } of rooms) {
    const end = text.indexOf(`"${name}":0`, at) + name.length + 3;
    parts.push(text.slice(at, end));
    at = end + 1;
  }
  parts.push(withChain(text.slice(at), chain));
  return { of: event, inInterface: record['in_iface'], outInterface: record['out_iface'], parts, rooms };
}

/**
 * The chain is most of a line, and the same few chains come again with whatever else, as does what is said of the leaf. A
 * number in the place of each.
 */
function takeChain(record: Fields): readonly CertificateEntry[] {
  const tls = record['tls'] as Fields | undefined;
  const chain = (tls?.['certificates'] ?? []) as readonly CertificateEntry[];
  if (chain.length === 0) return chain;
  for (const name of LEAF_FIELDS) tls![name] = undefined;
  tls![LEAF_FIELDS[0]] = 0;
  tls!['certificates'] = 0;
  return chain;
}

function withChain(text: string, chain: readonly CertificateEntry[]): string {
  if (chain.length === 0) return text;
  const leafAt = text.indexOf(LEAF_ROOM);
  const chainAt = text.indexOf(CHAIN_ROOM, leafAt) + CHAIN_ROOM.length - 1;
  const between = text.slice(leafAt + LEAF_ROOM.length, chainAt);
  return `${text.slice(0, leafAt)}${leafText(chain[0]!)}${between}${chainText(chain)}${text.slice(chainAt + 1)}`;
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

/** As long as the entries are kept. */
const texts = new WeakMap<CertificateEntry, string>();
const leafTexts = new WeakMap<CertificateEntry, string>();
/** In the order of a record, the verdict's last. */
const ROOMS: readonly Room[] = [
  { name: 'timestamp', isOfVerdict: false, text: ({ time }) => `"${timestamp(time)}"` },
  { name: 'flow_id', isOfVerdict: false, text: ({ flowId }) => flowId },
  { name: 'src_ip', isOfVerdict: false, text: ({ client }) => `"${addressText(client.address)}"` },
  { name: 'src_port', isOfVerdict: false, text: ({ client }) => client.port },
  { name: 'dest_ip', isOfVerdict: false, text: ({ server }) => `"${addressText(server.address)}"` },
  { name: 'dest_port', isOfVerdict: false, text: ({ server }) => server.port },
  { name: 'community_id', isOfVerdict: false, text: (event) => `"${communityIdOf(event)}"` },
  { name: 'held_us', isOfVerdict: true, text: ({ heldMicros }) => heldMicros },
  { name: 'took_us', isOfVerdict: true, text: ({ tookMicros }) => tookMicros! },
  { name: 'packets', isOfVerdict: true, text: ({ packets }) => packets! },
];
const LEAF_ROOM = '"subject":0';
const CHAIN_ROOM = '"certificates":0';
