/**
 * Routes by which this host takes connections to addresses that it does not have (`ip route add local …`): a program of its
 * own answers them, and they are never forwarded. Reads what `ip` prints; where it is missing, so is that.
 */
import { BRIDGE_DEVICE } from '../bridge-way.ts';
import { parsed, type RunProgram } from '../../programs/program.ts';

/**
 * One phrase each. Tables that only rules with a mark lead to are left out: whose mark that is, and whether it comes, is not
 * known here. So is what is for probes over bridges alone.
 */
export async function localRoutes(run: RunProgram): Promise<string[]> {
  const all = parsed<Route>(await run('ip', ['-j', 'route', 'show', 'table', 'all', 'type', 'local']));
  const made = all.filter(({ protocol }) => protocol !== 'kernel');
  if (made.length === 0) return [];
  const rules = await Promise.all(['-4', '-6'].map((family) => run('ip', [family, '-j', 'rule', 'show'])));
  const used = new Set(
    rules
      .flatMap((text) => parsed<RoutingRule>(text))
      .filter(({ fwmark, iif }) => fwmark === undefined && iif !== BRIDGE_DEVICE)
      .flatMap(({ table }) => table ?? []),
  );
  return made
    .filter(({ table = 'main' }) => used.has(table))
    .map(({ dst, table = 'main' }) => `a route of table ${table} takes ${dst} for addresses of this host`);
}

interface Route {
  readonly dst: string;
  readonly table?: string;
  /** Of the kernel: what follows from this host's addresses. Not told: by hand. */
  readonly protocol?: string;
}

interface RoutingRule {
  readonly table?: string;
  readonly fwmark?: string;
  readonly iif?: string;
}
