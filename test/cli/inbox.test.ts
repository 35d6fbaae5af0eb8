/** `tlspin inbox` over log files, as processes; with an engine, in test/e2e/inbox.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { idOf, type InboxEntry } from '../../src/runtime/incident/inbox.ts';
import { ensureBuilt, tlspin } from '../support/command-line.ts';
import { LEAF, verdictRecord } from '../support/verdict-record.ts';

const NEW = { ...LEAF, spki_sha256: 'new=', issuer: 'CN=Corporate\u001b[2J Proxy' };
const ID = idOf('bank', 'www.bank.example', 'spki-sha256:new=');
const refused = (second: number) =>
  verdictRecord({ second, flow: 7, action: 'tls-alert', reason: 'pin-mismatch', leaf: NEW });

let folder: string;
let log: string;

beforeAll(ensureBuilt, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-inbox-'));
  log = join(folder, 'tlspin.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const inbox = (...args: string[]) =>
  tlspin(['inbox', ...args, '--log', log], { env: { TLSPIN_CONTROL: join(folder, 'none.sock') } });
const write = (...records: object[]) =>
  writeFileSync(log, records.map((record) => `${JSON.stringify(record)}\n`).join(''));

describe('the inbox', () => {
  it('names what waits for an answer, and with --all what was answered', async () => {
    const answer = { answer: 'deny', entry: ID, pinset: 'bank', server: 'www.bank.example', key: 'k', by: 'SIGMUND' };
    write(verdictRecord(), refused(5));
    const { out } = await inbox();
    expect(out.split('\t').slice(0, 5)).toEqual([ID, 'open', 'www.bank.example', 'bank', '1']);
    write(verdictRecord(), refused(5), {
      event_type: 'answer',
      timestamp: '2027-01-01T00:00:09.000000+0000',
      host: 'gw',
      answer,
    });
    expect((await inbox()).out).toBe('nothing waits for an answer (tlspin inbox --all: what was answered)\n');
    const all = JSON.parse((await inbox('list', '--all', '--json')).out) as { entries: InboxEntry[] };
    expect(all.entries).toMatchObject([{ id: ID, state: 'denied', answer: { by: 'SIGMUND' } }]);
  });

  it('shows both keys and what differs, harmless on a terminal', async () => {
    write(verdictRecord({ leaf: LEAF }), refused(5), verdictRecord({ second: 9 }));
    const { out } = await inbox('show', ID.slice(0, 4));
    expect(out).toContain('  before: CN=www.bank.example, issued by CN=Honest CA\n');
    expect(out).toContain('  now: CN=www.bank.example, issued by CN=Corporate\\x1b[2J Proxy\n');
    expect(out).toContain('  !! it names another issuer than before\n');
    expect(out).toContain('  !! the key of before was shown to somebody since: not everybody sees the new one\n');
    expect(out).toContain(`  then: tlspin inbox accept ${ID} |`);
  });

  it('says what it does not know, and that an answer takes a running tlspin', async () => {
    write(refused(5));
    expect(await inbox('show', 'ffff')).toMatchObject({
      status: 1,
      err: 'error: there is no entry ffff: see tlspin inbox list --all\n',
    });
    const { status, err } = await inbox('accept', ID);
    expect([status, err]).toEqual([1, expect.stringMatching(/^error: control socket .*none\.sock: there is none/)]);
    expect((await inbox('snooze', ID, '--for', 'ever')).status).toBe(2);
  });

  it('accepts by the whole number alone: another key may begin alike', async () => {
    write(refused(5));
    for (const id of ['', ID.slice(0, 4), ID.slice(0, 11)]) {
      expect((await inbox('accept', id)).err).toMatch(/^error: "[0-9a-f]*" is not the whole number of an entry/);
    }
    expect((await inbox('deny', '')).err).toBe('error: say which entry: its number, or how that begins\n');
  });
});
