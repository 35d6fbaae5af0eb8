/**
 * `tlspin top`: a running tlspin as it is now, again and again: drawn in place on a terminal, once elsewhere, or as JSON
 * for programs. Owns the flags; what is shown is top/view.ts.
 */
import { type Command, InvalidArgumentError } from 'commander';

import { jsonText } from '../bytes/invisible.ts';
import { type ControlFlags, socketOf, withControlFlags } from './control.ts';
import { showExplained } from './ctl/text.ts';
import { addExamples } from './help.ts';
import { Output } from './output.ts';
import { painted } from './top/layout.ts';
import { choiceText, watchLive } from './top/live.ts';
import { type FlowChoice, Poller } from './top/poller.ts';
import type { Round } from './top/round.ts';
import { Screen } from './top/screen.ts';
import { viewLines } from './top/view.ts';

interface Flags extends ControlFlags, FlowChoice {
  /** Seconds. */
  readonly interval: number;
  readonly once?: true;
}

export function registerTop(program: Command): void {
  const top = withControlFlags(
    program
      .command('top')
      .summary('watch a running tlspin: queues, decisions, flows')
      .description(
        'Watch a running tlspin: its queues, what it decides and why, the packets that it holds, its flows; drawn anew ' +
          'each second. Where standard output is no terminal, or with --once, it is shown once, with averages since ' +
          'the start.\nKeys: q quits, p pauses, / chooses a server name, the arrows scroll the flows, Enter explains the first of them, h ' +
          'helps.',
      ),
  )
    .option('--interval <seconds>', 'between two rounds', seconds, 1)
    .option('--once', 'one round, and end')
    .option('--name <name>', 'flows with this server name, or *.NAME')
    .option('--address <address>', 'flows of this client or server')
    .option('--port <port>', 'flows of this port', port)
    .option('--pinset <pinset>', 'flows for which this pinset was selected')
    .action(async (flags: Flags, command: Command) => {
      await show(flags).catch((error: unknown) => command.error(`error: ${(error as Error).message}`, { exitCode: 1 }));
    });
  addExamples(
    top,
    { command: 'sudo tlspin top', does: 'watch until q is pressed' },
    { command: 'sudo tlspin top --once --pinset bank', does: 'once, with the flows of one pinset' },
    {
      command: 'sudo tlspin top --json --interval 10',
      does: 'one JSON object each ten seconds, as the socket tells it',
    },
  );
}

async function show(flags: Flags): Promise<void> {
  const { name, address, port, pinset } = flags;
  const choice = { name, address, port, pinset };
  const poller = new Poller(socketOf(flags));
  const out = new Output(process.stdout);
  // Nobody to ask is the end at once; later it may be a restart.
  const first = await poller.round(choice, USUAL);
  try {
    if (flags.json === true) await streamJson(first, () => poller.round(choice, USUAL), flags);
    else if (flags.once === true || !out.isTerminal || process.env['TERM'] === 'dumb') printOnce(first, choice, out);
    else await watch(first, choice, poller, out, flags);
  } finally {
    poller.close();
  }
}

async function watch(round: Round, choice: FlowChoice, poller: Poller, out: Output, flags: Flags): Promise<void> {
  const signal = await watchLive({
    round,
    choice,
    ask: (chosen, limit) => poller.round(chosen, limit),
    openScreen: (events) => new Screen(process.stdin, process.stdout, events),
    explain: (flow) => explanationOf(flow, poller),
    paint: (style, text) => out.paint(style, text),
    interval: flags.interval * 1000,
  });
  // Whoever waits for it is told what ended it.
  if (signal !== undefined) process.kill(process.pid, signal);
}

/** As `tlspin ctl explain` tells it, without colours: the screen has its own lines. */
async function explanationOf(flow: string, poller: Poller): Promise<string[]> {
  let text = '';
  const answer = await poller.explain(flow);
  showExplained(answer, new Output({ isTTY: false, write: (part) => (text += part) }));
  return text.trimEnd().split('\n');
}

function printOnce(now: Round, choice: FlowChoice, out: Output): void {
  const columns = out.isTerminal ? process.stdout.columns || 80 : Infinity;
  const view = { now, before: undefined, error: undefined, clock: now.time, scroll: 0, filter: choiceText(choice) };
  const lines = viewLines({ ...view, footer: undefined, isPaused: false }, { columns, rows: Infinity });
  for (const each of lines) out.line(painted(each, columns, (style, text) => out.paint(style, text)).trimEnd());
}

/** A line each round; where none can be had, the line says why. */
async function streamJson(first: Round, ask: () => Promise<Round>, { interval, once }: Flags): Promise<void> {
  const say = (value: object): void => void process.stdout.write(`${jsonText(value)}\n`);
  say(roundFields(first));
  while (once !== true) {
    await new Promise((resolve) => setTimeout(resolve, interval * 1000));
    try {
      say(roundFields(await ask()));
    } catch (error) {
      say({ time: new Date().toISOString(), error: (error as Error).message });
    }
  }
}

/** As the socket tells them. */
function roundFields({ time, status, stats, flows, verdicts }: Round): object {
  return { time: new Date(time).toISOString(), status, stats, flows, verdicts };
}

function seconds(text: string): number {
  const value = /^\d{1,5}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (value < 0.1) throw new InvalidArgumentError('expected seconds, 0.1 or more.');
  return value;
}

function port(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 65_535) throw new InvalidArgumentError('expected a port.');
  return value;
}

const USUAL = 100;
