/**
 * `tlspin ctl`: asks a running tlspin over its control socket and prints the answer, for people or as JSON. Owns the
 * flags; what may be asked is runtime/control/commands.ts.
 */
import { addExamples } from './help.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';

import type { Request } from '../runtime/control/client.ts';
import { type ControlFlags, withControl, withControlFlags } from './control.ts';
import { type Fields, TEXTS } from './ctl-text.ts';
import { jsonText } from './output.ts';

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
  simple(ctl, 'status', 'how it stands: queues, configuration, limits, probes');
  simple(ctl, 'stats', 'everything that it counts');
  withFlowFlags(asking(ctl, 'flows', 'the flows that are not settled yet'))
    .option('--after <flow>', 'those that follow this one')
    .option('--held', 'those of which packets wait')
    .addOption(new Option('--phase <phase>', 'in this phase').choices(PHASES))
    .action((flags: FlowFlags, command: Command) => ask({ command: 'flows', ...ofFlow(flags) }, flags, command));
  withFlowFlags(asking(ctl, 'verdicts', 'the decisions of late, the latest first'))
    .addOption(new Option('--action <action>', 'with this outcome').choices(['accept', 'drop', 'reset', 'tls-alert']))
    .action((flags: FlowFlags, command: Command) => ask({ command: 'verdicts', ...ofFlow(flags) }, flags, command));
  asking(ctl, 'explain', 'why a flow is decided as it is: the pinset, each pin, the situation')
    .argument(
      '<flow>',
      'its number (flow_id in the log, and as flows and verdicts show it), or a client as ADDRESS:PORT',
    )
    .action((flow: string, flags: ControlFlags, command: Command) => ask({ command: 'explain', flow }, flags, command));
  asking(ctl, 'reload', 'read the configuration again')
    .option('--dry-run', 'only say what would change')
    .action((flags: ControlFlags & { dryRun?: true }, command: Command) =>
      ask({ command: 'reload', ...(flags.dryRun === true ? { dry_run: true } : {}) }, flags, command, isReloaded),
    );
  simple(ctl, 'lists', 'the lists, and which of them can be changed (see tlspin list)');
  simple(ctl, 'log-reopen', 'open the log file again, after it was moved away');
  simple(ctl, 'shutdown', 'answer what is held, and end');
}

function simple(ctl: Command, name: string, summary: string): void {
  asking(ctl, name, summary).action((flags: ControlFlags, command: Command) => ask({ command: name }, flags, command));
}

function asking(ctl: Command, name: string, summary: string): Command {
  return withControlFlags(ctl.command(name).description(summary));
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

async function ask(
  request: Request,
  flags: ControlFlags,
  command: Command,
  isDone: (answer: Fields) => boolean = () => true,
): Promise<void> {
  await withControl(flags, command, async (client) => {
    const answer = await client.ask(request);
    const text = flags.json === true ? undefined : TEXTS[request.command]?.(answer);
    process.stdout.write(text ?? `${jsonText(answer, 2)}\n`);
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

const PHASES = ['opening', 'inspecting', 'accepting', 'accepted', 'denying', 'denied'];
