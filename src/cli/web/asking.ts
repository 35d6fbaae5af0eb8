/**
 * What a server shows to this machine, for the console: asked with the probe's handshake, as `tlspin audit` asks, at the
 * addresses that clients went to and at those that its name has here. Nothing that is shown is believed.
 */
import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

import { addressText } from '../../report/eve.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { presentCertificate, presentRawPublicKey } from '../../x509/presented.ts';
import type { Answers, AskServer } from '../../web/evidence.ts';
import { keyOf } from '../audit/findings.ts';
import type { KeyWish } from '../pin/hello.ts';
import { addressesOf, chainAt, type LiveChain } from '../pin/live.ts';
import { starttlsOn, type Target } from '../pin/target.ts';

export const askServer: AskServer = async (host, port, known) => {
  const target: Target = { host, port, starttls: starttlsOn(port), isDefaultPort: port === 443 };
  const { addresses, failure } = await allOf(host, known);
  const answers = await Promise.all(addresses.slice(0, MOST).map((address) => askAt(target, address)));
  return {
    shown: answers.flatMap(({ shown }) => shown),
    failures: [...(failure === undefined ? [] : [failure]), ...answers.flatMap(({ failures }) => failures)],
  };
};

/** By name first: whoever may choose where clients go to has not chosen those. */
async function allOf(host: string, known: readonly string[]) {
  const own = known.filter((address) => isIP(address) !== 0).map((address) => Uint8Array.from(bytesOf(address)));
  try {
    const named = await addressesOf(host, undefined);
    return { addresses: [...new Map([...named, ...own].map((each) => [addressText(each), each])).values()] };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const sentence = code === undefined ? message : `this machine knows no address of that name (${code})`;
    return { addresses: own, failure: { address: host, sentence } };
  }
}

function bytesOf(address: string): number[] {
  return ipaddr.process(address).toByteArray();
}

async function askAt(target: Target, address: Uint8Array): Promise<Answers> {
  const serverName = isIP(target.host) === 0 ? target.host : null;
  const shown: Answers['shown'][number][] = [];
  let sentence = '';
  for (const keys of KINDS) {
    try {
      const found = await chainAt(target, address, { serverName, keys });
      if ('reason' in found) sentence ||= found.sentence;
      else shown.push(shownBy(target, found));
    } catch (error) {
      sentence ||= (error as Error).message;
    }
  }
  const others = shown.filter((one, i) => shown.findIndex(({ key }) => key === one.key) === i);
  return { shown: others, failures: shown.length > 0 ? [] : [{ address: addressText(address), sentence }] };
}

function shownBy({ port }: Target, { chain, isRawPublicKey, address }: LiveChain): Answers['shown'][number] {
  const [leaf] = chain.map(isRawPublicKey ? presentRawPublicKey : presentCertificate);
  if (leaf === undefined) return { address, port, key: null, subject: null, issuer: null };
  const { subject, issuer } = describeCertificate(leaf.der);
  return { address, port, key: keyOf(leaf), subject, issuer };
}

const KINDS: readonly KeyWish[] = ['ecdsa', 'rsa'];
/** Of addresses. */
const MOST = 8;
