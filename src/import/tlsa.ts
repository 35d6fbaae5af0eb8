/**
 * TLSA records (RFC 6698) out of zone files (RFC 1035 §5) or the answers that dig prints: owner names with $ORIGIN,
 * records over several lines in parentheses, and the generic form of RFC 3597. One pinset an owner.
 */
import { parsePin } from '../pins/document/pin-string.ts';
import { Findings, type ImportFile, type ImportedPin, placeOf } from './found.ts';

export function readTlsa(file: ImportFile): Findings {
  const found = new Findings();
  const owners = new Map<string, { place: string; name: string; port: number; pins: ImportedPin[]; isPkix: boolean }>();
  let origin = '.';
  let owner = '';
  for (const { text, line, isIndented } of recordsOf(file.text)) {
    const words = text.split(/\s+/);
    if (words[0] === '$ORIGIN') origin = words[1] ?? origin;
    if (words[0]!.startsWith('$')) continue;
    const type = words.findIndex((word, index) => /^(TLSA|TYPE52)$/i.test(word) && index <= 4);
    if (!isIndented && type !== 0 && (type > 0 || !/^[0-3]$/.test(words[0]!))) owner = absolute(words[0]!, origin);
    const data = type >= 0 ? words.slice(type + 1) : isAnswer(words) ? words : undefined;
    if (data === undefined) continue;
    const service = serviceOf(type >= 0 ? owner : '');
    if (service === undefined) {
      const whose = type >= 0 ? `"${owner}" is no _port._tcp name` : 'the record stands without its name';
      found.note(file, line, `${whose}: give the whole answer of dig, or the lines of the zone`);
      continue;
    }
    const pin = pinOf(data);
    if ('error' in pin) {
      found.note(file, line, pin.error);
      continue;
    }
    const key = `${service.name} ${service.port}`;
    const known = owners.get(key) ?? { ...service, place: placeOf(file, line), pins: [], isPkix: false };
    known.pins.push({ pin: pin.text });
    owners.set(key, { ...known, isPkix: known.isPkix || pin.usage < 2 });
  }
  for (const { place, name, port, pins, isPkix } of owners.values()) {
    found.pinsets.push({
      name: port === 443 ? name : `${name}:${port}`,
      hosts: [name],
      ports: [port],
      pins,
      comments: [
        `${place}: worth as much as the answer that it came with: only DNSSEC makes it safe`,
        ...(isPkix ? ['usages 0 and 1 ask for a trusted path too: "checks": { "trust": "bundle.pem" } does that'] : []),
      ],
    });
  }
  return found;
}

interface ZoneRecord {
  readonly text: string;
  /** Of its beginning, from 1. */
  readonly line: number;
  /** It begins with blanks, so that its owner is that of the record before. */
  readonly isIndented: boolean;
}

/** Without comments; parentheses join lines. */
function recordsOf(text: string): ZoneRecord[] {
  const records: ZoneRecord[] = [];
  let open: { parts: string[]; line: number; isIndented: boolean } | undefined;
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const line = raw.replace(/;.*$/, '');
    const isIndented = /^\s/.test(line);
    open ??= { parts: [], line: index + 1, isIndented };
    open.parts.push(line);
    const all = open.parts.join(' ');
    if (all.split('(').length > all.split(')').length) continue;
    const joined = all.replace(/[()]/g, ' ').trim();
    if (joined !== '') records.push({ text: joined, line: open.line, isIndented: open.isIndented });
    open = undefined;
  }
  return records;
}

/** What dig +short prints: the data alone. */
function isAnswer(words: readonly string[]): boolean {
  return (
    words.length >= 4 &&
    /^[0-3] [01] [0-2] [0-9a-f]+$/i.test(`${words.slice(0, 3).join(' ')} ${words.slice(3).join('')}`)
  );
}

function absolute(name: string, origin: string): string {
  const whole = name === '@' ? origin : name.endsWith('.') ? name : `${name}.${origin}`;
  return whole.replace(/\.+$/, '').toLowerCase();
}

/** `_443._tcp.www.example.com`. */
function serviceOf(owner: string): { name: string; port: number } | undefined {
  const [, port, name] = /^_(\d{1,5})\._tcp\.(.+)$/.exec(owner) ?? [];
  const number = Number(port);
  return name === undefined || number < 1 || number > 65_535 ? undefined : { name, port: number };
}

function pinOf(data: readonly string[]): { text: string; usage: number } | { error: string } {
  const [usage, selector, matching, ...hex] = data[0] === '\\#' ? generic(data) : data;
  const text = `tlsa:${usage} ${selector} ${matching} ${hex.join('').toLowerCase()}`;
  const parsed = parsePin(text);
  return 'pin' in parsed
    ? { text, usage: Number(usage) }
    : { error: 'error' in parsed ? parsed.error : 'no TLSA data' };
}

/** RFC 3597 §5: `\# length hex`. */
function generic(data: readonly string[]): string[] {
  const octets = data.slice(2).join('');
  const numbers = [0, 2, 4].map((at) => String(Number.parseInt(octets.slice(at, at + 2), 16)));
  return [...numbers, octets.slice(6)];
}
