/**
 * What is to be said of pinsets whose hosts were asked: keys that no pin is of, pins that nobody shows, backups that are
 * lacking or in use, rotations that are under way, and what ends soon. A function of what was shown and of the day.
 */
import { isUsable } from '../../pins/match/usable.ts';
import type { CompiledPin, CompiledPinset } from '../../pins/policy.ts';
import { hostPort } from '../../report/endpoint.ts';
import { pinLine } from '../../runtime/incident/remedy.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';
import type { Answers, Shown } from './asking.ts';

export type FindingCode =
  'mismatch' | 'expired' | 'unreachable' | 'expires-soon' | 'no-backup' | 'backup-in-use' | 'unused-pin' | 'rotation';

export interface AuditFinding {
  readonly code: FindingCode;
  readonly severity: 'wrong' | 'unknown' | 'attention';
  readonly pinset: string;
  /** One sentence. */
  readonly text: string;
  /** Into `pins` of the pinset, where what is shown is genuine. */
  readonly paste?: string;
}

/** The worst first. `soonMs`: how far ahead an end is worth a word. */
export function findingsOf(pinset: CompiledPinset, answers: Answers, nowMs: number, soonMs: number): AuditFinding[] {
  const shown = answers.shown.filter(({ target }) => target.pinset === pinset);
  const failures = answers.failures.filter(({ target }) => target.pinset === pinset);
  const made = (code: FindingCode, text: string, paste?: string): AuditFinding => ({
    ...{ code, severity: SEVERITIES[code], pinset: pinset.name, text },
    ...(paste === undefined ? {} : { paste }),
  });
  const found = [
    ...mismatches(shown).map(([text, paste]) => made('mismatch', text, paste)),
    ...ends(pinset, shown, nowMs, soonMs).map(([code, text]) => made(code, text)),
    ...failures.map(({ target, address, sentence }) =>
      made('unreachable', `${target.host} (${hostPort(address ?? target.host, target.port)}): ${sentence}`),
    ),
    ...(failures.length > 0 && shown.length === 0 ? [] : reserves(pinset, shown, nowMs).map(([c, t]) => made(c, t))),
    ...rotations(shown).map((text) => made('rotation', text)),
  ];
  const order: readonly AuditFinding['severity'][] = ['wrong', 'unknown', 'attention'];
  return found.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** Once a host and key, however many addresses show it. */
function mismatches(shown: readonly Shown[]): (readonly [text: string, paste: string])[] {
  const found = new Map<string, readonly [string, string]>();
  for (const one of shown.filter(({ pins, chain }) => pins.length === 0 && chain.length > 0)) {
    const leaf = one.chain[0]!;
    const key = keyOf(leaf);
    const { subject } = describeCertificate(leaf.der);
    const seen = `${subject ?? 'a key without a certificate'}, as seen on ${new Date().toISOString().slice(0, 10)}`;
    const text = `${whereOf(one)} shows ${key}, which no pin is of: it would be denied`;
    found.set(`${one.target.host} ${key}`, [text, pinLine(key, seen)]);
  }
  return [...found.values()];
}

function ends(
  pinset: CompiledPinset,
  shown: readonly Shown[],
  nowMs: number,
  soonMs: number,
): (readonly ['expired' | 'expires-soon', string])[] {
  const certificates = new Map(shown.flatMap((one) => one.chain.map((each) => [each.sha256, [one, each]] as const)));
  const all: (readonly [what: string, at: number | null])[] = [
    [`the pinset "${pinset.name}" (then afterExpiry is ${pinset.afterExpiry})`, pinset.expires],
    ...pinset.pins.map((pin) => [`the pin ${pin.canonical}`, pin.expires] as const),
    ...[...certificates.values()].flatMap(([one, each]) => {
      const { subject, notAfter } = describeCertificate(each.der);
      return notAfter === null
        ? []
        : [[`${subject ?? 'a certificate'} of ${one.target.host}`, endOf(notAfter)] as const];
    }),
  ];
  return all.flatMap(([what, at]): (readonly ['expired' | 'expires-soon', string])[] => {
    if (at === null || at - nowMs >= soonMs) return [];
    const day = new Date(at).toISOString().slice(0, 10);
    return at <= nowMs
      ? [['expired', `${what} ended on ${day}`]]
      : [['expires-soon', `${what} ends on ${day}, in ${Math.floor((at - nowMs) / DAY_MS)} days`]];
  });
}

/** UTC, as certificates are described. */
function endOf(notAfter: string): number {
  return Date.parse(`${notAfter}Z`);
}

function reserves(
  pinset: CompiledPinset,
  shown: readonly Shown[],
  nowMs: number,
): (readonly ['no-backup' | 'backup-in-use' | 'unused-pin', string])[] {
  if (shown.length === 0) return [];
  const used = new Set(shown.flatMap(({ pins }) => pins));
  // A list's entries are many, and most of them nobody's.
  const written = pinset.pins.filter((pin) => pin.list === undefined && isUsable(pin, nowMs));
  const spare = written.filter((pin) => !used.has(pin));
  const own = (pin: CompiledPin) => pin.role === 'backup' && pin.at !== 'ca';
  const inUse = [...used].filter(own);
  // The issuer's key that is shown along saves nobody whose server's key is lost and whose issuer is changed.
  const lacks =
    spare.length === 0 ? [['no-backup', `no pin is in reserve: every usable one is shown already`] as const] : [];
  return [
    ...inUse.map((pin) => ['backup-in-use', `the backup pin ${pin.canonical} is in use: add a new one`] as const),
    ...lacks,
    ...spare
      .filter(({ role }) => role === 'primary')
      .map(
        (pin) => ['unused-pin', `nobody shows the pin ${pin.canonical}: mark it as a backup, or take it out`] as const,
      ),
  ];
}

/** Of a host: addresses that show different keys of one kind. */
function rotations(shown: readonly Shown[]): string[] {
  const keys = new Map<string, Map<string, string[]>>();
  for (const one of shown.filter(({ chain }) => chain.length > 0)) {
    const kind = `${one.target.host}:${one.target.port} ${one.keys}`;
    const byKey = keys.get(kind) ?? new Map<string, string[]>();
    const key = keyOf(one.chain[0]!);
    byKey.set(key, [...(byKey.get(key) ?? []), one.address]);
    keys.set(kind, byKey);
  }
  const several = [...keys].filter(([, byKey]) => byKey.size > 1);
  return several.map(([kind, byKey]) => {
    const each = [...byKey].map(([key, addresses]) => `${addresses.join(' and ')} ${key}`).join('; ');
    return `a rotation is under way at ${kind.split(' ')[0]!}, which shows different keys: ${each}`;
  });
}

function whereOf({ target, address, keys }: Shown): string {
  return `${target.host} (${hostPort(address, target.port)}, ${keys.toUpperCase()})`;
}

/** As a pin spells it. */
export function keyOf({ spkiSha256, sha256 }: PresentedCertificate): string {
  return spkiSha256 === null
    ? `cert-sha256:${sha256}`
    : `spki-sha256:${Buffer.from(spkiSha256, 'hex').toString('base64')}`;
}

const DAY_MS = 86_400_000;
const SEVERITIES: Readonly<Record<FindingCode, AuditFinding['severity']>> = {
  mismatch: 'wrong',
  expired: 'wrong',
  unreachable: 'unknown',
  'expires-soon': 'attention',
  'no-backup': 'attention',
  'backup-in-use': 'attention',
  'unused-pin': 'attention',
  rotation: 'attention',
};
