/** What an engine would have on this machine, and whether one is there: capabilities, the kernel's queue, who holds it. */
import { constants, release } from 'node:os';

import type { Policy } from '../../pins/policy.ts';
import { CAP_NET_ADMIN, type NativeBinding } from '../../source/binding.ts';
import type { KernelQueue } from '../../source/kernel-queue.ts';
import { NfqueueSource } from '../../source/nfqueue.ts';
import { ownedConnmarkBits } from '../rules/connmark-mask.ts';
import type { Feed } from '../rules/feeds.ts';
import type { Finding, Surroundings } from './finding.ts';

export interface EngineParts {
  readonly binding: NativeBinding;
  readonly queues: ReadonlyMap<number, KernelQueue> | undefined;
}

export async function lookAtEngine(
  { environment }: Surroundings,
  { binding, queues }: EngineParts,
  policy: Policy,
  feeds: readonly Feed[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  if (/--inspect/.test(environment['NODE_OPTIONS'] ?? '')) {
    const detail = "NODE_OPTIONS asks for Node's debugger: the engine does not start with it";
    findings.push({ code: 'engine.debugger', gravity: 'degraded', detail, mend: 'take --inspect out of NODE_OPTIONS' });
  }
  if (!binding.hasCapability(CAP_NET_ADMIN)) {
    const detail = 'CAP_NET_ADMIN is missing: neither the rules nor the queue can be looked at';
    return [...findings, { code: 'engine.capability', gravity: 'degraded', detail, mend: 'use sudo' }];
  }
  return [...findings, ...programs(binding), await kernel(binding, queues, policy, feeds), held(queues, policy, feeds)];
}

/** Where tcx is, and nobody may ask what is attached by way of it. */
function programs(binding: NativeBinding): Finding[] {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const isOlder = major < 6 || (major === 6 && minor < 6);
  if (isOlder || binding.bpfPrograms(LOOPBACK, BPF_TCX_INGRESS) !== -constants.errno.EPERM) return [];
  const detail = 'which BPF programs are attached to devices by way of tcx may not be asked: bpf(2) is refused';
  return [
    {
      code: 'kernel.bpf',
      gravity: 'note',
      detail,
      mend: 'let tlspin call bpf(2), of which it asks BPF_PROG_QUERY alone',
    },
  ];
}

/** Binds a queue that nobody uses, for a moment. */
async function kernel(
  binding: NativeBinding,
  queues: EngineParts['queues'],
  policy: Policy,
  feeds: readonly Feed[],
): Promise<Finding> {
  const used = (queueNum: number) =>
    queues?.has(queueNum) === true ||
    feeds.some(
      ({ rule: { target } }) => target.kind === 'queue' && target.first <= queueNum && queueNum <= target.last,
    );
  let queueNum = LAST_QUEUE;
  while (used(queueNum)) queueNum--;
  const { connmark, failOpen } = policy;
  const options = {
    queueNum,
    connmarkMask: ownedConnmarkBits(policy),
    toldBit: connmark.told,
    route: connmark.route,
    failOpen,
  };
  const source = new NfqueueSource({ ...options, slots: 1, receiveBuffer: 1 << 16, maxLength: 1 }, binding);
  try {
    await source.start({ onBatch: () => {} });
    await source.stop();
  } catch (error) {
    const mend = 'a kernel with CONFIG_NETFILTER_NETLINK_QUEUE; connmark.route "auto"; in containers, CAP_NET_ADMIN';
    return { code: 'kernel.queue', gravity: 'unprotected', detail: (error as Error).message, mend };
  }
  return { code: 'kernel.queue', gravity: 'fine', detail: `the kernel has queues; connmark route ${source.route}` };
}

function held(queues: EngineParts['queues'], { queues: [first, last] }: Policy, feeds: readonly Feed[]): Finding {
  const free = Array.from({ length: last - first + 1 }, (_, at) => first + at).filter((number) => !queues?.has(number));
  if (queues === undefined || free.length === 0) {
    return { code: 'engine', gravity: 'fine', detail: `${last === first ? 'the queue is' : 'all queues are'} bound` };
  }
  const bypass = feeds.some((feed) => feed.bypass);
  return {
    code: 'engine.none',
    gravity: bypass || feeds.length === 0 ? 'unprotected' : 'degraded',
    detail: `nobody listens on queue ${free[0]}${free.length > 1 ? ` and ${free.length - 1} more` : ''}: packets ${feeds.length === 0 || bypass ? 'pass unseen' : 'are dropped'}`,
    mend: 'tlspin run -c FILE',
  };
}

const LOOPBACK = 1;
const BPF_TCX_INGRESS = 46;
const LAST_QUEUE = 65_535;
