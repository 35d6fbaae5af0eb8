/** The pins of a pinset and of a deny list, from their entries: places, roles, dates, lists and files made plain. */
import { readCertificates, readPem } from '../../x509/pem.ts';
import { parseDate } from '../document/dates.ts';
import type { ReferredFiles } from '../document/files.ts';
import { nearest } from '../document/message.ts';
import type { Path, Reporter } from '../document/message.ts';
import { parsePin, pinOfCertificate, pinOfSpki } from '../document/pin-string.ts';
import type { ParsedPin, PinString } from '../document/pin-string.ts';
import type { CompiledList, CompiledPin, PinKind, PinPlace } from '../policy.ts';
import type { PinEntry } from '../document/schema/pin.ts';
import { elements } from '../document/elements.ts';

export interface PinContext {
  readonly lists: ReadonlyMap<string, CompiledList>;
  readonly files: ReferredFiles;
  readonly report: Reporter;
}

type Use = 'pins' | 'deny';

export function compilePins(entries: readonly PinEntry[] | undefined, use: Use, path: Path, context: PinContext) {
  const pins: CompiledPin[] = [];
  for (const [index, entry] of elements(entries)) {
    for (const pin of compileEntry(entry, use, [...path, index], context)) pins.push(pin);
  }
  return pins;
}

/**
 * What stands for the pins of lists that are empty now: no certificate satisfies it. Without any pin the pinset would be
 * a deny list, and its hosts would be nobody's.
 */
export function emptyListsPin(entries: readonly PinEntry[] | undefined): CompiledPin {
  const names = [...elements(entries)].map(([, entry]) =>
    typeof entry === 'string' ? entry : 'pin' in entry && entry.pin,
  );
  const canonical = `${names.filter((name) => typeof name === 'string').join(' ')} (empty)`;
  const never = { notBefore: Infinity, expires: null };
  return { canonical, kind: 'cert-sha256', key: 'none', at: 'leaf', role: 'primary', ...never, der: null };
}

/** `from` and `until` of something dated; wrong dates are reported and left out. */
export function compileDates(
  source: { notBefore?: string | undefined; expires?: string | undefined },
  path: Path,
  report: Reporter,
): { notBefore: number | null; expires: number | null } {
  const read = (key: 'notBefore' | 'expires') => {
    const text = source[key];
    if (text === undefined) return null;
    const at = parseDate(text);
    if (at === undefined)
      report.error([...path, key], `"${text}" is not a date such as 2027-01-31 or 2027-01-31T12:00:00Z`);
    return at ?? null;
  };
  const notBefore = read('notBefore');
  const expires = read('expires');
  if (notBefore !== null && expires !== null && notBefore >= expires) {
    report.error([...path, 'expires'], 'this is not after notBefore: the pin would never be used');
  }
  return { notBefore, expires };
}

interface Options {
  readonly at?: PinPlace | undefined;
  readonly role?: 'primary' | 'backup' | undefined;
  readonly notBefore?: string | undefined;
  readonly expires?: string | undefined;
}

function compileEntry(entry: PinEntry, use: Use, path: Path, context: PinContext): CompiledPin[] {
  const options: Options = typeof entry === 'string' ? {} : entry;
  const source = typeof entry === 'string' ? entry : 'pin' in entry ? entry.pin : entry;
  // What the shape's check took out of an entry was reported there.
  if (source === undefined || (typeof source !== 'string' && source.file === undefined)) return [];
  const at: Path = typeof entry === 'string' ? path : [...path, 'pin' in entry ? 'pin' : 'file'];
  const parsed = typeof source === 'string' ? parsePin(source) : pinOfFile(source.file, context.files);
  if ('error' in parsed) {
    context.report.error(at, parsed.error);
    return [];
  }
  const dates = compileDates(options, path, context.report);
  if ('list' in parsed && isUnchanged(options, use)) return listEntries(parsed.list, at, context);
  const placePath = typeof entry === 'string' ? path : [...path, 'at'];
  const isList = 'list' in parsed;
  const pins = isList ? listPins(parsed.list, at, context) : [parsed.pin];
  const list = isList ? { list: parsed.list } : {};
  // What is wrong with an entry of a list is wrong with all of its kind, and said once.
  const places = new Map<PinKind, PinPlace | undefined>();
  return pins.flatMap((pin) => {
    if (!places.has(pin.kind)) {
      const what = isList ? `the list "${parsed.list}"` : pin.canonical;
      places.set(pin.kind, placeOf(pin, options.at, use, { what, placePath, pinPath: at, report: context.report }));
    }
    const place = places.get(pin.kind);
    if (place === undefined) return [];
    const { canonical, kind, key, der } = pin;
    return [{ canonical, kind, key, at: place, role: options.role ?? 'primary', ...dates, der, ...list }];
  });
}

function placeOf(
  pin: ParsedPin,
  wanted: PinPlace | undefined,
  use: Use,
  { what, placePath, pinPath, report }: { what: string; placePath: Path; pinPath: Path; report: Reporter },
): PinPlace | undefined {
  if (use === 'deny') return wanted ?? pin.at ?? 'any';
  if (wanted === 'any') {
    report.error(
      placePath,
      'any certificate in the message would do, also the genuine one that an attacker appends: use leaf, ca or path',
    );
    return undefined;
  }
  if (pin.at !== null && wanted !== undefined && wanted !== pin.at) {
    report.error(placePath, `the TLSA usage of this pin says "${pin.at}": leave "at" out`);
    return undefined;
  }
  const place = wanted ?? pin.at ?? (pin.kind.startsWith('spki') ? 'path' : 'leaf');
  if (pin.kind === 'cert-sha1' && place !== 'leaf') {
    report.error(
      placePath,
      'SHA-1 does not hold against a CA that is tricked into a collision: use cert-sha256 above the leaf',
    );
    return undefined;
  }
  if (pin.kind === 'cert-sha1') report.warning(pinPath, `${what}: SHA-1 is weak: use cert-sha256 or spki-sha256`);
  if (pin.weakness !== null) report.warning(pinPath, pin.weakness);
  return place;
}

/** The entries of a list are what a deny list needs: however many, they are there once. */
function isUnchanged({ at, role, notBefore, expires }: Options, use: Use): boolean {
  const isPlain = (role ?? 'primary') === 'primary' && notBefore === undefined && expires === undefined;
  return use === 'deny' && (at ?? 'any') === 'any' && isPlain;
}

function listEntries(id: string, path: Path, context: PinContext): CompiledPin[] {
  const list = context.lists.get(id);
  if (list === undefined) context.report.error(path, unknownList(id, context.lists));
  return [...(list?.entries ?? [])];
}

function listPins(id: string, path: Path, context: PinContext): ParsedPin[] {
  return listEntries(id, path, context).map(({ kind, key, canonical, der }) => ({
    kind,
    key,
    canonical,
    der,
    at: null,
    weakness: null,
  }));
}

export function unknownList(id: string, lists: ReadonlyMap<string, unknown>): string {
  const near = nearest(id, [...lists.keys()]);
  return `there is no list "${id}"${near === undefined ? ': name it in "lists"' : `: did you mean "${near}"?`}`;
}

function pinOfFile(name: string, files: ReferredFiles): PinString {
  const content = files.load(name);
  if ('error' in content) return content;
  const blocks = readPem(content.bytes);
  if (blocks.some((block) => block.label.endsWith('PRIVATE KEY'))) {
    return {
      error: `${name} holds a private key, which has no business here: write the certificate to a file of its own`,
    };
  }
  const keys = blocks.filter((block) => block.label === 'PUBLIC KEY');
  const certificates = readCertificates(content.bytes);
  if (keys.length + certificates.length > 1) {
    return { error: `${name} holds more than one certificate or key: name a file with one, or use a list` };
  }
  if (keys.length === 1) return pinOfSpki(keys[0]!.der);
  if (certificates.length === 0) return { error: `${name} holds neither a certificate nor a public key` };
  const pin = pinOfCertificate(certificates[0]!);
  if ('pin' in pin) return pin;
  const bare = pinOfSpki(certificates[0]!);
  return 'pin' in bare ? bare : { error: `${name} holds neither a certificate nor a public key` };
}
