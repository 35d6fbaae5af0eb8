/** What two gateways of a pair remember for each other, over a carrier in memory. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { KeptSession } from '../../../src/judge/sessions.ts';
import type { Policy } from '../../../src/pins/policy.ts';
import type { KeptAnswers } from '../../../src/probe/cache.ts';
import { PairSharing } from '../../../src/runtime/pair/sharing.ts';
import { type FakeBroker, FakeCarrier } from '../../support/fake-broker.ts';
import { pinset, policy } from '../../support/policy.ts';

const KEY = Buffer.alloc(32, 1);
let carrier: FakeCarrier;
let running: PairSharing[];
beforeEach(() => {
  [carrier, running] = [new FakeCarrier(), []];
});
afterEach(() => Promise.all(running.map((each) => each.stop())));

interface Gateway {
  readonly sharing: PairSharing;
  readonly broker: FakeBroker;
  policy: Policy;
  /** Of its own. */
  readonly news: KeptSession[];
  readonly probed: { shown: KeptAnswers['shown'][number][]; failed: [] };
  /** What the other one has told. */
  readonly sessions: string[];
  readonly answers: string[];
}

function join(gateway: string, peer: string, key: Uint8Array = KEY): Gateway {
  const broker = carrier.connect();
  const made: Omit<Gateway, 'sharing'> = {
    broker,
    policy: policy({ pinsets: [pinset(0, { name: 'bank' })] }),
    news: [],
    probed: { shown: [], failed: [] },
    sessions: [],
    answers: [],
  };
  const sharing = new PairSharing({
    ...{ broker, fleet: 'office', gateway, peer, key },
    daemon: {
      get policy() {
        return made.policy;
      },
      get probed() {
        return made.probed;
      },
      newSessions: () => Promise.resolve(made.news.splice(0)),
      remember: (sessions, { shown }) => {
        made.sessions.push(...sessions.map((each) => each.key));
        made.answers.push(
          ...shown.map(([question, [latest]]) => `${question} ${Buffer.from(latest!.finding.chain[0]!).toString()}`),
        );
      },
    },
  });
  sharing.start();
  running.push(sharing);
  return Object.assign(made, { sharing });
}

const keyOf = (n: number) => n.toString(16).padStart(64, '0');
const session = (n: number, left = 60e6): KeptSession => ({ key: keyOf(n), pinsets: ['bank'], left, dateMs: null });
const answer = (question: string, der = 'der', atMs = 5): KeptAnswers['shown'][number] => {
  const finding = {
    kind: 'certificates',
    chain: [Buffer.from(der)],
    isRawPublicKey: false,
    version: 0x304,
    proven: true,
  } as const;
  return [question, [{ finding, atMs, confirmations: 0, confirmedMs: atMs }]];
};

describe('what one remembers', () => {
  it('is remembered by the other, once, and does not come back', async () => {
    const [a, b] = [join('gw1', 'gw2'), join('gw2', 'gw1')];
    a.news.push(session(1), session(2));
    a.probed.shown.push(answer('who?'));
    await a.sharing.tell();
    expect([b.sessions.sort(), b.answers]).toEqual([[keyOf(1), keyOf(2)], ['who? der']]);
    b.probed.shown.push(answer('who?'));
    for (const { sharing } of [a, b, a]) await sharing.tell();
    expect([a.sessions, a.answers, b.sessions.length, b.answers.length]).toEqual([[], [], 2, 1]);
    a.news.push(session(3));
    await a.sharing.tell();
    expect(b.sessions.sort()).toEqual([1, 2, 3].map(keyOf));
  });

  it('waits while the other is not there, and is told anew to one that has begun anew', async () => {
    const a = join('gw1', 'gw2');
    a.news.push(session(1), session(2, -1));
    await a.sharing.tell();
    const b = join('gw2', 'gw1');
    await a.sharing.tell();
    expect(b.sessions).toEqual([keyOf(1)]);
    await b.sharing.stop();
    await b.broker.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const again = join('gw2', 'gw1');
    await again.sharing.tell();
    await a.sharing.tell();
    expect(again.sessions).toEqual([keyOf(1)]);
  });

  it('is told in as many messages as it takes', async () => {
    const [a, b] = [join('gw1', 'gw2'), join('gw2', 'gw1')];
    for (let n = 0; n < 9_000; n++) a.news.push(session(n));
    for (let n = 0; n < 30; n++) a.probed.shown.push(answer(`who ${n}?`, 'd'.repeat(100_000)));
    await a.sharing.tell();
    expect([b.sessions.length, new Set(b.answers).size]).toEqual([9_000, 30]);
  });

  it('is nothing where its pinsets are others', async () => {
    const [a, b] = [join('gw1', 'gw2'), join('gw2', 'gw1')];
    b.policy = policy({ pinsets: [pinset(0, { name: 'bank', expires: 1 })] });
    a.news.push(session(1));
    a.probed.shown.push(answer('who?'));
    await a.sharing.tell();
    // What a server shows does not depend on them.
    expect([b.sessions, b.answers]).toEqual([[], ['who? der']]);
  });
});

it('whoever has another key can say nothing', async () => {
  const [a, b] = [join('gw1', 'gw2', Buffer.alloc(32, 2)), join('gw2', 'gw1')];
  a.news.push(session(1));
  await a.sharing.tell();
  expect(b.sessions).toEqual([]);
});
