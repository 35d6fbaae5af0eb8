/**
 * Where evidence is had from, and what follows a ruling that rests on it: the question that a server is asked, what a key
 * log says, and what is remembered of a flow. Each by itself.
 */
import { describe, expect, it } from 'vitest';

import { Aftermath } from '../../src/judge/aftermath.ts';
import { Continuation } from '../../src/judge/continuation.ts';
import { KeylogReading } from '../../src/judge/awaited/keylog-reading.ts';
import { Milestones } from '../../src/judge/milestones.ts';
import { ProbeQuestion } from '../../src/judge/awaited/probe-question.ts';
import type { JudgeContext } from '../../src/judge/context.ts';
import type { Course } from '../../src/judge/course.ts';
import type { HelloMessages } from '../../src/judge/hellos.ts';
import type { HiddenCertificates } from '../../src/judge/hidden-certificates.ts';
import type { ProbeAnswer, ProbeRequest, Prober } from '../../src/judge/ports.ts';
import { Possession } from '../../src/judge/possession.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { bank } from '../support/flows.ts';
import { parsedClientHello, parsedServerHello } from '../support/hellos.ts';
import { changeCipherSpec } from '../support/tls-bytes.ts';
import { FAILED } from '../support/tls13-flows.ts';

describe('a question', () => {
  const request = { clientHello: new Uint8Array(1), recordVersion: 0x0301, starttls: null, tunnels: [], patience: 3 };
  const subject = { client: { port: 1 }, server: { port: 443 } };

  function question(prober: Prober | undefined) {
    let news = 0;
    let clock = 100;
    const milestones = new Milestones();
    const context = { subject, prober, now: () => (clock += 5) } as unknown as JudgeContext;
    const made = new ProbeQuestion(context, milestones, () => void news++);
    return { question: made, news: () => news, milestones };
  }
  /** A prober that answers as it is told, or at once. */
  function asked(atOnce?: ProbeAnswer) {
    const requests: ProbeRequest[] = [];
    const say = { done: (_answer: ProbeAnswer): void => undefined, connected: (): void => undefined };
    const probe: Prober['probe'] = (of, done, connected) => {
      requests.push(of);
      Object.assign(say, { done, connected });
      if (atOnce !== undefined) done(atOnce);
    };
    return { prober: { probe }, requests, say };
  }

  it('is put once, asked once, and its answer stays', () => {
    const { prober, requests, say } = asked();
    const { question: made, news, milestones } = question(prober);
    expect([made.patience, made.isPending]).toEqual([0, false]);
    made.put(request);
    made.put({ ...request, patience: 9 });
    made.ask();
    made.ask();
    expect(requests).toEqual([{ ...subject, ...request }]);
    expect([made.answer, made.isPending, made.patience]).toEqual(['asked', true, 3000]);
    say.connected();
    expect([made.answer, made.isPending, news()]).toEqual(['asked', false, 1]);
    say.done(FAILED);
    expect([made.answer, made.isPending, news()]).toEqual([FAILED, false, 2]);
    made.ask();
    expect(requests).toHaveLength(1);
    expect(milestones.since(Infinity)).toEqual(['probe-asked', 0, 0, 'probe-answered', 0, 5]);
  });

  it('that is answered at once is no news', () => {
    const { question: made, news } = question(asked(FAILED).prober);
    made.put(request);
    made.ask();
    expect([made.answer, made.isPending, news()]).toEqual([FAILED, false, 0]);
  });

  it('that nobody has, or nobody can ask, has no answer', () => {
    const { prober, requests } = asked();
    const unput = question(prober).question;
    unput.ask();
    const unasked = question(undefined).question;
    unasked.put(request);
    unasked.ask();
    expect([unput.answer, unasked.answer, requests]).toEqual([undefined, undefined, []]);
  });
});

describe('a key log', () => {
  const messages: HelloMessages = {
    clientHello: parsedClientHello({ supportedVersions: [0x0304] }),
    retry: undefined,
    serverHello: parsedServerHello({ suite: 0x1301, selectedVersion: 0x0304 }),
  };
  const cases = (wantsKeylog: boolean, isOpen: boolean) => ({ wantsKeylog, isOpen }) as unknown as HiddenCertificates;
  const [wanted, open, settled] = [cases(true, true), cases(false, true), cases(false, false)];

  function reading({ live = true, hasLog = true, secret = undefined as Uint8Array | undefined } = {}) {
    const forgotten: Uint8Array[] = [];
    const listening = { found: (_secret: Uint8Array): void => undefined, settled: 0 };
    const secrets = {
      ask: (_random: Uint8Array, found: (secret: Uint8Array) => void) => {
        if (secret === undefined) listening.found = found;
        else found(secret);
      },
      forget: (random: Uint8Array) => void forgotten.push(random),
    };
    const context = {
      live,
      secrets: hasLog ? secrets : undefined,
      snapshot: { policy: { limits: LIMIT_DEFAULTS } },
      dateMs: () => 0,
      settled: () => void listening.settled++,
    } as unknown as JudgeContext;
    const told: string[] = [];
    const listener = {
      onSealed: () => told.push('sealed'),
      onHiddenCertificate: () => told.push('certificate'),
      onHiddenProof: () => told.push('proof'),
      onHiddenFailure: (code: string) => told.push(code),
    };
    return { keylog: new KeylogReading(context, () => listener), forgotten, listening, told };
  }

  it.each<[string, Parameters<typeof reading>[0], HiddenCertificates, boolean]>([
    ['where a pinset goes by it', {}, wanted, true],
    ['not where none does', {}, open, false],
    ['in a capture whatever is open', { live: false }, open, true],
    ['but nothing that is settled', { live: false }, settled, false],
    ['not where there is none', { hasLog: false }, wanted, false],
  ])('is asked %s', (_, options, of, expected) => {
    expect(reading(options).keylog.mayRead(of)).toBe(expected);
  });

  it('says nothing before it is read', () => {
    const { isSealed, lacksSecret, isReading, sealedFrom, nothing } = reading().keylog;
    expect([isSealed, lacksSecret, isReading, sealedFrom, nothing]).toEqual([
      false,
      false,
      false,
      undefined,
      undefined,
    ]);
  });

  it('is read while a secret may come, and told of when it does', () => {
    const { keylog, listening, told } = reading();
    expect(keylog.read(messages, true)).toBeDefined();
    expect([keylog.isReading, keylog.lacksSecret, keylog.isSealed]).toEqual([true, true, false]);
    listening.found(new Uint8Array(5));
    expect([told, listening.settled, keylog.isReading]).toEqual([['keylog.length'], 1, false]);
  });

  it('that knows the secret already is no news', () => {
    const { keylog, listening, told } = reading({ secret: new Uint8Array(5) });
    keylog.read(messages, true);
    expect([told, listening.settled]).toEqual([['keylog.length'], 0]);
  });

  it.each([
    ['where there is none', { hasLog: false }, true],
    ['where nothing waits for it', {}, false],
  ])('is not read %s, and cannot be later', (_, options, isAwaited) => {
    const { keylog, forgotten } = reading(options);
    expect(keylog.read(messages, isAwaited)).toBeUndefined();
    expect([keylog.isReading, keylog.mayRead(wanted)]).toEqual([false, false]);
    keylog.close();
    expect(forgotten).toEqual([]);
  });

  it('of a capture is read whatever waits, where it has the secret', () => {
    expect(reading({ live: false }).keylog.read(messages, false)).toBeUndefined();
    const known = reading({ live: false, secret: new Uint8Array(32) }).keylog;
    expect(known.read(messages, false)).toBeDefined();
    expect([known.isReading, known.lacksSecret]).toEqual([true, false]);
    known.onGap();
    expect(known.isReading).toBe(false);
  });

  it('that has nothing is not asked again, and why stays', () => {
    const { keylog } = reading();
    keylog.giveUp();
    expect([keylog.mayRead(wanted), keylog.nothing]).toEqual([
      false,
      { reason: 'keylog-missing', fault: null, isRefuted: false },
    ]);
    keylog.onFailure('tls.x');
    expect(keylog.nothing).toEqual({ reason: 'keylog-missing', fault: 'tls.x', isRefuted: true });
    keylog.giveUp();
    expect(keylog.nothing!.isRefuted).toBe(true);
    keylog.onFailure('psk');
    expect(keylog.nothing).toEqual({ reason: 'resumed-unbound', fault: 'psk', isRefuted: false });
  });

  it('need not keep what is decided; of a capture others may ask for the same', () => {
    for (const [live, expected] of [
      [true, 1],
      [false, 0],
    ] as const) {
      const { keylog, forgotten } = reading({ live, secret: new Uint8Array(32) });
      keylog.close();
      expect(forgotten).toHaveLength(0);
      keylog.read(messages, true)!.onRecordStart(20, 0x0303, changeCipherSpec.length - 5, 0);
      keylog.close();
      expect(forgotten).toHaveLength(expected);
    }
  });
});

describe('behind a ruling that accepts', () => {
  const ruling = { action: 'accept', mode: 'enforce', pinset: 'bank', evidence: 'observed', reason: 'pin-match' };
  const learning = bank({ pins: [], mode: 'learn' });

  function after(
    more: {
      ruling?: object;
      hearing?: object;
      live?: boolean;
      early?: boolean;
      failed?: boolean;
      shown?: boolean;
      examined?: unknown;
    } = {},
  ) {
    const remembered: unknown[][] = [];
    const possession = new Possession();
    possession.keyExchange = 'ecdhe';
    if (more.failed || more.shown !== false) possession.settle(more.failed !== true);
    const context = {
      live: more.live ?? true,
      dateMs: () => 0,
      now: () => 1000,
      subject: 'subject',
      sessions: { remember: (...args: unknown[]) => void remembered.push(args) },
    };
    const hearing = {
      context,
      ruling: { ...ruling, ...more.ruling },
      selection: { require: [bank(), learning], deny: [], rules: [] },
      facts: { sessionResumed: false },
      ...more.hearing,
    };
    const hellos = {
      client: { offersEarlyData: more.early ?? false },
      server: { isTls13: false, sessionId: Buffer.alloc(32, 1), answersSessionTicket: false },
    };
    const examined = 'examined' in more ? more.examined : {};
    const aftermath = new Aftermath({ hearing, hellos, possession, examined } as unknown as Course);
    aftermath.begin();
    return { aftermath, remembered, isRecorded: aftermath.continuation.isAwaited, binds: aftermath.session.isAwaited };
  }

  it.each<[string, Parameters<typeof after>[0], boolean]>([
    ['where a pinset learns', {}, true],
    ['not where none does', { hearing: { selection: { require: [bank()], deny: [], rules: [] } } }, false],
    ['not of what is denied', { ruling: { action: 'drop' } }, false],
    ['not in a capture', { live: false }, false],
    ['not where no chain was before the judge', { examined: undefined }, false],
    ['not where the key was not shown', { shown: false }, false],
    ['not where it was shown to be another’s', { failed: true }, false],
    ['not of a client that sends data early', { early: true }, false],
  ])('is recorded what was shown: %s', (_, more, expected) => {
    expect(after(more).isRecorded).toBe(expected);
  });

  it.each<[string, Parameters<typeof after>[0], boolean]>([
    ['that matched a pin', {}, true],
    ['that matched a backup pin', { ruling: { reason: 'backup-pin-match' } }, true],
    ['that was bound', { ruling: { evidence: 'resumed', reason: 'resumed-bound' } }, true],
    ['whose key nobody asked for', { shown: false }, true],
    ['that is denied', { ruling: { action: 'drop' } }, false],
    ['that only reports', { ruling: { mode: 'report-only' } }, false],
    ['of no pinset', { ruling: { pinset: null } }, false],
    ['that a probe was shown', { ruling: { evidence: 'probed' } }, false],
    ['that a secret has shown', { ruling: { evidence: 'decrypted' } }, false],
    ['of which nothing was shown', { ruling: { evidence: 'none' } }, false],
    ['that matched nothing', { ruling: { reason: 'pin-mismatch' } }, false],
    ['whose key was not shown', { failed: true }, false],
  ])('a session is bound of a flow %s: %s', (_, more, expected) => {
    expect(after(more).binds).toBe(expected);
  });

  it('it is remembered for the pinsets that enforce, once the client believes', () => {
    const { aftermath, remembered } = after();
    aftermath.onBelief();
    expect(remembered).toEqual([]);
    aftermath.session.onDelivered(false);
    aftermath.onBelief();
    const expiry = { until: 1000 + 86_400e6, dateMs: Infinity };
    expect(remembered).toEqual([['subject', new Uint8Array(32).fill(1), [bank().name], expiry]]);
  });
});

describe('a client goes on', () => {
  const states = ({ wasAsked, isAwaited, isSeen }: Continuation) => ({ wasAsked, isAwaited, isSeen });
  const asked = (hidesTypes = false) => {
    const made = new Continuation();
    made.begin(hidesTypes);
    return made;
  };
  const UNASKED = { wasAsked: false, isAwaited: false, isSeen: false };
  const AWAITED = { wasAsked: true, isAwaited: true, isSeen: false };
  const SEEN = { wasAsked: true, isAwaited: false, isSeen: true };
  const OVER = { wasAsked: true, isAwaited: false, isSeen: false };

  it('where that was asked, with data or, of datagrams, with its Finished', () => {
    const unasked = new Continuation();
    unasked.onData(100);
    unasked.onFinished();
    expect(states(unasked)).toEqual(UNASKED);
    expect(states(asked())).toEqual(AWAITED);
    for (const goOn of [(of: Continuation) => of.onData(1), (of: Continuation) => of.onFinished()]) {
      const made = asked();
      goOn(made);
      expect(states(made)).toEqual(SEEN);
    }
  });

  it('with the second record that is longer than an alert, where records do not say what they are', () => {
    const made = asked(true);
    for (const length of [19, 100, 19]) made.onData(length);
    expect(states(made)).toEqual(AWAITED);
    made.onData(20);
    expect(states(made)).toEqual(SEEN);
  });

  it('is not seen any more once that was given up, and is not asked again', () => {
    const made = asked();
    made.giveUp();
    made.begin(false);
    made.onData(100);
    made.onFinished();
    expect(states(made)).toEqual(OVER);
    const seen = asked();
    seen.onData(100);
    seen.begin(true);
    expect(states(seen)).toEqual(SEEN);
  });
});
