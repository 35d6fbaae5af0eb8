/** What other gateways bear out of a probe's answer, over a carrier in memory that may lie. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { gatewaysBucket } from '../../../src/fleet/documents.ts';
import { recordOctets } from '../../../src/fleet/gateway-record.ts';
import { type Testimony, Witnesses } from '../../../src/fleet/witnesses.ts';
import type { ProbeAnswer, ProbeEnds, ProbeRequest } from '../../../src/judge/ports.ts';
import { PROBE_DEFAULTS } from '../../../src/pins/probe.ts';
import { keyShown, shownTo, WitnessedProber } from '../../../src/runtime/fleet/witnessed-prober.ts';
import { type FakeBroker, FakeCarrier } from '../../support/fake-broker.ts';

const KEY = Buffer.alloc(32, 1);

let carrier: FakeCarrier;
let asked: string[];
let disputes: string[];
let tooFew: number[];

beforeEach(() => {
  [carrier, asked, disputes, tooFew] = [new FakeCarrier(), [], [], []];
});
afterEach(() => vi.restoreAllMocks());

describe('a server’s key', () => {
  it('is believed where as many others were shown it, and they are not asked again', async () => {
    await gateway('gw2', 'A');
    await gateway('gw3', 'A');
    const prober = await asking(2, 'A');
    expect(await answerOf(prober)).toEqual(shows('A'));
    expect(await answerOf(prober)).toEqual(shows('A'));
    expect(asked.sort()).toEqual(['gw2 by gw1', 'gw3 by gw1']);
    expect([disputes, tooFew]).toEqual([[], []]);
  });

  it('is disputed where one of them was shown another, which is told', async () => {
    await gateway('gw2', 'A');
    await gateway('gw3', 'B', 'branch');
    expect(await answerOf(await asking(2, 'A'))).toMatchObject({ ...shows('A'), isDisputed: true });
    expect(disputes).toEqual([`gw3 branch ${keyShown({ chain: chainOf('B'), isRawPublicKey: false })}`]);
  });

  it('is believed without them where too few answer, which is told, and asked of them again after a while', async () => {
    await gateway('gw2', undefined);
    await gateway('gw3', 'A');
    const prober = await asking(2, 'A');
    expect(await answerOf(prober)).toEqual(shows('A'));
    expect(await answerOf(prober)).toEqual(shows('A'));
    expect([tooFew, asked.sort()]).toEqual([[1], ['gw2 by gw1', 'gw3 by gw1']]);
    const now = performance.now();
    vi.spyOn(performance, 'now').mockReturnValue(now + 31_000);
    await sleep(5); // lru-cache asks for the time once a millisecond
    expect(await answerOf(prober)).toEqual(shows('A'));
    expect(tooFew).toEqual([1, 1]);
  });

  it('stays disputed, for an hour, where nobody says anything any more', async () => {
    await gateway('gw2', 'B');
    let isSilent = false;
    const prober = await asking(1, 'A', (answer) => Promise.resolve(isSilent ? new Uint8Array() : answer));
    expect(await answerOf(prober)).toMatchObject({ isDisputed: true });
    isSilent = true;
    const began = performance.now();
    const now = vi.spyOn(performance, 'now');
    const after = async (minutes: number) => {
      now.mockReturnValue(began + minutes * 60_000);
      await sleep(5); // lru-cache asks for the time once a millisecond
      const answer = await answerOf(prober);
      return answer.kind === 'certificates' && answer.isDisputed === true;
    };
    expect([await after(1), await after(59), await after(61)]).toEqual([true, true, false]);
    expect([disputes.length, tooFew]).toEqual([1, [0, 0, 0]]);
  });

  it('is not waited for where one says that it was shown nothing', async () => {
    await gateway('gw2', undefined);
    let answers = 0;
    const prober = await asking(1, 'A', async (answer) => {
      answers++;
      return answer;
    });
    expect(await answerOf(prober)).toEqual(shows('A'));
    expect([answers, tooFew]).toEqual([1, [0]]);
  });

  it('is asked about once by many who wait for it at the same time', async () => {
    await gateway('gw2', 'B');
    const prober = await asking(1, 'A');
    const answers = await Promise.all([answerOf(prober), answerOf(prober), answerOf(prober)]);
    expect(answers.every((answer) => answer.kind === 'certificates' && answer.isDisputed === true)).toBe(true);
    expect([asked, disputes.length]).toEqual([['gw2 by gw1'], 1]);
  });

  it('is believed in time where servers do not say who there is', async () => {
    await gateway('gw2', 'B');
    const prober = await asking(1, 'A', undefined, (broker) => (broker.bucket = () => new Promise(() => {})));
    expect(await answerOf(prober)).toEqual(shows('A'));
    expect(tooFew).toEqual([0]);
  });

  it('is asked of no gateway by the same way into the world, nor of two by one, nor of whoever does not answer', async () => {
    await gateway('gw2', 'B', 'office');
    await gateway('gw3', 'A', 'branch');
    await gateway('gw4', 'A', 'branch');
    await gateway('gw5', 'B', 'field', { answers: false });
    expect(await answerOf(await asking(3, 'A'))).toEqual(shows('A'));
    expect(asked).toHaveLength(1);
    expect(tooFew).toEqual([1]);
  });

  it('is asked of nobody where that is not wanted, or the server shows none, or only the client can ask', async () => {
    await gateway('gw2', 'B');
    expect(await answerOf(await asking(0, 'A'))).toEqual(shows('A'));
    expect(await answerOf(await asking(1, undefined))).toMatchObject({ kind: 'failed' });
    const tunnels = [{ protocol: 'http-connect', request: null }] as const;
    expect(await answerOf(await asking(1, 'A'), { tunnels })).toEqual(shows('A'));
    expect(asked).toEqual([]);
  });
});

describe('whoever carries', () => {
  it.each<[string, (answers: Uint8Array[]) => Uint8Array]>([
    ['makes up an answer', () => Buffer.from('{"gateway":"gw2","network":"gw2","shown":"x"}')],
    ['answers with an answer of before', ([first]) => first!],
    ['changes one', (answers) => answers.at(-1)!.map((octet, at) => (at === 20 ? octet ^ 1 : octet))],
    ['says nothing', () => new Uint8Array()],
  ])('is not believed (%s)', async (_, lie) => {
    await gateway('gw2', 'B');
    const answers: Uint8Array[] = [];
    const prober = await asking(1, 'A', async (answer) => {
      answers.push(answer);
      return answers.length === 1 ? answer : lie(answers);
    });
    expect(await answerOf(prober)).toMatchObject({ isDisputed: true });
    expect(await answerOf(prober, { server: { address: new Uint8Array([198, 51, 100, 8]), port: 443 } })).toEqual(
      shows('A'),
    );
    expect(tooFew).toEqual([0]);
  });
});

// ---- the stage ----

const REQUEST: ProbeRequest = {
  server: { address: new Uint8Array([198, 51, 100, 7]), port: 443 },
  client: { address: new Uint8Array([10, 1, 2, 3]), port: 51_514 },
  clientHello: new Uint8Array([3, 3]),
  recordVersion: 0x0301,
  starttls: null,
  tunnels: [],
  patience: 0,
};

const chainOf = (key: string) => [new Uint8Array(Buffer.from(key))];

function shows(key: string | undefined): ProbeAnswer {
  if (key === undefined) return { kind: 'failed', reason: 'closed', detail: '', fromCache: false };
  const of = { isRawPublicKey: false, version: 0x0304, proven: true, alternatives: [], fromCache: false };
  return { kind: 'certificates', chain: chainOf(key), ...of };
}

const prober = (key: string | undefined) => ({
  ...{ configure: () => {}, onSpokenFor: () => {}, close: () => {} },
  accompany: (_: ProbeEnds, go: () => void) => go(),
  probe: (_: ProbeRequest, done: (answer: ProbeAnswer) => void) => done(shows(key)),
});

/** One that answers others, and is shown that key. */
async function gateway(name: string, key: string | undefined, network = name, { answers = true } = {}): Promise<void> {
  const broker = carrier.connect();
  const record = { gateway: name, software: '1.0', network, answers, running: null, seen: null, refused: null };
  await (await gatewaysBucket(broker)).put(`office.${name}`, recordOctets(record));
  new Witnesses({ broker, fleet: 'office', gateway: name, network, key: KEY }).answer((question, from) => {
    asked.push(`${name} by ${from}`);
    return shownTo(prober(key), question, from);
  });
}

/** The one that asks, in the network "office". `carry`: what becomes of an answer on its way; `ail`: what ails the carrier. */
async function asking(
  witnesses: number,
  key: string | undefined,
  carry: (answer: Uint8Array) => Promise<Uint8Array> = (answer) => Promise.resolve(answer),
  ail: (broker: FakeBroker) => void = () => {},
): Promise<WitnessedProber> {
  const broker = carrier.connect();
  ail(broker);
  const ask = broker.ask.bind(broker);
  broker.ask = async (...question) => carry(await ask(...question));
  const others = new Witnesses({ broker, fleet: 'office', gateway: 'gw1', network: 'office', key: KEY });
  return new WitnessedProber({
    prober: prober(key),
    policy: { ...PROBE_DEFAULTS, witnesses },
    ask: (...question) => others.ask(...question),
    onDisputed: (_, __, heard: readonly Testimony[]) =>
      disputes.push(...heard.map(({ gateway: by, network, shown }) => `${by} ${network} ${shown}`)),
    onTooFew: (had) => tooFew.push(had),
  });
}

function answerOf(of: WitnessedProber, more: Partial<ProbeRequest> = {}): Promise<ProbeAnswer> {
  return new Promise((resolve) => of.probe({ ...REQUEST, ...more }, resolve));
}
