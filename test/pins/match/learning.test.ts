import { describe, expect, it } from 'vitest';

import { coversHost, hostOf } from '../../../src/pins/match/learning.ts';
import { match, range } from '../../support/policy.ts';

/** 2001:db8::/32. */
const IPV6 = { address: Uint8Array.of(0x20, 1, 0x0d, 0xb8, ...Array.from({ length: 12 }, () => 0)), prefix: 32 };

describe('whether a match covers a host that was learned', () => {
  it.each<[string, Parameters<typeof match>[0], boolean]>([
    ['www.bank.example:443', {}, true],
    ['www.bank.example:443', { hosts: ['www.bank.example'] }, true],
    ['www.bank.example:443', { hosts: ['*.bank.example'] }, true],
    ['a.www.bank.example:443', { hosts: ['*.bank.example'] }, false],
    ['bank.example:443', { hosts: ['*.bank.example'] }, false],
    ['a.www.bank.example:443', { hosts: ['**.bank.example'] }, true],
    ['bank.example:443', { hosts: ['**.bank.example'] }, true],
    ['notbank.example:443', { hosts: ['**.bank.example'] }, false],
    ['notbank.example:443', { hosts: ['*.example', 'x.test'] }, true],
    ['www.bank.example:8443', { hosts: ['www.bank.example'], ports: [[443, 443]] }, false],
    ['www.bank.example:8443', { ports: [[8000, 9000]] }, true],
    ['198.51.100.7:443', {}, true],
    ['198.51.100.7:443', { hosts: ['**.example'] }, false],
    ['198.51.100.7:443', { addresses: [range('198.51.100.0/24')] }, true],
    ['198.51.101.7:443', { addresses: [range('198.51.100.0/24')] }, false],
    ['[2001:db8::7]:443', { addresses: [IPV6] }, true],
    ['www.bank.example:443', { addresses: [range('198.51.100.0/24')] }, false],
  ])('%s, %j: %s', (host, fields, covers) => {
    expect(coversHost(match(fields), host)).toBe(covers);
  });

  it('is so for every host by its own name', () => {
    for (const name of ['www.bank.example', null]) {
      for (const fields of [{}, { addresses: [range('198.51.100.7')] }]) {
        const server = { address: new Uint8Array([198, 51, 100, 7]), port: 443 };
        expect(coversHost(match(fields), hostOf(match(fields), server, name))).toBe(true);
      }
    }
  });
});
