/** The certificates of fixtures/certs as DER. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url));
}

export function certificate(name: string): Uint8Array {
  return certificates(name)[0]!;
}

/** Every certificate of a file, in its order. */
export function certificates(name: string): Uint8Array[] {
  const pem = readFileSync(fixturePath(name), 'latin1');
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(
    (block) => new Uint8Array(Buffer.from(block[1]!, 'base64')),
  );
}
