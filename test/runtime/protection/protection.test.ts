import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';

import type { AnomalyEvent } from '../../../src/judge/events.ts';
import { toEve } from '../../../src/report/eve.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import { CertificateEntries } from '../../../src/report/certificate-entry.ts';

let said: string[];
let logged: AnomalyEvent[];
let protection: Protection;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.UTC(2026, 10, 22, 12) });
  said = [];
  logged = [];
  protection = new Protection({
    log: { write: (events) => void logged.push(...events) },
    say: (line) => void said.push(line),
  });
});
afterEach(() => vi.useRealTimers());

const states = () => logged.map(({ code, condition }) => `${code} ${condition!.subject} ${condition!.state}`);

describe('what holds', () => {
  it('is told at its beginning and at its end, once each', () => {
    for (const detail of ['one', 'two']) protection.hold('pinset.expired', new Map([['bank', detail]]));
    vi.advanceTimersByTime(12_000);
    for (let i = 0; i < 2; i++) protection.hold('pinset.expired', new Map());
    expect(said).toEqual([
      'NOT PROTECTED (pinset.expired): one: give it pins and a date that hold, and reload',
      'over after 12 s (pinset.expired): two',
    ]);
    expect(states()).toEqual(['pinset.expired bank begin', 'pinset.expired bank end']);
  });

  it('holds for each subject by itself', () => {
    protection.hold(
      'list.stale',
      new Map([
        ['0', 'zero'],
        ['1', 'one'],
      ]),
    );
    protection.hold('list.stale', new Map([['1', 'one']]));
    expect(states()).toEqual(['list.stale 0 begin', 'list.stale 1 begin', 'list.stale 0 end']);
    expect(protection.conditions.map(({ subject }) => subject)).toEqual(['1']);
  });

  it('leaves other conditions alone', () => {
    protection.begin('reload.refused', '', 'why');
    protection.hold('list.stale', new Map());
    expect(protection.conditions).toMatchObject([{ code: 'reload.refused', detail: 'why' }]);
  });

  it('has its age on a clock that nobody sets', () => {
    protection.begin('reload.refused', '', 'why');
    vi.advanceTimersByTime(5_000);
    vi.setSystemTime(0);
    expect(protection.conditions).toMatchObject([{ since: new Date(Date.UTC(2026, 10, 22, 12)), age: 5_000 }]);
  });
});

describe('what happens', () => {
  it('holds until it has not happened for a while', () => {
    for (let i = 0; i < 10; i++) {
      protection.notice('queue.full', '0', `${i}`, 3_000);
      vi.advanceTimersByTime(2_000);
      protection.look();
    }
    expect(states()).toEqual(['queue.full 0 begin']);
    vi.advanceTimersByTime(1_000);
    protection.look();
    expect(states()).toEqual(['queue.full 0 begin', 'queue.full 0 end']);
  });
});

describe('the state', () => {
  it('is that of the worst condition, once it is known what is lacking', () => {
    expect(protection.state).toBe('starting');
    protection.begin('rules.none', '', '');
    expect(protection.state).toBe('unprotected');
    protection.end('rules.none', '');
    protection.know();
    expect(protection.state).toBe('protected');
    protection.begin('pin.backup', 'bank', '');
    expect(protection.state).toBe('degraded');
    protection.begin('pinset.expired', 'bank', '');
    expect(protection.state).toBe('unprotected');
    expect(protection.conditions.map(({ code }) => code)).toEqual(['pinset.expired', 'pin.backup']);
    protection.end('pinset.expired', 'bank');
    expect(protection.state).toBe('degraded');
  });
});

describe('a record', () => {
  it('says how bad it is, and whether it begins or ends', () => {
    protection.begin('pin.backup', 'bank', 'why');
    const entries = new CertificateEntries({ present: () => undefined!, describe: () => undefined! }, 'pins');
    expect(toEve(logged[0]!, { certificates: entries })).toMatchObject({
      event_type: 'anomaly',
      anomaly: { event: 'pin.backup', severity: 'degraded', state: 'begin', subject: 'bank', detail: 'why' },
    });
  });

  it('of a log that loses records names the destination, and at its end what was lost', () => {
    protection.begin('log.lost', 'pino-socket', 'why');
    protection.end('log.lost', 'pino-socket', '3 records were lost');
    expect(states()).toEqual(['log.lost pino-socket begin', 'log.lost pino-socket end']);
    expect(said[1]).toBe('over after 0 s (log.lost): 3 records were lost');
  });
});
