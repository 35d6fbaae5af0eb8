/**
 * The process in which one of pino's transports runs, with no privileges: see transport.ts, which starts it and is told
 * what it has taken. Ends when its starter does, and on no signal, since those of a whole group are for the engine.
 */
import inspector from 'node:inspector';

import pino from 'pino';

import { giveUpEverything } from '../privileges.ts';
import { loadBinding } from '../../source/binding.ts';
import type { FromTransport, ToTransport } from './transport.ts';

type Transport = ReturnType<typeof pino.transport>;

for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR1'] as const) process.on(signal, () => {});
// One that came before it could be heard may have opened it.
if (inspector.url() !== undefined) inspector.close();
giveUpEverything(loadBinding());

let transport: Transport | undefined;
let isEnding = false;

process.on('uncaughtException', fail);
process.on('message', (message: ToTransport) => {
  if (message.kind === 'begin') begin(message.stages);
  else give(message.octets);
});
process.on('disconnect', end);

function begin(stages: Extract<ToTransport, { kind: 'begin' }>['stages']): void {
  const pipeline = stages.map(({ target, options }) => ({ target, options }));
  transport = pino.transport(pipeline.length === 1 ? pipeline[0]! : { pipeline });
  transport.on('ready', () => tell({ kind: 'ready' }));
  transport.on('error', fail);
  transport.on('close', () => {
    if (isEnding) process.exit(0);
    // Why it has may be told a moment later.
    setTimeout(() => fail(new Error('it has closed its stream')), MOMENT_MS);
  });
}

/** What is flushed has left the ring that its thread shares with this one, which therefore is never full. */
function give(octets: Uint8Array): void {
  transport!.write(octets as unknown as string); // it takes octets as well, and its types do not say so
  transport!.flush((error?: Error) => {
    if (error === undefined) tell({ kind: 'taken' });
    else fail(error);
  });
}

function fail(error: unknown): void {
  if (isEnding) process.exit(1);
  isEnding = true;
  const [why = ''] = (error instanceof Error ? error.message : String(error)).slice(0, LONGEST_WHY).split('\n');
  if (!process.connected) process.exit(1);
  process.send!({ kind: 'failed', why } satisfies FromTransport, () => process.exit(1));
}

function end(): void {
  if (transport === undefined || isEnding) process.exit(0);
  isEnding = true;
  setTimeout(() => process.exit(1), PATIENCE_MS);
  transport.end();
}

function tell(message: FromTransport): void {
  if (process.connected) process.send!(message);
}

/** It becomes part of a record. */
const LONGEST_WHY = 300;
const MOMENT_MS = 100;
const PATIENCE_MS = 5_000;
