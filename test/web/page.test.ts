/** What the console's page works out by itself, and how much of it a browser has to load. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { EngineState, Health, InboxEntry, Series, Verdict } from '../../src/web/api.ts';
import { keepLatest, Waiting } from '../../web/bounded.ts';
import { EVERYTHING, type Filter, fromQuery, matches, toQuery } from '../../web/filter.ts';
import { protectionOf, refusedOf, sentence, todayOf } from '../../web/sentences.ts';
import { sumsOf } from '../../web/sums.ts';
import { clock, dayAndClock, daysFrom, duration, isoDay, millisOf, span, zoneName } from '../../web/times.ts';
import { ROOT } from '../support/built.ts';
import { verdictRecord } from '../support/verdict-record.ts';

const NOW = Date.UTC(2027, 0, 2, 12);
const HOUR = 3_600_000;

describe('times', () => {
  it('of the log, of certificates and of ISO 8601 are the same instant', () => {
    const texts = ['2027-01-02T12:00:00.000000+0000', '2027-01-02T12:00:00', '2027-01-02T12:00:00.000Z'];
    expect(texts.map(millisOf)).toEqual([NOW, NOW, NOW]);
  });

  it('are those of the zone, which has a name', () => {
    expect(clock(NOW, 'Europe/Berlin')).toBe('13:00:00');
    expect(clock(NOW - 12 * HOUR, 'UTC')).toBe('00:00:00');
    expect(zoneName(NOW, 'Europe/London')).toBe('Europe/London (GMT)');
    expect(zoneName(NOW, 'UTC')).toBe('UTC');
    expect(isoDay(NOW + 11.5 * HOUR, 'Europe/Berlin')).toBe('2027-01-03');
  });

  it.each([
    [0, 'today 12:00'],
    [-13, 'yesterday 23:00'],
    [-48, '2026-12-31 12:00'],
  ])('%i hours from now are %s', (hours, text) => {
    expect(dayAndClock(NOW + hours * HOUR, NOW, 'UTC')).toBe(text);
  });

  it.each([
    [-25, '1 day ago'],
    [-1, 'less than a day ago'],
    [1, 'within a day'],
    [25, 'in 1 day'],
    [72, 'in 3 days'],
  ])('%i hours from now end %s', (hours, text) => {
    expect(daysFrom(NOW + hours * HOUR, NOW)).toBe(text);
  });

  it('that pass are told in their own units', () => {
    expect([840, 12_400, 340_000, 1_200_000].map(duration)).toEqual(['840 µs', '12.4 ms', '340 ms', '1.20 s']);
    expect([40, 300, 7_500, 273_600].map(span)).toEqual(['40 s', '5 min', '2 h 5 min', '3 d 4 h']);
  });
});

describe('the first sentence', () => {
  const connected: EngineState = { state: 'connected', since: new Date(NOW).toISOString(), error: null, missed: 0 };
  const lacking = (state: Health['state'], ...details: readonly string[]): Health => ({
    state,
    conditions: details.map((detail) => ({
      ...{ code: 'rules.none', severity: 'unprotected', meaning: '', mend: '', subject: '', detail, since: '', age: 0 },
    })),
  });

  it.each([
    [lacking('protected'), 'good', 'The network is protected.'],
    [
      lacking('degraded', 'a list is old'),
      'warn',
      'The network is protected, but not as well as it could be: a list is old.',
    ],
    [lacking('unprotected', 'no rule'), 'bad', 'The network is not protected: no rule.'],
    [
      lacking('unprotected', 'no rule', 'b', 'c'),
      'bad',
      'The network is not protected: no rule. There are 2 more things to mend.',
    ],
    [null, 'unknown', 'Waiting for what the engine says about protection.'],
  ] as const)('says how it is', (health, level, text) => {
    expect(protectionOf(health, connected, NOW)).toEqual({ level, text });
  });

  it('never says that the network is protected while nobody can tell', () => {
    expect(protectionOf(lacking('protected'), { ...connected, state: 'gone' }, NOW).level).toBe('bad');
    expect(protectionOf(lacking('protected'), null, NOW).level).toBe('unknown');
  });
});

describe('what changed', () => {
  const entry = (hours: number, state: InboxEntry['state']): InboxEntry =>
    ({ first: new Date(NOW + hours * HOUR).toISOString(), state }) as InboxEntry;

  it.each([
    [[], 'No certificate has changed today; nothing waits for an answer.'],
    [[entry(-72, 'open')], 'No certificate has changed today; 1 waits for an answer.'],
    [[entry(0, 'open'), entry(0, 'denied')], '2 certificates have changed today; 1 waits for an answer.'],
  ])('today: %#', (entries, sentence) => {
    expect(todayOf(entries, NOW)).toBe(sentence);
  });

  it('tells who was refused, and who would have been', () => {
    const at = new Date(NOW).toISOString();
    const of = {
      count: 3,
      refused: 3,
      clients: { known: [{ value: 'a', count: 3 }], more: false },
      first: at,
      last: at,
    };
    expect(refusedOf(of, NOW)).toMatch(/^Refused 3 connections of 1 client, today \d\d:\d\d\.$/);
    expect(refusedOf({ ...of, refused: 1 }, NOW)).toMatch(/^Refused 1 of 3 connections of 1 client/);
    expect(refusedOf({ ...of, refused: 0 }, NOW)).toMatch(/^Would have refused 3 connections of 1 client/);
  });
});

it.each([
  ['the host rotates: it has shown 2 keys', 'The host rotates: it has shown 2 keys.'],
  ['ask again (`tlspin health`)', 'Ask again (`tlspin health`)'],
  ['spki-sha256:AAAA= was seen 10 times only', 'spki-sha256:AAAA= was seen 10 times only.'],
  ['printer.example:443 is unknown', 'printer.example:443 is unknown.'],
  ['tlspin is not there', 'tlspin is not there.'],
])('"%s" reads "%s"', (text, said) => {
  expect(sentence(text)).toBe(said);
});

describe('a filter of verdicts', () => {
  const verdict: Verdict = { ...verdictRecord({ client: '10.1.0.2' }), queue: 0, number: 1 };
  const denied: Verdict = { ...verdictRecord({ action: 'tls-alert', reason: 'pin-mismatch' }), queue: 0, number: 2 };
  const would: Verdict = { ...verdictRecord({ would: 'reset', mode: 'report-only' }), queue: 0, number: 3 };
  const holds = (filter: Partial<Filter>, of = verdict) => matches({ ...EVERYTHING, ...filter }, of);

  it.each(['www.bank.example', 'WWW.bank.example', '*.bank.example', '10.1.0.2', '10.1.0.0/16', '198.51.100.0/24'])(
    'finds who it is about: %s',
    (who) => expect(holds({ who })).toBe(true),
  );

  it.each(['bank.example', '*.other.example', '10.1.0.3', '10.2.0.0/16', '2001:db8::/32', 'nonsense/99'])(
    'leaves out who it is not about: %s',
    (who) => expect(holds({ who })).toBe(false),
  );

  it('knows what was denied, and what would have been', () => {
    expect([verdict, denied, would].map((of) => holds({ denied: true }, of))).toEqual([false, true, true]);
    expect([verdict, denied].map((of) => holds({ action: 'accept' }, of))).toEqual([true, false]);
    expect([verdict, denied].map((of) => holds({ reason: 'pin-mismatch' }, of))).toEqual([false, true]);
    expect(['bank', 'other'].map((pinset) => holds({ pinset }))).toEqual([true, false]);
  });

  it('is the same after it was in the address', () => {
    const filter = { who: '*.bank.example', action: 'drop', reason: 'rule', pinset: 'bank', denied: true };
    expect(fromQuery(toQuery(filter))).toEqual(filter);
    expect(toQuery(EVERYTHING).size).toBe(0);
  });
});

describe('what waits to be painted', () => {
  it('is never more than there is room for, and counts all of it', () => {
    const waiting = new Waiting<number>(3);
    for (let number = 0; number < 10; number++) waiting.push([number]);
    waiting.push([10, 11, 12, 13, 14]);
    expect(waiting.count).toBe(15);
    expect(waiting.take()).toEqual([12, 13, 14]);
    expect([waiting.count, waiting.take()]).toEqual([0, []]);
  });
});

describe('what the page knows of the inbox', () => {
  it('is no more than the server has, however many keys are shown', () => {
    const entries = new Map<string, { last: string }>();
    for (let number = 0; number < 20; number++) {
      entries.set(String(number), { last: new Date(NOW + number).toISOString() });
      keepLatest(entries, 10);
    }
    expect([entries.size, entries.has('9'), entries.has('10')]).toEqual([10, false, true]);
  });
});

describe('the plot', () => {
  it('has what passed apart from what did not', () => {
    const none = { p50: [], p95: [] };
    const series: Series = {
      ...{ at: [60, 120], held_us: none, took_us: none },
      probes: { asked: [], failed: [], p50_ms: [], p95_ms: [] },
      verdicts: [
        { action: 'accept', reason: 'pin-match', values: [1, 2] },
        { action: 'accept', reason: 'unpinned', values: [3, 0] },
        { action: 'drop', reason: 'pin-mismatch', values: [0, 5] },
      ],
    };
    expect(sumsOf(series)).toEqual({ passed: [4, 2], denied: [0, 5], total: { passed: 6, denied: 5 } });
  });
});

describe('the page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tlspin-page-'));
  beforeAll(() => void execFileSync(process.execPath, [join(ROOT, 'web/build.mjs'), folder]));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is light', () => {
    const octets = readdirSync(folder).map((name) => gzipSync(readFileSync(join(folder, name))).length);
    expect(octets.length).toBeGreaterThanOrEqual(3);
    expect(octets.reduce((sum, one) => sum + one, 0)).toBeLessThan(150_000);
  });

  it('has no script and no style of its own that its policy would refuse', () => {
    const html = readFileSync(join(folder, 'index.html'), 'utf8');
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc="\/)|https?:/);
  });

  it('takes what peers have chosen for nothing but text', () => {
    const sources = readdirSync(join(ROOT, 'web'), { recursive: true, encoding: 'utf8' });
    const scripts = sources.filter((name) => name.endsWith('.ts'));
    const markup = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function/;
    expect(scripts.length).toBeGreaterThan(10);
    expect(scripts.filter((name) => markup.test(readFileSync(join(ROOT, 'web', name), 'utf8')))).toEqual([]);
  });
});
