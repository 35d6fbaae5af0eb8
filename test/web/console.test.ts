/** What the console tells, over real sockets: as it happens, under a flood, to who does not read, without an engine. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { VerdictEvent } from '../../src/judge/events.ts';
import type { Audited, Inbox, InboxEntry, ListEntries, Overview, Series, Verdicts } from '../../src/web/api.ts';
import { noCounts } from '../../src/probe/counts.ts';
import { ProbeTimes } from '../../src/runtime/probing/probe-times.ts';
import { Elsewhere } from '../../src/web/elsewhere.ts';
import { EventHub } from '../../src/web/events.ts';
import { VerdictSeries } from '../../src/web/series.ts';
import { VerdictMemory } from '../../src/web/verdict-memory.ts';
import { certificate } from '../support/certificates.ts';
import { ProbeSeries } from '../../src/web/probe-series.ts';
import { load } from '../support/configuration.ts';
import { ConsoleStage, MadeUpEngine } from '../support/console.ts';
import { tlsSummary } from '../support/verdict-event.ts';
import { LEAF, verdictRecord } from '../support/verdict-record.ts';

let stage: ConsoleStage;
let sockets: Socket[];
beforeEach(() => {
  stage = new ConsoleStage();
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await stage.close();
});

const nowMicros = () => Date.now() * 1000;
const denied = (flowId: number): Partial<VerdictEvent> => ({
  flowId,
  time: nowMicros(),
  action: 'tls-alert',
  reason: 'pin-mismatch',
  tls: tlsSummary({ certificates: [certificate('forged')] }),
});

/** What comes of the events, as text. */
function follow(): { readonly text: () => string; readonly socket: Socket } {
  const socket = connect(stage.port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  const head = ['GET /api/events HTTP/1.1', `Host: 127.0.0.1:${stage.port}`, `Cookie: ${stage.cookie}`];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  return { text: () => text, socket };
}

async function open(): Promise<void> {
  await stage.open();
  await stage.signIn();
}

async function following(): Promise<ReturnType<typeof follow>> {
  const before = stage.served.console.events.size;
  const stream = follow();
  await vi.waitFor(() => expect(stage.served.console.events.size).toBe(before + 1), WAITS);
  return stream;
}

const json = async <T>(path: string): Promise<T> => JSON.parse((await stage.get(path)).text) as T;
const WAITS = { timeout: 20_000 };

it('entries of a list are told a page at a time', async () => {
  const pins = Array.from({ length: 250 }, (_, i) => `sha256//${Buffer.alloc(32, i).toString('base64')}`);
  const { policy } = load({ version: 1, pinsets: [], lists: { accepted: { entries: pins } } });
  await stage.engine.stop();
  stage.engine = new MadeUpEngine(stage.socket, { policy: policy! });
  await open();
  const first = await json<ListEntries>('/api/list?list=accepted');
  expect(first).toMatchObject({ list: 'accepted', total: 250, next: 200 });
  const rest = await json<ListEntries>(`/api/list?list=accepted&after=${first.next}`);
  expect(rest.next).toBeNull();
  expect([...first.entries, ...rest.entries]).toEqual(policy!.lists[0]!.entries.map(({ canonical }) => canonical));
  expect(await stage.get('/api/list?list=acepted')).toMatchObject({
    status: 404,
    text: expect.stringContaining('did you mean') as string,
  });
  expect(await stage.get('/api/list?list=accepted&after=-1')).toMatchObject({ status: 400 });
});

describe('a certificate that changes', () => {
  it('is in the inbox, told to who looks, answered, and told again', async () => {
    await open();
    const { text } = await following();
    stage.engine.decide({ time: nowMicros(), tls: tlsSummary({ certificates: [certificate('leaf')] }) }, denied(7));
    await vi.waitFor(() => expect(text()).toMatch(/event: inbox\ndata: .*"state":"open"/), WAITS);
    const { entries } = await json<Inbox>('/api/inbox');
    expect(entries).toMatchObject([{ host: 'www.bank.example', state: 'open', count: 1, before: { leaf: {} } }]);
    const path = `/api/inbox/${entries[0]!.id}`;
    const dry = await stage.post(path, { answer: 'accept', dry_run: true });
    expect(JSON.parse(dry.text)).toMatchObject({ dry_run: true, accepted: { kind: 'list' }, entry: { state: 'open' } });
    const done = await stage.post(path, { answer: 'deny', comment: 'none of theirs' });
    expect(JSON.parse(done.text)).toMatchObject({ dry_run: false, entry: { state: 'denied' } });
    expect(stage.engine.asked).toMatchObject([{ dry_run: true }, { action: 'deny', comment: 'none of theirs' }]);
    await vi.waitFor(() => expect(text()).toMatch(/"counts":\{"open":0,"snoozed":0,"denied":1/), WAITS);
  });

  it('that was there before the console is in the inbox, and who answers elsewhere is heard of', async () => {
    stage.engine.decide(denied(7));
    await open();
    const { entries } = await json<Inbox>('/api/inbox');
    const [entry] = entries;
    stage.engine.tellRecord({
      event_type: 'answer',
      ...{ timestamp: '2027-01-01T00:00:00.000000+0000', host: 'gw' },
      answer: { answer: 'deny', entry: entry!.id, pinset: 'bank', server: entry!.host, key: entry!.key, by: 'SIGMUND' },
    });
    await vi.waitFor(async () => expect((await json<Overview>('/api/overview')).inbox.denied).toBe(1), WAITS);
  });
});

describe('ten thousand verdicts', () => {
  it('reach who reads, are counted and remembered, and can be looked through', async () => {
    await open();
    const { text } = await following();
    for (let i = 0; i < 10; i++) {
      stage.engine.decide(
        ...Array.from({ length: 1_000 }, (_, j) => ({ flowId: i * 1_000 + j + 1, time: nowMicros() })),
      );
      // As fast as they are taken: what is told to who does not read is another matter.
      await vi.waitFor(async () => {
        const { verdicts } = stage.served.console.verdicts({ limit: '1' });
        expect(verdicts[0]!.flow_id).toBe((i + 1) * 1_000);
      }, WAITS);
    }
    await vi.waitFor(() => expect(text().match(/"flow_id":/g)).toHaveLength(10_000), WAITS);
    const page = await json<Verdicts>('/api/verdicts?limit=2&who=www.bank.example');
    expect(page.remembered).toBe(10_000);
    const next = await json<Verdicts>(`/api/verdicts?limit=2&before=${page.next}`);
    expect([...page.verdicts, ...next.verdicts].map(({ flow_id: flow }) => flow)).toEqual([
      10_000, 9_999, 9_998, 9_997,
    ]);
    const { verdicts } = await json<Series>('/api/series');
    const { values } = verdicts.find(({ reason }) => reason === 'pin-match')!;
    expect(values.reduce((a, b) => a + b)).toBe(10_000);
    expect(stage.engine.subscriptions.counts).toEqual({ now: 1, dropped: 0 });
  });
});

describe('who does not read', () => {
  it('is let go and counted, and the others are told on', async () => {
    const hub = new EventHub({ browsers: 2, octets: 10_000 });
    const slow = hub.connect(() => true)!;
    const quick = hub.connect(() => true)!.getReader();
    expect(hub.connect(() => true)).toBeUndefined();
    for (let i = 0; i < 100; i++) {
      hub.tell('record', { text: 'x'.repeat(1_000), i });
      while (!new TextDecoder().decode((await quick.read()).value).includes(`"i":${i}}`));
    }
    expect([hub.size, hub.dropped]).toEqual([1, 1]);
    await slow.cancel();
    await quick.cancel();
    expect(hub.size).toBe(0);
  });

  it('holds up nobody, however much waits for it', async () => {
    await open();
    (await following()).socket.pause();
    const quick = await following();
    const { events } = stage.served.console;
    // As much as kernels keep for it, and then some.
    for (let i = 0; i < 200 && events.dropped === 0; i++) {
      events.tell('record', { text: 'x'.repeat(500_000), i });
      const end = () => quick.text().slice(-10_000);
      await vi.waitFor(() => expect(end()).toContain(`"i":${i}}`), { ...WAITS, interval: 5 });
    }
    expect([events.size, events.dropped]).toEqual([1, 1]);
  });

  it('and is not allowed to any more is told nothing more', async () => {
    const hub = new EventHub();
    let isAllowed = true;
    hub.connect(() => isAllowed);
    isAllowed = false;
    hub.tell('record', {});
    expect([hub.size, hub.dropped]).toEqual([0, 0]);
  });
});

describe('an engine', () => {
  it('that is gone is told of and waited for, and what was seen stays', async () => {
    stage.engine.decide(denied(7));
    await open();
    const { text } = await following();
    await stage.engine.stop();
    await vi.waitFor(() => expect(text()).toMatch(/event: engine\ndata: \{"state":"gone"/), WAITS);
    const gone = await json<Overview>('/api/overview');
    expect(gone).toMatchObject({ engine: { state: 'gone' }, health: { state: 'protected' }, inbox: { open: 1 } });
    expect((await stage.get('/api/flows/7')).status).toBe(503);
    stage.engine = new MadeUpEngine(stage.socket);
    await stage.engine.start();
    await vi.waitFor(() => expect(text()).toMatch(/event: engine\ndata: \{"state":"connected"/), WAITS);
    stage.engine.decide(denied(8));
    await vi.waitFor(() => expect(stage.served.console.inbox.entries[0]!.count).toBe(2), WAITS);
    expect((await stage.get('/api/flows/7')).status).toBe(404);
  });
});

describe('what is remembered', () => {
  it('is bounded in number and in octets, and a day old at the most', () => {
    const memory = new VerdictMemory({ verdicts: 3, octets: 1e9 });
    for (let second = 0; second < 5; second++) memory.add(verdictRecord({ second, flow: second }), 0);
    expect(memory.find({}).verdicts.map(({ flow_id: flow }) => flow)).toEqual([4, 3, 2]);
    memory.add(verdictRecord({ second: 86_403, flow: 9 }), 0);
    expect(memory.find({}).verdicts.map(({ flow_id: flow }) => flow)).toEqual([9, 4, 3]);
    memory.add(verdictRecord({ second: 86_404.5, flow: 10 }), 0);
    expect(memory.find({}).verdicts.map(({ flow_id: flow }) => flow)).toEqual([10, 9]);
    const small = new VerdictMemory({ verdicts: 100, octets: 6_000 });
    for (let flow = 0; flow < 5; flow++) small.add(verdictRecord({ flow }), 0);
    expect(small.find({}).remembered).toBe(2);
  });

  it('can be asked by who, action, reason and pinset', () => {
    const memory = new VerdictMemory();
    memory.add(verdictRecord({ flow: 1 }), 0);
    memory.add(verdictRecord({ flow: 2, action: 'tls-alert', reason: 'pin-mismatch', client: '10.1.0.9' }), 0);
    memory.add(
      verdictRecord({ flow: 3, would: 'reset', mode: 'report-only', reason: 'pin-mismatch', pinset: 'shop' }),
      0,
    );
    const flows = (query: object) => memory.find(query).verdicts.map(({ flow_id: flow }) => flow);
    expect(flows({ denied: 'true' })).toEqual([3, 2]);
    expect(flows({ who: '10.1.0.9' })).toEqual([2]);
    expect(flows({ who: '10.1.0.0/24', reason: 'pin-mismatch', action: 'accept' })).toEqual([3]);
    expect(flows({ pinset: 'bank', limit: '1' })).toEqual([2]);
    expect(() => flows({ before: 'x' })).toThrow('"x" is no whole number');
  });

  it('of each minute is how often and how long, for a day', () => {
    const series = new VerdictSeries();
    const start = Date.parse('2027-01-01T00:00:00Z');
    series.add(verdictRecord({ action: 'drop', reason: 'limit' }), start - 86_400_000);
    for (let i = 0; i < 1_000; i++) series.add(verdictRecord(), start);
    series.add(verdictRecord({ action: 'drop', reason: 'limit' }), start + 120_000);
    const { at, verdicts, held_us: held, took_us: took } = series.read(start + 120_000);
    expect(at).toEqual([0, 60, 120].map((second) => start / 1000 + second));
    expect(verdicts).toEqual([
      { action: 'accept', reason: 'pin-match', values: [1_000, 0, 0] },
      { action: 'drop', reason: 'limit', values: [0, 0, 1] },
    ]);
    expect([held.p50, took.p95]).toEqual([
      [0, null, 0],
      [null, null, null],
    ]);
  });
});

describe('a server that is asked by a click', () => {
  it('is asked where clients went, compared with what they were shown, and not again and again', async () => {
    stage.engine.decide(denied(7));
    const asked: unknown[] = [];
    const shown = (key: string | null) => ({ address: '198.51.100.7', port: 443, key, subject: null, issuer: null });
    stage.askServer = async (...of) => {
      asked.push(of);
      const [{ key }] = stage.served.console.inbox.entries as unknown as [{ key: string }];
      return { shown: [shown(key), shown('spki-sha256:other'), shown(null)], failures: [] };
    };
    await open();
    const [entry] = (await json<Inbox>('/api/inbox')).entries;
    const path = `/api/inbox/${entry!.id}/audit`;
    const audited = JSON.parse((await stage.post(path, {})).text) as Audited;
    expect(audited.shown.map(({ is }) => is)).toEqual(['new', 'other', 'other']);
    expect(asked).toEqual([['www.bank.example', 443, ['198.51.100.7']]]);
    expect((await stage.post(path, {})).status).toBe(429);
    expect((await stage.post('/api/inbox/ffffffffffff/audit', {})).status).toBe(404);
    expect(asked).toHaveLength(1);
  });
});

describe('what other gateways see', () => {
  const seen = (gateway: string, key: string) => ({
    gateway,
    key,
    passed: 1,
    denied: 0,
    last: '2027-01-01T00:00:00.000Z',
  });

  it('stands beside what the server shows, compared with the entry', async () => {
    stage.engine.decide({ time: nowMicros(), tls: tlsSummary({ certificates: [certificate('leaf')] }) }, denied(7));
    stage.askFleet = async (host) => {
      expect(host).toBe('www.bank.example');
      const [{ key, before }] = stage.served.console.inbox.entries as unknown as [InboxEntry];
      const old = `spki-sha256:${before!.leaf.spki_sha256}`;
      return [seen('berlin', key), seen('paris', old), seen('rome', 'spki-sha256:other')];
    };
    await open();
    const [entry] = (await json<Inbox>('/api/inbox')).entries;
    const audited = JSON.parse((await stage.post(`/api/inbox/${entry!.id}/audit`, {})).text) as Audited;
    expect(audited.gateways?.map(({ gateway, is }) => `${gateway} ${is}`)).toEqual([
      'berlin new',
      'paris before',
      'rome other',
    ]);
  });

  it('is nothing where the fleet does not answer, and the server is asked all the same', async () => {
    stage.engine.decide(denied(7));
    stage.askFleet = () => Promise.reject(new Error('no server of the fleet can be reached'));
    stage.askServer = async () => ({ shown: [], failures: [{ address: '198.51.100.7', sentence: 'nobody answers' }] });
    await open();
    const [entry] = (await json<Inbox>('/api/inbox')).entries;
    const audited = JSON.parse((await stage.post(`/api/inbox/${entry!.id}/audit`, {})).text) as Audited;
    expect(audited).toMatchObject({ gateways: null, failures: [{}, { address: 'the fleet' }] });
  });

  it('is counted by gateway and key, of that host alone, and of others alone; the oldest go', () => {
    const elsewhere = new Elsewhere('www.bank.example', 'here', 2);
    const leaf = (key: string) => ({ ...LEAF, spki_sha256: key });
    elsewhere.take(verdictRecord({ leaf: leaf('gone=') }), 'berlin');
    elsewhere.take(verdictRecord({ leaf: leaf('old=') }), 'berlin');
    elsewhere.take(verdictRecord({ leaf: leaf('new='), action: 'tls-alert', reason: 'pin-mismatch' }), 'paris');
    elsewhere.take(verdictRecord({ leaf: leaf('new='), second: 5 }), 'paris');
    elsewhere.take(verdictRecord({ leaf: leaf('new=') }), 'here');
    elsewhere.take(verdictRecord({ leaf: leaf('new='), sni: 'other.example' }), 'berlin');
    elsewhere.take(verdictRecord({ leaf: null }), 'berlin');
    expect(elsewhere.seen).toEqual([
      { ...seen('paris', 'spki-sha256:new='), passed: 1, denied: 1, last: '2027-01-01T00:00:05.000Z' },
      seen('berlin', 'spki-sha256:old='),
    ]);
  });
});

describe('probes of the last day', () => {
  it('are what an engine counted between two looks, also of one that was started anew', () => {
    const series = new ProbeSeries();
    const times = new ProbeTimes();
    const look = (pid: number, asked: number, failed: number, at: number) =>
      series.take({ pid, probes: { ...noCounts(), asked, failed }, probe_times: times.answer }, at);
    times.take(900);
    look(1, 10, 2, 0);
    for (let i = 0; i < 18; i++) times.take(4);
    times.take(90);
    times.take(90);
    look(1, 30, 3, 1_000);
    look(2, 5, 1, 60_000);
    const minutes = series.read([0, 60]);
    expect([minutes.asked, minutes.failed]).toEqual([
      [20, 5],
      [1, 1],
    ]);
    expect([minutes.p50_ms[0], minutes.p95_ms[0]]).toEqual([5, 100]);
  });
});

describe('a fleet', () => {
  it('is nothing where none is configured, and asked for once however many look', async () => {
    await open();
    expect((await stage.get('/api/fleet')).status).toBe(404);
    expect(JSON.parse((await stage.get('/api/session')).text)).toMatchObject({ has_fleet: false });
    await stage.close();
    stage = new ConsoleStage();
    let asked = 0;
    stage.fleet = async () => {
      if (asked++ > 0) throw new Error('asked again');
      return { name: 'office', latest: null, gateways: [], history: [] };
    };
    await open();
    expect(JSON.parse((await stage.get('/api/fleet')).text)).toMatchObject({ name: 'office' });
    expect((await stage.get('/api/fleet')).status).toBe(200);
  });
});
