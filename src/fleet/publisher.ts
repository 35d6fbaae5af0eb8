/**
 * Who pushes documents to a fleet, and asks what became of them. What the carrier says is believed as far as signatures
 * go: a version that nobody signed does not count.
 */
import type { PublicKey, SecretKey } from '../minisign/keys.ts';
import {
  callOf,
  claimsOf,
  documentsBucket,
  gatewaysBucket,
  keysOf,
  type OpenedDocument,
  openOffer,
  signedVersion,
  type Terms,
} from './documents.ts';
import { type GatewayRecord, parseRecord } from './gateway-record.ts';
import { envelopeOctets, MOST_OCTETS, openPackage } from './package.ts';
import { type Broker, BrokerError } from './port.ts';
import { signDocument } from './signed-document.ts';

export interface Fleet {
  readonly broker: Broker;
  readonly name: string;
  readonly trusted: readonly PublicKey[];
}

export type Push = Omit<Terms, 'version' | 'pushed'>;

/** The version that it has become. Rejects with a sentence. */
export async function push(fleet: Fleet, octets: Uint8Array, secret: SecretKey, wanted: Push): Promise<Terms> {
  const { broker, name, trusted } = fleet;
  if (!trusted.some(({ line }) => line === secret.publicKey.line)) {
    throw new Error(`no gateway trusts this key: ${secret.publicKey.line} is not among "trustedKeys"`);
  }
  const bucket = await documentsBucket(broker);
  const keys = keysOf(name);
  const key = wanted.canary === null ? keys.all : keys.canary;
  const before = await bucket.get(key);
  const turn = await bucket.get(keys.turn);
  const version = 1 + (await newest(fleet));
  const terms: Terms = { ...wanted, version, pushed: Date.now() };
  const envelope = envelopeOctets(signDocument(octets, secret, claimsOf(name, terms)));
  const isTooLarge = envelope.length > MOST_OCTETS || 'error' in openPackage(octets);
  if (isTooLarge) throw new Error(`it is too large to be pushed: ${MOST_OCTETS} octets are the most`);
  try {
    // One of two who push at the same moment, for all and for a canary, is not to have the version of the other.
    await bucket.replace(keys.turn, new TextEncoder().encode(String(version)), turn?.revision ?? 0);
    await bucket.replace(key, envelope, before?.revision ?? 0);
  } catch (error) {
    throw pushError(error, envelope.length);
  }
  // Gateways watch; this is for those whose watch is on a server that was lost a moment ago.
  await broker.askAll(callOf(name), new TextEncoder().encode(String(version)), CALL_MS, 1).catch(() => {});
  return terms;
}

/** Servers that have lost what they kept do not begin anew: gateways would refuse what is older than what they know. */
async function newest(fleet: Fleet): Promise<number> {
  const { name, trusted } = fleet;
  const kept = (await history(fleet)).map(({ terms }) => terms.version);
  const seen = (await gateways(fleet)).map((each) => signedVersion(each.seen ?? '', name, trusted));
  return Math.max(0, ...kept, ...seen);
}

/** Everything that is kept and was signed by somebody whom this fleet trusts, the oldest first. */
export async function history({ broker, name, trusted }: Fleet): Promise<OpenedDocument[]> {
  const bucket = await documentsBucket(broker);
  const { all, canary } = keysOf(name);
  const entries = [...(await bucket.history(all)), ...(await bucket.history(canary))];
  const opened = entries.map(({ value }) => openOffer(value, { name, trusted, version: 0, nowMs: 0 }));
  const documents = opened.filter((each) => 'terms' in each);
  return documents.sort((a, b) => a.terms.version - b.terms.version);
}

export interface GatewayStatus extends GatewayRecord {
  /** When it was heard of last, by the carrier's clock. */
  readonly heard: Date;
}

/** By name. What is not understood is left out. */
export async function gateways({ broker, name }: Fleet): Promise<GatewayStatus[]> {
  const bucket = await gatewaysBucket(broker);
  const found = (await bucket.entries()).flatMap(({ key, value, created }) => {
    const record = key.startsWith(`${name}.`) ? parseRecord(value) : undefined;
    // Each speaks for itself alone.
    return record === undefined || key !== `${name}.${record.gateway}` ? [] : [{ ...record, heard: created }];
  });
  return found.sort((a, b) => (a.gateway < b.gateway ? -1 : 1));
}

/** Whether it has been heard of so lately that it runs. */
export function isPresent({ heard }: GatewayStatus): boolean {
  return Date.now() - heard.getTime() < PRESENT_MS;
}

function pushError(error: unknown, octets: number): unknown {
  if (!(error instanceof BrokerError)) return error;
  if (error.fault === 'conflict') {
    return new Error('somebody else has pushed at the same moment: see tlspin fleet history, and push again', {
      cause: error,
    });
  }
  if (error.fault !== 'too-large') return error;
  return new Error(`it has ${octets} octets, which is more than the servers take: raise their max_payload`, {
    cause: error,
  });
}

const CALL_MS = 300;
/** Three times what lies between two words of a gateway. */
const PRESENT_MS = 90_000;
