/**
 * Who is who: the bank's genuine keys and a forger's, of both kinds, each with a chain to an authority of its own, made
 * once a process with openssl. What the policy pins is of the genuine ones alone.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CertificateShop } from '../../src/runtime/demo/certificates.ts';
import { HOST } from '../support/flows.ts';

export type KeyKind = 'rsa' | 'ec';
export type Whose = 'genuine' | 'forged';

export interface Identity {
  readonly key: KeyObject;
  /** PEM, as node:tls takes them. */
  readonly keyPem: Buffer;
  readonly chainPem: Buffer;
  /** DER, the leaf first. */
  readonly chain: readonly Buffer[];
}

export interface Identities {
  readonly genuine: Readonly<Record<KeyKind, Identity>>;
  readonly forged: Readonly<Record<KeyKind, Identity>>;
}

let made: Identities | undefined;

export function identities(): Identities {
  return (made ??= make());
}

export function isGenuine(leaf: Uint8Array): boolean {
  const { genuine } = identities();
  return [genuine.rsa, genuine.ec].some(({ chain }) => Buffer.compare(chain[0]!, leaf) === 0);
}

function make(): Identities {
  const directory = mkdtempSync(join(tmpdir(), 'tlspin-adversary-'));
  try {
    const shop = new CertificateShop(directory);
    const of = (whose: Whose) => {
      const authority = shop.authority(`${whose} authority`);
      const leaf = (kind: KeyKind): Identity => {
        const key = kind === 'rsa' ? 'rsa' : 'p-256';
        const files = shop.leaf(`${whose}-${kind}`, { issuer: authority, names: [HOST], key });
        const chainPem = readFileSync(shop.chain(`${whose}-${kind}`, files.cert, authority.cert));
        const keyPem = readFileSync(files.key);
        const chain = [files.cert, authority.cert].map((file) => new X509Certificate(readFileSync(file)).raw);
        return { key: createPrivateKey(keyPem), keyPem, chainPem, chain };
      };
      return { rsa: leaf('rsa'), ec: leaf('ec') };
    };
    return { genuine: of('genuine'), forged: of('forged') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
