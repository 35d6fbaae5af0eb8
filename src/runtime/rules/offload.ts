/**
 * Looks for flow offload: a flowtable carries the packets of a flow past all chains once its first ones went through,
 * so that the engine would not see the handshake's rest. Reads what `nft` and `iptables-save` print; where a program
 * is missing, so is what it would configure.
 */
import { execFileSync } from 'node:child_process';

/** Standard output of a program; undefined when it is missing or fails. */
export type RunProgram = (program: string, args: readonly string[]) => string | undefined;

/** Where offload is configured, one phrase each; empty: nowhere. */
export function findFlowOffload(run: RunProgram = runProgram): string[] {
  return [...nftFlowtables(run), ...iptablesOffload('iptables-save', run), ...iptablesOffload('ip6tables-save', run)];
}

export function describeFlowOffload(found: readonly string[]): string {
  return (
    `flow offload is configured (${found.join(', ')}): packets of offloaded flows pass the engine by unseen. ` +
    'Remove it, or offload only flows that carry the accept mark and set "allowOffload": true'
  );
}

/** `table inet x { flowtable f { … } }`, as `nft list flowtables` prints them. */
function nftFlowtables(run: RunProgram): string[] {
  const found: string[] = [];
  let table = '';
  for (const line of (run('nft', ['list', 'flowtables']) ?? '').split('\n')) {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    const flowtable = /^\s+flowtable (\S+) \{/.exec(line)?.[1];
    if (flowtable !== undefined) found.push(`flowtable ${flowtable} in nft table ${table}`);
  }
  return found;
}

function iptablesOffload(program: string, run: RunProgram): string[] {
  const rules = run(program, []) ?? '';
  return /-j FLOWOFFLOAD\b/.test(rules) ? [`FLOWOFFLOAD rules in ${program.replace('-save', '')}`] : [];
}

function runProgram(program: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
      maxBuffer: 1 << 28,
    });
  } catch {
    return undefined;
  }
}
