/** Answers to changed certificates: real files and a real configuration; the daemon that takes policies is made up. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { VerdictEvent } from '../../../src/judge/events.ts';
import type { AcceptRequest } from '../../../src/learn/accept.ts';
import { recordSchema } from '../../../src/report/schema.ts';
import { recordOf } from '../../../src/report/eve.ts';
import { LiveConfiguration } from '../../../src/runtime/control/configuration.ts';
import { readConfiguration } from '../../../src/runtime/control/configuration/reading.ts';
import { type Acceptance, InboxAnswers } from '../../../src/runtime/control/inbox.ts';
import { RequestReader } from '../../../src/runtime/control/requests.ts';
import type { Overview } from '../../../src/runtime/control/status.ts';
import { idOf } from '../../../src/runtime/incident/inbox.ts';
import { presentCertificate } from '../../../src/x509/presented.ts';
import { certificate } from '../../support/certificates.ts';
import { PIN_A } from '../../support/configuration.ts';
import { policy } from '../../support/policy.ts';
import { tlsSummary, verdictEvent } from '../../support/verdict-event.ts';
import { RecentVerdicts } from '../../../src/runtime/control/recent-verdicts.ts';

const HOST = 'www.bank.example';
const FORGED = presentCertificate(certificate('forged'));
const KEY = `spki-sha256:${Buffer.from(FORGED.spkiSha256!, 'hex').toString('base64')}`;
const WHICH = { pinset: 'bank', host: HOST, key: KEY, sha1: FORGED.sha1, sha256: FORGED.sha256 };
const BANK = { name: 'bank', match: { hosts: [HOST] }, pins: [PIN_A, '@accepted'] };
const LIST = { file: 'accepted.list', writable: true };

let directory: string;
let answers: InboxAnswers;
let records: object[];
let learned: AcceptRequest[];
let host: Overview;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-answers-'));
  answers = new InboxAnswers();
  records = [];
  learned = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

function configure(document: object, events: readonly VerdictEvent[] = []): void {
  const file = join(directory, 'tlspin.json');
  writeFileSync(file, JSON.stringify({ version: 1, ...document }));
  const loaded = readConfiguration(file);
  if ('errors' in loaded) throw new Error(loaded.errors.map(({ text }) => text).join('\n'));
  let generation = 1;
  const apply = async () => ({ isInForce: true, generation: ++generation, silent: [] }) as const;
  const verdicts = new RecentVerdicts(policy());
  verdicts.take(events, 0);
  host = {
    configuration: new LiveConfiguration({ file, loaded, apply, onChange: () => {} }),
    verdicts,
    log: {
      record: (type: 'answer' | 'config', fields: object) =>
        records.push(recordOf(type, 0, { ...fields }, { host: 'gw' })),
    },
    daemon: {
      policy: policy({ hash: 'sha256:02' }),
      acceptLearned: async (request: AcceptRequest) => {
        learned.push(request);
        return { hosts: [`${HOST}:443`], generation: 2 };
      },
    },
  } as unknown as Overview;
}

const ask = (request: object) => answers.answer(host, new RequestReader({ ...request }), 'control (uid 0, pid 7)');
const listed = (name = 'accepted.list') => readFileSync(join(directory, name), 'utf8');

describe('to accept a key', () => {
  it('writes it into the list of the pinset, with who, when and why, and records it', async () => {
    configure({ pinsets: [BANK], lists: { accepted: LIST } });
    const answer = await ask({ ...WHICH, action: 'accept', comment: 'asked\ntheir hotline' });
    expect(answer).toMatchObject({
      dry_run: false,
      accepted: { kind: 'list', list: 'accepted', pin: KEY, pinsets: ['bank'], replay: null },
      answer: { entry: idOf('bank', HOST, KEY), answer: 'accept', by: 'control (uid 0, pid 7)' },
    });
    const [entry, comment] = listed().trimEnd().split(' # ');
    expect(entry).toBe(KEY);
    expect(comment).toMatch(
      /^www\.bank\.example, accepted 2\S+Z by control \(uid 0, pid 7\): asked\\x0atheir hotline$/,
    );
    expect(host.configuration.policy.pinsets[0]!.pins.map(({ canonical }) => canonical)).toContain(KEY);
    expect(recordSchema.parse(records[0])).toMatchObject({ answer: { answer: 'accept', list: 'accepted', pin: KEY } });
    expect(await ask({})).toMatchObject({ answers: [{ answer: 'accept' }] });
  });

  it('only says what would become of it where that is asked for', async () => {
    const denied = verdictEvent({
      ...{ action: 'tls-alert', reason: 'pin-mismatch' },
      tls: tlsSummary({ certificates: [certificate('forged')] }),
    });
    configure({ pinsets: [BANK], lists: { accepted: LIST } }, [denied]);
    expect(await ask({ ...WHICH, action: 'accept', dry_run: true })).toMatchObject({
      dry_run: true,
      answer: null,
      accepted: { list: 'accepted', replay: { replayed: 1, would_deny: 0, newly_accepted: 1 } },
    });
    expect(() => listed()).toThrow('ENOENT');
    expect(records).toEqual([]);
    expect(await ask({})).toEqual({ answers: [] });
  });

  it('takes the list that the fewest other pinsets take, and the certificate where a list is of certificates', async () => {
    const shop = { ...BANK, name: 'shop', match: { hosts: ['www.shop.example'] }, pins: ['@shared'] };
    configure({
      pinsets: [{ ...BANK, pins: ['@shared', '@own'] }, shop],
      lists: { shared: { ...LIST, file: 'shared.list' }, own: { ...LIST, file: 'own.list', kind: 'cert-sha1' } },
    });
    expect(await ask({ ...WHICH, action: 'accept' })).toMatchObject({
      accepted: { list: 'own', pin: `cert-sha1:${FORGED.sha1}`, pinsets: ['bank'] },
    });
    expect(await ask({ ...WHICH, pinset: 'shop', action: 'accept', dry_run: true })).toMatchObject({
      accepted: { list: 'shared', pinsets: ['bank', 'shop'] },
    });
  });

  it('is done by the configuration that was looked at, or not at all', async () => {
    configure({ pinsets: [BANK], lists: { accepted: LIST, other: { ...LIST, file: 'other.list' } } });
    const { accepted } = (await ask({ ...WHICH, action: 'accept', dry_run: true })) as { accepted: Acceptance };
    expect(accepted).toMatchObject({ pinsets: ['bank'], hosts: [HOST], hosts_count: 1, generation: 1 });
    const { generation, config } = accepted;
    const document = { version: 1, pinsets: [{ ...BANK, pins: [PIN_A, '@other'] }], lists: { other: LIST } };
    writeFileSync(join(directory, 'tlspin.json'), JSON.stringify(document));
    await host.configuration.reload('SIGHUP');
    const again = ask({ ...WHICH, action: 'accept', generation, config });
    await expect(again).rejects.toThrow('the configuration was changed meanwhile: look again');
    expect(() => listed()).toThrow('ENOENT');
    const { accepted: now } = (await ask({ ...WHICH, action: 'accept', dry_run: true })) as { accepted: Acceptance };
    const seen = { generation: now.generation, config: now.config };
    expect(await ask({ ...WHICH, action: 'accept', ...seen })).toMatchObject({ accepted: { list: 'other' } });
    await expect(ask({ ...WHICH, action: 'accept', generation: 1 })).rejects.toThrow('belong together');
  });

  it('is nothing for lists that deny, that rules look into, that nobody may write, or of authorities', async () => {
    const lists = { lists: { accepted: LIST } };
    const refuses = () =>
      expect(ask({ ...WHICH, action: 'accept' })).rejects.toThrow(/^the pinset "bank" takes no keys/);
    configure({ pinsets: [BANK], lists: { accepted: { entries: [PIN_A] } } });
    await refuses();
    configure({ pinsets: [{ ...BANK, pins: [PIN_A, { pin: '@accepted', at: 'ca' }] }], ...lists });
    await refuses();
    configure({ pinsets: [BANK, { name: 'bad', match: {}, deny: ['@accepted'] }], ...lists });
    await refuses();
    configure({ pinsets: [BANK], rules: [{ fpl: 'accepted', match: {}, verdict: 'drop' }], ...lists });
    await refuses();
    configure({ pinsets: [{ ...BANK, pins: [PIN_A] }] });
    await expect(ask({ ...WHICH, action: 'accept' })).rejects.toThrow(`{ "pin": "${KEY}", "at": "leaf"`);
    expect(records).toEqual([]);
  });

  it('goes into the book where the pinset learns', async () => {
    configure({
      learn: { file: 'learned.json' },
      pinsets: [{ name: 'bank', match: { hosts: [HOST] }, mode: 'learn', then: 'enforce' }],
    });
    expect(await ask({ ...WHICH, action: 'accept' })).toMatchObject({ accepted: { kind: 'learned', list: null } });
    expect(records.map((record) => recordSchema.parse(record))).toMatchObject([
      { config: { change: 'learn', result: 'in-force', config: 'sha256:02', generation: 2 } },
      { answer: { answer: 'accept', pin: KEY } },
    ]);
    expect(learned).toEqual([{ pinset: 'bank', host: HOST, spki: KEY.slice('spki-sha256:'.length) }]);
  });
});

describe('every other answer', () => {
  it('changes nothing but what is remembered', async () => {
    configure({ pinsets: [BANK], lists: { accepted: LIST } });
    await ask({ ...WHICH, action: 'deny', comment: 'it is none of theirs' });
    const until = new Date(Date.now() + 60_000).toISOString();
    await ask({ ...WHICH, action: 'snooze', until });
    expect(records.map((record) => recordSchema.parse(record))).toMatchObject([
      { answer: { answer: 'deny', comment: 'it is none of theirs' } },
      { answer: { answer: 'snooze', until } },
    ]);
    expect(await ask({})).toMatchObject({ answers: [{ answer: 'snooze', until }] });
    expect(() => listed()).toThrow('ENOENT');
  });

  it('that cannot be understood is refused with a sentence', async () => {
    configure({ pinsets: [BANK], lists: { accepted: LIST } });
    await expect(ask({ action: 'deny', pinset: 'bank' })).rejects.toThrow('"pinset", "host" and "key" must say');
    await expect(ask({ ...WHICH, key: '@accepted', action: 'deny' })).rejects.toThrow('"key" must be a pin');
    await expect(ask({ ...WHICH, action: 'snooze', until: '2020-01-01' })).rejects.toThrow('still to come');
    await expect(ask({ ...WHICH, action: 'accept', pinset: 'gone' })).rejects.toThrow('there is no pinset "gone"');
    expect(records).toEqual([]);
  });
});
