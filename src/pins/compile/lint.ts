/**
 * What a configuration says that is allowed and probably not meant, or that people should know of. Warnings are errors
 * under `"strict": true`; notes never are.
 */
import { mayEnforce, requires } from '../match/learning.ts';
import type { Path, Reporter } from '../document/message.ts';
import { isUsable } from '../match/usable.ts';
import type { CompiledPin, CompiledPinset, HiddenCertificate, Policy } from '../policy.ts';
import { readsKeylog } from '../probe.ts';

export function lint(policy: Omit<Policy, 'hash'>, nowMs: number, report: Reporter): void {
  for (const pinset of policy.pinsets) lintPinset(pinset, nowMs, report);
  for (const list of policy.lists) {
    if (list.writable && list.file === null) {
      report.warning(
        ['lists', list.id, 'writable'],
        `changes of the list "${list.id}" are lost at a restart: give it a file`,
      );
    }
  }
  const hasKeylog = policy.keylog.file !== null || policy.keylog.socket !== null;
  if (hasKeylog && !readsKeylog(policy)) {
    report.warning(['keylog'], 'nothing uses the key log: it takes "tls13": "keylog" or "keylog-else-probe" somewhere');
  }
  noteBlindSpots(policy, report);
}

function lintPinset(pinset: CompiledPinset, nowMs: number, report: Reporter): void {
  const path: Path = ['pinsets', pinset.index];
  if (!requires(pinset) && pinset.deny.length === 0) {
    report.warning(path, `"${pinset.name}" has neither pins nor deny pins, so it does nothing`);
  }
  lintExpiry(pinset, path, nowMs, report);
  if (pinset.mode === 'learn' && pinset.situations.checks.proofOfPossession === 'off') {
    report.warning(
      [...path, 'mode'],
      `"${pinset.name}" learns nothing: only keys that servers prove to have count, and its checks.proofOfPossession is off`,
    );
  }
  if (pinset.pins.length === 0) return;
  lintBackups(pinset, path, nowMs, report);
  lintNames(pinset, path, report);
}

function lintExpiry(pinset: CompiledPinset, path: Path, nowMs: number, report: Reporter): void {
  if (pinset.expires !== null && pinset.expires - nowMs < SOON) {
    const text = when(`"${pinset.name}"`, pinset.expires, nowMs);
    report.warning([...path, 'expires'], `${text}; then afterExpiry is ${pinset.afterExpiry}`);
  }
  for (const key of ['pins', 'deny'] as const) {
    for (const pin of pinset[key]) {
      if (pin.expires === null || pin.expires - nowMs >= SOON) continue;
      report.warning([...path, key], when(`the pin ${shorten(pin.canonical)} of "${pinset.name}"`, pin.expires, nowMs));
    }
  }
}

/** One lost key must not lock everybody out. */
function lintBackups(pinset: CompiledPinset, path: Path, nowMs: number, report: Reporter): void {
  if (pinset.mode !== 'enforce') return;
  const usable = new Set(pinset.pins.filter((pin) => isUsable(pin, nowMs)).map((pin) => `${pin.kind} ${pin.key}`));
  if (usable.size >= 2) return;
  const count = usable.size === 0 ? 'no usable pin: every flow is a mismatch' : 'only one usable pin';
  report.warning(
    [...path, 'pins'],
    `"${pinset.name}" enforces with ${count}; add a backup pin of a key that is kept elsewhere`,
  );
}

/** A pin above the leaf counts only if a name was checked: the CA has other customers. */
function lintNames(pinset: CompiledPinset, path: Path, report: Reporter): void {
  const above = (pin: CompiledPin) => pin.at !== 'leaf';
  if (!pinset.pins.some(above)) return;
  if (pinset.situations.checks.name === 'off') {
    if (pinset.pins.every(above)) {
      report.warning([...path, 'pins'], `"${pinset.name}" checks no name, so its pins count on the leaf only`);
    }
    return;
  }
  if (pinset.match.hosts.length === 0 && pinset.names.length === 0) {
    report.warning(
      [...path, 'pins'],
      `"${pinset.name}" is not bound to hosts: its pins above the leaf count only for clients that give a name, unless "names" says what the certificate may be called`,
    );
  }
}

/** Once each, at the first pinset that it concerns. */
function noteBlindSpots(policy: Omit<Policy, 'hash'>, report: Reporter): void {
  const requiring = policy.pinsets.filter(requires);
  const byHost = requiring.find((pinset) => pinset.match.hosts.length > 0);
  if (byHost !== undefined) {
    report.note(
      ['pinsets', byHost.index],
      'a pinset bound to hosts does not see clients that give no server name, or hide it (ECH): bind one to the addresses too where that matters',
    );
  }
  const denier = requiring.find((pinset) => pinset.match.hosts.length > 0 && mayEnforce(pinset));
  if (denier !== undefined && policy.pinned.notTls === 'deny') {
    report.note(
      ['pinsets', denier.index],
      'what is not TLS (mail without STARTTLS, ssh) says no name, so a pinset bound to hosts denies it to every host on its ports: "pinned": { "notTls": "accept" } lets it pass',
    );
  }
  for (const { values, text } of TLS13_NOTES) {
    const concerned = requiring.find(({ situations }) => values.includes(situations.tls13));
    if (concerned !== undefined) report.note(['pinsets', concerned.index], text);
  }
  const denying = policy.pinsets.find((pinset) => pinset.deny.length > 0 && !requires(pinset));
  if (policy.unpinned.tls13 !== 'accept') return;
  if (denying !== undefined) {
    report.note(['pinsets', denying.index], `a deny list ${UNPINNED_TLS13}`);
  } else if (policy.rules.length > 0) {
    report.note(['rules', policy.rules[0]!.index], `rules ${UNPINNED_TLS13.replace('sees', 'see')}`);
  }
}

function when(what: string, expires: number, nowMs: number): string {
  const date = new Date(expires).toISOString().slice(0, 10);
  if (expires <= nowMs) return `${what} expired on ${date}`;
  return `${what} expires on ${date}, in ${Math.ceil((expires - nowMs) / DAY)} days`;
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/** What each source of evidence is worth. */
const TLS13_NOTES: readonly { readonly values: readonly HiddenCertificate[]; readonly text: string }[] = [
  {
    values: ['probe', 'probe-else-accept', 'keylog-else-probe'],
    text: 'TLS 1.3 hides the certificate, so the server is asked for it in the client\'s place: that holds against everyone who answers all connections alike, and not against a man in the middle who can tell the probe from the client; "keylog" sees the certificate of the connection itself, and "deny" leaves TLS 1.2',
  },
  {
    values: ['probe-else-accept'],
    text: '"probe-else-accept" lets TLS 1.3 pass unchecked where the probe gets no answer: whoever can keep it from being answered is not found out',
  },
  {
    values: ['deny'],
    text: 'TLS 1.3 hides the certificate: flows of pinned servers that negotiate it are denied; "tls13": "probe" asks the server for it in the client\'s place',
  },
];
const UNPINNED_TLS13 =
  'sees nothing of TLS 1.3, which "unpinned" lets pass: "unpinned": { "tls13": "probe" } asks the servers';

const DAY = 86_400_000;
const SOON = 30 * DAY;
