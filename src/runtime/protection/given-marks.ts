/**
 * Tells of connections that a program gives the mark by which they count as accepted, without a rule (`conntrack -U`), unless
 * they were accepted here anyway: who changes other bits of a mark has to write these as they are. In a failover pair
 * conntrackd gives the marks of the other gateway, and nobody can tell these from anybody's. The kernel tells of each
 * change that somebody has asked it for; where it does not, that is told. To look each second. Knows no rules.
 */
import type { NamedConnection } from '../../tcp/flow-names.ts';
import type { Policy } from '../../pins/policy.ts';
import { addressText } from '../../report/eve.ts';
import type { NativeBinding } from '../../source/binding.ts';
import { type TrackedConnection, trackedConnections } from '../../source/conntrack-event.ts';
import { type Heard, NetlinkSocket, PROTOCOL } from '../../source/netlink.ts';
import { type ReadFile, readKernelFile } from '../rules/beside/kernel-file.ts';
import { SPELL_MS } from './losses.ts';
import type { Protection } from './protection.ts';

export interface GivenMarksOptions {
  readonly protection: Protection;
  readonly policy: () => Pick<Policy, 'connmark' | 'pair'>;
  /** Of those the ones that were accepted here, by their places. */
  readonly acceptedOf: (named: readonly NamedConnection[]) => Promise<ReadonlySet<number>>;
  /** Undefined where the kernel tells us nothing. */
  readonly news: { heard(): Heard } | undefined;
  /** For tests. */
  readonly read?: ReadFile;
}

export class GivenMarks {
  readonly #options: GivenMarksOptions;
  #count = 0;

  constructor(options: GivenMarksOptions) {
    this.#options = options;
  }

  look(): void {
    const { protection, policy, news, read = readKernelFile } = this.#options;
    const unheard =
      news === undefined ? 'netlink of connection tracking' : read(EVENTS) === '0' ? EVENTS_OFF : undefined;
    if (unheard === undefined) protection.end('marks.unheard', '');
    else protection.begin('marks.unheard', '', `the kernel tells nobody of changes to connections (${unheard})`);
    const { connmark, pair } = policy();
    const { mask, accept } = connmark;
    const { octets = [], isLossy = false } = news?.heard() ?? {};
    if (pair !== undefined) return protection.end('marks.given', '', 'the other gateway of the pair gives them');
    const given = octets.flatMap(trackedConnections).filter(({ mark }) => (mark & mask) >>> 0 === accept);
    if (given.length > 0 || isLossy) void this.#judge(given, isLossy);
  }

  async #judge(given: readonly TrackedConnection[], isLossy: boolean): Promise<void> {
    const { protection, acceptedOf } = this.#options;
    const accepted = given.length === 0 ? new Set() : await acceptedOf(given.map(nameOf));
    const others = given.filter((_, place) => !accepted.has(place));
    if (others.length === 0 && !isLossy) return;
    if (!protection.conditions.some(({ code }) => code === 'marks.given')) this.#count = 0;
    this.#count += others.length;
    const most = isLossy
      ? 'more connections than can be counted'
      : this.#count === 1
        ? 'a connection'
        : `${this.#count} connections`;
    const last = others.length === 0 ? '' : ` (the last one to ${endOf(others.at(-1)!)})`;
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

/** Who it began with is the client, and who answers it the server, wherever the rules have led it. */
function nameOf({ id, original, reply }: TrackedConnection): NamedConnection {
  return {
    id,
    client: original.source ?? NOBODY,
    clientPort: original.sourcePort ?? 0,
    server: reply.source ?? NOBODY,
    serverPort: reply.sourcePort ?? 0,
  };
}

function endOf({ original: { destination, destinationPort } }: TrackedConnection): string {
  return `${destination === undefined ? '?' : addressText(destination)} port ${destinationPort ?? '?'}`;
}

const EVENTS = '/proc/sys/net/netfilter/nf_conntrack_events';
const EVENTS_OFF = 'net.netfilter.nf_conntrack_events is 0';
const NOBODY = new Uint8Array();
/** NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_UPDATE. */
const GROUPS = [1, 2];
