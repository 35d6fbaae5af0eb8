/** The section `pair`. */
import ipaddr from 'ipaddr.js';

import type { Reporter } from '../document/message.ts';
import type { Configuration } from '../document/schema.ts';
import type { Policy } from '../policy.ts';

export function compilePair({ pair: source, fleet }: Configuration, report: Reporter): Pick<Policy, 'pair'> {
  const { interface: device, address, peer, gateway = null } = source ?? {};
  // What was wrong in itself has been said.
  if (device === undefined || address === undefined || peer === undefined) return {};
  if (!/^[^\s/"{}#]{1,15}$/.test(device)) report.error(['pair', 'interface'], `"${device}" is no name of an interface`);
  const families = (
    [
      ['address', address],
      ['peer', peer],
    ] as const
  ).map(([key, text]) => {
    if (ipaddr.isValid(text)) return ipaddr.parse(text).kind();
    report.error(['pair', key], `"${text}" is no address: write one such as "10.9.0.1" or "fd00::1"`);
    return undefined;
  });
  if (!families.includes(undefined) && (families[0] !== families[1] || address === peer)) {
    report.error(['pair', 'peer'], 'the two gateways have different addresses, of one family');
  }
  if (gateway !== null && fleet?.key === undefined) {
    report.error(
      ['pair', 'gateway'],
      'what is shared goes over a fleet: add "fleet", with a "key" that its gateways have',
    );
  }
  return { pair: { device, address, peer, gateway } };
}
