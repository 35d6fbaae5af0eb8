/** Keys and signatures of minisign's format, against Debian's minisign in both directions. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createKeyFiles,
  parsePublicKey,
  parseSecretKey,
  type PublicKey,
  type SecretKey,
} from '../../src/minisign/keys.ts';
import { createSignature, verifySignature } from '../../src/minisign/signature.ts';
import { lacks, started } from '../support/programs.ts';

const MESSAGE = Buffer.from('{ "version": 1 }\n');
const COMMENT = 'name=bank version=1 expires=2027-01-01T00:00:00Z';

const files = createKeyFiles();
const secret = usable(parseSecretKey(files.secret)) as SecretKey;
const publicKey = usable(parsePublicKey(files.public)) as PublicKey;

function usable<T extends object>(parsed: T | { readonly error: string }): T {
  if ('error' in parsed) throw new Error(String(parsed.error));
  return parsed;
}

let folder: string;
const at = (name: string) => join(folder, name);
const put = (name: string, content: string | Uint8Array) => writeFileSync(at(name), content);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-minisign-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(lacks('minisign'))("minisign's own program", () => {
  const minisign = (...args: string[]) => spawnSync(started('minisign'), args, { encoding: 'utf8' });

  it('verifies what is signed here, and signs with keys that are made here', () => {
    put('ours', MESSAGE);
    put('ours.minisig', createSignature(MESSAGE, secret, COMMENT));
    const verified = minisign('-V', '-P', publicKey.line, '-m', at('ours'));
    expect(verified.stdout).toContain(`Trusted comment: ${COMMENT}`);
    expect(verified.status).toBe(0);

    put('key', files.secret);
    put('key.pub', files.public);
    put('theirs', MESSAGE);
    expect(minisign('-S', '-s', at('key'), '-m', at('theirs'), '-t', COMMENT).status).toBe(0);
    expect(minisign('-V', '-p', at('key.pub'), '-m', at('theirs')).status).toBe(0);
    expect(verifySignature(MESSAGE, readFileSync(at('theirs.minisig'), 'utf8'), [publicKey])).toMatchObject({
      trustedComment: COMMENT,
    });
  });

  it('makes keys that sign here', () => {
    execFileSync(started('minisign'), ['-G', '-W', '-p', at('peer.pub'), '-s', at('peer.key')]);
    const key = usable(parseSecretKey(readFileSync(at('peer.key'), 'utf8')));
    expect(key.publicKey.line).toBe(usable(parsePublicKey(readFileSync(at('peer.pub'), 'utf8'))).line);
    put('signed', MESSAGE);
    put('signed.minisig', createSignature(MESSAGE, key, COMMENT));
    expect(minisign('-V', '-p', at('peer.pub'), '-m', at('signed')).status).toBe(0);
  });

  it('signs the old way only where asked, which is refused here', () => {
    put('key', files.secret);
    put('legacy', MESSAGE);
    expect(minisign('-S', '-l', '-s', at('key'), '-m', at('legacy'), '-t', COMMENT).status).toBe(0);
    const verified = verifySignature(MESSAGE, readFileSync(at('legacy.minisig'), 'utf8'), [publicKey]);
    expect(verified).toEqual({ error: expect.stringContaining('the old way') as string });
  });
});

describe('a signature', () => {
  const signature = createSignature(MESSAGE, secret, COMMENT);

  it('is of its octets, its comment and its key alone', () => {
    expect(verifySignature(MESSAGE, signature, [publicKey])).toMatchObject({ trustedComment: COMMENT });
    const another = usable(parsePublicKey(createKeyFiles().public));
    const refused = (bytes: Uint8Array, text: string, key = publicKey) => {
      const verified = verifySignature(bytes, text, [key]);
      return 'error' in verified ? verified.error : 'taken';
    };
    expect(refused(Buffer.from('{ "version": 2 }\n'), signature)).toContain('not of this document');
    expect(refused(MESSAGE, signature.replace('version=1', 'version=2'))).toContain('trusted comment was changed');
    expect(refused(MESSAGE, signature, another)).toContain('not trusted');
    // The same number with another key.
    expect(refused(MESSAGE, signature, { ...another, id: publicKey.id })).toContain('not of this document');
  });

  it('that is changed anywhere but in its first line is refused, and nothing is thrown', () => {
    const from = signature.indexOf('\n') + 1;
    fc.assert(
      fc.property(
        fc.integer({ min: from, max: signature.length - 2 }),
        fc.integer({ min: 1, max: 255 }),
        (index, by) => {
          const code = signature.charCodeAt(index) ^ by;
          const changed = signature.slice(0, index) + String.fromCharCode(code) + signature.slice(index + 1);
          expect(verifySignature(MESSAGE, changed, [publicKey])).toHaveProperty('error');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('may be anything', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(verifySignature(MESSAGE, text, [publicKey])).toHaveProperty('error');
        expect(parsePublicKey(text)).toHaveProperty('error');
        expect(parseSecretKey(text)).toHaveProperty('error');
      }),
    );
  });
});

describe('a key', () => {
  it('is read as its line alone, and as its file', () => {
    expect(usable(parsePublicKey(publicKey.line)).id).toBe(publicKey.id);
    expect(secret.publicKey.line).toBe(files.publicKey.line);
  });

  it('with a password is refused with a way out', () => {
    const octets = Buffer.from(files.secret.split('\n')[1]!, 'base64');
    octets.write('Sc', 2);
    expect(parseSecretKey(octets.toString('base64'))).toEqual({
      error: expect.stringContaining('has a password') as string,
    });
  });

  it('whose halves do not belong together is refused', () => {
    const octets = Buffer.from(files.secret.split('\n')[1]!, 'base64');
    octets[100]! ^= 1;
    expect(parseSecretKey(octets.toString('base64'))).toEqual({ error: expect.stringContaining('damaged') as string });
  });
});
