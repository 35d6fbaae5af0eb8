import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { InterfaceNames } from '../../src/source/interface-names.ts';

it('names interfaces by their index, past what is none, and none where there is nothing to read', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tlspin-net-'));
  mkdirSync(join(directory, 'eth0'));
  writeFileSync(join(directory, 'eth0/ifindex'), '2\n');
  writeFileSync(join(directory, 'bonding_masters'), '');
  const names = new InterfaceNames(directory);
  expect([names.nameOf(2), names.nameOf(3)]).toEqual(['eth0', undefined]);
  rmSync(directory, { recursive: true });
  expect(new InterfaceNames(directory).nameOf(2)).toBeUndefined();
});

it('knows those of this machine', () => {
  expect(new InterfaceNames().nameOf(1)).toBe('lo');
});
