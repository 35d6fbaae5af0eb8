/**
 * Named lists of pins: from the configuration itself and from files as sha1sum, openssl and the SSL blacklist of
 * abuse.ch write them. Every wrong line is reported, with its number.
 */
import { readCertificates } from '../../x509/pem.ts';
import { sha1Hex, sha256Hex } from '../../x509/fingerprint.ts';
import { spkiOf } from '../../x509/spki.ts';
import { parseDuration } from '../document/dates.ts';
import type { ReferredFiles } from '../document/files.ts';
import type { Path, Reporter } from '../document/message.ts';
import { parsePin, pinOfCertificate } from '../document/pin-string.ts';
import type { DigestKind, ParsedPin, PinString } from '../document/pin-string.ts';
import type { CompiledList, CompiledPin } from '../policy.ts';
import type { ListSource } from '../document/schema/lists.ts';
import { elements } from '../document/elements.ts';

export function compileList(
  id: string,
  source: ListSource,
  path: Path,
  files: ReferredFiles,
  nowMs: number,
  report: Reporter,
): CompiledList {
  const entries: CompiledPin[] = [];
  const kind = source.kind ?? null;
  if (!/^[\w.-]+$/.test(id))
    report.error(path, `a list's name holds letters, digits, "_", "-" and "." only, not "${id}"`);
  for (const [index, text] of elements(source.entries)) {
    const parsed = parseEntry(text, kind);
    if ('pin' in parsed) entries.push(listed(parsed.pin, id));
    else report.error([...path, 'entries', index], parsed.error);
  }
  if (source.file !== undefined) readListFile(id, source, source.file, path, files, nowMs, report, entries);
  if (source.entries === undefined && source.file === undefined && source.writable !== true) {
    report.error(path, `the list "${id}" has neither entries nor a file`);
  }
  if (source.writable === true && (source.format ?? 'lines') !== 'lines') {
    report.error([...path, 'writable'], 'only a list in the format "lines" can be written back');
  }
  const file = source.file === undefined ? null : files.path(source.file);
  const maxAge = source.maxAge === undefined ? undefined : parseDuration(source.maxAge);
  return { id, writable: source.writable ?? false, file, kind, entries, ...(maxAge === undefined ? {} : { maxAge }) };
}

/** One pin of a list, as it is written in a file or given at run time; a list cannot hold lists. */
export function parseEntry(text: string, kind: DigestKind | null): { pin: ParsedPin } | { error: string } {
  const [, digest] = SHA1_ENTRY.exec(text) ?? [];
  if (digest !== undefined && (kind ?? 'cert-sha1') === 'cert-sha1') return { pin: sha1Pin(digest) };
  const parsed: PinString = parsePin(digestOfSumLine(text) ?? text, kind);
  return 'list' in parsed ? { error: 'a list cannot hold other lists' } : parsed;
}

/** What a line of a list's file holds besides a comment; empty when that is all. */
export function entryOfLine(line: string): string {
  return (line.includes('#') ? line.replace(/(^|\s)#.*$/, '') : line).trim();
}

/** A list's entry: compared with any certificate, whatever the date. */
export function listed(pin: ParsedPin, list: string): CompiledPin {
  const { canonical, kind, key, der } = pin;
  return { canonical, kind, key, at: 'any', role: 'primary', notBefore: null, expires: null, der, list };
}

function readListFile(
  id: string,
  source: ListSource,
  name: string,
  path: Path,
  files: ReferredFiles,
  nowMs: number,
  report: Reporter,
  entries: CompiledPin[],
): void {
  const content = files.load(name);
  if ('error' in content && content.isMissing && source.writable === true) {
    const text = `there is no ${files.path(name)} yet: the list is empty until something is added to it`;
    return report.warning([...path, 'file'], text);
  }
  if ('error' in content) {
    report.error([...path, 'file'], content.error);
    return;
  }
  warnIfOld(source, path, content.modifiedMs, nowMs, report);
  const file = files.path(name);
  switch (source.format ?? 'lines') {
    case 'lines':
      eachLine(content.bytes, (line, number) => {
        const text = entryOfLine(line);
        if (text !== '') take(parseEntry(text, source.kind ?? null), file, number);
      });
      return;
    case 'sslbl-csv':
      eachLine(content.bytes, (line, number) => {
        if (line.trim() !== '' && !line.startsWith('#')) take(sslblLine(line), file, number);
      });
      return;
    case 'pem': {
      const certificates = readCertificates(content.bytes);
      if (certificates.length === 0) report.errorIn(file, 1, 'this file holds no certificate');
      for (const der of certificates) take(pemEntry(der, source.kind), file, 1);
    }
  }

  function take(parsed: { pin: ParsedPin } | { error: string }, at: string, line: number): void {
    if ('pin' in parsed) entries.push(listed(parsed.pin, id));
    else report.errorIn(at, line, parsed.error);
  }
}

function warnIfOld(source: ListSource, path: Path, modifiedMs: number, nowMs: number, report: Reporter): void {
  if (source.maxAge === undefined) return;
  const maxAge = parseDuration(source.maxAge);
  if (maxAge === undefined) {
    report.error([...path, 'maxAge'], `"${source.maxAge}" is not a duration such as "36h" or "7d"`);
  } else if (nowMs - modifiedMs > maxAge) {
    const days = Math.floor((nowMs - modifiedMs) / 86_400_000);
    report.warning(
      [...path, 'file'],
      `this file is ${days} days old, more than its maxAge of ${source.maxAge}: fetch it anew`,
    );
  }
}

/** `Listingdate,SHA1,Listingreason`. */
function sslblLine(line: string): { pin: ParsedPin } | { error: string } {
  const digest = line.split(',')[1]?.trim() ?? '';
  if (!/^[0-9a-f]{40}$/i.test(digest)) return { error: 'the second column is not the SHA-1 of a certificate' };
  return parseEntry(digest, 'cert-sha1');
}

function pemEntry(der: Uint8Array, kind: DigestKind | undefined): { pin: ParsedPin } | { error: string } {
  if (kind === undefined) return pinOfCertificate(der) as { pin: ParsedPin } | { error: string };
  if (kind !== 'spki-sha256') return parseEntry(kind === 'cert-sha1' ? sha1Hex(der) : sha256Hex(der), kind);
  const spki = spkiOf(der);
  return spki === null
    ? { error: 'a certificate of this file has no key that can be read' }
    : parseEntry(sha256Hex(spki), kind);
}

function sha1Pin(digest: string): ParsedPin {
  return { kind: 'cert-sha1', key: digest, canonical: `cert-sha1:${digest}`, der: null, at: null, weakness: null };
}

/** What long lists are full of, ahead of all the other spellings. */
const SHA1_ENTRY = /^(?:cert-sha1:)?([0-9a-f]{40})$/;

/**
 * The digest of a line of sha1sum or sha256sum, `<hex>  name`, `<hex> *name`, or `SHA1 (name) = <hex>`; of openssl's dgst,
 * `SHA1(name)= <hex>`, `SHA2-256(name)= <hex>`, or `<hex> *name`.
 */
function digestOfSumLine(line: string): string | undefined {
  return (
    /^\\?([0-9a-f]{40}|[0-9a-f]{64})\s[ *]?\S/i.exec(line)?.[1] ??
    /^SHA(?:1|256|2-256) ?\(.*\) ?= ([0-9a-f]{40}|[0-9a-f]{64})$/i.exec(line)?.[1]
  );
}

function eachLine(bytes: Uint8Array, visit: (line: string, number: number) => void): void {
  const text = new TextDecoder().decode(bytes);
  const lines = text.includes('\r') ? text.split(/\r\n|\n|\r/) : text.split('\n');
  for (const [index, line] of lines.entries()) visit(line, index + 1);
}
