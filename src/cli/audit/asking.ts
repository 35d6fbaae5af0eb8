/**
 * Asks every target at each of its addresses, of either family, for a key of each kind, and compares what is shown with
 * the pins. A kind that a server does not have is no failure, as long as it shows another. Judges nothing.
 */
import { isIP } from 'node:net';

import type { CompiledPin } from '../../pins/policy.ts';
import { addressText } from '../../report/eve.ts';
import { compareChain } from '../../runtime/explain/comparison.ts';
import { type PresentedCertificate, presentCertificate, presentRawPublicKey } from '../../x509/presented.ts';
import { addressesOf, chainAt, type LiveChain } from '../pin/live.ts';
import type { KeyWish } from '../pin/hello.ts';
import type { AuditTarget } from './targets.ts';

/** What was shown at one address, of one kind of key. */
export interface Shown {
  readonly target: AuditTarget;
  readonly address: string;
  readonly keys: KeyWish;
  readonly version: number;
  readonly chain: readonly PresentedCertificate[];
  /** Those that it satisfies. */
  readonly pins: readonly CompiledPin[];
}

/** One that shows nothing, and why: a sentence. `address`: null where the name has none. */
export interface Failure {
  readonly target: AuditTarget;
  readonly address: string | null;
  readonly sentence: string;
}

export interface Answers {
  readonly shown: readonly Shown[];
  readonly failures: readonly Failure[];
}

/** A few at a time; the answers are in the order of the targets. */
export async function askAll(targets: readonly AuditTarget[]): Promise<Answers> {
  const answers: Answers[] = [];
  const waiting = targets.map((target, index) => async () => void (answers[index] = await ask(target)));
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return {
    shown: answers.flatMap(({ shown }) => shown),
    failures: answers.flatMap(({ failures }) => failures),
  };
}

async function ask(target: AuditTarget): Promise<Answers> {
  let addresses: Uint8Array[];
  try {
    addresses = await addressesOf(target.host, undefined);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const sentence = code === 'ENOTFOUND' ? 'there is no such host' : message;
    return { shown: [], failures: [{ target, address: null, sentence }] };
  }
  const each = await Promise.all(addresses.map((address) => askAt(target, address)));
  return { shown: each.flatMap(({ shown }) => shown), failures: each.flatMap(({ failures }) => failures) };
}

async function askAt(target: AuditTarget, address: Uint8Array): Promise<Answers> {
  const serverName = target.name === null || isIP(target.name) !== 0 ? null : target.name;
  const shown: Shown[] = [];
  let sentence = '';
  for (const keys of KINDS) {
    try {
      const found = await chainAt(target, address, { serverName, keys });
      if ('reason' in found) sentence ||= found.sentence;
      else shown.push(shownBy(target, keys, found));
    } catch (error) {
      sentence ||= (error as Error).message;
    }
  }
  const isSilent = shown.length === 0;
  return { shown, failures: isSilent ? [{ target, address: addressText(address), sentence }] : [] };
}

function shownBy(
  target: AuditTarget,
  keys: KeyWish,
  { chain: sent, isRawPublicKey, version, address }: LiveChain,
): Shown {
  const chain = sent.map(isRawPublicKey ? presentRawPublicKey : presentCertificate);
  const { pins } = compareChain(target.pinset, chain, target.name, Date.now());
  const satisfied = target.pinset.pins.filter((_, index) => pins[index]!.counts);
  return { target, address, keys, version, chain, pins: satisfied };
}

const KINDS: readonly KeyWish[] = ['ecdsa', 'rsa'];
const AT_ONCE = 8;
