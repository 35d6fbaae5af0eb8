/** Rules as they are in the kernel, held against the configuration: what the engine itself looks for, and what may become a fault. */
import type { Policy } from '../../pins/policy.ts';
import { ownedConnmarkBits } from '../rules/connmark-mask.ts';
import { findDiversions } from '../rules/beside/diversions.ts';
import { type Feed, type Feeds, feedsOf, missingFeeds } from '../rules/feeds.ts';
import { foreignMarks } from '../rules/foreign-marks.ts';
import { flowOffloadIn } from '../rules/offload.ts';
import { hex } from '../rules/plan.ts';
import { quicText, unseenQuic } from '../rules/quic.ts';
import { isOwn, readRuleset, type Ruleset, unreadOf } from '../rules/ruleset.ts';
import { condition, type Finding, type Surroundings } from './finding.ts';

export interface NetfilterFindings {
  readonly findings: readonly Finding[];
  readonly feeds: readonly Feed[];
}

export async function lookAtNetfilter(around: Surroundings, policy: Policy): Promise<NetfilterFindings> {
  const { run } = around;
  const ruleset = await readRuleset(run);
  const unread = unreadOf(ruleset);
  const unreadable = unread === undefined ? [] : [condition('rules.unreadable', unread)];
  if (!ruleset.isKnown) return { feeds: [], findings: unreadable };
  const fed = feedsOf(ruleset, policy.queues);
  const { feeds } = fed;
  return {
    feeds,
    findings: [
      ...unreadable,
      ...(ruleset.isWhole || feeds.length > 0 ? feeding(ruleset, fed, policy) : []),
      ...[...(await findDiversions(around, ruleset, feeds, policy.ports))].map(([code, text]) => condition(code, text)),
      ...[...foreignMarks(ruleset, policy)].map(([code, detail]) => condition(code, detail)),
      ...restoredMarks(ruleset, policy),
      ...lookedAtRules(await run('ip', ['rule', 'show']), policy),
      ...offload(ruleset, policy),
    ],
  };
}

function feeding(ruleset: Ruleset, fed: Feeds, policy: Policy): Finding[] {
  const { feeds } = fed;
  const [first, last] = policy.queues;
  const queues = first === last ? `queue ${first}` : `queues ${first} to ${last}`;
  if (feeds.length === 0) return [condition('rules.none', `no rule sends packets to ${queues}`)];
  const { partial, bypassed } = missingFeeds(ruleset, fed, policy, policy.queues);
  const quic = unseenQuic(ruleset, fed, policy);
  const lacking = [
    ...(partial.length === 0
      ? []
      : [condition('rules.partial', `the rules that feed ${queues} leave out ${partial.join('; ')}`)]),
    ...(bypassed.length === 0 ? [] : [condition('rules.bypassed', `${queues}: ${bypassed.join('; ')}`)]),
    ...(quic.length === 0 ? [] : [condition('quic.unseen', quicText(quic))]),
  ];
  if (lacking.length > 0) return lacking;
  const hooks = [...new Set(feeds.map(({ hook }) => hook))].join(', ');
  const bypass = feeds.some((feed) => feed.bypass);
  return [
    { code: 'rules', gravity: 'fine', detail: `${queues}: fed (${hooks}) with all that the configuration asks for` },
    ...(bypass
      ? [
          note(
            'rules.bypass',
            'packets pass unseen while no engine listens (--queue-bypass)',
            'print the rules without it',
          ),
        ]
      : []),
  ];
}

function note(code: string, detail: string, mend: string): Finding {
  return { code, gravity: 'note', detail, mend };
}

/** A whole mark that goes into packets, and back from them behind a decision, would undo it. */
function restoredMarks({ chains }: Ruleset, policy: Policy): Finding[] {
  const owned = ownedConnmarkBits(policy);
  const found = chains
    .filter((chain) => !isOwn(chain))
    .flatMap(({ table, name, rules }) =>
      rules.flatMap(({ text }) => {
        const [, options] = /-j CONNMARK (.*--restore-mark.*)$/.exec(text) ?? [];
        const [, mask = '0xffffffff'] = /--ctmask (0x[0-9a-f]+)/.exec(options ?? '') ?? [];
        return options === undefined || (Number(mask) & owned) === 0 ? [] : [`${table} ${name} (${text})`];
      }),
    );
  if (found.length === 0) return [];
  return [
    {
      code: 'marks.restored',
      gravity: 'degraded',
      detail: `a rule puts the engine's bits of connection marks into packets, from where they may come back: ${found[0]}`,
      mend: `give it a mask without ${hex(owned)}: --restore-mark --nfmask … --ctmask …`,
    },
  ];
}

/** Routing that goes by bits that the engine sets would lead its probes, or its packets, elsewhere. */
function lookedAtRules(text: string | undefined, policy: Policy): Finding[] {
  const bits = (ownedConnmarkBits(policy) | policy.connmark.told | policy.probe.mark) >>> 0;
  const found = (text ?? '').split('\n').find((line) => {
    const [, mark, mask = '0xffffffff'] = /\bfwmark (0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?/.exec(line) ?? [];
    return mark !== undefined && (Number(mask) & bits) !== 0;
  });
  if (found === undefined) return [];
  const detail = `an ip rule looks at bits of packet marks that are the engine's: ${found.trim().replace(/\s+/g, ' ')}`;
  return [{ code: 'marks.routed', gravity: 'degraded', detail, mend: 'give it a mask without them: fwmark 0x1/0xff' }];
}

function offload({ texts }: Ruleset, { allowOffload }: Policy): Finding[] {
  const found = flowOffloadIn(texts);
  if (found.length === 0) return [];
  const detail = found.join(', ');
  if (!allowOffload) return [condition('offload.found', detail)];
  return [
    note(
      'offload.allowed',
      `${detail}; "allowOffload" is set`,
      'see that only what carries the accept mark is offloaded',
    ),
  ];
}
