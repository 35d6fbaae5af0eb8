/** The reasons of verdicts, and the faults behind them, for people: what each means, and what helps. */
import type { Reason, VerdictEvent } from '../judge/events.ts';

/** One sentence, without its full stop. Logs of other versions have reasons that nobody knows here. */
export function meaningOf(reason: string): string {
  return (MEANINGS as Meanings)[reason] ?? 'a reason that this version of tlspin does not know';
}

/** What to do about it, as docs/log.md says it. */
export function adviceFor(reason: string): string {
  return (ADVICE as Meanings)[reason] ?? 'look it up in the documentation of the version that decided';
}

type Meanings = Readonly<Record<string, string | undefined>>;

/** What may be behind a fault, and what helps: null where the fault says it all. */
export function hintFor({ fault }: VerdictEvent): string | null {
  const [, hint = null] = HINTS.find(([beginning]) => fault?.startsWith(beginning) ?? false) ?? [];
  return hint;
}

export const MEANINGS: Readonly<Record<Reason, string>> = {
  learning: 'the pinset is still learning what the host presents',
  'pin-match': 'the server presented what a pin of the pinset names',
  'backup-pin-match': 'the server presented what a backup pin of the pinset names: the first key is out of use',
  'pin-mismatch': 'none of the pins of the pinset is satisfied by what the server presented',
  'deny-pin': 'the server presented a certificate that is denied',
  rule: 'a rule decided',
  unpinned: 'no pinset is for this flow, and no deny list or rule objects',
  'no-certificate': 'the server showed no certificate that could be compared',
  'expired-pinset': 'the pinset is past its own date: afterExpiry decided',
  'name-mismatch': 'the pin is not on the leaf, and the leaf is not for this name',
  'certificate-expired': 'the pin is not on the leaf, and the leaf is not valid at this time',
  untrusted: 'the path does not end at a trusted certificate',
  unexaminable: 'the chain takes more to examine than anybody’s may, and what was examined of it does not do',
  'no-proof': 'the server did not prove that it has the key of its certificate',
  'min-version': 'the negotiated version is older than allowed',
  'resumed-bound': 'the session was begun in a flow whose pins matched',
  'resumed-unbound': 'the session was begun where nobody saw whose certificate it was',
  'probe-match': 'TLS 1.3 hides the certificate; what the server showed to a probe satisfies a pin',
  'probe-mismatch': 'TLS 1.3 hides the certificate; what the server showed to a probe satisfies no pin',
  'probe-failed': 'TLS 1.3 hides the certificate, and the server showed none to a probe',
  'probe-inconsistent': 'probes that asked the same were shown different chains',
  'keylog-missing': 'the secret that opens the certificate was not logged in time, or opens none',
  'no-sni': 'the client gave no server name',
  ech: 'the client hid the server name, or seems to',
  'not-tls': 'what the client said is neither TLS nor a way to it',
  starttls: 'TLS would begin inside another protocol',
  anonymous: 'the cipher suite does without a certificate',
  'raw-public-key': 'the server has a public key without a certificate',
  'parse-error': 'the octets are not what the protocol allows',
  'overlap-conflict': 'the same place of the stream was sent twice, with different octets',
  limit: 'a limit was reached before the decision',
  midstream: 'the connection is older than the engine, or was forgotten by it',
  incomplete: 'the handshake did not come to its decision',
  overload: 'there was no room, or no time, to look at it',
  renegotiation: 'the connection negotiated anew',
  quic: 'QUIC hides the name',
};

export const ADVICE: Readonly<Record<Reason, string>> = {
  learning: 'nothing; `tlspin learn show` says how far it is',
  'pin-match': 'nothing',
  'backup-pin-match': 'make that key the primary pin, and add a new backup',
  'pin-mismatch':
    'ask the owner whether the key was changed: if so, add it (`tlspin pin HOST`); if not, somebody is in the middle',
  'deny-pin': 'find out who shows it',
  rule: '`rules` names it: its place, its list, the entry',
  unpinned:
    'nothing; logged with `"log": { "unpinned": true }`, and where a rule that accepts has left its mark (`connmark`, `rules`)',
  'no-certificate': 'see which server answers so: a pinned host has to show its certificate',
  'expired-pinset': 'give the pinset pins and a date that hold',
  'name-mismatch': 'pin the leaf itself, or the server that has the name',
  'certificate-expired': 'have the server’s certificate renewed, or pin the leaf itself',
  untrusted: 'see `checks.trust`',
  unexaminable: 'look at the chain: `tlspin ctl explain`',
  'no-proof': 'find out who answers: he has the certificate and not the key',
  'min-version': 'update the server, or lower `checks.minVersion`',
  'resumed-bound': 'nothing',
  'resumed-unbound': 'nothing: the client begins anew; with `resumed: bound-else-probe` the server is asked',
  'probe-match': 'nothing',
  'probe-mismatch':
    'ask the owner whether the key was changed: if so, add it (`tlspin pin HOST`); if not, somebody is in the middle',
  'probe-failed': '`fault` says what failed; see to the gateway’s way to the server',
  'probe-inconsistent': 'look at both chains: a server with two keys needs a pin of each',
  'keylog-missing': 'have the client log its secrets, or take `keylog-else-probe`',
  'no-sni': 'pin the address, or say `noSni`',
  ech: 'say `ech`, or take it away from the client',
  'not-tls': 'say `notTls`, or leave the port alone',
  starttls: 'say `starttls`',
  anonymous: 'say `anonymous`; rather mend the server',
  'raw-public-key': 'say `rawPublicKey`, and pin the key',
  'parse-error': '`fault` says where; a genuine peer that sends this is a bug to tell us',
  'overlap-conflict': 'somebody writes into the connection',
  limit: '`fault` names the limit',
  midstream: 'nothing: the client connects again',
  incomplete: 'nothing, where few; many mean that a peer ends handshakes',
  overload: 'more queues, or fewer connections',
  renegotiation: 'say `renegotiation`',
  quic: 'nothing: clients take TCP instead',
};

/** By how a fault's code begins; docs/log.md has them too. */
export const HINTS: readonly (readonly [beginning: string, hint: string])[] = [
  ['x509.budget.signatures', 'many certificates of the chain have the same name, and each may have issued each'],
  ['x509.budget.comparisons', 'the certificate has so many names, or its issuers so many name constraints'],
  [
    'x509.budget.turns',
    'too many chains were waiting to be examined, and most of them were this client’s or this server’s',
  ],
  [
    'probe.timeout.handshake',
    'the server took the probe’s connection and did not answer on it: one that serves a single connection at a time, as `openssl s_server` does, cannot be probed',
  ],
  ['probe.timeout.waiting', 'more probes were waiting than "probe": { "atOnce" } lets through in time'],
  ['probe.timeout', 'this host cannot connect to the server by itself: see its routes and its own packet filter'],
  ['probe.unreachable', 'this host cannot connect to the server by itself: see its routes and its own packet filter'],
  ['probe.limited', 'there were more probes a minute than "probe" allows'],
  ['probe.forbidden', 'local servers are probed with "probe": { "allowLocal": true } alone'],
  ['probe.not-marked', 'the mark by which the rules let a probe pass could not be set, which takes CAP_NET_ADMIN'],
  ['probe.alert', 'the server refused the probe with the TLS alert of this number'],
];
