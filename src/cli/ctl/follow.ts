/**
 * `tlspin ctl verdicts --follow`: the decisions as they come, over a restart of the engine too. Ends with whoever reads
 * it.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { jsonText } from '../../bytes/invisible.ts';
import { subscribe, type Subscription } from '../../runtime/control/subscription.ts';
import { type ControlFlags, socketOf } from '../control.ts';
import { Output } from '../output.ts';
import { type Fields, verdictLines } from './text.ts';

/** Rejects where it cannot even begin. `request`: which decisions, as `tlspin ctl verdicts` asks for them. */
export async function followVerdicts(request: Fields, flags: ControlFlags): Promise<void> {
  const out = new Output(process.stdout);
  const path = socketOf(flags);
  let subscription = await subscribe(path, { ...request, events: ['verdict'] });
  for (;;) {
    const { run, last } = await show(subscription, flags, out);
    say('the engine is gone, or this reader was too slow for it; waiting for it');
    subscription = await again(path, { ...request, events: ['verdict'], limit: MOST, after: last, run });
    const missed = Number(subscription.answer['missed']);
    if (missed > 0) say(`${missed} more decisions came than are remembered: see the log`);
  }
}

/** The process that it was, and the number of its last decision, once it has ended. */
async function show({ answer, events }: Subscription, { json }: ControlFlags, out: Output) {
  let last = Number(answer['last']);
  for await (const { number, ...record } of events) {
    last = Number(number);
    if (json === true) out.line(jsonText(record));
    else out.write(verdictLines([record], out));
  }
  return { run: answer['run'], last };
}

async function again(path: string, request: Fields): Promise<Subscription> {
  for (;;) {
    await sleep(EVERY_MS);
    try {
      return await subscribe(path, request);
    } catch {
      // Not yet.
    }
  }
}

function say(line: string): void {
  process.stderr.write(`tlspin ctl verdicts: ${line}\n`);
}

const EVERY_MS = 1_000;
const MOST = 2_000;
