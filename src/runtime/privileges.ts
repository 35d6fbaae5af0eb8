/**
 * What `tlspin run` gives up before it opens anything and before its first packet: all capabilities but CAP_NET_ADMIN, its
 * user where another one is named, core dumps, and modes of new files beyond those that are stated. Threads that are made
 * later have no more. Knows who it is and which files it has read; what it opens later is for others to say.
 */
import { accessSync, constants } from 'node:fs';
import { getSystemErrorName } from 'node:util';

import type { Policy } from '../pins/policy.ts';
import { mayAskServers } from '../pins/probe.ts';
import { CAP_NET_ADMIN, type NativeBinding } from '../source/binding.ts';
import { keepKernelQueues } from '../source/kernel-queue.ts';

import { keepTableNames } from './rules/saved.ts';

/** `user`: whom to become; null to stay. Throws a sentence, after which the process must not go on. */
export function giveUpPrivileges(binding: Pick<NativeBinding, 'confine'>, user: string | null): void {
  keepKernelQueues();
  keepTableNames();
  process.umask(UMASK);
  try {
    binding.confine(user ?? undefined, CAP_NET_ADMIN);
  } catch (cause) {
    throw new Error(describeFailure(cause as { errno?: number; operation?: string }, user), { cause });
  }
}

/**
 * A socket of frames, which takes a capability that is about to be given up; only where probes of a
 * bridge's clients may want it. Negative: there is none.
 */
export function openFrames(binding: Pick<NativeBinding, 'openFrames'>, policy: Policy): number {
  return mayAskServers(policy) ? binding.openFrames() : -1;
}

/** Of a process that speaks with nobody but its starter. Throws as confining does, after which it must not go on. */
export function giveUpEverything(binding: Pick<NativeBinding, 'confine'>): void {
  binding.confine(undefined, NO_CAPABILITY);
}

/** What a reload could not read again. */
export function unreadable(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    try {
      accessSync(path, constants.R_OK);
      return false;
    } catch {
      return true;
    }
  });
}

function describeFailure({ errno, operation }: { errno?: number; operation?: string }, user: string | null): string {
  if (errno === undefined || operation === undefined) return 'privileges cannot be given up';
  const code = getSystemErrorName(-errno);
  if (operation === 'find the user') return `there is no user "${user}"`;
  if (operation === 'become the user') {
    return `cannot become the user ${user} (${code}): start tlspin as root, or as that user with CAP_NET_ADMIN`;
  }
  return `privileges cannot be given up (${operation}: ${code}): start tlspin as a user with CAP_NET_ADMIN and no other`;
}

/** No kernel has that many. */
const NO_CAPABILITY = 63;
/** Nothing for others but what its mode says; a log's group may read it. */
const UMASK = 0o027;
