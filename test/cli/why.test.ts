/** `tlspin why` and `tlspin ctl explain` over log files, as processes: records that `tlspin inspect` has made of real captures. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { recordSchema, type VerdictRecord } from '../../src/report/schema.ts';
import { ControlServer } from '../../src/runtime/control/server.ts';
import { loadBinding } from '../../src/source/binding.ts';
import { ROOT } from '../support/built.ts';
import { ensureBuilt, MAIN, tlspin } from '../support/command-line.ts';

const FLOWS = `${ROOT}fixtures/flows/`;
const PINNED = `${FLOWS}pinned.json`;
const GENUINE = 'spki-sha256:SkR0+T274Sm06wWNZY4r1vrNgqKFFeWpmpOxDarh6uE=';

let folder: string;
let log: string;
let denied: VerdictRecord;
let accepted: VerdictRecord;

beforeAll(async () => {
  ensureBuilt();
  denied = await recordOf('forged.pcap');
  accepted = await recordOf('tls12.pcap');
}, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-why-'));
  log = join(folder, 'tlspin.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function recordOf(capture: string): Promise<VerdictRecord> {
  const { out } = await tlspin(['inspect', `${FLOWS}${capture}`, '-c', PINNED]);
  return recordSchema.parse(JSON.parse(out)) as VerdictRecord;
}

/** At a minute of the same hour. */
function at(record: VerdictRecord, minute: number, more: Partial<VerdictRecord> = {}): VerdictRecord {
  const timestamp = `2026-11-29T12:${String(minute).padStart(2, '0')}:00.000000+0000`;
  return { ...record, timestamp, flow_id: 100 + minute, ...more };
}

const lines = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('');
const nobody = () => ({ TLSPIN_CONTROL: join(folder, 'none.sock') });
const why = (...args: string[]) => tlspin(['why', ...args], { env: nobody() });
const causesIn = (out: string) => (JSON.parse(out) as { causes: { reason: string; count: number }[] }).causes;

describe('log files', () => {
  it('of captures that nothing was pinned for say how it came that they were logged', async () => {
    const { out: record } = await tlspin(['inspect', `${FLOWS}tls12.pcap`]);
    writeFileSync(log, record);
    const { out } = await why('www.bank.example', '--log', log);
    expect(out).toContain(
      '  to do: nothing; logged with "log": { "unpinned": true }, and where a rule that accepts has left its mark',
    );
  });

  it('are read with what was rotated away, gzip or not, and only what is a decision', async () => {
    writeFileSync(join(folder, 'tlspin.json.2.gz'), gzipSync(lines(at(denied, 1))));
    writeFileSync(join(folder, 'tlspin.json.1'), lines(at(denied, 2), { event_type: 'stats', stats: {} }));
    writeFileSync(join(folder, 'tlspin-20261128.json.gz'), gzipSync(lines(at(denied, 0))));
    writeFileSync(join(folder, 'tlspin.json.bak'), lines(at(denied, 3)));
    writeFileSync(join(folder, 'other.json'), lines(at(denied, 4)));
    writeFileSync(log, `${lines(at(accepted, 5))}{"event_type":"verdict","timesta`);
    const { status, out, err } = await why('WWW.bank.example.', '--log', log, '--json');
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject({
      subject: 'WWW.bank.example.',
      decisions: 4,
      denied: 3,
      causes: [
        {
          action: 'tls-alert',
          reason: 'pin-mismatch',
          pinset: 'bank',
          count: 3,
          first: '2026-11-29T12:00:00.000000+0000',
          last: '2026-11-29T12:02:00.000000+0000',
          flow_id: 102,
          clients: { '127.0.0.1': 3 },
          servers: { '127.0.0.1 443': 3 },
          leaf: { subject: 'CN=www.bank.example', issuer: 'CN=evil root' },
          paste: { pinset: 'bank' },
        },
        { action: 'accept', reason: 'pin-match', count: 1, paste: null },
      ],
    });
  });

  it('that end too soon are read as far as they go, and that is said', async () => {
    const whole = gzipSync(lines(...Array.from({ length: 50 }, (_, minute) => at(denied, minute % 60))));
    writeFileSync(join(folder, 'tlspin.json.1.gz'), whole.subarray(0, whole.length - 20));
    writeFileSync(log, lines(at(denied, 59)));
    const { status, out, err } = await why('127.0.0.1', '--log', log, '--json');
    expect(status).toBe(0);
    expect(causesIn(out)[0]!.count).toBeGreaterThan(1);
    expect(err).toMatch(/^tlspin why: log .*tlspin\.json\.1\.gz: its end is missing; what comes before it was read\n$/);
  });

  it('older than what is asked for are left alone', async () => {
    writeFileSync(join(folder, 'tlspin.json.1.gz'), 'no gzip at all');
    utimesSync(join(folder, 'tlspin.json.1.gz'), new Date('2026-11-01'), new Date('2026-11-01'));
    writeFileSync(log, lines(at(denied, 1), at(denied, 30)));
    const { out, err } = await why('*.bank.example', '--since', '2026-11-29T12:10:00Z', '--log', log, '--json');
    expect([err, causesIn(out).map(({ count }) => count)]).toEqual(['', [1]]);
  });

  it('that may not be read are no missing ones', () => {
    const user = process.getuid!() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    for (const name of [`${log}.1`, log]) writeFileSync(name, lines(at(denied, 1)));
    const said = (mode: number) => {
      chmodSync(folder, mode);
      const { status, stderr } = spawnSync(process.execPath, [MAIN, 'why', 'www.bank.example', '--log', log], user);
      chmodSync(folder, 0o700);
      return [status, stderr.toString()];
    };
    const why = 'its permissions forbid reading it (use sudo)\n';
    expect(said(0)).toEqual([1, `error: log ${log}: ${why}`]);
    expect(said(0o444)).toEqual([1, [log, `${log}.1`].map((each) => `tlspin why: log ${each}: ${why}`).join('')]);
  });

  it('of which nothing could be read are not among what was read', async () => {
    mkdirSync(`${log}.1`);
    writeFileSync(log, lines(at(denied, 1)));
    const { status, out, err } = await why('www.bank.example', '--log', log);
    expect([status, err]).toEqual([0, `tlspin why: log ${log}.1: this is a folder: name the file in it\n`]);
    expect(out).toContain(`\nread: ${log}\n`);
    const { out: nothing } = await why('www.bank.example', '--log', folder);
    expect(nothing).toContain('\nread: nothing\n');
  });

  it('of another version are read as far as they are understood, and what is no record is left alone', async () => {
    const verdict = { ...denied.verdict, reason: 'of-tomorrow' };
    const bare = { ...at(denied, 2), src_ip: undefined };
    writeFileSync(log, lines({ ...at(denied, 1), verdict }, bare, { ...at(denied, 3), tls: {} }));
    const { status, out, err } = await why('www.bank.example', '--log', log);
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain('1 decision, 1 of them denied\n');
    expect(out).toContain('\n  a reason that this version of tlspin does not know\n');
    const explained = await tlspin(['ctl', 'explain', '101', '--log', log, '-c', PINNED], { env: nobody() });
    expect([explained.status, explained.err]).toEqual([0, '']);
  });

  it('that are not there are exit status 1', async () => {
    expect(await why('www.bank.example', '--log', log)).toEqual({
      status: 1,
      out: '',
      err: `error: log ${log}: there is no such file\n`,
    });
  });
});

describe('for people', () => {
  it('the causes are told, the denied ones first, with the line to write if the key is genuine', async () => {
    const clients = ['10.0.0.1', '10.0.0.2', '2001:db8::1'];
    const refused = clients.map((client, i) => at(denied, i, { src_ip: client, dest_ip: '2001:db8::443' }));
    writeFileSync(log, lines(...refused, at(accepted, 50)));
    const { out } = await why('www.bank.example', '--log', log);
    expect(out).toMatch(/^www\.bank\.example: 4 decisions, 3 of them denied\n/);
    const [first, second] = out.split('\n\n').slice(1);
    expect(first).toContain('tls-alert, pin-mismatch, pinset bank: 3 times\n');
    expect(first).toContain('  first 2026-11-29T12:00:00Z, last 2026-11-29T12:02:00Z\n');
    expect(first).toContain('  clients: 10.0.0.1 (1), 10.0.0.2 (1), 2001:db8::1 (1)\n');
    expect(first).toContain('  servers: [2001:db8::443]:443 (3)\n');
    expect(first).toContain('  more of the last one: tlspin ctl explain 102');
    expect(second).toMatch(/^accept, pin-match, pinset bank: once\n/);
  });

  it('the line to write makes a configuration that takes the key', async () => {
    writeFileSync(log, lines(at(denied, 1)));
    const { out } = await why('www.bank.example', '--log', log);
    const line = /\n {4}(\{ "pin": .*\},)\n/.exec(out)?.[1];
    const file = join(folder, 'new.json');
    writeFileSync(
      file,
      `{ "version": 1, "pinsets": [{ "name": "bank", "match": { "hosts": ["www.bank.example"] }, "pins": [${line}] }] }`,
    );
    const inspected = await tlspin(['inspect', `${FLOWS}forged.pcap`, '-c', file]);
    expect(JSON.parse(inspected.out)).toMatchObject({ verdict: { action: 'accept', reason: 'pin-match' } });
  });

  it('what report-only had done is told as what it would have done', async () => {
    const verdict = { ...denied.verdict, action: 'accept', mode: 'report-only', would: 'tls-alert' } as const;
    writeFileSync(log, lines({ ...at(denied, 1), verdict }));
    const { out } = await why('www.bank.example', '--log', log);
    expect(out).toContain('1 decision, 1 of them denied\n');
    expect(out).toContain('\naccept (would: tls-alert), pin-mismatch, pinset bank: once\n');
  });

  it('who is asked about in vain is told who is there, and the status says so', async () => {
    writeFileSync(log, lines(at(denied, 1), at(denied, 2)));
    const { status, out } = await why('www.bnk.example', '--log', log);
    expect(status).toBe(1);
    expect(out).toContain('decisions about others were found: www.bank.example (2)\n');
  });

  it('what peers chose is harmless for a terminal', async () => {
    const tls = { ...denied.tls!, sni: 'www.bank.example', subject: '\x1b[2J' };
    const [leaf] = tls.certificates;
    writeFileSync(
      log,
      lines({ ...at(denied, 1), tls: { ...tls, certificates: [{ ...leaf, subject: 'CN=\x1b[2J' }] } }),
    );
    expect((await why('www.bank.example', '--log', log)).out).not.toContain('\x1b');
  });
});

it.each(['www.bank.example/', '10.0.0.1/33', 'a b', '!'])('%j is nobody to ask about: usage', async (subject) => {
  expect((await why(subject)).status).toBe(2);
});

it('without a log that is named and without an engine it says where it has looked', async () => {
  const { status, err } = await why('www.bank.example');
  expect(status).toBe(1);
  expect(err).toContain(`control socket ${join(folder, 'none.sock')}: there is none`);
});

it('a running engine names its log, and what it remembers counts once', async () => {
  writeFileSync(log, lines(at(denied, 1), at(denied, 2)));
  const asked: object[] = [];
  const server = new ControlServer({
    path: join(folder, 'control.sock'),
    mode: 0o600,
    binding: loadBinding(),
    answer: (request) => {
      asked.push(request);
      const status = { log: { file: log }, configuration: { file: PINNED } };
      const verdicts = [at(denied, 3), at(denied, 2)].map((record) => ({ queue: 0, ...record }));
      return Promise.resolve({ ok: true, status, verdicts });
    },
  });
  await server.start();
  const env = { TLSPIN_CONTROL: join(folder, 'control.sock') };
  const { out } = await tlspin(['why', 'www.bank.example', '--json'], { env });
  await server.stop();
  expect(JSON.parse(out)).toMatchObject({ read: [log, 'the running tlspin'], causes: [{ count: 3, flow_id: 103 }] });
  expect(asked).toMatchObject([{ command: 'status' }, { command: 'verdicts', limit: 2_000 }]);
});

describe('ctl explain, where no engine remembers the flow', () => {
  const explain = (flow: string, ...args: string[]) =>
    tlspin(['ctl', 'explain', flow, '--log', log, ...args], { env: nobody() });

  it('tells of the record, each pin compared with the digests that it has', async () => {
    writeFileSync(log, lines(at(accepted, 7)));
    const { status, out } = await explain('107', '-c', PINNED);
    expect(status).toBe(0);
    expect(out).toMatch(
      /^flow 107 \(in the log\): 127\.0\.0\.1:\d+ to 127\.0\.0\.1:443, www\.bank\.example, TLS 1\.2\n/,
    );
    expect(out).toContain('verdict: accept, pin-match: ');
    expect(out).toContain('  told by the log, as of 2026-11-29T12:07:00Z\n');
    expect(out).toContain(`\n  ${GENUINE} (path)\n     matches: it is of certificate 1, and decided\n`);
    expect(out).not.toContain('has changed since');
  });

  it('finds it by its client, and takes the latest of several', async () => {
    writeFileSync(log, lines(at(denied, 1), at(accepted, 2, { src_port: denied.src_port }), at(denied, 0)));
    const { out } = await explain(`${denied.src_ip}:${denied.src_port}`, '-c', PINNED, '--json');
    expect(JSON.parse(out)).toMatchObject({
      flow_id: 102,
      phase: 'logged',
      configuration_known: true,
      record: { verdict: { reason: 'pin-match' } },
      explanation: { judged: [{ pinset: 'bank', pins: [{ pin: GENUINE, counts: true, equals: [0] }, {}] }] },
    });
  });

  it('finds it by however its client’s address is spelled', async () => {
    writeFileSync(log, lines(at(denied, 1, { src_ip: '2001:db8::a', src_port: 51514 })));
    const { status, out } = await explain('[2001:0DB8:0:0::A]:51514', '-c', PINNED);
    expect([status, out.split(' to ')[0]]).toEqual([0, 'flow 101 (in the log): [2001:db8::a]:51514']);
  });

  it('says when another configuration than the one that decided is compared', async () => {
    writeFileSync(log, lines({ ...at(denied, 1), verdict: { ...denied.verdict, config: 'sha256:00' } }));
    expect((await explain('101', '-c', PINNED)).out).toContain(
      `the configuration has changed since; told is what ${PINNED}`,
    );
  });

  it('says what is missing', async () => {
    writeFileSync(log, lines(at(denied, 1)));
    expect((await explain('101')).err).toContain('error: flow 101 is in the log: name the configuration');
    expect((await explain('5', '-c', PINNED)).err).toMatch(
      /^error: no flow 5 is in .*tlspin\.json; and .* names no control socket/,
    );
  });
});
