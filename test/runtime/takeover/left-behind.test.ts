/** What one process leaves with a service manager, and another of it finds. Sockets are files here: nobody reads them. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';

import { ProbeCache } from '../../../src/probe/cache.ts';
import { ServiceManager } from '../../../src/runtime/service-manager.ts';
import { type Remembered, type Terms, termsOf } from '../../../src/runtime/takeover/handed.ts';
import { leaveBehind, LeftBehind } from '../../../src/runtime/takeover/left-behind.ts';
import { policy } from '../../support/policy.ts';

const TERMS = termsOf(policy(), [0, 1]);
const NOW = 1000;

it('what is left is found, once, with descriptors of the process that finds it', async () => {
  const store = new Store();
  leaveBehind(store.manager(), TERMS, remembered(0, 1), NOW);
  const { left, said } = await find(store);
  expect(said).toEqual(['going on with what the tlspin before this one has left: 2 queues']);
  expect(left!.added).toEqual([['bad', ['sha256//x']]]);
  expect(() => fstatSync(store.kept.get('tlspin-remembered')!)).toThrow('EBADF');
  const { queues, probes } = await left!.release();
  expect(probes).toBeNull();
  expect([...queues.keys()]).toEqual([0, 1]);
  for (const [queueNum, { handed, memory }] of queues) {
    expect(handed).toEqual({ descriptor: store.kept.get(`tlspin-queue-${queueNum}`), conntrack: true });
    expect(memory).toEqual({ config: 'sha256:00', settled: [], sessions: [] });
  }
  expect(() => fstatSync(store.kept.get('tlspin-remembered')!)).toThrow('EBADF');
  left!.running();
  expect(store.discarded.toSorted()).toEqual(['tlspin-queue-0', 'tlspin-queue-1', 'tlspin-remembered']);
  // What it leaves itself by then stays.
  left!.close();
  expect(store.discarded).toHaveLength(3);
});

it('what is remembered has grown older by as long as nobody ran', async () => {
  const store = new Store();
  const prober = new ProbeCache(8);
  const finding = { kind: 'certificates', chain: [], isRawPublicKey: false, version: 0x0304, proven: true } as const;
  const refusal = { kind: 'failed', reason: 'alert', detail: '40' } as const;
  const times = { ttl: 60_000, negativeTtl: 30_000 };
  const [one, other] = ['one', 'other'].map((name) => ({ exact: `exactly ${name}`, certificate: name }));
  prober.add(one!, finding, 0, times);
  prober.add(other!, refusal, 0, times);
  const mark = { value: 1, mask: 1 };
  const settled = [{ key: 'flow', synSeq: 1, packed: 1, mark, idle: 3 }];
  const sessions = [{ key: 'session', pinsets: ['bank'], left: 90e6, dateMs: null }];
  const [[queueNum, { handed }]] = remembered(0).queues as [Remembered['queues'][number]];
  const memory = { config: 'sha256:00', settled, sessions };
  const kept = { queues: [[queueNum, { handed, memory }]] as const, probes: prober.keep(10_000), added: [] };
  const terms = termsOf(policy(), [0, 0]);
  leaveBehind(store.manager(), terms, kept, NOW);
  const { queues, probes } = await (await find(store, terms, 20)).left!.release();
  expect(queues.get(0)!.memory.settled).toEqual(settled);
  expect(queues.get(0)!.memory.sessions).toEqual([{ ...sessions[0], left: 70e6 }]);
  const restored = new ProbeCache(8);
  restored.restore(probes!, 0);
  expect(restored.find(one!, 29_999, times)).toBeDefined();
  expect(restored.find(one!, 30_000, times)).toBeUndefined();
  expect(restored.find(other!, 0, times)).toBeUndefined();
});

it('whoever fails to go on with it throws it away', async () => {
  const store = new Store();
  leaveBehind(store.manager(), TERMS, remembered(0, 1), NOW);
  (await find(store)).left!.close();
  expect(store.discarded).toHaveLength(3);
});

it('where nothing was left nothing is found, or said', async () => {
  expect(await find(new Store())).toEqual({ left: undefined, said: [] });
});

it.each<[string, { terms?: Terms; lost?: string; seconds?: number }, string]>([
  ['is for other queues', { terms: termsOf(policy(), [0, 0]) }, 'queues changed'],
  ['lacks a socket', { lost: 'tlspin-queue-1' }, 'the socket of queue 1 was not kept'],
  ['lacks what is remembered', { lost: 'tlspin-remembered' }, 'what is remembered was not kept'],
  ['is old', { seconds: 61 }, 'that was 61 s ago'],
])('what %s is thrown away, and said', async (_, { terms, lost, seconds }, reason) => {
  const store = new Store();
  leaveBehind(store.manager(), TERMS, remembered(0, 1), NOW);
  if (lost !== undefined) store.lose(lost);
  const kept = [...store.kept];
  const { left, said } = await find(store, terms, seconds);
  expect(left).toBeUndefined();
  expect(said).toEqual([`what the tlspin before this one has left is of no use (${reason}): starting as ever`]);
  expect(store.discarded).toEqual(kept.map(([name]) => name));
  for (const [, descriptor] of kept) expect(() => fstatSync(descriptor)).toThrow('EBADF');
});

it('descriptors of others are theirs', async () => {
  const store = new Store();
  store.kept.set('http', 0);
  expect((await find(store)).left).toBeUndefined();
  expect(store.discarded).toEqual([]);
});

it('what the service manager has no room for is not left', () => {
  const store = new Store();
  expect(() => leaveBehind(store.manager(2), TERMS, remembered(0, 1))).toThrow(
    'the service manager keeps 2 descriptors: FileDescriptorStoreMax= and FDSTORE say how many',
  );
  expect(store.kept.size).toBe(0);
});

/** Keeps descriptors of its own, as the other end of a socket would. */
class Store {
  readonly kept = new Map<string, number>();
  readonly discarded: string[] = [];

  lose(name: string): void {
    closeSync(this.kept.get(name)!);
    this.kept.delete(name);
  }

  manager(room = 8): ServiceManager {
    const notify = (_: string, message: string, [descriptor]: readonly number[]): number => {
      const name = /FDNAME=(.*)/.exec(message)![1]!;
      if (message.startsWith('FDSTORE=1')) this.kept.set(name, openSync(`/proc/self/fd/${descriptor}`, 'r'));
      else this.discarded.push(name);
      return 0;
    };
    return new ServiceManager({ NOTIFY_SOCKET: '@tlspin', FDSTORE: String(room) }, { notify });
  }
}

async function find(store: Store, terms = TERMS, seconds = 1) {
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const manager = Object.assign(store.manager(), { kept: store.kept });
  return { left: await LeftBehind.find(manager, terms, { say, now: NOW + seconds }), said };
}

function remembered(...queues: number[]): Remembered {
  const memory = { config: 'sha256:00', settled: [], sessions: [] };
  const handed = { descriptor: openSync('/dev/null', 'r'), conntrack: true };
  return {
    queues: queues.map((queueNum) => [queueNum, { handed, memory }]),
    probes: null,
    added: [['bad', ['sha256//x']]],
  };
}
