/**
 * `tlspin rules`: prints the netfilter rules for a configuration and applies nothing. Owns the command's flags; what the
 * rules are is runtime/rules/render.ts.
 */
import { Option } from 'commander';
import type { Command } from 'commander';

import { renderRemoval, renderRules } from '../runtime/rules/render.ts';
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
  readonly quic: boolean;
  readonly queueUdp?: boolean;
  readonly queueBypass?: boolean;
  readonly established: 'accept' | 'midstream';
}

export function registerRules(program: Command): void {
  const command = program
    .command('rules')
    .summary('print the netfilter rules')
    .description('Print the netfilter rules that a configuration needs, and apply nothing.')
    .option('-c, --config <file>', 'the configuration (not needed with --remove)')
    .addOption(new Option('--hook <hook>', 'whose flows').choices(['forward', 'local']).default('forward'))
    .addOption(new Option('--format <format>', 'for whom').choices(['iptables', 'nft']).default('iptables'))
    .addOption(
      new Option('--route <route>', "how connmarks are written, instead of the configuration's connmark.route").choices(
        ['verdict', 'packet-mark'],
      ),
    )
    .option('--remove', 'print what takes the rules away again')
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
    .option('--queue-bypass', 'let packets pass while no engine listens, instead of dropping them')
    .action((flags: Flags, command: Command) => {
      process.stdout.write(rulesText(flags, command));
    });
  addExamples(
    command,
    { command: 'tlspin rules -c /etc/tlspin.json | sudo sh', does: 'what is forwarded goes to the queue' },
    { command: 'tlspin rules -c /etc/tlspin.json --hook local | sudo sh', does: 'what this host itself begins' },
    { command: 'tlspin rules --remove | sudo sh', does: 'takes the rules away' },
  );
}

function rulesText(flags: Flags, command: Command): string {
  const { config, hook, format, quic, route, established } = flags;
  if (flags.remove === true) return renderRemoval(hook, format);
  const policy = policyOf(neededConfig(config, command), command, 'no rules printed');
  const queueBypass = flags.queueBypass === true;
  const queueUdp = flags.queueUdp === true;
  const options = { hook, format, quic, queueUdp, queueBypass, established };
  return renderRules(policy, route === undefined ? options : { ...options, route });
}
