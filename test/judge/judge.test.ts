/**
 * A judge by itself, told message by message what a handshake shows: what it says of each point on the way, what its
 * configuration decides there, and that nothing moves behind its ruling. What packets make of it is for other tests.
 */
import { describe, expect, it } from 'vitest';

import type { JudgeContext, WatchedMessage } from '../../src/judge/context.ts';
import { Judge } from '../../src/judge/judge.ts';
import type { ChainFacts } from '../../src/judge/ports.ts';
import { SecretBoard } from '../../src/judge/secret-board.ts';
import { ServerHabits } from '../../src/judge/server-habits.ts';
import { SessionMemory } from '../../src/judge/sessions.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import type { CompiledPinset, Policy, Situations } from '../../src/pins/policy.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { isFault } from '../../src/bytes/fault.ts';
import { parseClientHello } from '../../src/tls/client-hello.ts';
import { tls13SuiteOf } from '../../src/tls/key-schedule.ts';
import { RecordReader } from '../../src/tls/record.ts';
import { parseServerHello } from '../../src/tls/server-hello.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { bank, genuinePin, HOST } from '../support/flows.ts';
import { parsedClientHello, parsedServerHello } from '../support/hellos.ts';
import { match, pin, PINNED } from '../support/policy.ts';
import { policy } from '../support/policy.ts';
import { SIMPLE } from '../support/rfc8448.ts';
import type { HelloFields } from '../support/tls-bytes.ts';
import { encryptedExtensions, finished13, sealed } from '../support/tls13-bytes.ts';
import { Asked, FAILED, shown } from '../support/tls13-flows.ts';

const leaf = certificate('leaf');
const subject = {
  client: { address: Uint8Array.of(10, 1, 2, 3), port: 51_000 },
  server: { address: Uint8Array.of(198, 51, 100, 7), port: 443 },
};
const here = match({ addresses: [{ address: subject.server.address, prefix: 32 }] });
const ID = Buffer.alloc(32, 7);
const SIGNED = { params: new Uint8Array(0), scheme: 0x0804, signature: new Uint8Array(0) };
const TLS13 = { supportedVersions: [0x0304, 0x0303] };
const EARLY = { ...TLS13, earlyData: true };
const inter = certificate('inter');
/** Where the issuer is pinned, the path is asked for. */
const issued = { pins: [pin('spki-sha256', presentCertificate(inter).spkiSha256!)] };
const situated = (situations: Partial<Situations>, more: Partial<CompiledPinset> = {}) => ({
  pinsets: [bank({ situations: { ...PINNED, ...situations }, ...more })],
});

class Case {
  readonly prober = new Asked();
  readonly habits = new ServerHabits();
  readonly sessions = new SessionMemory(8);
  readonly counted: string[] = [];
  readonly watched: WatchedMessage[] = [];
  readonly answers: ((facts: ChainFacts) => void)[] = [];
  readonly forgotten: Uint8Array[] = [];
  signal: AbortSignal | undefined;
  settled = 0;
  now = 1000;
  proves = true;
  snapshot: PinsetSnapshot;
  judge: Judge;
  log: (random: Uint8Array, secret: Uint8Array) => void = () => undefined;

  constructor(
    fields: Partial<Policy> = { pinsets: [bank()] },
    more: { live?: boolean; keylog?: boolean; prober?: undefined } = {},
  ) {
    this.snapshot = new PinsetSnapshot(policy(fields));
    const { live = true, keylog = false } = more;
    const board = new SecretBoard({
      secretFor: () => undefined,
      onSecret: (listener) => void (this.log = listener),
      forget: (random) => void this.forgotten.push(random),
    });
    const snapshot = () => this.snapshot;
    const context: JudgeContext = {
      get snapshot() {
        return snapshot();
      },
      subject,
      sessions: this.sessions,
      examiner: {
        examine: (_request, done, { signal }) => {
          this.answers.push(done);
          this.signal = signal;
        },
      },
      habits: this.habits,
      prober: 'prober' in more ? undefined : this.prober,
      secrets: keylog ? board : undefined,
      live,
      hasRoom: true,
      now: () => this.now,
      dateMs: () => 1_700_000_000_000,
      proves: () => this.proves,
      present: presentCertificate,
      settled: () => void this.settled++,
      anomaly: () => undefined,
      watch: (message) => void this.watched.push(message),
      count: (limit) => void this.counted.push(limit),
    };
    this.judge = new Judge(context);
  }

  client(fields: HelloFields = {}): this {
    this.judge.onClientHello(parsedClientHello({ name: HOST, ...fields }), 0x0301);
    return this;
  }

  server(suite = 0xc02f, more: object = {}): this {
    const keyExchange = suite === 0x1301 ? 'tls13' : suite === 0x009c ? 'static' : 'ecdhe';
    const selected = suite === 0x1301 ? { selectedVersion: 0x0304 } : {};
    this.judge.onServerHello(parsedServerHello({ suite, ...selected, ...more }), keyExchange);
    return this;
  }

  certificate(der: Uint8Array = leaf): this {
    this.judge.onCertificate([der]);
    return this;
  }

  exchange(): this {
    this.judge.onServerKeyExchange(SIGNED);
    return this;
  }

  done(): this {
    this.judge.onServerHelloDone(true);
    return this;
  }

  get reason(): string | undefined {
    const { ruling } = this.judge;
    return ruling && `${ruling.action} ${ruling.reason}`;
  }

  reload(fields: Partial<Policy>): this {
    this.snapshot = new PinsetSnapshot(policy(fields));
    this.judge.reselect();
    return this;
  }
}

const MATCH = 'accept pin-match';
const genuine = (at: Case) => at.client().server().certificate().exchange().done();

describe('a handshake in clear', () => {
  it('is proven by its signature, and ruled at its end', () => {
    const at = new Case();
    expect([at.judge.sawClientHello, at.judge.mayDeny]).toEqual([false, false]);
    at.client();
    expect([at.judge.sawClientHello, at.judge.mayDeny, at.judge.waiting]).toEqual([true, true, false]);
    at.server().certificate();
    expect([at.judge.isProven, at.judge.isSigned, at.judge.permits('key-exchange')]).toEqual([false, false, false]);
    at.exchange();
    expect([at.judge.isProven, at.judge.isSigned, at.judge.permits('key-exchange')]).toEqual([true, true, true]);
    expect(at.reason).toBeUndefined();
    at.done();
    expect([at.reason, at.judge.permits('key-exchange'), at.judge.mayDeny]).toEqual([MATCH, false, false]);
  });

  it('without a signature is proven by who goes on', () => {
    const at = new Case().client().server(0x009c).certificate().done();
    expect([at.reason, at.judge.isProven, at.judge.isSigned]).toEqual([MATCH, true, false]);
  });

  it('whose signature is another’s, or lacking, or of a key that nobody reads, is denied', () => {
    const failing = new Case();
    failing.proves = false;
    expect(failing.client().server().certificate().exchange().reason).toBe('tls-alert no-proof');
    expect(new Case().client().server().certificate().done().reason).toBe('tls-alert no-proof');
    const unread = Buffer.from('no certificate');
    const pinned = bank({ pins: [pin('cert-sha256', presentCertificate(unread).sha256)] });
    expect(new Case({ pinsets: [pinned] }).client().server().certificate(unread).exchange().reason).toBe(
      'tls-alert no-proof',
    );
  });

  it('whose server signs and shows nothing is denied at its end', () => {
    const at = new Case().client().server().exchange();
    expect(at.reason).toBeUndefined();
    at.judge.onServerHelloDone(false);
    expect(at.reason).toBe('tls-alert no-certificate');
  });

  it('is ruled once: what follows moves nothing', () => {
    const at = new Case().client().server().certificate(certificate('forged'));
    expect(at.reason).toBe('tls-alert pin-mismatch');
    at.server(0x1301).certificate().exchange().done();
    at.judge.onServerChangeCipherSpec(true);
    at.judge.onServerHelloTaken();
    at.judge.onDeadline();
    at.reload({});
    expect([at.reason, at.prober.requests, at.counted]).toEqual(['tls-alert pin-mismatch', [], []]);
  });

  it('of too old a version, or of none that there is, is denied', () => {
    const old = situated({ checks: { ...PINNED.checks, minVersion: 0x0303 } });
    expect(new Case(old).client().server(0xc02f, { version: 0x0302 }).reason).toBe('tls-alert min-version');
    expect(new Case(old).client().server().reason).toBeUndefined();
    expect(new Case().client().server(0xc02f, { version: 0x0305 }).reason).toBe('tls-alert parse-error');
  });
});

describe('a hello', () => {
  it('that offers ECH, or has no name, is decided by their situations, and others are not', () => {
    const ech = situated({ ech: 'deny' });
    expect([new Case(ech).client().reason, new Case(ech).client({ ech: true }).reason]).toEqual([
      undefined,
      'tls-alert ech',
    ]);
    const nameless = situated({ noSni: 'deny' });
    expect(new Case(nameless).client().reason).toBeUndefined();
    expect(new Case(nameless).client({ name: undefined }).reason).toBe('tls-alert no-sni');
    const behind = new Case(nameless);
    behind.judge.onUpgrade('http-connect', [{ protocol: 'http-connect', request: null, host: HOST }]);
    expect([behind.client({ name: undefined }).reason, behind.judge.facts.fronted]).toEqual([undefined, HOST]);
  });

  it('has its server asked where a probe will be wanted, and only there', () => {
    const asks = (fields: Partial<Policy>, hello: HelloFields, more = {}) =>
      new Case(fields, more).client(hello).prober.requests.length;
    const probing = situated({ tls13: 'probe' });
    expect(asks(probing, TLS13)).toBe(1);
    expect(asks(probing, {})).toBe(0);
    expect(asks(probing, { ...TLS13, name: 'other.example' })).toBe(0);
    expect(asks(situated({ tls13: 'deny' }), TLS13)).toBe(0);
    expect(asks(situated({ tls13: 'keylog-else-probe' }), TLS13, { keylog: true })).toBe(0);
    const probed = bank({ situations: { ...PINNED, tls13: 'probe' } });
    const read = bank({ name: 'read', match: here, situations: { ...PINNED, tls13: 'keylog' } });
    expect(asks({ pinsets: [probed, read] }, TLS13, { keylog: true })).toBe(0);
    const known = new Case(probing);
    known.habits.onChoice(subject.server, HOST, false);
    expect(known.client(TLS13).prober.requests).toHaveLength(0);
  });

  it('teaches what its server chooses of TLS 1.3, and nothing where that was not offered', () => {
    const clear = (at: Case) => at.habits.showsClear(subject.server, HOST);
    expect([clear(new Case().client(TLS13).server()), clear(new Case().client().server())]).toEqual([true, false]);
  });
});

describe('a probe', () => {
  const asking = (tls13: Situations['tls13'] = 'probe', isAtOnce = false) => {
    const at = new Case(situated({ tls13 }));
    at.prober.isAtOnce = isAtOnce;
    return at.client(TLS13);
  };

  it('delays the hello until its server has a connection for it, and then what the server hides', () => {
    const at = asking();
    const points = ({ waiting, delaysClient, holdsClient, awaitsClient }: Judge) => ({
      waiting,
      delaysClient,
      holdsClient,
      awaitsClient,
    });
    expect(points(at.judge)).toEqual({ waiting: true, delaysClient: true, holdsClient: false, awaitsClient: false });
    at.prober.connected[0]!();
    expect(points(at.judge)).toEqual({ waiting: false, delaysClient: false, holdsClient: false, awaitsClient: false });
    at.server(0x1301);
    expect(points(at.judge)).toEqual({ waiting: true, delaysClient: false, holdsClient: false, awaitsClient: false });
    expect(at.settled).toBe(1);
    at.prober.answer(shown(leaf));
    expect([at.reason, at.settled, at.judge.waiting]).toEqual(['accept probe-match', 2, false]);
  });

  it.each([
    ['another chain', shown(certificate('forged')), 'tls-alert probe-mismatch'],
    ['no proof', shown(leaf, { proven: false }), 'tls-alert no-proof'],
    ['nothing', FAILED, 'tls-alert probe-failed'],
  ])('that shows %s denies', (_, answer, expected) => {
    const at = asking('probe', true).server(0x1301);
    at.prober.answer(answer);
    expect(at.reason).toBe(expected);
  });

  it('that is overdue denies, and an answer behind a ruling is no news', () => {
    const at = asking('probe', true).server(0x1301);
    at.judge.onDeadline();
    expect([at.reason, at.counted]).toEqual(['tls-alert overload', ['holdTime']]);
    const { settled } = at;
    at.prober.answer(shown(leaf));
    expect([at.reason, at.settled]).toEqual(['tls-alert overload', settled]);
  });

  it('that has a connection only behind the ServerHello has no answer by that', () => {
    const at = asking().server(0x1301);
    at.prober.connected[0]!();
    expect([at.reason, at.judge.waiting]).toEqual([undefined, true]);
    at.prober.answer(shown(leaf));
    expect(at.reason).toBe('accept probe-match');
  });

  it('is not asked once the hello is ruled', () => {
    const at = new Case(situated({ tls13: 'probe', ech: 'deny' })).client({ ...TLS13, ech: true });
    expect([at.reason, at.prober.requests]).toEqual(['tls-alert ech', []]);
  });

  it('is not waited for behind a ruling, and its time is over then', () => {
    const at = asking('probe', true).server(0x1301);
    at.judge.settleBy('incomplete', 'incomplete');
    at.judge.onDeadline();
    expect([at.judge.waiting, at.counted, at.reason]).toEqual([false, [], 'tls-alert incomplete']);
  });

  it('is not asked about who is denied anyway', () => {
    const denying = bank({ name: 'denying', match: here, situations: { ...PINNED, tls13: 'deny' } });
    const at = new Case({ pinsets: [bank({ situations: { ...PINNED, tls13: 'probe' } }), denying] })
      .client(TLS13)
      .server(0x1301);
    expect(at.reason).toBe('tls-alert no-certificate');
  });

  it('does not prove what a server of an older version shows', () => {
    const at = new Case(situated({ tls13: 'probe' })).client(EARLY);
    at.prober.answer(shown(leaf));
    expect(at.reason).toBeUndefined();
    at.proves = false;
    expect(at.server().certificate().exchange().reason).toBe('tls-alert no-proof');
    const lacking = new Case(situated({ tls13: 'probe' })).client(EARLY);
    lacking.prober.answer(shown(leaf));
    expect(lacking.server().certificate().done().reason).toBe('tls-alert no-proof');
  });
});

describe('early data', () => {
  const early = (situations: Partial<Situations>, more = {}) => new Case(situated(situations), more).client(EARLY);

  it('wait for a probe, whose answer counts for TLS 1.3 as well', () => {
    const at = early({ tls13: 'probe' });
    expect([at.judge.holdsClient, at.judge.delaysClient]).toEqual([true, false]);
    at.prober.answer(shown(leaf));
    expect([at.judge.holdsClient, at.reason]).toEqual([false, undefined]);
    expect([at.server(0x1301).reason, at.prober.requests.length]).toEqual(['accept probe-match', 1]);
  });

  it.each<[string, Partial<Situations>, object, string | undefined, boolean]>([
    ['are denied where no probe is wanted', { tls13: 'deny' }, {}, 'tls-alert no-certificate', false],
    ['are denied where only a key log is', { tls13: 'keylog' }, { keylog: true }, 'tls-alert no-certificate', false],
    ['do not wait where that is accepted', { tls13: 'deny', earlyData: 'accept' }, {}, 'accept no-certificate', false],
    ['are denied where that is said', { tls13: 'probe', earlyData: 'deny' }, {}, 'tls-alert no-certificate', false],
    ['do not wait in a capture', { tls13: 'probe' }, { live: false }, undefined, false],
    ['do not wait where TLS 1.3 is accepted', { tls13: 'accept' }, {}, undefined, false],
    [
      'wait where a probe may take a key log’s place',
      { tls13: 'keylog-else-probe' },
      { keylog: true },
      undefined,
      true,
    ],
  ])('%s', (_, situations, more, expected, holds) => {
    const at = early(situations, more);
    expect([at.reason, at.judge.holdsClient]).toEqual([expected, holds]);
  });

  it('do not wait for whoever only reports, nor where another denies', () => {
    const reporting = new Case(situated({ tls13: 'probe', earlyData: 'deny' }, { mode: 'report-only' })).client(EARLY);
    expect([reporting.reason, reporting.judge.holdsClient]).toEqual([undefined, false]);
    const denying = bank({ name: 'denying', match: here, situations: { ...PINNED, earlyData: 'deny' } });
    const denied = new Case({ pinsets: [bank({ situations: { ...PINNED, tls13: 'probe' } }), denying] });
    denied.habits.onChoice(subject.server, HOST, false);
    expect([denied.client(EARLY).reason, denied.prober.requests]).toEqual(['tls-alert no-certificate', []]);
  });
});

it('early data wait for the path of what a probe has shown, and for nothing behind a ruling', () => {
  const begin = () => new Case(situated({ tls13: 'probe' }, issued)).client(EARLY);
  const at = begin();
  at.prober.answer(shown(leaf, { chain: [leaf, inter] }));
  expect([at.answers.length, at.judge.holdsClient]).toEqual([1, true]);
  at.answers[0]!(chainFacts({ onPath: [0, 1] }));
  expect([at.judge.holdsClient, at.server(0x1301).reason]).toEqual([false, 'accept probe-match']);
  const ahead = begin();
  ahead.prober.answer(shown(leaf, { chain: [leaf, inter] }));
  expect([ahead.server(0x1301).judge.encryptedFlight(), ahead.answers.length]).toEqual([undefined, 1]);
  const ruled = begin();
  ruled.judge.settleBy('parseError', 'parse-error');
  expect(ruled.judge.holdsClient).toBe(false);
});

describe('a secret', () => {
  const hello = parseClientHello(SIMPLE.clientHello);
  const answer = parseServerHello(SIMPLE.serverHello);
  if (isFault(hello) || isFault(answer)) throw new Error('RFC 8448');
  const resumption = sealed(tls13SuiteOf(0x1301)!, SIMPLE.serverSecret, [encryptedExtensions(), finished13]);
  const chosen = pin('spki-sha256', presentCertificate(SIMPLE.certificate).spkiSha256!);

  function reading(
    tls13: Situations['tls13'] = 'keylog',
    { pins = [chosen], validity = 'auto' as 'auto' | 'on', keylog = true, live = true } = {},
  ) {
    const checks = { ...PINNED.checks, validity };
    const pinned = (wanted: Situations['tls13']) => ({
      pinsets: [bank({ match: match({ hosts: ['server'] }), pins, situations: { ...PINNED, checks, tls13: wanted } })],
    });
    const at = new Case(pinned(tls13), { keylog, live });
    at.judge.onClientHello(hello as Exclude<typeof hello, { code: string }>, 0x0301);
    const mayAwait = at.judge.mayAwaitSecret;
    at.judge.onServerHello(answer as Exclude<typeof answer, { code: string }>, 'tls13');
    const consumer = at.judge.encryptedFlight();
    const records = consumer && new RecordReader(consumer);
    const feed = (octets: Uint8Array) => records?.feed(octets, 0, octets.length);
    const log = (secret: Uint8Array = SIMPLE.serverSecret) => at.log((hello as { random: Uint8Array }).random, secret);
    return { at, mayAwait, feed, log, isRead: consumer !== undefined, pinned };
  }

  it('is awaited by a client that has the ServerHello, and then by what is encrypted', () => {
    const { at, mayAwait, feed, log } = reading();
    const { judge } = at;
    expect([mayAwait, judge.mayAwaitSecret, judge.awaitsClient, judge.isReading]).toEqual([true, true, true, true]);
    expect([judge.waiting, judge.sealedFrom]).toEqual([false, undefined]);
    feed(SIMPLE.serverFlight);
    expect([judge.waiting, judge.awaitsClient, judge.sealedFrom]).toEqual([true, false, 0]);
    log();
    expect([at.judge.facts.evidence, at.settled]).toEqual(['decrypted', 1]);
    expect([judge.mayAwaitSecret, judge.awaitsClient, judge.permits('sealed'), judge.waiting]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(at.forgotten).toHaveLength(1);
  });

  it('is not awaited of the client once it is logged, and what is sealed waits from when it is', () => {
    const logged = reading();
    logged.log();
    expect(logged.at.judge.awaitsClient).toBe(false);
    const { at, feed } = reading();
    at.now += 500_000;
    feed(SIMPLE.serverFlight);
    expect(at.judge.deadline).toBe(at.now + LIMIT_DEFAULTS.holdTime * 1000);
  });

  it('shows a certificate whose path is asked for, again by another configuration', () => {
    const asking = () => {
      const each = reading('keylog', { pins: [{ ...chosen, at: 'path' }], validity: 'on' });
      each.feed(SIMPLE.serverFlight);
      each.log();
      expect([each.at.reason, each.at.answers.length, each.at.judge.sealedFrom]).toEqual([undefined, 1, 0]);
      return each;
    };
    const { at, pinned } = asking();
    at.reload(pinned('keylog'));
    expect([at.reason, at.answers.length]).toEqual([undefined, 2]);
    at.answers[1]!(chainFacts({ onPath: [0] }));
    expect([at.reason, at.judge.facts.evidence]).toEqual([MATCH, 'decrypted']);
    const denied = { action: 'tls-alert', reason: 'no-certificate', evidence: 'none' };
    expect(asking().at.reload(pinned('deny')).judge.ruling).toMatchObject(denied);
  });

  it('is all there is in a capture, where nothing is asked behind a ruling', () => {
    expect(reading('keylog', { live: false }).at.reason).toBe('tls-alert keylog-missing');
    const over = new Case(situated({ tls13: 'keylog-else-probe' }), { live: false, keylog: true });
    over.client(TLS13).server(0x1301).judge.settleBy('incomplete', 'incomplete');
    over.judge.encryptedFlight();
    expect(over.prober.requests).toEqual([]);
  });

  it('shows another certificate, which is denied', () => {
    const { at, feed, log } = reading('keylog', { pins: [genuinePin] });
    feed(SIMPLE.serverFlight);
    log();
    expect(at.judge.ruling).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch', evidence: 'decrypted' });
  });

  it.each(['keylog', 'keylog-else-probe'] as const)(
    'that opens nothing denies, and no probe makes that good: %s',
    (tls13) => {
      const { at, feed, log } = reading(tls13);
      feed(SIMPLE.serverFlight);
      log(Buffer.alloc(SIMPLE.serverSecret.length));
      expect([at.reason, at.prober.requests]).toEqual(['tls-alert keylog-missing', []]);
      expect(at.judge.ruling!.fault).toBe('tls.record.undecipherable');
    },
  );

  it('that does not come leaves it to a probe where that is wanted, and one that comes late and refutes still does', () => {
    const { at, feed, log } = reading('keylog-else-probe');
    feed(SIMPLE.serverFlight);
    at.judge.onServerHelloTaken();
    at.judge.onDeadline();
    expect([at.prober.requests.length, at.judge.sealedFrom, at.judge.awaitsClient]).toEqual([1, undefined, false]);
    log(Buffer.alloc(SIMPLE.serverSecret.length));
    expect(at.reason).toBe('tls-alert keylog-missing');
    expect(reading('keylog').at.judge.deadline).toBeGreaterThan(0);
  });

  it('that opens a resumption shows no certificate: a probe is asked where that is wanted', () => {
    const opening = (tls13: Situations['tls13']) => {
      const { at, feed, log } = reading(tls13);
      feed(resumption);
      log();
      return [at.reason, at.prober.requests.length];
    };
    expect(opening('keylog')).toEqual(['tls-alert resumed-unbound', 0]);
    expect(opening('keylog-else-probe')).toEqual([undefined, 1]);
  });

  it('that comes late and opens a resumption changes nothing, and what is sealed by then is not waited for anew', () => {
    const { at, feed, log } = reading('keylog-else-probe');
    at.judge.onServerHelloTaken();
    at.judge.onDeadline();
    const { deadline } = at.judge;
    at.now += 1000;
    feed(resumption);
    log();
    expect([at.reason, at.prober.requests.length, at.judge.deadline]).toEqual([undefined, 1, deadline]);
  });

  it('is not awaited where there is no key log, or nothing goes by it', () => {
    const without = reading('keylog', { keylog: false });
    expect([without.mayAwait, without.isRead, without.at.reason]).toEqual([false, false, 'tls-alert keylog-missing']);
    const probed = reading('probe');
    expect([probed.mayAwait, probed.isRead, probed.at.judge.mayAwaitSecret, probed.at.judge.waiting]).toEqual([
      false,
      false,
      false,
      true,
    ]);
    const offered = new Case(situated({ tls13: 'keylog' }), { keylog: true });
    expect(offered.client().judge.mayAwaitSecret).toBe(false);
    const older = new Case(situated({ tls13: 'keylog' }), { keylog: true }).client(TLS13);
    expect([older.judge.mayAwaitSecret, older.server().judge.mayAwaitSecret]).toEqual([true, false]);
    older.judge.onServerHelloTaken();
    const ruled = new Case(situated({ tls13: 'keylog' }), { keylog: true }).client(TLS13);
    ruled.judge.settleBy('parseError', 'parse-error');
    expect(ruled.judge.mayAwaitSecret).toBe(false);
    expect(new Case().judge.encryptedFlight()).toBeUndefined();
  });

  it('is not needed any more once its connection is gone, or records are missing', () => {
    const gone = reading();
    gone.at.judge.close();
    expect(gone.at.forgotten).toHaveLength(1);
    const cut = reading();
    cut.at.judge.onGap('client');
    expect([cut.at.judge.isReading, [...cut.at.judge.facts.gaps]]).toEqual([true, ['client']]);
    cut.at.judge.onGap('server');
    expect(cut.at.judge.isReading).toBe(false);
  });
});

describe('a resumption', () => {
  const resuming = (resumed: Situations['resumed'], pinsets: readonly string[] | undefined, id = ID) => {
    const at = new Case(situated({ resumed }));
    if (pinsets !== undefined) at.sessions.remember(subject, ID, pinsets, { until: 1e9, dateMs: Infinity });
    at.client({ sessionId: ID }).server(0xc02f, { sessionId: id });
    at.judge.onServerChangeCipherSpec(true);
    return at;
  };

  it.each<[Situations['resumed'], readonly string[] | undefined, string | undefined]>([
    ['bound', [bank().name], 'accept resumed-bound'],
    ['bound', ['another'], 'tls-alert resumed-unbound'],
    ['bound', undefined, 'tls-alert resumed-unbound'],
    ['accept', undefined, 'accept resumed-unbound'],
    ['bound-else-probe', undefined, undefined],
  ])('with %s, remembered for %j', (resumed, pinsets, expected) => {
    const at = resuming(resumed, pinsets);
    expect([at.reason, at.judge.facts.sessionResumed]).toEqual([expected, true]);
    expect(at.prober.requests.length).toBe(expected === undefined ? 1 : 0);
    if (expected === 'accept resumed-bound') expect(at.judge.ruling!.evidence).toBe('resumed');
  });

  it('is nothing that a capture’s secrets show', () => {
    const at = new Case(situated({ resumed: 'bound-else-probe' }), { live: false, keylog: true, prober: undefined });
    at.client({ sessionId: ID }).server(0xc02f, { sessionId: ID }).judge.onServerChangeCipherSpec(true);
    expect(at.reason).toBe('tls-alert resumed-unbound');
  });

  it('of whoever is unpinned is what the configuration says of them', () => {
    const denied = pin('cert-sha256', 'ab'.repeat(32));
    const at = new Case({ pinsets: [bank({ pins: [], deny: [denied] })] });
    at.client({ sessionId: ID }).server(0xc02f, { sessionId: ID });
    at.judge.onServerChangeCipherSpec(true);
    expect(at.reason).toBe('accept resumed-unbound');
  });

  it('that nobody asked for shows no certificate', () => {
    expect(resuming('bound', [bank().name], Buffer.alloc(32, 8)).reason).toBe('tls-alert no-certificate');
  });

  it('is none where the handshake is whole', () => {
    const at = new Case().client({ sessionId: ID }).server(0xc02f, { sessionId: ID });
    at.judge.onServerChangeCipherSpec(false);
    expect([at.reason, at.judge.facts.serverFinished, at.judge.facts.sessionResumed]).toEqual([undefined, true, false]);
  });
});

describe('behind a ruling that accepts', () => {
  const accepted = (more: Partial<CompiledPinset> = {}) => {
    const at = new Case({ pinsets: [bank(more)] });
    at.client().server(0xc02f, { sessionId: ID }).certificate().exchange().done();
    return at;
  };

  it('a session is awaited, and remembered with data of the client’s, not with its Finished', () => {
    const at = accepted();
    expect([at.judge.session.isAwaited, at.judge.readsClient]).toEqual([true, true]);
    at.judge.session.onDelivered(false);
    at.judge.onClientFinished();
    expect(at.sessions.keep(0)).toHaveLength(0);
    at.judge.onClientData(100);
    expect([at.sessions.keep(0).length, at.judge.readsClient]).toEqual([1, false]);
  });

  it('a fault makes doubtful what was handed out, and nothing else; of datagrams it revokes', () => {
    const at = accepted();
    at.judge.revoke();
    expect(at.reason).toBe(MATCH);
    at.judge.onFault('server', { code: 'a.fault', at: 0, structure: 'x', family: 'malformed' } as never, 0x0302);
    expect([at.reason, at.judge.session.isAwaited, at.judge.facts.fault]).toEqual([MATCH, false, 'a.fault']);
    at.judge.revoke();
    expect([at.reason, at.judge.ruling!.fault]).toEqual(['tls-alert overlap-conflict', 'a.fault']);
  });

  it('a client that would be learned from is not listened to any more once that is revoked', () => {
    const { judge } = accepted({ mode: 'learn' });
    expect(judge.continuation.isAwaited).toBe(true);
    judge.facts.fault = 'a.fault';
    judge.revoke();
    expect(judge.continuation.isAwaited).toBe(false);
  });

  it('another configuration changes nothing', () => {
    expect(accepted().reload({}).reason).toBe(MATCH);
  });
});

describe('a fault ahead of one', () => {
  const faulty = (from: 'client' | 'server', code: string) => {
    const at = new Case();
    at.judge.onFault(from, { code } as never, 0x0302);
    return at;
  };

  it('denies, says whose it is, and of a server the version of its records', () => {
    const [client, server] = [faulty('client', 'a.fault'), faulty('server', 'a.fault')];
    expect([client.judge.ruling!.fault, server.judge.ruling!.fault]).toEqual(['client: a.fault', 'server: a.fault']);
    expect([client.judge.facts.recordVersion, server.judge.facts.recordVersion]).toEqual([0, 0x0302]);
    expect([client.reason, client.counted]).toEqual(['tls-alert parse-error', []]);
  });

  it('that is a limit of ours is counted', () => {
    const at = faulty('server', 'tls.record.too-many');
    expect([at.reason, at.counted]).toEqual(['tls-alert limit', ['records']]);
  });
});

describe('another configuration', () => {
  it('asks again what is undecided, and nothing of who has said nothing', () => {
    expect(new Case().reload({}).reason).toBeUndefined();
    expect(new Case().client().reload({}).reason).toBe('accept unpinned');
    const at = new Case().client().server().certificate();
    expect(at.reload({ pinsets: [bank({ pins: [pin('cert-sha256', 'ab'.repeat(32))] })] }).reason).toBe(
      'tls-alert pin-mismatch',
    );
  });

  it('of a path that is asked for has the earlier answer count for nothing', () => {
    const at = new Case({ pinsets: [bank(issued)] }).client().server(0x009c);
    at.judge.onCertificate([leaf, inter]);
    at.done();
    const [first, signal] = [at.answers[0]!, at.signal!];
    at.reload({ pinsets: [bank(issued)] });
    expect([signal.aborted, at.answers.length]).toEqual([true, 2]);
    first(chainFacts({ onPath: [0, 1] }));
    expect([at.reason, at.settled]).toEqual([undefined, 0]);
    at.answers[1]!(chainFacts({ onPath: [0, 1] }));
    expect([at.reason, at.settled]).toEqual([MATCH, 1]);
    const gone = new Case({ pinsets: [bank(issued)] }).client().server(0x009c);
    gone.judge.onCertificate([leaf, inter]);
    gone.judge.close();
    expect(gone.signal!.aborted).toBe(true);
  });
});

describe('another configuration, while the path of what a probe has shown is asked for', () => {
  const probed = (hello: HelloFields) => {
    const at = new Case(situated({ tls13: 'probe' }, issued)).client(hello);
    if (hello === TLS13) at.server(0x1301);
    at.prober.answer(shown(leaf, { chain: [leaf, inter] }));
    expect([at.answers.length, at.judge.isProven]).toEqual([1, true]);
    return at;
  };

  it('accepts by its situation, and by nothing that was shown', () => {
    const at = probed(TLS13).reload(situated({ tls13: 'accept' }, issued));
    expect([at.reason, at.judge.isProven]).toEqual(['accept no-certificate', false]);
  });

  it('denies early data, or leaves them to what the server will choose', () => {
    const denied = probed(EARLY).reload(situated({ tls13: 'probe', earlyData: 'deny' }, issued));
    expect(denied.reason).toBe('tls-alert no-certificate');
    const at = probed(EARLY).reload(situated({ tls13: 'accept' }, issued));
    expect([at.reason, at.judge.holdsClient, at.judge.isProven]).toEqual([undefined, false, false]);
  });
});

it('another configuration that asks for a proof which went by unread denies', () => {
  const checks = { ...PINNED.checks, proofOfPossession: 'off' } as const;
  const at = new Case(situated({ checks }, issued)).client().server();
  at.judge.onCertificate([leaf, inter]);
  at.exchange().done().reload(situated({}, issued));
  at.answers.at(-1)!(chainFacts({ onPath: [0, 1] }));
  expect(at.reason).toBe('tls-alert no-proof');
});

describe('ahead of TLS', () => {
  it('an upgrade is decided by its situation', () => {
    const upgraded = (starttls: Situations['starttls']) => {
      const at = new Case({
        pinsets: [bank({ match: here, situations: { ...PINNED, starttls } })],
      });
      at.judge.onUpgrade('smtp', []);
      expect(at.judge.facts.starttls).toBe('smtp');
      return at.reason;
    };
    expect([upgraded('inspect'), upgraded('deny'), upgraded('accept')]).toEqual([
      undefined,
      'tls-alert starttls',
      'accept starttls',
    ]);
  });

  it('a server that speaks first is remembered for that, and a client is not', () => {
    const at = new Case();
    at.judge.onPreamble('client');
    expect(at.habits.greets(subject.server, at.now)).toBe(false);
    at.judge.onPreamble('server');
    expect(at.habits.greets(subject.server, at.now)).toBe(true);
    at.client().judge.onPreamble('server');
  });

  it('of a capture what was taken for no TLS may turn to it, and nothing else that was ruled', () => {
    for (const [key, reason, left] of [
      ['notTls', 'not-tls', undefined],
      ['parseError', 'parse-error', 'tls-alert parse-error'],
    ] as const) {
      const at = new Case(undefined, { live: false });
      at.judge.settleBy(key, reason);
      at.judge.restart();
      expect(at.reason).toBe(left);
    }
  });

  it('a server that asks for another hello waits for its client', () => {
    const at = new Case(situated({ tls13: 'accept' })).client(TLS13);
    at.judge.onServerHello(
      { ...parsedServerHello({ suite: 0x1301, selectedVersion: 0x0304 }), isHelloRetryRequest: true },
      'tls13',
    );
    expect([at.judge.awaitsClient, at.reason]).toEqual([true, undefined]);
    at.client(TLS13);
    expect(at.judge.awaitsClient).toBe(false);
    at.server(0x1301);
    expect(at.reason).toBe('accept no-certificate');
  });
});

it('whoever watches is shown each message once, and of two what is in them', () => {
  const at = new Case();
  at.client();
  expect(at.watched).toEqual([]);
  const told = (from: 'client' | 'server', type: number) => at.judge.onMessage(from, type, 10);
  told('client', 1);
  at.client();
  told('server', 2);
  told('server', 11);
  at.certificate();
  told('server', 14);
  expect(at.watched.map(({ messageType, sni, leaf: shows }) => [messageType, sni, shows !== null])).toEqual([
    [2, HOST, false],
    [11, HOST, true],
    [14, HOST, false],
  ]);
  const fresh = new Case();
  fresh.judge.onMessage('client', 1, 10);
  expect(fresh.watched).toEqual([]);
  fresh.client();
  expect(fresh.watched).toEqual([{ from: 'client', messageType: 1, length: 10, sni: HOST, leaf: null }]);
});

it('whoever is unpinned may have anything', () => {
  expect(genuine(new Case({})).reason).toBe('accept unpinned');
});
