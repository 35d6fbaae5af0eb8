/** What of a configuration a running daemon cannot take on, because rules outside and sockets inside were made for it. */
import type { Policy } from '../pins/policy.ts';
import { ownedConnmarkBits } from './rules/connmark-mask.ts';

/** Why a running daemon cannot take this policy; undefined where it can. */
export function refusalOf(before: Policy, after: Policy): string | undefined {
  const changed = needsRestart(before, after);
  return changed.length === 0 ? undefined : `${changed.join(', ')} changed, which takes a restart (and new rules)`;
}

/** What rules outside and sockets inside were made for. */
function needsRestart(before: Policy, after: Policy): string[] {
  const same = (pick: (policy: Policy) => unknown): boolean =>
    JSON.stringify(pick(before)) === JSON.stringify(pick(after));
  return [
    ...(same((policy) => policy.queues) ? [] : ['queues']),
    ...(same((policy) => policy.failOpen) ? [] : ['failOpen']),
    ...(same((policy) => [policy.connmark, ownedConnmarkBits(policy)]) ? [] : ['connmark']),
    ...(same((policy) => policy.user) ? [] : ['user']),
    ...(same((policy) => policy.control) ? [] : ['control']),
    ...(same((policy) => policy.metrics) ? [] : ['metrics']),
    ...(same((policy) => policy.probe.mark) ? [] : ['probe.mark']),
    ...(same((policy) => policy.fleet) ? [] : ['fleet']),
    ...(same((policy) => policy.learn.file) ? [] : ['learn.file']),
  ];
}
