/** The reasons of verdicts, for people: what each means, and which key of the configuration decides what is done. */
import type { Reason, VerdictEvent } from '../engine/events.ts';
import { VERSION } from '../tls/constants.ts';

/** One sentence, without its full stop. */
export function meaningOf(reason: Reason): string {
  return MEANINGS[reason];
}

/** A situation, or a check as `checks.name`; undefined where the pins decided, or nothing had to. */
export function situationOf({ reason, tls }: VerdictEvent): string | undefined {
  const isTls13 = tls?.version === VERSION.tls13;
  if (HIDDEN.has(reason)) return tls?.sessionResumed === true && !isTls13 ? 'resumed' : 'tls13';
  if (reason === 'no-certificate') return isTls13 ? 'tls13' : undefined;
  return KEYS[reason];
}

/** Where the certificate came from elsewhere, or should have. */
const HIDDEN: ReadonlySet<Reason> = new Set([
  'probe-match',
  'probe-mismatch',
  'probe-failed',
  'probe-inconsistent',
  'keylog-missing',
]);

const KEYS: Readonly<Partial<Record<Reason, string>>> = {
  'resumed-bound': 'resumed',
  'resumed-unbound': 'resumed',
  'no-sni': 'noSni',
  ech: 'ech',
  'not-tls': 'notTls',
  starttls: 'starttls',
  anonymous: 'anonymous',
  'raw-public-key': 'rawPublicKey',
  'parse-error': 'parseError',
  'overlap-conflict': 'parseError',
  limit: 'parseError',
  midstream: 'midstream',
  incomplete: 'incomplete',
  overload: 'overload',
  quic: 'quic',
  'name-mismatch': 'checks.name',
  'certificate-expired': 'checks.validity',
  untrusted: 'checks.trust',
  'no-proof': 'checks.proofOfPossession',
  'min-version': 'checks.minVersion',
};

const MEANINGS: Readonly<Record<Reason, string>> = {
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
  'no-proof': 'the server did not prove that it has the key of its certificate',
  'min-version': 'the negotiated version is older than allowed',
  'resumed-bound': 'the session was begun in a flow whose pins matched',
  'resumed-unbound': 'the session was begun where nobody saw whose certificate it was',
  'probe-match': 'TLS 1.3 hides the certificate; what the server showed to a probe satisfies a pin',
  'probe-mismatch': 'TLS 1.3 hides the certificate; what the server showed to a probe satisfies no pin',
  'probe-failed': 'TLS 1.3 hides the certificate, and the server showed none to a probe',
  'probe-inconsistent': 'probes that asked the same were shown different chains',
  'keylog-missing': 'the secret that opens the certificate was not logged in time',
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
