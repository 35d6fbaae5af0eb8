/** Who follows the events of an engine, over real sockets: what comes, from when on, and who is let go. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { VerdictEvent } from '../../../src/judge/events.ts';
import { CertificateEntries } from '../../../src/report/certificate-entry.ts';
import { type EveRecord, toEve } from '../../../src/report/eve.ts';
import { answerCommands, type CommandHost } from '../../../src/runtime/control/commands.ts';
import { RecentVerdicts } from '../../../src/runtime/control/recent-verdicts.ts';
import { RequestReader } from '../../../src/runtime/control/requests.ts';
import { ControlServer } from '../../../src/runtime/control/server.ts';
import type { Overview } from '../../../src/runtime/control/status.ts';
import { subscribe, type Subscription } from '../../../src/runtime/control/subscription.ts';
import { type SubscriptionBounds, Subscriptions } from '../../../src/runtime/control/subscriptions.ts';
import { loadBinding } from '../../../src/source/binding.ts';
import { describeCertificate } from '../../../src/x509/certificate.ts';
import { presentCertificate } from '../../../src/x509/presented.ts';
import { policy } from '../../support/policy.ts';
import { verdictEvent } from '../../support/verdict-event.ts';

const certificates = new CertificateEntries({ present: presentCertificate, describe: describeCertificate }, 'pins');
const DENIED = { action: 'tls-alert', reason: 'pin-mismatch' } as const;

let directory: string;
let path: string;
let verdicts: RecentVerdicts;
let subscriptions: Subscriptions;
let server: ControlServer | undefined;
let tellRecord: (record: EveRecord) => void;
let sockets: (Subscription | Socket)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-subscriptions-'));
  path = join(directory, 'control.sock');
  verdicts = new RecentVerdicts(policy());
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) if ('close' in socket) socket.close();
  for (const socket of sockets) if ('destroy' in socket) socket.destroy();
  subscriptions.close();
  await server?.stop();
  rmSync(directory, { recursive: true });
});

async function serve(bounds: Partial<SubscriptionBounds> = {}): Promise<void> {
  const recordOf = (event: VerdictEvent) => toEve(event, { certificates });
  const follow = (follower: typeof tellRecord) => void (tellRecord = follower);
  const log = { recordOf, follow } as unknown as Overview['log'];
  subscriptions = new Subscriptions({ verdicts, log, bounds });
  const answer = answerCommands({ verdicts, log, subscriptions } as unknown as CommandHost);
  server = new ControlServer({ path, mode: 0o600, answer, binding: loadBinding() });
  await server.start();
}

async function follow(request: object = {}): Promise<Subscription> {
  const subscription = await subscribe(path, { ...request });
  sockets.push(subscription);
  return subscription;
}

/** As many as there are to come. */
async function next({ events }: Subscription, count: number): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  const iterator = events[Symbol.asyncIterator]();
  while (found.length < count) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    found.push(value as Record<string, unknown>);
  }
  return found;
}

const take = (...events: Partial<VerdictEvent>[]) => verdicts.take(events.map(verdictEvent), 3);
const flowsOf = (records: readonly Record<string, unknown>[]) => records.map(({ flow_id: flow }) => flow);

describe('a subscriber', () => {
  it('is told what is remembered, and then each decision as it comes, with its queue and number', async () => {
    await serve();
    take({ flowId: 1 }, { flowId: 2 });
    const subscription = await follow();
    expect(subscription.answer).toMatchObject({ ok: true, last: 2, missed: 0 });
    take({ flowId: 3, ...DENIED });
    const records = await next(subscription, 3);
    expect(flowsOf(records)).toEqual([1, 2, 3]);
    expect(records[2]).toMatchObject({ event_type: 'verdict', queue: 3, number: 3, verdict: DENIED });
  });

  it('is told what it asked for alone', async () => {
    await serve();
    take({ flowId: 1 }, { flowId: 2, ...DENIED });
    const denied = await follow({ events: ['verdict', 'config'], denied: true });
    take({ flowId: 3 }, { flowId: 4, ...DENIED });
    tellRecord({ event_type: 'stats', stats: {} });
    tellRecord({ event_type: 'config', config: {} });
    const records = await next(denied, 3);
    expect(records.map((record) => record['flow_id'] ?? record['event_type'])).toEqual([2, 4, 'config']);
  });

  it('goes on where it was, unless numbers are of another process', async () => {
    await serve();
    take({ flowId: 1 }, { flowId: 2 });
    const { answer } = await follow({ limit: 1 });
    take({ flowId: 3 });
    const { run, last } = answer;
    expect(flowsOf(await next(await follow({ run, after: last }), 1))).toEqual([3]);
    expect(flowsOf(await next(await follow({ run: 'another', after: last }), 3))).toEqual([1, 2, 3]);
  });

  it('is refused with a sentence where it asks for what there is not', async () => {
    await serve({ subscribers: 1 });
    await expect(follow({ events: ['weather'] })).rejects.toThrow(/"events" may be verdict, .*, not "weather"/);
    await follow();
    await expect(follow()).rejects.toThrow('there are 1 subscribers already');
    expect(subscriptions.counts).toEqual({ now: 1, dropped: 0 });
  });

  it('makes room when it goes, and is told to go when the engine does', async () => {
    await serve({ subscribers: 1 });
    (await follow()).close();
    await vi.waitFor(() => expect(subscriptions.counts.now).toBe(0));
    const second = await follow();
    subscriptions.close();
    expect(await next(second, 1)).toEqual([]);
  });

  it('that was about to begin holds up no end', async () => {
    await serve();
    const granted = subscriptions.answer(new RequestReader({}));
    subscriptions.close();
    const isDestroyed = await new Promise((resolve) => {
      granted.handOn({ destroy: () => resolve(true) } as unknown as Socket);
    });
    expect([isDestroyed, subscriptions.counts.now]).toEqual([true, 0]);
    subscriptions.reopen();
    expect((await follow()).answer).toMatchObject({ ok: true });
  });

  it('that does not read is let go and counted, and nobody else misses anything', async () => {
    await serve({ octets: 64 * 1024 });
    const slow = connect(path);
    sockets.push(slow);
    slow.pause().write('{"command":"subscribe"}\n');
    const quick = await follow();
    await vi.waitFor(() => expect(subscriptions.counts.now).toBe(2));
    for (let i = 0; i < 100; i++) {
      take(...Array.from({ length: 100 }, (_, j) => ({ flowId: i * 100 + j })));
      const told = flowsOf(await next(quick, 100));
      expect([told.length, told[0], told.at(-1)]).toEqual([100, i * 100, i * 100 + 99]);
    }
    expect(subscriptions.counts).toEqual({ now: 1, dropped: 1 });
  });
});
