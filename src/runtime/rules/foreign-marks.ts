/**
 * Rules of others, in their chains or in ours, that write the engine's bits of connection marks. Read out of what there is in
 * the kernel; marks that a program writes without a rule (`conntrack -U`) are no business of this.
 */
import type { Policy } from '../../pins/policy.ts';
import { ownedConnmarkBits } from './connmark-mask.ts';
import { connmarkWrite } from './mark-writes.ts';
import { hex } from './plan.ts';
import { type Chain, isOwn, type Ruleset, shortened } from './ruleset.ts';

export type ForeignMark = 'marks.accepting' | 'marks.overwritten';

/** In words, each kind once. */
export function foreignMarks({ chains }: Pick<Ruleset, 'chains'>, policy: Policy): Map<ForeignMark, string> {
  const owned = (ownedConnmarkBits(policy) | policy.probe.mark) >>> 0;
  const { mask, accept } = policy.connmark;
  const found = new Map<ForeignMark, string>();
  for (const chain of chains) {
    // What nft cannot copy at once our own rules of its kind set state by state.
    if (isOwn(chain) && chain.table.startsWith('inet ')) continue;
    for (const { text } of chain.rules) {
      const write = connmarkWrite(text);
      if (write === undefined || (write.mask & owned) === 0) continue;
      if (isOwn(chain) && (write.value === undefined || (write.mask & mask) === 0)) continue;
      const writesAll = (write.mask & mask) >>> 0 === mask;
      const isAccepting = write.value !== undefined && writesAll && (write.value & mask) >>> 0 === accept;
      const kind = isAccepting ? 'marks.accepting' : 'marks.overwritten';
      if (!found.has(kind)) found.set(kind, describe(chain, write.mask & owned, text));
    }
  }
  return found;
}

function describe({ table, name }: Chain, bits: number, text: string): string {
  return `a rule of ${table} ${name} writes ${hex(bits)} of connection marks (${shortened(text)})`;
}
