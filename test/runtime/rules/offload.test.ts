import { expect, it } from 'vitest';

import { describeFlowOffload, findFlowOffload } from '../../../src/runtime/rules/offload.ts';

/** As nft 1.0.6 prints them. */
const FLOWTABLES = `table inet filter {
	flowtable fast {
		hook ingress priority filter
		devices = { eth0, eth1 }
	}
}
table ip other {
	flowtable f2 {
		hook ingress priority filter + 1
		devices = { eth2 }
	}
}
`;

const programs =
  (outputs: Record<string, string>) =>
  async (program: string): Promise<string | undefined> =>
    outputs[program];

it('nothing is found where nothing is configured, and where the programs are missing', async () => {
  expect(await findFlowOffload(programs({}))).toEqual([]);
  expect(
    await findFlowOffload(programs({ nft: '', 'iptables-save': '*filter\n-A FORWARD -j ACCEPT\nCOMMIT\n' })),
  ).toEqual([]);
});

it('every flowtable is named with its table', async () => {
  expect(await findFlowOffload(programs({ nft: FLOWTABLES }))).toEqual([
    'flowtable fast in nft table inet filter',
    'flowtable f2 in nft table ip other',
  ]);
});

it('the FLOWOFFLOAD target is found in both families', async () => {
  const rules = '*filter\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j FLOWOFFLOAD --hw\nCOMMIT\n';
  expect(await findFlowOffload(programs({ 'iptables-save': rules, 'ip6tables-save': rules }))).toEqual([
    'FLOWOFFLOAD rules in iptables',
    'FLOWOFFLOAD rules in ip6tables',
  ]);
});

it('the operator is told where it is and what to do', () => {
  expect(describeFlowOffload(['flowtable fast in nft table inet filter'])).toBe(
    'flow offload is configured (flowtable fast in nft table inet filter): packets of offloaded flows pass the engine ' +
      'by unseen. Remove it, or offload only flows that carry the accept mark and set "allowOffload": true',
  );
});
