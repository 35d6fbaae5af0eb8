/** The packet thread answers by itself what it has just been told, and tells how often it did. */
import { beforeEach, expect, it, vi } from 'vitest';

import type { ProbeAnswer, ProbeRequest } from '../../../src/judge/ports.ts';
import { PROBE_DEFAULTS } from '../../../src/pins/probe.ts';
import { RemoteProber } from '../../../src/runtime/probing/remote-prober.ts';
import type { FromQueue } from '../../../src/runtime/queue/messages.ts';
import { ANSWER as FAILED, PROBE } from '../../support/queue-messages.ts';
import { clientHelloOf } from '../../support/memory-tls.ts';

const SHOWN: ProbeAnswer = {
  kind: 'certificates',
  chain: [new Uint8Array([0x30, 0x00])],
  isRawPublicKey: false,
  version: 0x0304,
  proven: true,
  alternatives: [],
  fromCache: false,
};
const hello = async (servername = 'www.bank.example') => await clientHelloOf({ servername });
const question = async (fields: Partial<ProbeRequest> = {}) => ({ ...PROBE, clientHello: await hello(), ...fields });

let posted: FromQueue[];
let prober: RemoteProber;
const told = () => posted.flatMap((message) => (message.kind === 'spoken-for' ? [message.times] : []));
const asked = () => posted.filter(({ kind }) => kind === 'probe').length;

/** What is answered, by the main thread with that where it is asked. */
function ask(request: ProbeRequest, answer: ProbeAnswer = SHOWN): ProbeAnswer {
  const answers: ProbeAnswer[] = [];
  prober.probe(request, (given) => answers.push(given));
  const last = posted.at(-1);
  if (answers.length === 0 && last?.kind === 'probe') prober.answer(last.id, answer);
  expect(answers).toHaveLength(1);
  return answers[0]!;
}

beforeEach(() => {
  posted = [];
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  prober = new RemoteProber({ postMessage: (message) => posted.push(message) }, PROBE_DEFAULTS);
  return () => void vi.useRealTimers();
});

it('asks the main thread once a second for hellos of one client program', async () => {
  expect(ask(await question())).toEqual(SHOWN);
  for (let time = 0; time < 5; time++) expect(ask(await question())).toEqual({ ...SHOWN, fromCache: true });
  expect(asked()).toBe(1);
  vi.advanceTimersByTime(1_001);
  expect(ask(await question())).toEqual(SHOWN);
  expect(asked()).toBe(2);
});

it('remembers no longer than it may', async () => {
  prober.forget({ ttl: 0, source: 'gateway' });
  for (let time = 0; time < 2; time++) expect(ask(await question())).toEqual(SHOWN);
  expect(asked()).toBe(2);
  prober.forget({ ttl: 500, source: 'gateway' });
  ask(await question());
  expect(ask(await question())).toEqual({ ...SHOWN, fromCache: true });
  vi.advanceTimersByTime(501);
  expect(ask(await question())).toEqual(SHOWN);
});

it('tells each client of its own way alone where nothing may leave with another address', async () => {
  const by = async (last: number) => question({ client: { address: new Uint8Array([10, 0, 0, last]), port: 40_000 } });
  prober.forget({ ttl: 60_000, source: 'client' });
  for (const last of [1, 2, 1]) ask(await by(last));
  expect(asked()).toBe(2);
  prober.forget({ ttl: 60_000, source: 'auto' });
  for (const last of [1, 2]) ask(await by(last));
  expect(asked()).toBe(3);
});

it('and each client behind a bridge, where a probe goes to whoever answered it', async () => {
  const synTraits = { hopLimit: 64, maximumSegmentSize: 1460, windowScale: 7, isBridged: true };
  const by = async (last: number) =>
    question({ client: { address: new Uint8Array([10, 0, 0, last]), port: 40_000 }, synTraits });
  prober.forget({ ttl: 60_000, source: 'gateway' });
  for (const last of [1, 2, 1]) ask(await by(last));
  expect(asked()).toBe(2);
});

it('tells how many it spoke for, once its second is over, and of none nothing', async () => {
  for (let time = 0; time < 4; time++) ask(await question());
  prober.tick();
  expect(told()).toEqual([]);
  vi.advanceTimersByTime(1_001);
  prober.tick();
  expect(told()).toEqual([3]);
  ask(await question());
  vi.advanceTimersByTime(1_001);
  prober.tick();
  expect(told()).toEqual([3]);
});

it.each([
  ['another server', { server: { ...PROBE.server, port: 444 } }],
  ['another address', { server: { address: new Uint8Array([198, 51, 100, 8]), port: 443 } }],
  ['another preamble', { starttls: 'smtp' }],
  ['another record version', { recordVersion: 0x0303 }],
  ['another name', { clientHello: await hello('www.other.example') }],
] as const)('%s is another question', async (_, fields) => {
  ask(await question());
  ask(await question(fields));
  expect(asked()).toBe(2);
});

it('remembers no failure, nothing that went through a proxy, and no hello that it cannot read', async () => {
  const tunnels = [{ protocol: 'http-connect', request: Buffer.from('CONNECT') } as const];
  const unread = { ...PROBE, clientHello: new Uint8Array(3) };
  for (const request of [await question({ tunnels }), unread]) {
    ask(request);
    ask(request);
  }
  ask(await question(), FAILED);
  ask(await question(), FAILED);
  expect(asked()).toBe(6);
});

it('keeps so many octets only, however long chains are', async () => {
  const long: ProbeAnswer = { ...SHOWN, chain: [new Uint8Array(256 * 1024)] };
  const names = Array.from({ length: 40 }, (_, i) => `www${i}.bank.example`);
  for (const name of names) ask(await question({ clientHello: await hello(name) }), long);
  expect(asked()).toBe(40);
  for (const name of names.toReversed()) ask(await question({ clientHello: await hello(name) }), long);
  // 8 MiB have room for those that came last.
  expect(asked()).toBe(40 + 9);
});

it('another configuration forgets all, and what was spoken for is told', async () => {
  ask(await question());
  ask(await question());
  prober.forget();
  expect(told()).toEqual([1]);
  ask(await question());
  expect(asked()).toBe(2);
});

it('lets a SYN go as the main thread says, once, or by itself where that has no time', () => {
  const gone: number[] = [];
  const accompany = (at: number) => {
    prober.accompany(PROBE, () => gone.push(at));
    return (posted.at(-1) as { id: number }).id;
  };
  prober.onAccompanied(accompany(1));
  expect(gone).toEqual([1]);
  accompany(2);
  vi.advanceTimersByTime(249);
  expect(gone).toEqual([1]);
  vi.advanceTimersByTime(1);
  expect(gone).toEqual([1, 2]);
  accompany(3);
  prober.letGo();
  vi.advanceTimersByTime(1_000);
  expect(gone).toEqual([1, 2, 3]);
});

it('a hello with the number of a pattern is known by that, and by nothing else of it', async () => {
  const first = await question({ pattern: 1 });
  expect(ask(first)).toEqual(SHOWN);
  expect(ask({ ...first, clientHello: new Uint8Array(400) })).toEqual({ ...SHOWN, fromCache: true });
  expect(asked()).toBe(1);
  expect(ask({ ...first, pattern: 2 })).toEqual(SHOWN);
  expect(ask({ ...first, recordVersion: first.recordVersion + 1 })).toEqual(SHOWN);
  expect(asked()).toBe(3);
});
