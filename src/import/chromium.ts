/**
 * Chromium's static pins: transport_security_state_static.json, which names hosts and the names of keys, and
 * transport_security_state_static.pins, which has the keys. Each says nothing without the other, so both are read at
 * once.
 */
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';

import { TOO_DEEP, tooDeepAt } from '../pins/document/nesting.ts';
import { sha256Hex } from '../x509/fingerprint.ts';
import { readPem } from '../x509/pem.ts';
import { readSpki, spkiOf } from '../x509/spki.ts';
import { Findings, type ImportFile, type ImportedPin, lineAt, placeOf } from './found.ts';

/** Throws where a file is damaged. */
export function readChromium(files: readonly ImportFile[]): Findings {
  const found = new Findings();
  const isDocument = (file: ImportFile) => /^\s*(\/\/.*\n\s*)*\{/.test(file.text);
  const keys = new Map<string, Key>();
  for (const file of files.filter((one) => !isDocument(one))) readKeys(file, keys, found);
  for (const file of files.filter(isDocument)) readDocument(file, keys, found);
  if (!files.some(isDocument)) {
    const names = [...keys.keys()].slice(0, 3).join(', ');
    found.note(files[0]!, 0, `these keys (${names}, …) are for no host: give transport_security_state_static.json too`);
  }
  return found;
}

/** `sha256/…`; null for one that is known and cannot be taken over. */
type Key = string | null;

interface StaticDocument {
  readonly pinsets?: readonly StaticPinset[];
  readonly entries?: readonly StaticEntry[];
}

interface StaticPinset {
  readonly name?: string;
  readonly static_spki_hashes?: readonly string[];
  readonly bad_static_spki_hashes?: readonly string[];
  readonly report_uri?: string;
}

interface StaticEntry {
  readonly name?: string;
  readonly pins?: string;
  readonly include_subdomains?: boolean;
  readonly include_subdomains_for_pinning?: boolean;
}

function readDocument(file: ImportFile, keys: ReadonlyMap<string, Key>, found: Findings): void {
  const deep = tooDeepAt(file.text);
  if (deep !== undefined) throw new Error(`line ${lineAt(file.text, deep)}: ${TOO_DEEP}`);
  const problems: ParseError[] = [];
  const document = parse(file.text, problems, { allowTrailingComma: true }) as StaticDocument | undefined;
  const [problem] = problems;
  if (problem !== undefined) {
    throw new Error(
      `line ${lineAt(file.text, problem.offset)}: this is not JSON: ${printParseErrorCode(problem.error)}`,
    );
  }
  const entries = document?.entries ?? [];
  const pinned = entries.filter(
    ({ name, pins }) => typeof name === 'string' && typeof pins === 'string' && pins !== '',
  );
  const unpinned = entries.length - pinned.length;
  if (unpinned > 0) found.note(file, 0, `entries without pins, about HSTS alone, are not taken over: ${unpinned}`);
  const line = (text: string) => lineAt(file.text, Math.max(0, file.text.indexOf(JSON.stringify(text))));
  const known = new Set<string>();
  for (const pinset of document?.pinsets ?? []) {
    const name = pinset.name ?? '';
    known.add(name);
    const hosts = pinned.filter(({ pins }) => pins === name).map(hostOf);
    const note = (text: string) => found.note(file, line(name), `"${name}": ${text}`);
    if (hosts.length === 0) {
      note('no entry uses this pinset');
      continue;
    }
    const pins = pinsOf(pinset.static_spki_hashes, keys, note);
    const deny = pinsOf(pinset.bad_static_spki_hashes, keys, note);
    if (pins.length + deny.length === 0) {
      note('none of its keys is known: give transport_security_state_static.pins too');
      continue;
    }
    found.pinsets.push({
      name,
      hosts,
      pins,
      deny,
      comments: [
        placeOf(file, line(name)),
        ...(pinset.report_uri === undefined ? [] : [`report_uri ${pinset.report_uri} is not taken over`]),
      ],
    });
  }
  for (const { name, pins } of pinned) {
    if (!known.has(pins!)) found.note(file, line(name!), `${name} has pins "${pins}", which there are not`);
  }
}

function pinsOf(
  names: readonly string[] | undefined,
  keys: ReadonlyMap<string, Key>,
  note: (text: string) => void,
): ImportedPin[] {
  return (names ?? []).flatMap((name): ImportedPin[] => {
    const key = keys.get(name);
    if (key === undefined) note(`the key ${name} is in none of the files`);
    return key === undefined || key === null ? [] : [{ pin: key, comment: name }];
  });
}

function hostOf({ name, include_subdomains, include_subdomains_for_pinning }: StaticEntry): string {
  return (include_subdomains === true || include_subdomains_for_pinning === true ? '**.' : '') + name!.toLowerCase();
}

/** A name, then `sha256/<base64>` or one block in PEM: a certificate or a public key. */
function readKeys(file: ImportFile, keys: Map<string, Key>, found: Findings): void {
  let name: string | undefined;
  let block: string[] | undefined;
  for (const [index, raw] of file.text.split(/\r\n|\n|\r/).entries()) {
    const text = raw.trim();
    const note = (what: string) => found.note(file, index + 1, what);
    if (block !== undefined) {
      block.push(text);
      if (!text.startsWith('-----END')) continue;
      keys.set(name ?? '', keyOfPem(block.join('\n')) ?? null);
      if (keys.get(name ?? '') === null) note(`the key ${name} cannot be read`);
      [block, name] = [undefined, undefined];
    } else if (text.startsWith('-----BEGIN')) {
      block = [text];
    } else if (/^sha256\//.test(text) && name !== undefined) {
      keys.set(name, text);
      name = undefined;
    } else if (/^sha1\//.test(text) && name !== undefined) {
      note(`${name} is a SHA-1 of a key: only SHA-256 can be taken over`);
      keys.set(name, null);
      name = undefined;
    } else if (text === TIMESTAMP) {
      name = TIMESTAMP;
    } else if (/^[A-Z]\w*$/.test(text)) {
      name = text;
    } else if (text !== '' && !text.startsWith('#') && name !== TIMESTAMP) {
      note(`"${text.slice(0, 40)}" is not understood`);
    }
  }
}

function keyOfPem(text: string): string | undefined {
  const [block] = readPem(Buffer.from(text, 'latin1'));
  if (block === undefined) return undefined;
  const spki = block.label === 'CERTIFICATE' ? spkiOf(block.der) : readSpki(block.der) === null ? null : block.der;
  return spki === null ? undefined : `sha256/${Buffer.from(sha256Hex(spki), 'hex').toString('base64')}`;
}

/** When Chromium last looked at the list: a number follows. */
const TIMESTAMP = 'PinsListTimestamp';
