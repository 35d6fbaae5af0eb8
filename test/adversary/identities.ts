/**
 * Who is who: the bank's genuine keys and a forger's, of both kinds, each with a chain to an authority of its own, made
 * once a process with openssl. What the policy pins is of the genuine ones alone.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CertificateShop } from '../../src/runtime/demo/certificates.ts';
import { HOST } from '../support/flows.ts';

export type KeyKind = 'rsa' | 'ec';
export type Whose = 'genuine' | 'forged';

export interface Identity {
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER: no certificate of anybody else's has it in it. */
  readonly publicKey: Buffer;
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

/** Whether it is for a genuine key, whatever became of it on its way: who has no such key gains nothing by it. */
export function isGenuine(leaf: Buffer): boolean {
  const { genuine } = identities();
  return [genuine.rsa, genuine.ec].some(({ publicKey }) => leaf.includes(publicKey));
}

function make(): Identities {
  const directory = mkdtempSync(join(tmpdir(), 'tlspin-adversary-'));
  try {
    const shop = new CertificateShop(directory);
    const of = (whose: Whose) => {
      const authority = shop.authority(`${whose} authority`);
      const leaf = (kind: KeyKind): Identity => {
        const algorithm = kind === 'rsa' ? 'rsa' : 'p-256';
        const files = shop.leaf(`${whose}-${kind}`, { issuer: authority, names: [HOST], key: algorithm });
        const chainPem = readFileSync(shop.chain(`${whose}-${kind}`, files.cert, authority.cert));
        const keyPem = readFileSync(files.key);
        const chain = [files.cert, authority.cert].map((file) => new X509Certificate(readFileSync(file)).raw);
        const key = createPrivateKey(keyPem);
        const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
        return { key, publicKey, keyPem, chainPem, chain };
      };
      return { rsa: leaf('rsa'), ec: leaf('ec') };
    };
    return { genuine: of('genuine'), forged: of('forged') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
