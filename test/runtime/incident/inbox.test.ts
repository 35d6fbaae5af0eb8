/** The inbox out of made-up records of the log: what becomes an entry, what it says, and what answers make of it. */
import { describe, expect, it } from 'vitest';

import type { VerdictRecord } from '../../../src/report/schema.ts';
import { idOf, Inbox, type InboxAnswer, type InboxBounds } from '../../../src/runtime/incident/inbox.ts';
import { LEAF, verdictRecord as record } from '../../support/verdict-record.ts';

const HOST = 'www.bank.example';
const OLD = { ...LEAF, spki_sha256: 'old=' };
const NEW = { ...LEAF, spki_sha256: 'new=', sha256: 'bb' };
const ID = idOf('bank', HOST, 'spki-sha256:new=');
const NOON = Date.parse('2027-01-01T12:00:00Z');

const accepted = (second: number, leaf = OLD, more: object = {}) => record({ second, leaf, ...more });
const refused = (second: number, leaf = NEW, more: object = {}) =>
  record({ second, leaf, action: 'tls-alert', reason: 'pin-mismatch', ...more });

function inboxOf(records: readonly VerdictRecord[], answers: readonly InboxAnswer[] = [], bounds?: InboxBounds): Inbox {
  const inbox = new Inbox(bounds);
  for (const each of records) inbox.add(each);
  for (const answer of answers) inbox.answer(answer);
  return inbox;
}

const only = (inbox: Inbox, nowMs = NOON) => {
  const entries = inbox.entries(nowMs);
  expect(entries).toHaveLength(1);
  return entries[0]!;
};

function answered(answer: InboxAnswer['answer'], second: number, more: Partial<InboxAnswer> = {}): InboxAnswer {
  const at = new Date(Date.UTC(2027, 0, 1, 0, 0, second)).toISOString();
  return { entry: ID, answer, at, until: null, by: 'uid 0', comment: null, ...more };
}

describe('an entry', () => {
  it('is one for a pinset, a host and a key, whatever the order in which records come', () => {
    const records = [
      refused(7, NEW, { client: '10.1.0.3' }),
      accepted(1),
      refused(5),
      refused(6, { ...NEW, spki_sha256: 'other=' }),
      refused(8, NEW, { sni: 'www.shop.example' }),
      refused(9, NEW, { pinset: 'shop' }),
      refused(4),
    ];
    const forwards = inboxOf(records).entries(NOON);
    const backwards = inboxOf([...records].reverse()).entries(NOON);
    expect(forwards).toEqual(backwards);
    expect(forwards).toHaveLength(4);
    expect(forwards.find(({ id }) => id === ID)).toMatchObject({
      ...{ pinset: 'bank', host: HOST, key: 'spki-sha256:new=', state: 'open', count: 3, refused: 3 },
      ...{ first: '2027-01-01T00:00:04.000Z', last: '2027-01-01T00:00:07.000Z', reason: 'pin-mismatch' },
      before: { leaf: OLD, last: '2027-01-01T00:00:01.000Z' },
      clients: {
        known: [
          { value: '10.1.0.2', count: 2 },
          { value: '10.1.0.3', count: 1 },
        ],
        more: false,
      },
    });
  });

  it('is what a pin could answer: not what has no certificate, no pinset, or stands on a list of what is denied', () => {
    const inbox = inboxOf([
      accepted(1),
      refused(2, NEW, { reason: 'deny-pin' }),
      refused(3, NEW, { pinset: null }),
      refused(4, NEW, { reason: 'incomplete', leaf: null }),
    ]);
    expect(inbox.entries(NOON)).toEqual([]);
  });

  it('counts what report-only would have refused, and says that nobody was', () => {
    const would = refused(2, NEW, { action: 'accept', would: 'tls-alert', mode: 'report-only' });
    expect(only(inboxOf([would]))).toMatchObject({ count: 1, refused: 0, action: 'accept', would: 'tls-alert' });
  });

  it('names the server by its address where the client asked for no name', () => {
    expect(only(inboxOf([refused(2, NEW, { sni: null })])).host).toBe('198.51.100.7:443');
  });
});

describe('what differs', () => {
  const codes = (...records: VerdictRecord[]) =>
    inboxOf(records)
      .entries(NOON)
      .find(({ id }) => id === ID)!
      .differences.map(({ code }) => code);

  it('is nothing that could be said where nothing was before', () => {
    expect(codes(refused(2))).toEqual(['nothing-before']);
  });

  it('is told as a renewal has it', () => {
    expect(codes(accepted(1), refused(2))).toEqual(['new-key', 'same-issuer']);
  });

  it('is told as an interception has it: another issuer, of other hosts too, and the old key still there for others', () => {
    const proxied = { ...NEW, issuer: 'CN=Corporate Proxy' };
    const shop = refused(3, { ...proxied, spki_sha256: 'shop=' }, { sni: 'www.shop.example' });
    expect(codes(accepted(1), refused(2, proxied), shop, accepted(4))).toEqual([
      'new-key',
      'other-issuer',
      'old-key-too',
      'issuer-of-others',
    ]);
  });

  it('is told of the certificate by itself', () => {
    const own = { ...NEW, issuer: NEW.subject };
    expect(codes(refused(2, { ...own, not_after: '2026-12-31T23:59:59' }))).toContain('expired');
    expect(codes(refused(2, { ...own, not_before: '2027-02-01T00:00:00' }))).toEqual([
      'nothing-before',
      'self-signed',
      'not-yet-valid',
    ]);
  });

  it('is the certificate alone where the key is the same', () => {
    expect(codes(accepted(1, NEW), refused(2, { ...NEW, subject: 'CN=other' }))).toEqual([
      'same-key',
      'same-issuer',
      'other-subject',
    ]);
  });
});

describe('an answer', () => {
  const state = (records: VerdictRecord[], answers: InboxAnswer[], nowMs = NOON) =>
    only(inboxOf(records, answers), nowMs).state;

  it('to keep denying holds however often it is refused from then on', () => {
    expect(state([refused(1), refused(50)], [answered('deny', 10)])).toBe('denied');
  });

  it('to accept holds until it is refused all the same', () => {
    expect(state([refused(1)], [answered('accept', 10)])).toBe('accepted');
    expect(state([refused(1), refused(12)], [answered('accept', 10)])).toBe('accepted');
    expect(state([refused(1), refused(50)], [answered('accept', 10)])).toBe('open');
  });

  it('to look later holds until then', () => {
    const answers = [answered('snooze', 10, { until: '2027-01-01T12:00:00.000Z' })];
    expect(state([refused(1), refused(50)], answers, NOON - 1)).toBe('snoozed');
    expect(state([refused(1), refused(50)], answers, NOON)).toBe('open');
  });

  it('is the latest of several, in whatever order they come', () => {
    const [deny, reopen] = [answered('deny', 10), answered('reopen', 20)];
    expect(state([refused(1)], [deny, reopen])).toBe('open');
    expect(state([refused(1)], [reopen, deny])).toBe('open');
  });

  it('is given by whoever writes the pin into the configuration, too', () => {
    expect(state([refused(1), accepted(2, NEW)], [])).toBe('accepted');
    expect(state([accepted(1, NEW), refused(2)], [])).toBe('open');
  });
});

describe('bounds', () => {
  it('hold: who shows a key a connection displaces keys of that host alone', () => {
    const flood = Array.from({ length: 10_000 }, (_, i) => refused(i, { ...NEW, spki_sha256: `${i}=` }));
    const inbox = inboxOf([refused(0, NEW, { sni: 'www.shop.example' }), ...flood]);
    const entries = inbox.entries(NOON);
    expect(entries).toHaveLength(21);
    expect(entries.map(({ host }) => host)).toContain('www.shop.example');
    expect(inbox.displaced).toBe(9_980);
  });

  it('hold for hosts, of which the one that was quiet longest goes', () => {
    const hosts = Array.from({ length: 5 }, (_, i) => refused(i, NEW, { sni: `${i}.example` }));
    const inbox = inboxOf(hosts, [], { entries: 3, entriesOfHost: 2 });
    expect(inbox.entries(NOON).map(({ host }) => host)).toEqual(['4.example', '3.example', '2.example']);
  });
});
