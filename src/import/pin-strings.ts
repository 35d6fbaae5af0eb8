/**
 * Pins as OkHttp and curl spell them, in source code, scripts and .curlrc: `.add("host", "sha256/…")`, `--pinnedpubkey
 * sha256//…;sha256//… https://host/`, or lines of pins alone, with a host before them where there is one.
 */
import { parsePin } from '../pins/document/pin-string.ts';
import { Findings, type ImportFile, type ImportedPin, lineAt, placeOf } from './found.ts';

export function readPinStrings(file: ImportFile): Findings {
  const found = new Findings();
  const seen = new Set<number>();
  readOkHttp(file, found, seen);
  readCurl(file, found, seen);
  readLines(file, found, seen);
  noteOverlaps(file, found);
  return found;
}

/** CertificatePinner.Builder: a pattern, and one pin or more. */
function readOkHttp(file: ImportFile, found: Findings, seen: Set<number>): void {
  const byHost = new Map<string, { line: number; pins: ImportedPin[] }>();
  for (const match of file.text.matchAll(OKHTTP_ADD)) {
    const [whole, host, list] = match;
    const pins = takePins(list!, match.index + whole.indexOf(list!), file, found, seen, undefined);
    const known = byHost.get(host!.toLowerCase()) ?? { line: lineAt(file.text, match.index), pins: [] };
    known.pins.push(...pins);
    byHost.set(host!.toLowerCase(), known);
  }
  for (const [host, { line, pins }] of byHost) {
    if (pins.length > 0) found.pinsets.push({ name: host, hosts: [host], pins, comments: [placeOf(file, line)] });
  }
}

/** A command or a .curlrc: the pins, and the first URL of the same command. curl compares the leaf's key alone. */
function readCurl(file: ImportFile, found: Findings, seen: Set<number>): void {
  // A backslash at the end of a line continues it; a .curlrc is one command.
  const isRc = /^\s*-{0,2}pinnedpubkey\s*[= ]/im.test(file.text) && !/\bcurl\s/.test(file.text);
  const commands = isRc ? [file.text] : file.text.split(/(?<!\\)\n/);
  let offset = 0;
  for (const command of commands) {
    const [, host, port] = /\bhttps:\/\/(?:[^/\s"'@]*@)?([\w.-]+)(?::(\d+))?/i.exec(command) ?? [];
    for (const match of command.matchAll(CURL_OPTION)) {
      const value = match[1] ?? match[2] ?? match[3] ?? '';
      const at = offset + match.index;
      const line = lineAt(file.text, at);
      const pins = takePins(value, at + match[0].indexOf(value), file, found, seen, 'leaf');
      if (pins.length === 0) {
        found.note(file, line, `"${value}" is no list of sha256// pins: \`tlspin pin ${value}\` shows those of a file`);
        continue;
      }
      const name = host?.toLowerCase();
      const ports = port === undefined || port === '443' ? {} : { ports: [Number(port)] };
      found.pinsets.push({
        name: name === undefined ? 'curl' : port === undefined ? name : `${name}:${port}`,
        hosts: name === undefined ? [] : [name],
        ...ports,
        pins,
        comments: [placeOf(file, line)],
      });
    }
    offset += command.length + 1;
  }
}

/** What no call and no option has taken: `host sha256/…`, or pins alone. */
function readLines(file: ImportFile, found: Findings, seen: Set<number>): void {
  let offset = 0;
  const alone: { pins: ImportedPin[]; line: number } = { pins: [], line: 0 };
  for (const [index, text] of file.text.split('\n').entries()) {
    const left = [...text.matchAll(PIN)].filter(({ index: at }) => !seen.has(offset + at));
    offset += text.length + 1;
    if (left.length === 0) continue;
    const [, host] =
      /^\s*["']?((?:\*\*?\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+)["']?[\s:,=]+["'[{]*\s*sha(?:1|256)\//i.exec(text) ?? [];
    const isPlain = host !== undefined || /^[\s"'[\],;]*sha(?:1|256)\//i.test(text);
    if (!isPlain) {
      found.note(file, index + 1, 'a pin that no host goes with: it is not taken over');
      continue;
    }
    const pins = left.flatMap(([pin]) => pinOf(pin, file, index + 1, found, undefined));
    if (host !== undefined && pins.length > 0) {
      found.pinsets.push({
        name: host.toLowerCase(),
        hosts: [host.toLowerCase()],
        pins,
        comments: [placeOf(file, index + 1)],
      });
    } else if (pins.length > 0) {
      alone.line ||= index + 1;
      alone.pins.push(...pins);
    }
  }
  if (alone.pins.length > 0) {
    found.pinsets.push({ name: 'pins', hosts: [], pins: alone.pins, comments: [placeOf(file, alone.line)] });
  }
}

function takePins(
  list: string,
  at: number,
  file: ImportFile,
  found: Findings,
  seen: Set<number>,
  place: 'leaf' | undefined,
): ImportedPin[] {
  return [...list.matchAll(PIN)].flatMap((match) => {
    seen.add(at + match.index);
    return pinOf(match[0], file, lineAt(file.text, at + match.index), found, place);
  });
}

function pinOf(pin: string, file: ImportFile, line: number, found: Findings, at: 'leaf' | undefined): ImportedPin[] {
  const parsed = parsePin(pin);
  if (!('error' in parsed)) return [{ pin, at }];
  found.note(file, line, `${pin}: ${parsed.error}`);
  return [];
}

/** OkHttp asks for a pin of each pattern that fits a host, all together; here the most specific pattern decides alone. */
function noteOverlaps(file: ImportFile, found: Findings): void {
  const hosts = [...new Set(found.pinsets.flatMap((pinset) => pinset.hosts))];
  for (const wide of hosts.filter((host) => /^\*\*?\./.test(host))) {
    const suffix = wide.replace(/^\*\*?/, '');
    const narrow = hosts.find((host) => host !== wide && `.${host.replace(/^\*\*?\./, '')}`.endsWith(suffix));
    if (narrow === undefined) continue;
    found.note(file, 0, `the pins of "${wide}" do not hold for "${narrow}", which has its own: OkHttp would take both`);
  }
}

const PIN = /sha(?:256|1)\/\/?[A-Za-z0-9+/_-]+={0,2}/g;
const OKHTTP_ADD = /\.add\s*\(\s*"([^"]+)"\s*,\s*((?:"sha(?:1|256)\/[^"]*"\s*,?\s*)+)\)/g;
const CURL_OPTION = /pinnedpubkey["']?\s*[=:,\s]\s*(?:"([^"]+)"|'([^']+)'|([^\s"']+))/gi;
