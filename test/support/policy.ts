/** A compiled configuration for tests that need no file: every field has a plain value, and any may be given. */
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import type {
  CompiledMatch,
  CompiledPin,
  CompiledPinset,
  CompiledVerdict,
  Policy,
  Situations,
} from '../../src/pins/policy.ts';

const TLS_ALERT: CompiledVerdict = { action: 'tls-alert', connmark: null };
const ACCEPT: CompiledVerdict = { action: 'accept', connmark: null };

export function situations(fields: Partial<Situations> = {}): Situations {
  return {
    tls13: 'deny',
    resumed: 'bound',
    earlyData: 'hold',
    noSni: 'accept',
    ech: 'outer-name',
    rawPublicKey: 'pin',
    anonymous: 'deny',
    psk: 'deny',
    notTls: 'deny',
    starttls: 'inspect',
    quic: 'reject',
    midstream: 'deny',
    parseError: 'deny',
    incomplete: 'deny',
    overload: 'deny',
    checks: { name: 'auto', validity: 'auto', proofOfPossession: 'off', minVersion: 0, trust: [] },
    ...fields,
  };
}

export function spkiPin(digest = '00'.repeat(32)): CompiledPin {
  return {
    canonical: `spki-sha256:${Buffer.from(digest, 'hex').toString('base64')}`,
    kind: 'spki-sha256',
    key: digest,
    at: 'leaf',
    role: 'primary',
    notBefore: null,
    expires: null,
    der: null,
  };
}

export function match(fields: Partial<CompiledMatch> = {}): CompiledMatch {
  return { hosts: [], addresses: [], ports: [], clients: [], ...fields };
}

export function pinset(fields: Partial<CompiledPinset> = {}): CompiledPinset {
  return {
    name: 'bank',
    index: 0,
    match: match({ hosts: ['www.bank.example'] }),
    pins: [spkiPin()],
    deny: [],
    names: [],
    mode: 'enforce',
    expires: null,
    afterExpiry: 'report-only',
    onMatch: ACCEPT,
    onMismatch: TLS_ALERT,
    onDeny: TLS_ALERT,
    situations: situations(),
    ...fields,
  };
}

export function policy(fields: Partial<Policy> = {}): Policy {
  return {
    hash: 'sha256:test',
    pinsets: [pinset()],
    rules: [],
    lists: [],
    pinned: situations(),
    unpinned: situations({ quic: 'accept' }),
    onMismatch: TLS_ALERT,
    connmark: { mask: 0x60000000, accept: 0x20000000, deny: 0x40000000, pending: 0x60000000, route: 'auto' },
    limits: LIMIT_DEFAULTS,
    ports: [[443, 443]],
    log: { unpinned: false, certificates: 'pins' },
    control: { socket: null, mode: 0o600 },
    queues: [0, 0],
    failOpen: false,
    allowOffload: false,
    ...fields,
  };
}
