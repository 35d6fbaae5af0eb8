import { describe, expect, it } from 'vitest';

import { match, pinset } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const elsewhere = [pinset(0, { match: match({ hosts: ['www.bank.example'], ports: [[8443, 8443]] }) })];

describe('a flow that no pinset is for', () => {
  it.each([
    ['TLS', tls.clientHello('other.example')],
    ['no TLS at all', Buffer.from('this is no protocol that anybody knows\r\n')],
  ])('of %s passes, and is not in the log unless the log is to have it', (_what, octets) => {
    for (const unpinned of [false, true]) {
      const wire = new Wire({ pinsets: elsewhere, log: { unpinned, certificates: 'pins', stats: 0 } }).open();
      expect(wire.fromClient(octets).verdict).toBe('accept');
      expect(wire.verdicts.length).toBe(unpinned ? 1 : 0);
    }
  });
});
