/**
 * What most experiments need: a client that trusts two authorities, a genuine server whose key is pinned, and a forged
 * one of the same name from the other authority. RSA keys, so that also suites without a key exchange to sign work.
 */
import { spkiPin } from '../../../src/runtime/demo/certificates.ts';
import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import { CertificateShop } from '../../../src/runtime/demo/certificates.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const NAME = 'www.bank.example';

export interface Bank {
  readonly shop: CertificateShop;
  /** Of the genuine one; clients trust it. */
  readonly issuer: Identity;
  readonly genuine: Identity;
  readonly forged: Identity;
  /** PEM bundle of both authorities. */
  readonly ca: string;
  readonly pin: string;
  /** Genuine and forged leaf with their issuers. */
  readonly genuineChain: Identity;
  readonly forgedChain: Identity;
  readonly config: { readonly pinsets: readonly object[] };
  remove(): void;
}

/** Made once a test file: keys take their time. `names`: what both certificates are for. */
export function makeBank(names: readonly string[] = [NAME]): Bank {
  const directory = mkdtempSync(join(tmpdir(), 'tlspin-bank-'));
  const shop = new CertificateShop(directory);
  const honest = shop.authority('honest', { key: 'rsa' });
  const careless = shop.authority('careless', { key: 'rsa' });
  const genuine = shop.leaf('genuine', { issuer: honest, names, key: 'rsa' });
  const forged = shop.leaf('forged', { issuer: careless, names, key: 'rsa' });
  const pin = spkiPin(genuine.cert);
  return {
    shop,
    issuer: honest,
    genuine,
    forged,
    ca: shop.chain('trusted', honest.cert, careless.cert),
    pin,
    genuineChain: { cert: shop.chain('genuine', genuine.cert, honest.cert), key: genuine.key },
    forgedChain: { cert: shop.chain('forged', forged.cert, careless.cert), key: forged.key },
    config: { pinsets: [pinset({ pins: [pin] })] },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A host pinset for the bank; any field may be given. */
export function pinset(fields: object): object {
  return { name: 'bank', match: { hosts: [NAME] }, ...fields };
}
