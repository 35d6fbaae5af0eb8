/** Policies for tests, by hand: what is not said is as the defaults have it. */
import { CONNMARK_DEFAULTS } from '../../src/pins/compile/connmark.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { PROBE_DEFAULTS } from '../../src/pins/probe.ts';
import type {
  AddressRange,
  CompiledMatch,
  CompiledPin,
  CompiledPinset,
  CompiledRule,
  PinKind,
  Policy,
  Situations,
} from '../../src/pins/policy.ts';

export const PINNED: Situations = {
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
  checks: { name: 'auto', validity: 'auto', proofOfPossession: 'require', minVersion: 0, trust: [] },
};

export const UNPINNED: Situations = {
  tls13: 'accept',
  resumed: 'accept',
  earlyData: 'accept',
  noSni: 'accept',
  ech: 'accept',
  rawPublicKey: 'accept',
  anonymous: 'accept',
  psk: 'accept',
  notTls: 'accept',
  starttls: 'accept',
  quic: 'accept',
  midstream: 'accept',
  parseError: 'accept',
  incomplete: 'accept',
  overload: 'accept',
  checks: { name: 'off', validity: 'off', proofOfPossession: 'off', minVersion: 0, trust: [] },
};

export function pin(kind: PinKind, key: string, more: Partial<CompiledPin> = {}): CompiledPin {
  return {
    canonical: `${kind}:${key}`,
    kind,
    key,
    at: kind.startsWith('spki') ? 'path' : 'leaf',
    role: 'primary',
    notBefore: null,
    expires: null,
    der: null,
    ...more,
  };
}

/** `198.51.100.0/24`; IPv6 as 32 hexadecimal digits and a prefix. */
export function range(text: string): AddressRange {
  const [address, prefix] = text.split('/') as [string, string | undefined];
  const octets = address.includes('.')
    ? new Uint8Array(address.split('.').map(Number))
    : new Uint8Array(Buffer.from(address, 'hex'));
  return { address: octets, prefix: prefix === undefined ? octets.length * 8 : Number(prefix) };
}

export function match(more: Partial<CompiledMatch> = {}): CompiledMatch {
  return { hosts: [], exempt: [], addresses: [], ports: [], clients: [], ...more };
}

export function pinset(index: number, more: Partial<CompiledPinset> = {}): CompiledPinset {
  return {
    name: `pinset-${index}`,
    index,
    match: match(),
    pins: [pin('cert-sha256', 'aa'.repeat(32))],
    deny: [],
    names: [],
    mode: 'enforce',
    expires: null,
    afterExpiry: 'report-only',
    onMatch: { action: 'accept', connmark: null },
    onMismatch: { action: 'tls-alert', connmark: null },
    onDeny: { action: 'tls-alert', connmark: null },
    situations: PINNED,
    ...more,
  };
}

export function rule(index: number, test: CompiledRule['test'], more: Partial<CompiledRule> = {}): CompiledRule {
  return { index, match: match(), test, verdict: { action: 'drop', connmark: null }, ...more };
}

export function policy(more: Partial<Policy> = {}): Policy {
  return {
    hash: 'sha256:00',
    pinsets: [],
    rules: [],
    lists: [],
    pinned: PINNED,
    unpinned: UNPINNED,
    onMismatch: { action: 'tls-alert', connmark: null },
    connmark: CONNMARK_DEFAULTS,
    limits: LIMIT_DEFAULTS,
    probe: PROBE_DEFAULTS,
    keylog: { file: null, socket: null },
    learn: { file: null, observations: 20, spacing: 0, hosts: 4096, keys: 16 },
    ports: [[443, 443]],
    log: { unpinned: false, certificates: 'pins', stats: 0 },
    control: { socket: null, mode: 0o600 },
    user: null,
    queues: [0, 0],
    failOpen: false,
    allowOffload: false,
    ...more,
  };
}
