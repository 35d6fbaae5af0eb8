/**
 * The netfilter rules that send flows to the engine, as text: `renderRules` turns a policy into a shell script or an nft
 * file and applies nothing. What the rules are is decided in plan.ts, how they are spelled in iptables.ts and nft.ts.
 * Knows neither files nor the running kernel.
 */
import type { Policy } from '../../pins/policy.ts';
import { renderIptables, renderIptablesRemoval } from './iptables.ts';
import { renderNft, renderNftRemoval } from './nft.ts';
import { leavesAsClients, planRules } from './plan.ts';
import type { Hook, Route } from './plan.ts';
import { renderUnway, renderWay } from './probe-way.ts';

export type RulesFormat = 'iptables' | 'nft';

export interface RulesOptions {
  readonly hook: Hook;
  readonly format: RulesFormat;
  /** Reject QUIC where it would carry a pinned client past the engine. */
  readonly quic: boolean;
  /** Send UDP to the engine as well, which reads names of QUIC and certificates of DTLS; QUIC is then not rejected here. */
  readonly queueUdp?: boolean;
  /** Let packets pass while no engine listens (the default is to drop them). */
  readonly queueBypass: boolean;
  /** What connections count as that are open when the rules are put in place for the first time; the default accepts. */
  readonly established?: 'accept' | 'midstream';
  /** Overrules the configuration's `connmark.route`. */
  readonly route?: Route;
}

/** The text that puts the rules in place; running it again is safe and leaves one set of them. */
export function renderRules(policy: Policy, options: RulesOptions): string {
  const plan = planRules(policy, { ...options, queueUdp: options.queueUdp === true });
  return options.format === 'nft' ? renderNft(plan) : renderIptables(plan);
}

/** What nft cannot do of it, as a script for sh; undefined where there is nothing of that kind. No policy: it goes. */
export function renderBeside(
  policy: Policy | undefined,
  hook: Hook | 'either',
  format: RulesFormat,
): string | undefined {
  if (format === 'iptables' || hook === 'local') return undefined;
  if (policy === undefined) return renderUnway();
  return renderWay(leavesAsClients(policy) ? policy.probe.mark : null);
}

/** The text that takes away what `renderRules` put in place for this hook, or for either, whatever the configuration was. */
export function renderRemoval(hook: Hook | 'either', format: RulesFormat): string {
  const hooks = hook === 'either' ? (['forward', 'local'] as const) : [hook];
  return format === 'nft' ? renderNftRemoval(hooks) : renderIptablesRemoval(hooks);
}
