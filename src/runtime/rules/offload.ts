/**
 * Looks for flow offload: a flowtable carries the packets of a flow past all chains once its first ones went through,
 * so that the engine would not see the handshake's rest. Reads what `nft` and `iptables-save` print; where a program
 * is missing, so is what it would configure.
 */
import { type RunProgram, runProgram } from '../programs/program.ts';
import { bothKinds, savedRules } from './saved.ts';

/** What programs print; empty where one is missing. */
export interface OffloadTexts {
  readonly flowtables: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Where offload is configured, one phrase each; empty: nowhere. */
export async function findFlowOffload(run: RunProgram = runProgram): Promise<string[]> {
  const [flowtables = '', ipv4, ipv6] = await Promise.all([
    readFlowtables(run),
    savedRules(run, 'ipv4'),
    savedRules(run, 'ipv6'),
  ]);
  return flowOffloadIn({ flowtables, ipv4: bothKinds(ipv4), ipv6: bothKinds(ipv6) });
}

export function readFlowtables(run: RunProgram): Promise<string | undefined> {
  return run('nft', ['list', 'flowtables']);
}

export function flowOffloadIn({ flowtables, ipv4, ipv6 }: OffloadTexts): string[] {
  return [...nftFlowtables(flowtables), ...iptablesOffload('iptables', ipv4), ...iptablesOffload('ip6tables', ipv6)];
}

export function describeFlowOffload(found: readonly string[]): string {
  return (
    `flow offload is configured (${found.join(', ')}): packets of offloaded flows pass the engine by unseen. ` +
    'Remove it, or offload only flows that carry the accept mark and set "allowOffload": true'
  );
}

/** `table inet x { flowtable f { … } }`. */
function nftFlowtables(text: string): string[] {
  const found: string[] = [];
  let table = '';
  for (const line of text.split('\n')) {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    const flowtable = /^\s+flowtable (\S+) \{/.exec(line)?.[1];
    if (flowtable !== undefined) found.push(`flowtable ${flowtable} in nft table ${table}`);
  }
  return found;
}

function iptablesOffload(program: string, rules: string): string[] {
  return /-j FLOWOFFLOAD\b/.test(rules) ? [`FLOWOFFLOAD rules in ${program}`] : [];
}
