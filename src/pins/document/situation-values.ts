/**
 * What situations, in which no certificate can decide, and checks, which are made besides the pins, may come to: values,
 * what each means, and what holds where a file says nothing. Knows no schema, which what needs none would have to load.
 */

/** One entry a situation: values, meaning, and what holds for pinned and for unpinned flows. */
export const SITUATIONS = {
  tls13: [
    ['probe', 'probe-else-accept', 'keylog', 'keylog-else-probe', 'accept', 'deny'],
    "The certificate is invisible: TLS 1.3. probe: the server is asked for it in the client's place; keylog: it is decrypted with the secret that the client logs. Without an answer or a secret: deny, or what follows -else-.",
    'probe',
    'accept',
  ],
  resumed: [
    ['bound', 'bound-else-probe', 'accept', 'deny'],
    "A session is resumed without a certificate. bound: only one that was given out in a flow whose pins matched. bound-else-probe: of others the server is asked in the client's place.",
    'bound-else-probe',
    'accept',
  ],
  earlyData: [
    ['hold', 'accept', 'deny'],
    'The client sends data with its first flight (0-RTT). hold: until the decision.',
    'hold',
    'accept',
  ],
  noSni: [
    ['accept', 'deny'],
    "The client gives no server name on a host pinset's port. accept: address pinsets still apply.",
    'accept',
    'accept',
  ],
  ech: [
    ['outer-name', 'accept', 'deny'],
    'The client hello is encrypted, or looks it. outer-name: the visible name counts.',
    'outer-name',
    'accept',
  ],
  rawPublicKey: [
    ['pin', 'accept', 'deny'],
    'A public key instead of a certificate. pin: SPKI and key pins apply.',
    'pin',
    'accept',
  ],
  anonymous: [['accept', 'deny'], 'A cipher suite without authentication.', 'deny', 'accept'],
  psk: [['accept', 'deny'], 'A cipher suite with a pre-shared key and no certificate.', 'deny', 'accept'],
  notTls: [['accept', 'deny'], 'What the client says is neither TLS nor a way to it.', 'deny', 'accept'],
  starttls: [
    ['inspect', 'accept', 'deny'],
    'TLS begins inside another protocol. inspect: as everywhere.',
    'inspect',
    'accept',
  ],
  quic: [
    ['reject', 'drop', 'accept'],
    'UDP to the same ports: `tlspin rules` writes it into the rules.',
    'reject',
    'accept',
  ],
  midstream: [['accept', 'deny'], 'The flow is older than the rules.', 'deny', 'accept'],
  parseError: [['accept', 'deny'], 'The bytes are not what the protocol allows, or a limit was met.', 'deny', 'accept'],
  incomplete: [
    ['accept', 'deny'],
    'The handshake does not come to its decision in time, or only one direction is seen. Of a pinned flow no reason to accept it.',
    'deny',
    'accept',
  ],
  overload: [['accept', 'deny'], 'There is no room to look at the flow.', 'deny', 'accept'],
} as const;

export type SituationName = keyof typeof SITUATIONS;
export const SITUATION_NAMES = Object.keys(SITUATIONS) as SituationName[];

/** What holds where a file says nothing. */
export function situationDefault(name: SituationName, kind: 'pinned' | 'unpinned'): string {
  return SITUATIONS[name][kind === 'pinned' ? 2 : 3];
}

export const CHECK_DEFAULTS = {
  pinned: { name: 'auto', validity: 'auto', proofOfPossession: 'require' },
  unpinned: { name: 'off', validity: 'off', proofOfPossession: 'off' },
} as const;
