/**
 * `tlspin ctl verdicts --follow`: the decisions as they come, each second those that are new, over a restart of the engine
 * too. Ends with whoever reads it.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { jsonText } from '../../bytes/invisible.ts';
import { ControlClient } from '../../runtime/control/client.ts';
import { type ControlFlags, socketOf } from '../control.ts';
import { Output } from '../output.ts';
import { type Fields, verdictLines } from './text.ts';

interface Answer {
  readonly verdicts: readonly Fields[];
  readonly last: number;
  readonly missed: number;
}

/** Rejects where it cannot even begin. `request`: which decisions, as `tlspin ctl verdicts` asks for them. */
export async function followVerdicts(request: Fields, flags: ControlFlags): Promise<void> {
  const out = new Output(process.stdout);
  const path = socketOf(flags);
  let client: ControlClient | undefined = await ControlClient.connect(path);
  let after = await show(client, request, flags, out, 0);
  for (;;) {
    await sleep(EVERY_MS);
    try {
      if (client === undefined) [client, after] = [await ControlClient.connect(path), 0];
      after = await show(client, { ...request, limit: MOST, after }, flags, out, after);
    } catch (error) {
      if (client !== undefined) say(`${(error as Error).message}; waiting for it`);
      client?.close();
      client = undefined;
    }
  }
}

async function show(client: ControlClient, request: Fields, { json }: ControlFlags, out: Output, after: number) {
  const { verdicts, last, missed } = (await client.ask({ command: 'verdicts', ...request })) as unknown as Answer;
  if (after > 0 && missed > 0) say(`${missed} more decisions came than are remembered: see the log`);
  const inOrder = [...verdicts].reverse();
  if (json === true) for (const record of inOrder) out.line(jsonText(record));
  else out.write(verdictLines(inOrder, out));
  return last;
}

function say(line: string): void {
  process.stderr.write(`tlspin ctl verdicts: ${line}\n`);
}

const EVERY_MS = 1_000;
const MOST = 2_000;
