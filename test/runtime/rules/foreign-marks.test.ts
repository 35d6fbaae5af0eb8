import { expect, it } from 'vitest';

import { foreignMarks } from '../../../src/runtime/rules/foreign-marks.ts';
import { iptablesChains, nftChains } from '../../../src/runtime/rules/ruleset.ts';
import { policy } from '../../support/policy.ts';

const iptables = (rule: string, chain = 'PREROUTING') =>
  iptablesChains(`*mangle\n:${chain} ACCEPT [0:0]\n-A ${chain} ${rule}\nCOMMIT\n`, 'ipv4');
const nft = (value: unknown, key: unknown = { ct: { key: 'mark' } }) =>
  nftChains(
    JSON.stringify({
      nftables: [
        { chain: { family: 'inet', table: 'x', name: 'y', hook: 'forward' } },
        { rule: { family: 'inet', table: 'x', chain: 'y', expr: [{ mangle: { key, value } }] } },
      ],
    }),
  );
const MARK = { ct: { key: 'mark' } };

it.each([
  [
    'iptables saves the whole mark',
    iptables('-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff'),
    ['marks.overwritten'],
  ],
  ['iptables saves some bits', iptables('-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff'), []],
  [
    'iptables restores into the packet',
    iptables('-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff'),
    [],
  ],
  ['iptables sets other bits', iptables('-p tcp -j CONNMARK --set-xmark 0x1/0xff'), []],
  ['iptables sets the whole mark', iptables('-p tcp -j CONNMARK --set-xmark 0x1/0xffffffff'), ['marks.overwritten']],
  ['iptables accepts', iptables('-p tcp -j CONNMARK --set-xmark 0x1000000/0xffffffff'), ['marks.accepting']],
  [
    'iptables writes the bit of probes',
    iptables('-p tcp -j CONNMARK --set-xmark 0x400000/0x400000'),
    ['marks.overwritten'],
  ],
  ['it is our own chain', iptables('-j CONNMARK --save-mark --nfmask 0x3000000 --ctmask 0x3000000', 'tlspin-told'), []],
  ['nft sets the whole mark', nft(1), ['marks.overwritten']],
  ['nft takes the packet’s', nft({ meta: { key: 'mark' } }), ['marks.overwritten']],
  ['nft accepts', nft({ '|': [{ '&': [MARK, 0xfcffffff] }, 0x1000000] }), ['marks.accepting']],
  ['nft sets other bits', nft({ '|': [{ '&': [MARK, 0xffffff00] }, 0x12] }), []],
  ['nft marks the packet', nft(1, { meta: { key: 'mark' } }), []],
])('%s', (_, chains, codes) => {
  expect([...foreignMarks({ chains }, policy()).keys()]).toEqual(codes);
});
