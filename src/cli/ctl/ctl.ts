/**
 * `tlspin ctl`: asks a running tlspin over its control socket and prints the answer, for people or as JSON. Owns the
 * flags; what may be asked is runtime/control/commands.ts.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';

import type { Request } from '../../runtime/control/client.ts';
import { type ControlFlags, withControl, withControlFlags } from '../control.ts';
import { addExamples, asSentence, type Example } from '../help.ts';
import { Output } from '../output.ts';
import { explainFlow } from './explain.ts';
import { followVerdicts } from './follow.ts';
import { since } from './since.ts';
import { type Fields, TEXTS } from './text.ts';

interface VerdictFlags extends FlowFlags {
  readonly denied?: true;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly follow?: true;
}

interface FlowFlags extends ControlFlags {
  readonly limit?: number;
  readonly after?: string;
  readonly phase?: string;
  readonly name?: string;
  readonly address?: string;
  readonly port?: number;
  readonly pinset?: string;
  readonly action?: string;
  readonly held?: true;
}

export function registerCtl(program: Command): void {
  const ctl = program
    .command('ctl')
    .summary('ask a running tlspin, and tell it what to do')
    .description('Ask a running tlspin, or tell it what to do, over its control socket.');
  addExamples(ctl, { command: 'tlspin ctl status --control /run/tlspin.sock', does: 'how it stands' });
  simple(ctl, 'status', 'how it stands: queues, configuration, limits, probes', {
    command: 'tlspin ctl status',
    does: 'how the tlspin of this host stands',
  });
  simple(ctl, 'stats', 'everything that it counts', {
    command: 'tlspin ctl stats | jq .stats.verdicts',
    does: 'how many decisions of which kind there were',
  });
  const flows = asking(ctl, 'flows', 'the flows that are not settled yet', {
    command: "tlspin ctl flows --name '*.bank.example'",
    does: 'those of a bank, and how far each has come',
  });
  withFlowFlags(flows)
    .option('--after <flow>', 'those that follow this one')
    .option('--held', 'those of which packets wait')
    .addOption(new Option('--phase <phase>', 'in this phase').choices(PHASES))
    .action((flags: FlowFlags, command: Command) => ask({ command: 'flows', ...ofFlow(flags) }, flags, command));
  const refused = {
    command: 'tlspin ctl verdicts --denied --since 2h',
    does: 'what was refused in the last two hours',
  };
  const following = { command: 'tlspin ctl verdicts --denied --follow', does: 'the same as it comes' };
  const verdicts = asking(ctl, 'verdicts', 'the decisions of late, the latest first', refused, following);
  withFlowFlags(verdicts)
    .addOption(new Option('--action <action>', 'with this outcome').choices(ACTIONS))
    .option('--denied', 'what was not let pass, and in report-only what would not have been')
    .option('--since <time>', 'from then on: 90s, 30m, 2h, 7d ago, or a time such as 2027-01-31T12:00:00Z', since)
    .option('--follow', 'go on with those that come, the latest last')
    .action((flags: VerdictFlags, command: Command) => {
      const request = { ...ofFlow(flags), ...ofVerdict(flags) };
      if (flags.follow === true) return followVerdicts(request, flags);
      return ask({ command: 'verdicts', ...request }, flags, command);
    });
  const why = { command: 'tlspin ctl explain 1234', does: 'why a flow of `tlspin ctl verdicts` was refused' };
  const latest = { command: 'tlspin ctl explain 10.1.2.3:51514', does: 'the same of what a client began there last' };
  asking(ctl, 'explain', 'why a flow is decided as it is: the pinset, each pin, the situation', why, latest)
    .argument(
      '<flow>',
      'its number (flow_id in the log, and as flows and verdicts show it), or a client as ADDRESS:PORT',
    )
    .option('--log <file...>', 'log files to look into for what it has forgotten, instead of its own')
    .action(explainFlow);
  const reload = { command: 'tlspin ctl reload --dry-run', does: 'what would change, and what is wrong with the file' };
  asking(ctl, 'reload', 'read the configuration again', reload)
    .option('--dry-run', 'only say what would change')
    .action((flags: ControlFlags & { dryRun?: true }, command: Command) =>
      ask({ command: 'reload', ...(flags.dryRun === true ? { dry_run: true } : {}) }, flags, command, isReloaded),
    );
  simple(ctl, 'lists', 'the lists, and which of them can be changed (see tlspin list)', {
    command: 'tlspin ctl lists',
    does: 'each with its file and how much is on it',
  });
  simple(ctl, 'log-reopen', 'open the log file again, after it was moved away', {
    command: 'mv tlspin.json tlspin.json.1 && tlspin ctl log-reopen',
    does: 'what logrotate does',
  });
  simple(ctl, 'shutdown', 'answer what is held, and end', {
    command: 'tlspin ctl shutdown',
    does: 'as SIGTERM does',
  });
}

function simple(ctl: Command, name: string, summary: string, example: Example): void {
  asking(ctl, name, summary, example).action((flags: ControlFlags, command: Command) =>
    ask({ command: name }, flags, command),
  );
}

function asking(ctl: Command, name: string, summary: string, ...examples: Example[]): Command {
  const command = ctl.command(name).summary(summary).description(asSentence(summary));
  return addExamples(withControlFlags(command), ...examples);
}

function withFlowFlags(command: Command): Command {
  return command
    .option('--limit <count>', 'as many at the most', number)
    .option('--name <name>', 'with this server name, or *.NAME')
    .option('--address <address>', 'of this client or server')
    .option('--port <port>', 'of this port', number)
    .option('--pinset <pinset>', 'for which this pinset was selected');
}

function ofFlow({ limit, after, phase, name, address, port, pinset, action, held }: FlowFlags): Fields {
  return { limit, after, phase, name, address, port, pinset, action, held };
}

function ofVerdict({ denied, since: from }: VerdictFlags): Fields {
  return { denied, ...(from === undefined ? {} : { since: new Date(from).toISOString() }) };
}

async function ask(
  request: Request,
  flags: ControlFlags,
  command: Command,
  isDone: (answer: Fields) => boolean = () => true,
): Promise<void> {
  await withControl(flags, command, async (client) => {
    const answer = await client.ask(request);
    const out = new Output(process.stdout);
    const text = flags.json === true ? undefined : TEXTS[request.command]?.(answer, out);
    if (text === undefined) out.json(answer);
    else out.write(text);
    if (!isDone(answer)) process.exitCode = 1;
  });
}

function isReloaded({ in_force: isInForce, possible }: Fields): boolean {
  return isInForce === true || possible === true;
}

function number(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}

const ACTIONS = ['accept', 'drop', 'reset', 'tls-alert', 'reject'];
const PHASES = ['opening', 'inspecting', 'accepting', 'accepted', 'denying', 'denied'];
