/**
 * What counters tell of lost protection: the kernel's of each queue, the packet threads' own, the prober's. To look each
 * second; what grew holds until it has not grown for a while. Knows no rules and no configuration files.
 *
 * The kernel counts nowhere what `failOpen` lets pass. That it does is seen by what comes with it: a queue that is full, a
 * receive buffer that overflows, and more packets that the rules have sent here than were ever in the queue.
 */
import type { Policy } from '../../pins/policy.ts';
import { type KernelQueue, readKernelQueues } from '../../source/kernel-queue.ts';
import { QUEUE_LENGTH } from '../../source/nfqueue.ts';
import type { DaemonStatus } from '../daemon.ts';
import type { QueueStatus } from '../queue/queues.ts';
import type { Protection } from './protection.ts';

export interface LossesOptions {
  readonly protection: Protection;
  readonly daemon: { status(): DaemonStatus; readonly policy: Pick<Policy, 'failOpen'> };
  /** For tests. */
  readonly readQueues?: () => ReadonlyMap<number, KernelQueue> | undefined;
}

export class Losses {
  readonly #options: Required<LossesOptions>;
  readonly #counts = new Map<string, number>();
  /** By queue: how many packets had arrived, and entered, when the last one arrived; and looks since without any. */
  readonly #heard = new Map<number, { readonly arrived: number; readonly entered: number; readonly silent: number }>();

  constructor(options: LossesOptions) {
    this.#options = { readQueues: readKernelQueues, ...options };
  }

  look(): void {
    const { protection, daemon, readQueues } = this.#options;
    const { queues, probes, probeOrigins } = daemon.status();
    const kernel = readQueues();
    for (const queue of queues) this.#lookAt(queue, kernel?.get(queue.queue));
    const refused = this.#growth('probes', probes?.failures.limited ?? 0);
    if (refused > 0) protection.notice('probe.exhausted', '', `${refused} probes were not made`, SPELL_MS);
    const unbridged = this.#growth('unbridged', probeOrigins?.unbridged ?? 0);
    if (unbridged > 0) protection.notice('probe.unbridged', '', `over a bridge ${probeOrigins!.bridge}`, SPELL_MS);
  }

  #lookAt({ queue, counts }: QueueStatus, kernel: KernelQueue | undefined): void {
    const { protection, daemon } = this.#options;
    const { failOpen } = daemon.policy;
    const subject = `${queue}`;
    const full = this.#growth(`full ${queue}`, counts.queueDropped);
    if (full > 0) protection.notice('queue.full', subject, `queue ${queue}: ${full} packets dropped`, SPELL_MS);
    const unread = this.#growth(`unread ${queue}`, counts.userDropped);
    const overflows = this.#growth(`overflows ${queue}`, counts.enobufs);
    if (unread > 0 || (overflows > 0 && !failOpen)) {
      const detail = `queue ${queue}: ${unread > 0 ? unread : 'some'} packets dropped`;
      protection.notice('queue.buffer', subject, detail, SPELL_MS);
    }
    const isFull = (kernel?.waiting ?? 0) >= QUEUE_LENGTH;
    if (failOpen && (overflows > 0 || isFull)) {
      const why = isFull ? 'is full' : 'is read too slowly';
      protection.notice('queue.fail-open', subject, `queue ${queue} ${why}: packets pass unseen`, SPELL_MS);
    }
    const unmade = this.#growth(`events ${queue}`, counts.eventsDropped);
    if (unmade > 0) {
      protection.notice('log.lost', `queue ${queue}`, `queue ${queue}: ${unmade} records were never made`, SPELL_MS);
    }
    if (kernel !== undefined) this.#listen(queue, counts.received, kernel.sequence);
  }

  #listen(queue: number, arrived: number, entered: number): void {
    const before = this.#heard.get(queue) ?? { arrived: -1, entered, silent: 0 };
    if (arrived !== before.arrived) {
      this.#heard.set(queue, { arrived, entered, silent: 0 });
      return this.#options.protection.end('queue.deaf', `${queue}`, `queue ${queue}: packets arrive again`);
    }
    const silent = entered > before.entered ? before.silent + 1 : 0;
    this.#heard.set(queue, { ...before, silent });
    if (silent < DEAF_LOOKS) return;
    const detail = `queue ${queue}: ${entered - before.entered} packets entered and none arrived`;
    this.#options.protection.begin('queue.deaf', `${queue}`, detail);
  }

  #growth(name: string, count: number): number {
    const before = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count);
    return count - before;
  }
}

/** A thread that has a new policy to take in looks at nothing meanwhile. */
const DEAF_LOOKS = 3;
/** How long a loss holds behind its last growth. */
export const SPELL_MS = 30_000;
