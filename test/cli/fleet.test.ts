/** tlspin fleet key and sign: files that Debian's minisign would have made. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDocument } from '../../src/fleet/signed-document.ts';
import { parsePublicKey, type PublicKey } from '../../src/minisign/keys.ts';
import { ensureBuilt, tlspin } from '../support/command-line.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(at(name), 'utf8');

beforeAll(() => {
  ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), 'tlspin-fleet-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('fleet key', () => {
  it('makes a pair whose secret is its owner’s alone, and never overwrites either', async () => {
    const made = await tlspin(['fleet', 'key', at('office.key')]);
    expect(made).toMatchObject({ status: 0, err: '' });
    expect(statSync(at('office.key')).mode & 0o777).toBe(0o600);
    expect(made.out).toContain(`"trustedKeys": ["${text('office.key.pub').split('\n')[1]!}"]`);

    const before = text('office.key');
    expect(await tlspin(['fleet', 'key', at('office.key')])).toMatchObject({
      status: 1,
      err: expect.stringContaining('never overwritten') as string,
    });
    rmSync(at('office.key.pub'));
    expect((await tlspin(['fleet', 'key', at('office.key')])).status).toBe(1);
    expect(text('office.key')).toBe(before);
  });
});

describe('fleet sign', () => {
  const sign = (...args: string[]) => tlspin(['fleet', 'sign', at('bank.json'), '--key', at('bank.key'), ...args]);

  it('counts versions up, and says until when each holds', async () => {
    await tlspin(['fleet', 'key', at('bank.key')]);
    writeFileSync(at('bank.json'), '{ "version": 1, "pinsets": [] }\n');
    const trusted = [parsePublicKey(text('bank.key.pub')) as PublicKey];
    const opened = () => {
      const document = { bytes: readFileSync(at('bank.json')), signature: text('bank.json.minisig') };
      return openDocument(document, { name: 'bank', trusted, version: 0, nowMs: Date.now() });
    };
    expect(await sign()).toMatchObject({ status: 0, err: '' });
    expect(opened()).toMatchObject({ claims: { name: 'bank', version: 1 } });
    writeFileSync(at('bank.json'), '{ "version": 1, "lists": {} }\n');
    expect((await sign('--for', '7d')).out).toContain('version 2');
    const again = opened();
    const left = 'claims' in again ? again.claims.expires - Date.now() : 0;
    expect(left / 86_400_000).toBeCloseTo(7, 2);
  });

  it('signs nothing that no gateway could read', async () => {
    writeFileSync(at('bank.json'), '{ "version": 1,\n  "connmark": {} }\n');
    const before = text('bank.json.minisig');
    const { status, err } = await sign();
    expect(status).toBe(1);
    expect(err).toContain('bank.json:2:3: error:');
    expect(text('bank.json.minisig')).toBe(before);
  });

  it('says what is wrong with what it was given', async () => {
    writeFileSync(at('bank.json'), '{ "version": 1 }\n');
    expect((await sign('--for', 'ever')).err).toContain('"ever" is no duration');
    expect((await sign('--name', 'a b')).err).toContain('"a b" is no name');
    expect((await sign('--number', '0')).err).toContain('cannot be said');
    expect((await tlspin(['fleet', 'sign', at('bank.json'), '--key', at('none')])).err).toContain('no such file');
  });
});
