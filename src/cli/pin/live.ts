/**
 * The chain of a live server, octet for octet and in its own order: the probe's handshake, which ends before anything is
 * sealed, on a connection of its own. Nothing that is shown is believed.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

import { isFault } from '../../bytes/fault.ts';
import type { ProbeFailure } from '../../judge/ports.ts';
import { LIMIT_DEFAULTS } from '../../pins/limits.ts';

import { type ConnectionFailure, converse } from '../../probe/connection.ts';
import { type HandshakeOutcome, ProbeHandshake } from '../../probe/handshake.ts';
import { mirrorOf } from '../../probe/mirror.ts';
import { dialogueOf, Upgrade, type UpgradeRefused } from '../../probe/upgrade.ts';
import { addressText } from '../../report/eve.ts';
import { VERSION } from '../../tls/constants.ts';
import { clientHello, type KeyWish, type VersionWish } from './hello.ts';
import type { Target } from './target.ts';

export interface LiveOptions {
  /** The name to ask for; null: none. Undefined: the target's own where it is a name. */
  readonly serverName?: string | null | undefined;
  readonly version?: VersionWish | undefined;
  /** 4 or 6: addresses of that family alone. */
  readonly family?: 4 | 6 | undefined;
}

export interface LiveChain {
  readonly chain: readonly Uint8Array[];
  readonly isRawPublicKey: boolean;
  /** Negotiated, as on the wire. */
  readonly version: number;
  readonly address: string;
  readonly serverName: string | null;
  /** Whether the server showed that it has the first certificate's key; with static RSA that never shows. */
  readonly proven: boolean;
}

/** Rejects in a sentence. Addresses are tried one after the other, while connections fail. */
export async function liveChain(target: Target, options: LiveOptions = {}): Promise<LiveChain> {
  const serverName = options.serverName === undefined ? nameOf(target.host) : options.serverName;
  const addresses = await addressesOf(target.host, options.family);
  let failure = 'there is no address of this kind';
  for (const address of addresses) {
    const found = await chainAt(target, address, { serverName, version: options.version });
    if (!('reason' in found)) return found;
    failure = found.sentence;
    if (found.reason !== 'unreachable' && found.reason !== 'timeout') break;
  }
  throw new Error(failure);
}

export interface NoChain {
  readonly reason: ProbeFailure;
  readonly sentence: string;
}

export interface ChainOptions {
  readonly serverName: string | null;
  readonly version?: VersionWish | undefined;
  /** Keys of this kind alone. */
  readonly keys?: KeyWish | undefined;
}

/** What one address shows; rejects where it cannot even be asked. */
export async function chainAt(
  target: Target,
  address: Uint8Array,
  options: ChainOptions,
): Promise<LiveChain | NoChain> {
  const { serverName } = options;
  const outcome = await ask(target, address, options);
  if (outcome.kind === 'certificates') {
    const { chain, isRawPublicKey, version, proven } = outcome;
    return { chain, isRawPublicKey, version, proven, serverName, address: addressText(address) };
  }
  const { reason, detail } = outcome.kind === 'failed' ? outcome : UNUSABLE_GROUP;
  return { reason, sentence: sentenceOf(reason, detail, target) };
}

type Answer = HandshakeOutcome | UpgradeRefused | ConnectionFailure;

function ask(target: Target, address: Uint8Array, { serverName, version, keys }: ChainOptions): Promise<Answer> {
  const mirror = mirrorOf(clientHello(serverName, version, keys));
  if (isFault(mirror)) return Promise.reject(new Error(`"${serverName}" cannot be asked for: it is no host name`));
  const turns = turnsOf(target, serverName);
  const handshake = new ProbeHandshake({ mirror, recordVersion: VERSION.tls10, limits: LIMIT_DEFAULTS });
  return new Promise((done) => {
    converse<HandshakeOutcome | UpgradeRefused>({
      server: { address, port: target.port },
      timeout: TIMEOUT_MS,
      mark: undefined,
      conversation: new Upgrade(turns, handshake),
      done,
    });
  });
}

function turnsOf({ starttls, host, port }: Target, serverName: string | null) {
  if (starttls === null) return [];
  const turns = dialogueOf(starttls, { serverName: serverName ?? nameOf(host), port, tunnels: [] });
  if (turns === undefined) throw new Error(`${starttls} needs the name of the server: give it with --sni`);
  return turns;
}

/** RFC 6066 §3: an address is no name. */
export function nameOf(host: string): string | null {
  return isIP(host) === 0 ? host.replace(/\.$/, '') : null;
}

export async function addressesOf(host: string, family: 4 | 6 | undefined): Promise<Uint8Array[]> {
  const found = await lookup(host, { all: true, family: family ?? 0 });
  return found.map(({ address }) => new Uint8Array(ipaddr.parse(address).toByteArray()));
}

function sentenceOf(reason: ProbeFailure, detail: string, { starttls }: Target): string {
  switch (reason) {
    case 'unreachable':
      return CONNECT_ERRORS[detail] ?? `the host cannot be reached: ${detail}`;
    case 'timeout':
      return `no answer within ${TIMEOUT_MS / 1000} s`;
    case 'closed':
      return `the server closes the connection${starttls === null ? ': is it TLS that it speaks on this port?' : ''}`;
    case 'alert':
      return `the server refuses the handshake: alert ${detail}${ALERTS[detail] ?? ''}`;
    case 'no-certificate':
      return 'the server shows no certificate';
    case 'protocol':
      if (detail.startsWith('starttls')) return `the server does not go over to TLS by ${starttls}`;
      return `what the server says is no TLS (${detail})${starttls === null ? ': does something come before it, as in smtp://?' : ''}`;
    default:
      return `the server's answer cannot be read here: ${detail || reason}`;
  }
}

const CONNECT_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the host refuses connections to this port',
  EHOSTUNREACH: 'there is no way to this host',
  ENETUNREACH: 'there is no way to the network of this host',
  ETIMEDOUT: 'the host does not answer',
};
/** AlertDescription, where its name helps. */
const ALERTS: Readonly<Record<string, string>> = {
  40: ' (handshake failure)',
  42: ' (bad certificate)',
  49: ' (access denied)',
  70: ' (protocol version)',
  71: ' (insufficient security)',
  80: ' (internal error)',
  112: ' (unrecognized name: try --sni or --no-sni)',
  120: ' (no application protocol)',
};
const UNUSABLE_GROUP = { reason: 'unsupported', detail: 'the group that it asks for' } as const;
const TIMEOUT_MS = 10_000;
