/**
 * What goes from a tlspin that runs to one that takes its place, and how it is written on the control socket: lines of JSON,
 * octets in base64, the queues' sockets beside the last line (SCM_RIGHTS). Both are of one user, or root's. Knows no sockets.
 *
 *   new ── {"command":"takeover","version":1} ──▶ old          may it, and what it is to have in common
 *   new ── {… "release":true} ──────────────────▶ old          lets go: reads no more, listens no more, has written all
 *   new ◀── what is remembered, then the queues ── old
 *   new ── {"running":true} ────────────────────▶ old ends     or the connection ends, and the old one goes on
 */
import type { EngineMemory } from '../../engine/engine.ts';
import { type KeptAnswers, olderAnswers } from '../../probe/cache.ts';
import type { Policy } from '../../pins/policy.ts';
import type { Released } from '../daemon.ts';
import type { ReleasedQueue } from '../queue/queues.ts';
import { ownedConnmarkBits } from '../rules/connmark-mask.ts';

export const TAKEOVER_VERSION = 1;

/** What the queues' sockets and the rules were made for. */
export interface Terms {
  readonly queues: readonly [number, number];
  readonly failOpen: boolean;
  readonly keylog: boolean;
  readonly connmark: unknown;
  readonly 'probe.mark': number;
}

/** `queues`: those that are bound. */
export function termsOf(policy: Policy, queues: readonly [number, number]): Terms {
  return {
    queues,
    failOpen: policy.failOpen,
    // Queues are told whether packets may come merged.
    keylog: policy.keylog.file !== null || policy.keylog.socket !== null,
    connmark: [policy.connmark, ownedConnmarkBits(policy)],
    'probe.mark': policy.probe.mark,
  };
}

/** What differs, by its name in the configuration. */
export function differingTerms(one: Terms, other: Terms): string[] {
  const names = Object.keys(one) as (keyof Terms)[];
  return names.filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]));
}

/** Of lists without a file: what was added at run time, canonical. */
export type AddedLists = readonly (readonly [list: string, entries: readonly string[]])[];

export interface Remembered {
  readonly queues: readonly (readonly [queueNum: number, released: ReleasedQueue])[];
  readonly probes: KeptAnswers | null;
  readonly added: AddedLists;
}

/** Whoever had the queues, to the one that goes on with them. */
export interface Forerunner {
  readonly added: AddedLists;
  /** Throws a sentence where this one could not go on with what that one has. */
  agree(terms: Terms): void;
  /** From then on it reads nothing; the queues' sockets are this process's too. */
  release(): Promise<Released>;
  /** This one reads them. */
  running(): void;
  /** This one is done, or has failed. */
  close(): void;
}

/** Descriptors in it are numbers of the process that writes it. */
export function writeRemembered(remembered: Remembered): string {
  return JSON.stringify(remembered, function (this: Record<string, unknown>, name, value: unknown) {
    // A Buffer makes JSON of itself before it comes here.
    const octets = this[name];
    return octets instanceof Uint8Array ? { [OCTETS]: Buffer.from(octets).toString('base64') } : value;
  });
}

export function readRemembered(text: string): Remembered {
  return JSON.parse(text, (_, value: unknown) => {
    const octets = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[OCTETS] : undefined;
    return typeof octets === 'string' ? Buffer.from(octets, 'base64') : value;
  }) as Remembered;
}

/** The same, so many seconds later. Of settled flows packets may still be in the queue: they stay as long as ever. */
export function aged({ queues, probes, added }: Remembered, seconds: number): Remembered {
  return {
    queues: queues.map(([queueNum, { handed, memory }]) => [queueNum, { handed, memory: later(memory, seconds) }]),
    probes: probes === null ? null : olderAnswers(probes, seconds * 1000),
    added,
  };
}

function later(memory: EngineMemory, seconds: number): EngineMemory {
  return {
    ...memory,
    sessions: memory.sessions.map((session) => ({ ...session, left: session.left - seconds * 1e6 })),
  };
}

const OCTETS = '$octets';
