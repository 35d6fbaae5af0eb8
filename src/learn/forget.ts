/** Which learned hosts an operator means, who wants them forgotten: hosts, or pinsets with everything that they learned. */
import { nearest } from '../pins/document/message.ts';
import type { LearnBook } from './book.ts';

export interface ForgetRequest {
  /** Hosts such as `www.bank.example`, with or without `:443`, and names of pinsets. None: all of `pinset`. */
  readonly targets: readonly string[];
  /** Of this pinset only, and then every target is a host. */
  readonly pinset?: string | undefined;
}

export interface ForgottenHost {
  readonly pinset: string;
  readonly host: string;
  readonly observations: number;
  /** What it was held to; null where it was not. */
  readonly held: readonly string[] | null;
}

/** Throws a sentence where one of them is unknown, or may be meant in two ways. */
export function findHosts(book: LearnBook, { targets, pinset }: ForgetRequest): ForgottenHost[] {
  const known = [...book.hosts()].filter(([name]) => pinset === undefined || name === pinset);
  const pinsets = new Set([...book.hosts()].map(([name]) => name));
  if (pinset !== undefined && known.length === 0) {
    throw new Error(`nothing was learned for a pinset "${pinset}"${suggestion(pinset, [...pinsets])}`);
  }
  if (pinset === undefined && targets.length === 0) throw new Error('name what is to be forgotten: hosts, or pinsets');
  const found = new Set<(typeof known)[number]>(targets.length === 0 ? known : []);
  for (const target of targets) {
    const wanted = normal(target);
    const hosts = known.filter(([, host]) => host === wanted || nameOf(host) === wanted);
    const ofPinset = pinset === undefined ? known.filter(([name]) => name === target) : [];
    if (hosts.length > 0 && ofPinset.some((each) => !hosts.includes(each))) {
      throw new Error(
        `"${target}" is a host and a pinset: write ${hosts[0]![1]} for the host, or --pinset ${target} for the pinset`,
      );
    }
    if (hosts.length + ofPinset.length === 0) {
      const candidates = [
        ...known.flatMap(([, host]) => [host, nameOf(host)]),
        ...(pinset === undefined ? pinsets : []),
      ];
      const where = pinset === undefined ? '' : ` for the pinset "${pinset}"`;
      throw new Error(`nothing was learned of "${target.slice(0, 253)}"${where}${suggestion(wanted, candidates)}`);
    }
    for (const each of [...hosts, ...ofPinset]) found.add(each);
  }
  return [...found].map(([name, host, { observations, promoted }]) => ({
    pinset: name,
    host,
    observations,
    held: promoted?.keys.map((spki) => `spki-sha256:${spki}`) ?? null,
  }));
}

/** As hosts are written in the book. */
function normal(target: string): string {
  const text = target.trim().toLowerCase();
  const isBare = text.includes('::') || (text.match(/:/g) ?? []).length > 1;
  if (isBare && !text.startsWith('[')) return `[${text}]`;
  return text.replace(/\.(:\d+)?$/, '$1');
}

function nameOf(host: string): string {
  return host.replace(/:\d+$/, '');
}

function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word.slice(0, LONGEST_WORD), known.slice(0, MOST_COMPARED));
  return near === undefined ? ': see tlspin learn show' : `: did you mean "${near}"?`;
}

/** How much is compared letter by letter. */
const LONGEST_WORD = 100;
const MOST_COMPARED = 2_000;
