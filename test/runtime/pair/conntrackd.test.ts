/** What `tlspin rules --pair` prints, and what of the section `pair` is wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadPolicy } from '../../../src/pins/load.ts';
import { renderConntrackd } from '../../../src/runtime/pair/conntrackd.ts';

const PAIR = { device: 'eth2', address: '10.9.0.1', peer: '10.9.0.2', gateway: null };
/** Words, as conntrackd reads them. */
const words = (text: string) => text.replace(/#.*/g, '').split(/\s+/).join(' ');

describe("conntrackd's configuration", () => {
  it('leads from one gateway to the other, over their own link', () => {
    const text = words(renderConntrackd(PAIR, { datagrams: false }));
    expect(text).toContain('IPv4_address 10.9.0.1 IPv4_Destination_Address 10.9.0.2 Port 3780 Interface eth2 ');
    expect(text).toContain('DisableExternalCache yes');
    expect(text).toContain('Protocol Accept { TCP }');
    expect(text.split('{').length).toBe(text.split('}').length);
  });

  it('has IPv6, and datagrams where these are decided about', () => {
    const text = words(renderConntrackd({ ...PAIR, address: 'fd00::1', peer: 'fd00::2' }, { datagrams: true }));
    expect(text).toContain('IPv6_address fd00::1 IPv6_Destination_Address fd00::2 ');
    expect(text).toContain('Protocol Accept { TCP UDP }');
    expect(text).toContain('IPv6_address ::1 IPv6_address fd00::1 IPv6_address fd00::2 }');
  });
});

describe('the section "pair"', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'tlspin-pair-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function load(pair: object) {
    const file = join(folder, 'tlspin.json');
    writeFileSync(file, JSON.stringify({ version: 1, pair }));
    const loaded = loadPolicy(file);
    return 'policy' in loaded ? loaded.policy.pair : loaded.errors.map(({ text }) => text);
  }

  it('names a link and both of its ends', () => {
    expect(load({ interface: 'eth2', address: '10.9.0.1', peer: '10.9.0.2' })).toEqual(PAIR);
  });

  it.each([
    [{ interface: 'eth 2' }, '"eth 2" is no name of an interface'],
    [{ interface: 'x {' }, '"x {" is no name of an interface'],
    [{ peer: 'gw2' }, '"gw2" is no address: write one such as "10.9.0.1" or "fd00::1"'],
    [{ peer: 'fd00::2' }, 'the two gateways have different addresses, of one family'],
    [{ gateway: 'gw2' }, 'what is shared goes over a fleet: add "fleet", with a "key" that its gateways have'],
    [{ peer: '10.9.0.1' }, 'the two gateways have different addresses, of one family'],
  ])('is wrong with %j', (wrong, error) => {
    expect(load({ interface: 'eth2', address: '10.9.0.1', peer: '10.9.0.2', ...wrong })).toEqual([error]);
  });
});
