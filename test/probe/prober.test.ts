import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { ProbeAnswer, ProbeRequest } from '../../src/judge/ports.ts';
import type { ProbePolicy } from '../../src/pins/policy.ts';
import { PROBE_DEFAULTS } from '../../src/pins/probe.ts';
import type { ConnectionOptions } from '../../src/probe/connection.ts';
import type { HandshakeOutcome } from '../../src/probe/handshake.ts';
import { Origins, type Streams } from '../../src/probe/origin.ts';
import { MirrorProber, type MirrorProberOptions } from '../../src/probe/prober.ts';
import type { ServedSince } from '../../src/probe/served.ts';
import { clientHelloMessage, extension } from '../support/tls-bytes.ts';

/** Whoever carries conversations opens none. */
const NO_STREAMS: Streams = { streamFrom: () => -1, forgetStream: () => 0, sayBehindAck: () => 0 };
const limits = { handshakeBytes: 65_536, records: 256, certificates: 16 };
const CHAIN = [Uint8Array.of(1, 2, 3)];
const OTHER = [Uint8Array.of(4, 5, 6)];

/** A connection that was begun and that a test ends. */
type Begun = ConnectionOptions<HandshakeOutcome> & { isStopped: boolean };

let now: number;
let random: number;
let begun: Begun[];

beforeEach(() => {
  now = 1_000_000;
  random = 0.99;
  begun = [];
});

function newProber(options: Partial<MirrorProberOptions> = {}): MirrorProber {
  return new MirrorProber({
    limits,
    now: () => now,
    random: () => random,
    converse: (connection) => {
      const each = { ...connection, isStopped: false } as unknown as Begun;
      begun.push(each);
      return () => {
        each.isStopped = true;
        each.done({ kind: 'failed', reason: 'stopped', detail: '' });
      };
    },
    ...options,
  });
}

interface Ask {
  readonly name?: string;
  readonly server?: readonly number[];
  readonly client?: readonly number[];
  readonly port?: number;
  readonly starttls?: string;
  readonly recordVersion?: number;
  readonly patience?: number;
  readonly tunnels?: ProbeRequest['tunnels'];
  /** Types of empty ones, ahead of the others. */
  readonly extensions?: readonly number[];
}

function requestOf({
  name = 'a.example',
  server = [192, 0, 2, 1],
  client = [10, 0, 0, 1],
  port = 443,
  starttls,
  recordVersion = 0x0301,
  patience = 0,
  tunnels = [],
  extensions = [0x1234, 0x2345],
}: Ask): ProbeRequest {
  return {
    server: { address: Uint8Array.from(server), port },
    client: { address: Uint8Array.from(client), port: 40_000 },
    clientHello: clientHelloMessage({
      name,
      supportedVersions: [0x0304],
      extensions: extensions.map((type) => extension(type, Buffer.alloc(0))),
    }).subarray(4),
    recordVersion,
    starttls: starttls ?? null,
    patience,
    tunnels,
  };
}

/** Asks; the answers gather in what is returned. */
function ask(prober: MirrorProber, options: Ask = {}): ProbeAnswer[] {
  const answers: ProbeAnswer[] = [];
  prober.probe(requestOf(options), (answer) => answers.push(answer));
  return answers;
}

const shown = (chain = CHAIN, proven = true): HandshakeOutcome => ({
  kind: 'certificates',
  chain,
  isRawPublicKey: false,
  version: 0x0304,
  proven,
});
const timeout: HandshakeOutcome = { kind: 'failed', reason: 'timeout', detail: 'connect' };
const refused: HandshakeOutcome = { kind: 'failed', reason: 'alert', detail: '40' };
const seconds = (count: number) => void (now += count * 1000);

describe('what a server shows', () => {
  it('is answered, and for a minute from memory', () => {
    const prober = newProber();
    const first = ask(prober);
    begun[0]!.done(shown());
    expect(first).toEqual([{ ...shown(), alternatives: [], fromCache: false }]);
    seconds(59);
    expect(ask(prober)).toEqual([{ ...shown(), alternatives: [], fromCache: true }]);
    seconds(1);
    expect(ask(prober)).toEqual([]);
    expect(begun).toHaveLength(2);
  });

  it('is asked once by all who ask at the same time', () => {
    const prober = newProber();
    const answers = [1, 2, 3].map((last) => ask(prober, { client: [10, 0, 0, last] }));
    expect(begun).toHaveLength(1);
    begun[0]!.done(shown());
    for (const each of answers) expect(each).toEqual([{ ...shown(), alternatives: [], fromCache: false }]);
    expect(prober.counts).toMatchObject({ asked: 3, joined: 2, connections: 1 });
  });

  it('is on its way, for all who wait, once the server has the connection; to who knows it already nothing is', () => {
    const prober = newProber();
    const told: string[] = [];
    const asks = (who: string) =>
      prober.probe(
        requestOf({}),
        () => told.push(`${who} done`),
        () => told.push(`${who} connected`),
      );
    asks('a');
    asks('b');
    expect(told).toEqual([]);
    begun[0]!.connected!();
    expect(told.splice(0)).toEqual(['a connected', 'b connected']);
    asks('c');
    expect(told.splice(0)).toEqual(['c connected']);
    begun[0]!.done(shown());
    expect(told.splice(0)).toEqual(['a done', 'b done', 'c done']);
    asks('d');
    expect(told).toEqual(['d done']);
  });

  it.each<[string, Ask]>([
    ['name', { name: 'b.example' }],
    ['address', { server: [192, 0, 2, 2] }],
    ['port', { port: 8443 }],
    ['protocol ahead of TLS', { starttls: 'smtp' }],
    [
      'host asked of a proxy',
      { starttls: 'http-connect', tunnels: [{ protocol: 'http-connect', request: Buffer.from('CONNECT x:1') }] },
    ],
  ])('is asked again for another %s', (_, other) => {
    const prober = newProber();
    ask(prober);
    begun[0]!.done(shown());
    expect(ask(prober, other)).toEqual([]);
    expect(begun).toHaveLength(2);
  });

  it('is remembered where it fails, for half as long', () => {
    const prober = newProber();
    ask(prober);
    begun[0]!.done(refused);
    seconds(29);
    expect(ask(prober)).toEqual([{ ...refused, fromCache: true }]);
    seconds(1);
    expect(ask(prober)).toEqual([]);
  });

  it.each([timeout, { ...timeout, reason: 'closed' }, { ...timeout, reason: 'unreachable', detail: 'ECONNREFUSED' }])(
    'is not remembered where it may have had no room: %o',
    (outcome) => {
      const prober = newProber();
      ask(prober);
      begun[0]!.done(outcome as HandshakeOutcome);
      expect(ask(prober)).toEqual([]);
      expect(begun).toHaveLength(2);
    },
  );

  it('to hellos that differ in the order of extensions is one, but where it fails', () => {
    const prober = newProber();
    const turned = { extensions: [0x2345, 0x1234] };
    const first = ask(prober);
    const second = ask(prober, turned);
    expect(begun).toHaveLength(1);
    begun[0]!.done(refused);
    expect(first).toMatchObject([refused]);
    expect(second).toEqual([]);
    begun[1]!.done(shown());
    expect(second).toMatchObject([shown()]);
    expect(ask(prober, turned)).toMatchObject([{ ...shown(), fromCache: true }]);
    expect(ask(prober)).toMatchObject([{ ...shown(), fromCache: true }]);
  });

  it('to hellos that differ in whatever else a probe sends is another', () => {
    const prober = newProber();
    for (const each of [{}, { recordVersion: 0x0303 }, { extensions: [0x1234] }]) ask(prober, each);
    expect(begun).toHaveLength(3);
  });
});

describe('what a server shows again and again', () => {
  /** Asks, and answers what is asked on the wire; whether there was something to answer. */
  const isAsked = (prober: MirrorProber, chain = CHAIN): boolean => {
    const before = begun.length;
    ask(prober);
    if (begun.length > before) begun.at(-1)!.done(shown(chain));
    return begun.length > before;
  };

  it('stands twice as long each time, up to eight times, and is asked anew behind an answer from memory', () => {
    const prober = newProber();
    isAsked(prober);
    seconds(60);
    expect(isAsked(prober)).toBe(true);
    for (const stands of [120, 240, 480, 480]) {
      seconds(stands - 1);
      expect(isAsked(prober)).toBe(false);
      seconds(1);
      const before = begun.length;
      expect(ask(prober)).toMatchObject([{ fromCache: true }]);
      expect(begun).toHaveLength(before + 1);
      begun.at(-1)!.done(shown());
    }
  });

  it('is told from memory for one lifetime more at the most, whether it can be asked or not', () => {
    const prober = newProber();
    isAsked(prober);
    seconds(60);
    isAsked(prober);
    seconds(120 + 59);
    expect(ask(prober)).toMatchObject([{ fromCache: true }]);
    begun.at(-1)!.done(timeout);
    seconds(1);
    expect(ask(prober)).toEqual([]);
  });

  it('begins anew when it shows another', () => {
    const prober = newProber();
    isAsked(prober);
    seconds(60);
    isAsked(prober);
    seconds(120);
    ask(prober);
    begun.at(-1)!.done(shown(OTHER));
    // What was shown before is older than a minute: it counts no more.
    expect(ask(prober)).toEqual([{ ...shown(OTHER), alternatives: [], fromCache: true }]);
    expect(prober.counts.inconsistent).toBe(1);
    seconds(60);
    expect(isAsked(prober)).toBe(true);
  });

  it('is not confirmed by whoever asks more often', () => {
    vi.useFakeTimers();
    random = 0;
    const prober = newProber();
    isAsked(prober);
    for (let i = 0; i < 5; i++) {
      ask(prober);
      vi.advanceTimersByTime(0);
      begun.at(-1)!.done(shown());
    }
    vi.useRealTimers();
    random = 0.99;
    seconds(60);
    expect(ask(prober)).toEqual([]);
  });
});

describe('clients', () => {
  it('share the places and the line: one with any number of questions leaves room for the first of another', () => {
    const prober = newProber({ perClient: 1000 });
    for (let i = 0; i < 400; i++) ask(prober, { server: [192, 0, 3, i & 255], port: 1000 + i });
    expect(begun).toHaveLength(17);
    ask(prober, { client: [10, 0, 0, 2] });
    expect(begun).toHaveLength(18);
    expect(begun.at(-1)!.server.port).toBe(443);
    prober.close();
  });

  it('of one /64 are one', () => {
    const prober = newProber({ perClient: 1000 });
    const client = (host: number) => [0xfd, ...Array(13).fill(0), host >> 8, host & 255];
    for (let i = 0; i < 100; i++) ask(prober, { server: [192, 0, 3, i], client: client(i) });
    expect(begun).toHaveLength(17);
    prober.close();
  });

  it('are each shown what comes by their own way where nothing may leave with another address', () => {
    const strict = newProber({ source: 'client', origins: new Origins({ streams: NO_STREAMS }) });
    strict.onWays({ returning: new Set(['ipv4']), queued: new Set(), bridged: new Set() });
    const asks = (prober: MirrorProber) => [1, 2].map((last) => ask(prober, { client: [10, 0, 0, last] }));
    const [first, second] = asks(strict);
    expect(begun).toHaveLength(2);
    begun[0]!.done(shown());
    begun[1]!.done(shown(OTHER));
    expect([first, second]).toMatchObject([[{ chain: CHAIN }], [{ chain: OTHER }]]);
    expect(asks(strict)).toMatchObject([[{ chain: CHAIN, fromCache: true }], [{ chain: OTHER, fromCache: true }]]);
    // Another configuration may say otherwise.
    strict.configure({ ...PROBE_DEFAULTS, source: 'gateway' }, limits);
    expect(asks(strict)).toEqual([[], []]);
    expect(begun).toHaveLength(3);
  });

  it('that wait for what another one asks wait in their own line', () => {
    const prober = newProber({ atOnce: 1 });
    for (let i = 0; i < 10; i++) ask(prober, { server: [192, 0, 3, i] });
    const answers = ask(prober, { server: [192, 0, 3, 9], client: [10, 0, 0, 2] });
    begun[0]!.done(shown());
    begun[1]!.done(shown());
    expect(begun[2]!.server.address[3]).toBe(9);
    begun[2]!.done(shown());
    expect(answers).toMatchObject([{ kind: 'certificates' }]);
    prober.close();
  });
});

describe('probes that disagree', () => {
  function disagree(prober: MirrorProber, before: HandshakeOutcome, after: HandshakeOutcome): ProbeAnswer[] {
    ask(prober);
    begun.at(-1)!.done(before);
    random = 0;
    vi.useFakeTimers();
    ask(prober); // from memory, with a probe behind it
    vi.advanceTimersByTime(0);
    vi.useRealTimers();
    begun.at(-1)!.done(after);
    random = 0.99;
    return ask(prober);
  }

  it('are all told', () => {
    const seen: ProbeRequest[] = [];
    const prober = newProber({ onInconsistent: (request) => seen.push(request) });
    const alternatives = [{ chain: CHAIN, isRawPublicKey: false, proven: true }];
    expect(disagree(prober, shown(CHAIN), shown(OTHER))).toEqual([{ ...shown(OTHER), alternatives, fromCache: true }]);
    expect(begun).toHaveLength(2);
    expect(prober.counts.inconsistent).toBe(1);
    expect(seen).toHaveLength(1);
  });

  it('tell who was served in between, by whoever answered for the prober too', () => {
    const seen: ServedSince[] = [];
    const prober = newProber({ onInconsistent: (_, __, served) => seen.push(served) });
    ask(prober);
    begun[0]!.done(shown(CHAIN));
    ask(prober, { client: [10, 0, 0, 2] });
    prober.onSpokenFor(requestOf({ client: [10, 0, 0, 3] }), 5);
    disagree(prober, shown(CHAIN), shown(OTHER));
    const addresses = ({ clients }: ServedSince) => clients.map(({ address }) => address[3]);
    expect(seen.map((each) => [addresses(each), each.others])).toEqual([[[2, 3, 1, 1], 4]]);
  });

  it('disagree also by a proof', () => {
    const prober = newProber();
    const [answer] = disagree(prober, shown(CHAIN, true), shown(CHAIN, false));
    expect(answer).toMatchObject({ proven: false, alternatives: [{ proven: true }] });
  });

  it('do not disagree by a failure: what was shown stands', () => {
    const prober = newProber();
    expect(disagree(prober, shown(), timeout)).toEqual([{ ...shown(), alternatives: [], fromCache: true }]);
  });

  it('are told for a minute each', () => {
    const prober = newProber();
    disagree(prober, shown(CHAIN), shown(OTHER));
    seconds(60);
    ask(prober);
    begun.at(-1)!.done(shown(OTHER));
    expect(ask(prober)).toEqual([{ ...shown(OTHER), alternatives: [], fromCache: true }]);
  });

  it('are looked for as often where others spoke for it', () => {
    vi.useFakeTimers();
    const prober = newProber({ recheck: 0.02, random: Math.random, perDestination: 1e6, perClient: 1e6 });
    ask(prober);
    begun[0]!.done(shown());
    let ended = 1;
    for (let i = 0; i < 1000; i++) {
      prober.onSpokenFor(requestOf({}), 20);
      vi.advanceTimersByTime(2000);
      while (ended < begun.length) begun[ended++]!.done(shown());
    }
    vi.useRealTimers();
    // 1 - 0.98 ** 20 is 0.33.
    expect(prober.counts.connections).toBeGreaterThan(230);
    expect(prober.counts.connections).toBeLessThan(430);
    expect(prober.counts).toMatchObject({ asked: 20_001, cached: 20_000 });
  });

  it('are looked for once a client’s system begins its ports anew, where a probe is to be taken for its own', () => {
    vi.useFakeTimers();
    const prober = newProber({ recheck: 1, random: () => 0.5, source: 'auto' });
    ask(prober);
    begun[0]!.done(shown());
    ask(prober);
    vi.advanceTimersByTime(14_999);
    expect(prober.counts.rechecks).toBe(0);
    vi.advanceTimersByTime(1);
    expect(prober.counts.rechecks).toBe(1);
    prober.close();
    vi.useRealTimers();
  });

  it('are looked for by a share of the answers from memory', () => {
    vi.useFakeTimers();
    const prober = newProber({ recheck: 0.25, random: Math.random, perDestination: 1e6, perClient: 1e6 });
    ask(prober);
    begun[0]!.done(shown());
    let ended = 1;
    for (let i = 0; i < 2000; i++) {
      ask(prober);
      vi.advanceTimersByTime(2000);
      while (ended < begun.length) begun[ended++]!.done(shown());
    }
    vi.useRealTimers();
    expect(prober.counts.connections).toBeGreaterThan(400);
    expect(prober.counts.connections).toBeLessThan(600);
  });
});

describe('limits', () => {
  it('leave half of what they allow to those who wait', () => {
    vi.useFakeTimers();
    random = 0;
    const prober = newProber({ perDestination: 6 });
    ask(prober);
    begun[0]!.done(shown());
    for (let i = 0; i < 20; i++) {
      ask(prober);
      vi.advanceTimersByTime(0);
      begun.at(-1)!.done(shown(CHAIN, false)); // counts as one
    }
    vi.useRealTimers();
    expect(begun).toHaveLength(3);
    for (let i = 0; i < 4; i++) expect(ask(prober, { name: `${i}.example`, client: [10, 0, 1, i] })).toEqual([]);
    expect(ask(prober, { name: 'x.example', client: [10, 0, 1, 9] })).toMatchObject([{ reason: 'limited' }]);
  });

  const limited = (detail: string) => [{ kind: 'failed', reason: 'limited', detail, fromCache: false }];

  it('of a destination: 120 a minute', () => {
    const prober = newProber({ atOnce: 1000 });
    for (let i = 0; i < 120; i++) expect(ask(prober, { name: `${i}.example`, client: [10, 0, 1, i] })).toEqual([]);
    expect(ask(prober, { name: 'x.example' })).toEqual(limited('192.0.2.1:443'));
    expect(ask(prober, { name: 'x.example', port: 8443 })).toEqual([]);
    seconds(60);
    expect(ask(prober, { name: 'x.example' })).toEqual([]);
    expect(prober.counts).toMatchObject({ failed: 1, failures: { limited: 1 }, connections: 122 });
  });

  it('of a client: sixty a minute', () => {
    const prober = newProber({ atOnce: 1000 });
    for (let i = 0; i < 60; i++) expect(ask(prober, { server: [192, 0, 2, i] })).toEqual([]);
    expect(ask(prober, { server: [192, 0, 2, 100] })).toMatchObject([{ reason: 'limited' }]);
    expect(ask(prober, { server: [192, 0, 2, 100], client: [10, 0, 0, 2] })).toEqual([]);
  });

  it('at once: others wait for a place, and longest for their own deadline', () => {
    vi.useFakeTimers();
    const prober = newProber({ atOnce: 2, perDestination: 100 });
    const answers = [1, 2, 3, 4].map((i) => ask(prober, { server: [192, 0, 2, i] }));
    expect(begun.map(({ server }) => server.address[3])).toEqual([1, 2]);
    expect(begun).toHaveLength(2);
    begun[0]!.done(shown());
    expect(begun).toHaveLength(3);
    expect(begun[2]!.server.address[3]).toBe(3);
    vi.advanceTimersByTime(3000);
    expect(answers[3]).toEqual([{ kind: 'failed', reason: 'timeout', detail: 'waiting', fromCache: false }]);
    begun[1]!.done(shown());
    expect(begun).toHaveLength(3);
    vi.useRealTimers();
  });

  it('of those that wait for one answer', () => {
    const prober = newProber({ unanswered: 3 });
    const answers = [1, 2, 3].map((last) => ask(prober, { client: [10, 0, 0, last] }));
    expect(ask(prober)).toEqual(limited('unanswered'));
    expect(ask(prober, { name: 'b.example' })).toEqual(limited('unanswered'));
    begun[0]!.done(shown());
    for (const each of answers) expect(each).toMatchObject([{ kind: 'certificates' }]);
    expect(ask(prober, { name: 'b.example' })).toEqual([]);
  });

  it('of their octets: a long question counts as several', () => {
    const prober = newProber({ unanswered: 12 });
    const longRequest = Buffer.alloc(14_000);
    const long = { starttls: 'smtp', tunnels: [{ protocol: 'http-connect', request: longRequest } as const] };
    const answer = ask(prober, long);
    const others = [2, 3].map((last) => ask(prober, { ...long, client: [10, 0, 0, last] }));
    expect(ask(prober, { client: [10, 0, 0, 4] })).toEqual(limited('unanswered'));
    begun[0]!.done(shown());
    for (const each of [answer, ...others]) expect(each).toMatchObject([{ kind: 'certificates' }]);
    expect(ask(prober, { client: [10, 0, 0, 4] })).toEqual([]);
  });

  it('hold in a storm: so many connections, so many that wait, and an answer for everybody in time', () => {
    vi.useFakeTimers();
    const prober = newProber();
    const answers = [...Array(1000).keys()].map((i) =>
      ask(prober, { server: [192, 0, i >> 8, i & 0xff], client: [10, 0, i >> 8, i & 0xff] }),
    );
    expect(begun).toHaveLength(32);
    expect(answers.filter((each) => each.length > 0)).toHaveLength(1000 - 32 - 256);
    vi.advanceTimersByTime(3000);
    for (const each of begun) each.done(timeout);
    vi.useRealTimers();
    expect(answers.every((each) => each.length === 1)).toBe(true);
    expect(begun).toHaveLength(32);
    expect(prober.counts).toMatchObject({
      asked: 1000,
      connections: 32,
      failed: 1000,
      failures: { limited: 1000 - 32 - 256, timeout: 256 + 32, stopped: 0 },
    });
  });

  it('of those that wait', () => {
    const prober = newProber({ atOnce: 1, waiting: 2 });
    for (let i = 0; i < 3; i++) expect(ask(prober, { server: [192, 0, 2, i] })).toEqual([]);
    expect(ask(prober, { server: [192, 0, 2, 9] })).toEqual(limited('waiting'));
    prober.close();
  });

  it('are not remembered as the server’s', () => {
    const prober = newProber({ perDestination: 1 });
    ask(prober, { name: 'b.example' });
    expect(ask(prober)).toEqual(limited('192.0.2.1:443'));
    seconds(60);
    expect(ask(prober)).toEqual([]);
  });

  it('are longer by what the client waited for the server’s first word', () => {
    const prober = newProber({ atOnce: 1 });
    ask(prober, { patience: 6_000, starttls: 'smtp' });
    expect(begun.map(({ timeout: left }) => left)).toEqual([8_700]);
    prober.close();
  });

  it('leave a connection what is left of the question’s time', () => {
    const prober = newProber({ atOnce: 1 });
    ask(prober, { server: [192, 0, 2, 1] });
    ask(prober, { server: [192, 0, 2, 2] });
    seconds(1);
    begun[0]!.done(shown());
    expect(begun.map(({ timeout: left }) => left)).toEqual([2700, 1700]);
    prober.close();
  });
});

describe('a group that cannot be done', () => {
  it('is left out of a further connection, within the same time', () => {
    const prober = newProber();
    const answers = ask(prober);
    seconds(1);
    begun[0]!.done({ kind: 'unusable-group', group: 29 });
    expect(answers).toEqual([]);
    expect(begun.map(({ timeout: left }) => left)).toEqual([2700, 1700]);
    const hello = Buffer.from(begun[1]!.conversation.start());
    expect(hello.includes(Buffer.from('000a000400020017', 'hex'))).toBe(true);
    begun[1]!.done(shown());
    expect(answers).toMatchObject([{ kind: 'certificates' }]);
  });

  it('is left out with all the others, so that no server makes more than one further connection', () => {
    const prober = newProber();
    const answers = ask(prober);
    begun[0]!.done({ kind: 'unusable-group', group: 29 });
    begun[1]!.done({ kind: 'unusable-group', group: 23 });
    expect(begun).toHaveLength(2);
    expect(answers).toMatchObject([{ kind: 'failed', reason: 'unsupported', detail: 'group' }]);
  });
});

describe('another configuration', () => {
  const configure = (prober: MirrorProber, policy: Partial<ProbePolicy>) =>
    prober.configure({ ...PROBE_DEFAULTS, ...policy }, limits);

  it('leaves what is under way, and what is remembered', () => {
    const prober = newProber();
    const waiting = ask(prober);
    ask(prober, { name: 'b.example' });
    begun[1]!.done(shown());
    configure(prober, { timeout: 100 });
    expect(begun.map(({ isStopped }) => isStopped)).toEqual([false, false]);
    begun[0]!.done(shown());
    expect(waiting).toMatchObject([{ kind: 'certificates' }]);
    expect(ask(prober, { name: 'b.example' })).toMatchObject([{ fromCache: true }]);
    ask(prober, { name: 'c.example' });
    expect(begun[2]!.timeout).toBe(100);
  });

  it('makes room for those that wait', () => {
    const prober = newProber({ atOnce: 1 });
    for (const last of [1, 2, 3, 4]) ask(prober, { server: [192, 0, 2, last], client: [10, 0, 0, last] });
    expect(begun).toHaveLength(1);
    configure(prober, { atOnce: 3 });
    expect(begun).toHaveLength(3);
    configure(prober, { atOnce: 1 });
    begun[0]!.done(shown());
    begun[1]!.done(shown());
    expect(begun).toHaveLength(3);
    begun[2]!.done(shown());
    expect(begun).toHaveLength(4);
  });

  it('judges what was counted and remembered by its own numbers', () => {
    const prober = newProber();
    ask(prober);
    begun[0]!.done(shown());
    ask(prober, { name: 'c.example' });
    configure(prober, { perDestination: 1, ttl: 5_000 });
    expect(ask(prober, { name: 'b.example' })).toMatchObject([{ reason: 'limited' }]);
    configure(prober, { perDestination: 4, ttl: 5_000 });
    expect(ask(prober, { name: 'b.example' })).toEqual([]);
    seconds(5);
    expect(ask(prober)).not.toMatchObject([{ fromCache: true }]);
  });

  it('marks further connections as it says', () => {
    const mark = { value: 1, set: () => 0 };
    const prober = newProber({ mark });
    ask(prober);
    configure(prober, { mark: 8 });
    ask(prober, { name: 'b.example' });
    expect(begun.map((each) => each.mark?.value)).toEqual([1, 8]);
    expect(begun[1]!.mark!.set).toBe(mark.set);
    configure(prober, { allowLocal: true });
    expect(ask(prober, { server: [127, 0, 0, 1] })).toEqual([]);
  });

  it('of a prober without marks makes none', () => {
    const prober = newProber();
    configure(prober, { mark: 8 });
    ask(prober);
    expect(begun[0]!.mark).toBeUndefined();
  });
});

describe('what is not asked', () => {
  it.each<[string, number[]]>([
    ['loopback', [127, 0, 0, 1]],
    ['link-local', [169, 254, 1, 1]],
    ['this host', [0, 0, 0, 0]],
    ['multicast', [224, 0, 0, 1]],
    ['broadcast', [255, 255, 255, 255]],
    ['loopback of IPv6', [...Array(15).fill(0), 1]],
    ['this host in IPv6', Array(16).fill(0)],
    ['link-local of IPv6', [0xfe, 0x80, ...Array(13).fill(0), 1]],
    ['multicast of IPv6', [0xff, 0x02, ...Array(13).fill(0), 1]],
    ['loopback in IPv6', [...Array(10).fill(0), 0xff, 0xff, 127, 0, 0, 1]],
  ])('%s', (_, server) => {
    expect(ask(newProber(), { server })).toMatchObject([{ kind: 'failed', reason: 'forbidden' }]);
    expect(begun).toHaveLength(0);
  });

  it.each<[string, number[]]>([
    ['a private address', [10, 1, 2, 3]],
    ['a unique local one', [0xfd, ...Array(15).fill(1)]],
    ['a global one', [0x20, 0x01, 0x0d, 0xb8, ...Array(12).fill(1)]],
  ])('but %s is', (_, server) => {
    expect(ask(newProber(), { server })).toEqual([]);
    expect(begun).toHaveLength(1);
  });

  it('and loopback where it is allowed', () => {
    ask(newProber({ allowLocal: true }), { server: [127, 0, 0, 1] });
    expect(begun).toHaveLength(1);
  });

  it('a tunnel', () => {
    expect(ask(newProber(), { starttls: 'socks' })).toMatchObject([{ reason: 'unsupported', detail: 'socks' }]);
    expect(begun).toHaveLength(0);
  });

  it('a hello that cannot be read', () => {
    const answers: ProbeAnswer[] = [];
    newProber().probe({ ...requestOf({}), clientHello: Buffer.alloc(20) }, (answer) => answers.push(answer));
    expect(answers).toMatchObject([{ reason: 'unsupported', detail: 'tls.client-hello.syntax' }]);
  });
});

it('closed, it answers every question and takes no more', () => {
  const prober = newProber({ atOnce: 1 });
  const answers = [1, 2].map((i) => ask(prober, { server: [192, 0, 2, i] }));
  prober.close();
  for (const each of answers) expect(each).toMatchObject([{ kind: 'failed', reason: 'stopped' }]);
  expect(begun.map(({ isStopped }) => isStopped)).toEqual([true]);
  expect(ask(prober)).toMatchObject([{ reason: 'stopped' }]);
});

describe('decoys', () => {
  const settings = { decoys: 2, source: 'client' } as const;
  const streams = { ...NO_STREAMS, streamFrom: () => 7 };
  const withDecoys = (options: Partial<MirrorProberOptions> = {}) => {
    const prober = newProber({ origins: new Origins({ streams }), ...settings, ...options });
    prober.onWays({ returning: new Set(['ipv4']), queued: new Set(), bridged: new Set() });
    return prober;
  };
  /** Whether the client's SYN has left, once all have begun. */
  const accompany = (prober: MirrorProber, options: Ask = {}): boolean => {
    const before = begun.length;
    let hasGone = false;
    prober.accompany(requestOf(options), () => (hasGone = true));
    vi.advanceTimersByTime(50);
    for (const { turn } of begun.slice(before)) turn?.(() => {});
    return hasGone;
  };

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('ask what their client asks, and no probe is begun besides', () => {
    const prober = withDecoys();
    expect(accompany(prober)).toBe(true);
    expect(begun).toHaveLength(2);
    const answers = ask(prober);
    expect(begun).toHaveLength(2);
    begun[0]!.done(shown());
    expect(answers).toEqual([]);
    begun[1]!.done(shown());
    expect(answers).toEqual([{ ...shown(), alternatives: [], fromCache: false }]);
    expect(prober.counts).toMatchObject({ connections: 2, asClient: 2, decoys: 2, inconsistent: 0 });
  });

  it('of which one is shown another chain are told of, with both', () => {
    const seen: unknown[] = [];
    const prober = withDecoys({ onInconsistent: (_, chains) => seen.push(chains) });
    accompany(prober);
    const answers = ask(prober);
    begun[0]!.done(shown(CHAIN));
    begun[1]!.done(shown(OTHER));
    expect(answers).toMatchObject([{ chain: OTHER, alternatives: [{ chain: CHAIN }] }]);
    expect(seen).toEqual([[OTHER, CHAIN]]);
  });

  it.each([timeout, refused, { kind: 'unusable-group', group: 0x11ec } as const])(
    'of which one is shown nothing have failed: %o',
    (outcome) => {
      const prober = withDecoys();
      accompany(prober);
      const answers = ask(prober);
      begun[0]!.done(shown());
      begun[1]!.done(outcome);
      expect(answers).toMatchObject([{ kind: 'failed' }]);
      expect(begun).toHaveLength(2);
    },
  );

  it('are begun for a client that nothing is known for, and for no other', () => {
    const prober = withDecoys();
    accompany(prober);
    ask(prober);
    for (const each of begun) each.done(shown());
    expect(accompany(prober)).toBe(true);
    expect(begun).toHaveLength(2);
    accompany(prober, { client: [10, 0, 0, 2] });
    expect(begun).toHaveLength(4);
    seconds(61);
    accompany(prober);
    expect(begun).toHaveLength(6);
  });

  it('are none in the place of another client', () => {
    const prober = withDecoys();
    accompany(prober);
    ask(prober, { client: [10, 0, 0, 2] });
    expect(begun).toHaveLength(3);
  });

  it('go where nothing is asked, and that client has none the next time', () => {
    const prober = withDecoys();
    accompany(prober);
    vi.advanceTimersByTime(1_000);
    expect(begun.map(({ isStopped }) => isStopped)).toEqual([true, true]);
    expect(accompany(prober)).toBe(true);
    expect(begun).toHaveLength(2);
  });

  it.each([
    ['the client’s address is not to be had', { origins: new Origins({}) }, {}],
    ['as many were begun in its name as may be', { perClient: 0 }, {}],
    ['as many wait as may', { atOnce: 0 }, {}],
    ['its server is this host', {}, { server: [127, 0, 0, 1] }],
    ['none are wanted', { decoys: 0 }, {}],
  ] as const)('are none where %s, and the client’s SYN leaves', (_, options, client) => {
    expect(accompany(withDecoys(options), client)).toBe(true);
    expect(begun).toEqual([]);
  });

  it('end with the prober', () => {
    const prober = withDecoys();
    accompany(prober);
    prober.close();
    expect(begun.every(({ isStopped }) => isStopped)).toBe(true);
    expect(accompany(prober, { client: [10, 0, 0, 2] })).toBe(true);
  });
});
