/**
 * Tells of connections that a program gives the mark by which they count as accepted, without a rule (`conntrack -U`): the
 * kernel tells of each change that somebody has asked it for. To look each second. Knows no rules.
 */
import type { Policy } from '../../pins/policy.ts';
import { addressText } from '../../report/eve.ts';
import type { NativeBinding } from '../../source/binding.ts';
import { type TrackedConnection, trackedConnections } from '../../source/conntrack-event.ts';
import { type Heard, NetlinkSocket, PROTOCOL } from '../../source/netlink.ts';
import { SPELL_MS } from './losses.ts';
import type { Protection } from './protection.ts';

export interface GivenMarksOptions {
  readonly protection: Protection;
  readonly policy: () => Pick<Policy, 'connmark'>;
  /** Undefined where the kernel tells us nothing. */
  readonly news: { heard(): Heard } | undefined;
}

export class GivenMarks {
  readonly #options: GivenMarksOptions;
  #count = 0;

  constructor(options: GivenMarksOptions) {
    this.#options = options;
  }

  look(): void {
    const { protection, policy, news } = this.#options;
    const { mask, accept } = policy().connmark;
    const { octets = [], isLossy = false } = news?.heard() ?? {};
    const given = octets.flatMap(trackedConnections).filter(({ mark }) => (mark & mask) >>> 0 === accept);
    if (given.length === 0 && !isLossy) return;
    if (!protection.conditions.some(({ code }) => code === 'marks.given')) this.#count = 0;
    this.#count += given.length;
    const most = isLossy
      ? 'more connections than can be counted'
      : this.#count === 1
        ? 'a connection'
        : `${this.#count} connections`;
    const last = given.length === 0 ? '' : ` (the last one to ${endOf(given.at(-1)!)})`;
    protection.notice('marks.given', '', `a program has given ${most} the accept mark${last}`, SPELL_MS);
  }
}

/** What programs ask of connection tracking; undefined where the kernel tells us nothing. */
export function givenMarksNews(
  binding: Pick<NativeBinding, 'subscribe' | 'sendDescriptors' | 'receiveDescriptors'>,
): NetlinkSocket | undefined {
  try {
    return new NetlinkSocket(binding, { protocol: PROTOCOL.netfilter, groups: GROUPS, isAskedFor: true });
  } catch {
    return undefined; // it has no netlink of netfilter, or we may not hear of it
  }
}

function endOf({ destination, port }: TrackedConnection): string {
  return `${destination === undefined ? '?' : addressText(destination)} port ${port ?? '?'}`;
}

/** NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_UPDATE. */
const GROUPS = [1, 2];
