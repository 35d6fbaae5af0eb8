/**
 * `tlspin rules`: prints the netfilter rules for a configuration, or applies them. Owns the command's flags; what the
 * rules are is runtime/rules/render.ts, how they are applied, runtime/rules/applying/apply.ts.
 */
import { CommanderError, Option } from 'commander';
import type { Command } from 'commander';

import type { Policy } from '../pins/policy.ts';
import { renderConntrackd } from '../runtime/pair/conntrackd.ts';
import { applyRules, OTHER } from '../runtime/rules/applying/apply.ts';
import { CLOSING, renderClosing } from '../runtime/rules/applying/closing.ts';
import { renderBeside, renderRemoval, renderRules } from '../runtime/rules/render.ts';
import type { RulesFormat } from '../runtime/rules/render.ts';
import type { Hook, Route } from '../runtime/rules/plan.ts';
import { neededConfig, policyOf } from './configuration.ts';
import { addExamples } from './help.ts';

interface Flags {
  readonly config?: string;
  readonly hook: Hook;
  readonly format: RulesFormat;
  readonly route?: Route;
  readonly remove?: boolean;
  readonly apply?: boolean;
  readonly orClose?: boolean;
  readonly pair?: boolean;
  readonly quic: boolean;
  readonly queueUdp?: boolean;
  readonly queueBypass?: boolean;
  readonly established: 'accept' | 'midstream';
}

export function registerRules(program: Command): void {
  const command = program
    .command('rules')
    .summary('print or apply the netfilter rules')
    .description('Print the netfilter rules that a configuration needs; with --apply, put them in place.')
    .option('-c, --config <file>', 'the configuration (not needed with --remove)')
    .addOption(new Option('--hook <hook>', 'whose flows').choices(['forward', 'local']).default('forward'))
    .addOption(new Option('--format <format>', 'for whom').choices(['iptables', 'nft']).default('iptables'))
    .addOption(
      new Option('--route <route>', "how connmarks are written, instead of the configuration's connmark.route").choices(
        ['verdict', 'packet-mark'],
      ),
    )
    .option(
      '--remove',
      'print what takes the rules away again, those of either hook unless one is given; with --apply, take them away',
    )
    .option('--apply', 'run what would be printed, all of it or nothing (as root)')
    .option(
      '--or-close',
      'with --apply: where the rules cannot be had, forward nothing (--hook local: begin no connection) until they can',
    )
    .option('--no-quic', 'leave UDP alone: pinned clients can then reach servers by QUIC, unseen')
    .option(
      '--queue-udp',
      'send UDP of the same ports to the queue: names decide about QUIC and certificates about DTLS',
    )
    .addOption(
      new Option(
        '--established <what>',
        'what becomes of connections that are open when the rules are first applied: they go on, or are what `midstream` says',
      )
        .choices(['accept', 'midstream'])
        .default('accept'),
    )
    .addOption(
      new Option(
        '--pair',
        'print the configuration of conntrackd, by which what one gateway of a failover pair has accepted goes on at the other',
      ).conflicts(['apply', 'remove']),
    )
    .option('--queue-bypass', 'let packets pass while no engine listens, instead of dropping them')
    .action(async (flags: Flags, command: Command) => {
      if (flags.apply === true) return apply(flags, command);
      if (flags.orClose === true) command.error('error: --or-close goes with --apply', { exitCode: 2 });
      const policy = policyFor(flags, command);
      process.stdout.write(flags.pair === true ? pairText(flags, policy, command) : rulesText(flags, policy, command));
    });
  addExamples(
    command,
    { command: 'sudo tlspin rules --apply -c /etc/tlspin.json', does: 'what is forwarded goes to the queue' },
    { command: 'sudo tlspin rules --apply -c /etc/tlspin.json --hook local', does: 'what this host itself begins' },
    { command: 'tlspin rules --pair -c /etc/tlspin.json', does: 'what conntrackd of a failover pair needs' },
    { command: 'sudo tlspin rules --apply --remove', does: 'takes the rules away' },
    { command: 'tlspin rules -c /etc/tlspin.json > rules.sh', does: 'the same as a script, to be read' },
  );
}

async function apply(flags: Flags, command: Command): Promise<void> {
  if (process.geteuid!() !== 0) command.error('error: --apply needs root: run it with sudo', { exitCode: 1 });
  try {
    const { format } = flags;
    const hook = flags.remove === true ? removedHook(flags, command) : flags.hook;
    const policy = policyFor(flags, command);
    const beside = renderBeside(policy, hook, format);
    const failed = await applyRules(rulesText(flags, policy, command), { hook, format, beside });
    if (failed !== undefined) command.error(`error: the rules are as they were: ${failed}`, { exitCode: 1 });
  } catch (error) {
    if (flags.orClose === true && !isUsage(error)) await close(flags);
    throw error;
  }
}

/** Nothing of what was to be looked at passes unseen: where the program of the rules cannot see to it, the other one does. */
async function close({ hook, format }: Flags): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`tlspin rules: ${line}\n`);
  const failures: string[] = [];
  for (const by of [format, OTHER[format]]) {
    const failed = await applyRules(renderClosing(hook, by), { hook, format: by });
    if (failed === undefined) return say(`closed: ${CLOSING[hook]} until they can be applied`);
    failures.push(failed);
  }
  say(`not closed, nothing has changed: ${failures.join('; and ')}`);
}

/** Nobody has asked for anything yet. */
function isUsage(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 2;
}

function rulesText(flags: Flags, policy: Policy | undefined, command: Command): string {
  const { hook, format, quic, route, established } = flags;
  if (policy === undefined) return renderRemoval(removedHook(flags, command), format);
  const queueBypass = flags.queueBypass === true;
  const queueUdp = flags.queueUdp === true;
  const options = { hook, format, quic, queueUdp, queueBypass, established };
  return renderRules(policy, route === undefined ? options : { ...options, route });
}

function pairText({ config, queueUdp = false }: Flags, policy: Policy | undefined, command: Command): string {
  if (policy?.pair !== undefined) return renderConntrackd(policy.pair, { datagrams: queueUdp });
  const cure = '"pair": { "interface": "eth2", "address": "10.9.0.1", "peer": "10.9.0.2" }';
  return command.error(`error: ${config ?? 'the configuration'} does not say who the other gateway is: add ${cure}`, {
    exitCode: 1,
  });
}

/** Undefined where they are taken away. */
function policyFor({ config, remove }: Flags, command: Command): Policy | undefined {
  if (remove === true) return undefined;
  return policyOf(neededConfig(config, command), command, 'no rules printed');
}

/** Whose rules go: who names no hook may have forgotten which it was. */
function removedHook({ hook }: Flags, command: Command): Hook | 'either' {
  return command.getOptionValueSource('hook') === 'default' ? 'either' : hook;
}
