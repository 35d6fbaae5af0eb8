/**
 * Where what was learned is to be had: of the tlspin that runs, which knows it as of now and is the only one to change it
 * meanwhile; or, where none runs, in the file.
 */
import { existsSync } from 'node:fs';

import { type BookLimits, LearnBook } from '../../learn/book.ts';
import { findHosts, type ForgetRequest, type ForgottenHost } from '../../learn/forget.ts';
import type { LearnedHost, LearnState } from '../../learn/state.ts';
import { readState, replaceState } from '../../learn/state-file.ts';
import { LEARN_DEFAULTS } from '../../pins/learn-defaults.ts';
import { loadPolicy } from '../../pins/load.ts';
import { formatMessage } from '../../pins/document/message.ts';
import type { Policy } from '../../pins/policy.ts';
import { ControlClient, isNobodyThere } from '../../runtime/control/client.ts';
import { StateLock } from '../../runtime/state-lock.ts';
import { type ControlFlags, socketOf } from '../control.ts';

export interface LearnFlags extends ControlFlags {
  readonly state?: string;
}

export interface Learned {
  readonly state: LearnState;
  readonly limits: BookLimits;
  /** What other gateways say of hosts, by pinset and host. */
  readonly elsewhere: ReadonlyMap<string, string>;
  /** For people. */
  readonly from: string;
}

export async function readLearned(flags: LearnFlags): Promise<Learned> {
  const source = await sourceOf(flags);
  if (source.client === undefined) {
    return { state: readState(existing(source.file)), limits: source.limits, elsewhere: new Map(), from: source.file };
  }
  try {
    return await askAll(source.client);
  } finally {
    source.client.close();
  }
}

/** Throws a sentence, nothing changed. */
export async function forgetLearned(flags: LearnFlags, request: ForgetRequest): Promise<readonly ForgottenHost[]> {
  const source = await sourceOf(flags);
  if (source.client === undefined) return forgetInFile(existing(source.file), source.limits, request);
  const { targets, pinset } = request;
  try {
    const answer = await source.client.ask({ command: 'learn', action: 'forget', targets, pinset });
    return answer['forgotten'] as ForgottenHost[];
  } finally {
    source.client.close();
  }
}

type Source =
  | { readonly client: ControlClient }
  | { readonly client?: undefined; readonly file: string; readonly limits: BookLimits };

/** A configuration names both: the engine is asked where it listens. */
async function sourceOf(flags: LearnFlags): Promise<Source> {
  const { state, config, control } = flags;
  const policy = config === undefined ? undefined : policyOf(config);
  const { file, ...limits } = policy?.learn ?? LEARN_DEFAULTS;
  if (state !== undefined) return { file: state, limits };
  if (policy === undefined || control !== undefined) return { client: await ControlClient.connect(socketOf(flags)) };
  if (file === null) throw new Error(`${config} learns nothing`);
  if (policy.control.socket === null) return { file, limits };
  try {
    return { client: await ControlClient.connect(policy.control.socket) };
  } catch (error) {
    if (!isNobodyThere(error)) throw error;
    return { file, limits };
  }
}

function policyOf(config: string): Policy {
  const loaded = loadPolicy(config);
  if ('policy' in loaded) return loaded.policy;
  throw new Error(loaded.errors.map(formatMessage).join('\n'));
}

function existing(file: string): string {
  if (existsSync(file)) return file;
  throw new Error(`${file} does not exist: nothing has been learned yet`);
}

/** Page after page. */
async function askAll(client: ControlClient): Promise<Learned> {
  const pinsets: Record<string, Record<string, LearnedHost>> = {};
  let shared: LearnState['shared'] = {};
  let limits: BookLimits = LEARN_DEFAULTS;
  const others = new Map<string, string>();
  for (let after: unknown = 0; after !== null;) {
    const page = await client.ask({ command: 'learn', action: 'show', after });
    for (const { pinset, host, learned, elsewhere } of page['hosts'] as PagedHost[]) {
      (pinsets[pinset] ??= {})[host] = learned;
      if (elsewhere !== undefined) others.set(`${pinset} ${host}`, elsewhere);
    }
    if (after === 0) shared = page['shared'] as LearnState['shared'];
    limits = page['limits'] as BookLimits;
    after = page['next'];
  }
  return { state: { version: 1, pinsets, shared }, limits, elsewhere: others, from: 'the tlspin that runs' };
}

interface PagedHost {
  readonly pinset: string;
  readonly host: string;
  readonly learned: LearnedHost;
  readonly elsewhere?: string;
}

/** Nobody starts to keep the file meanwhile. */
async function forgetInFile(
  file: string,
  limits: BookLimits,
  request: ForgetRequest,
): Promise<readonly ForgottenHost[]> {
  const lock = await StateLock.take(file);
  try {
    const book = new LearnBook(readState(file), limits);
    const found = findHosts(book, request);
    for (const { pinset, host } of found) book.forget(pinset, host);
    await replaceState(file, book.state);
    return found;
  } finally {
    await lock.release();
  }
}
