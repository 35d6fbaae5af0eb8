import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';

import { recordSchema } from '../../src/report/schema.ts';
import { registerInspect } from '../../src/cli/inspect.ts';
import { pcap } from '../support/capture-bytes.ts';

const FLOWS = fileURLToPath(new URL('../../fixtures/flows/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tlspin-inspect-'));

interface Run {
  readonly status: number;
  readonly records: Record<string, unknown>[];
  readonly err: string;
}

async function run(...args: string[]): Promise<Run> {
  let [out, err] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += text), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += text), true));
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => (err += text) });
  registerInspect(program);
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  const thrown = await program
    .parseAsync(['inspect', ...args], { from: 'user' })
    .then(() => undefined)
    .catch((error: unknown) => (error as { exitCode: number }).exitCode);
  const status = thrown ?? Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  vi.restoreAllMocks();
  return { status, records: parse(out), err };
}

function parse(ndjson: string): Record<string, unknown>[] {
  const lines = ndjson.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const record = JSON.parse(line) as Record<string, unknown>;
    return { ...record, pcap_filename: basename(String(record.pcap_filename)) };
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const captures = readdirSync(FLOWS).filter((name) => /\.(pcap|pcapng|gz)$/.test(name));

describe.each(captures)('%s', (name) => {
  const expected = (suffix: string): unknown => parse(readFileSync(`${FLOWS}${name}${suffix}.ndjson`, 'utf8'));

  test('is reported as it was', async () => {
    const { records, status } = await run(FLOWS + name);
    expect(records).toEqual(expected(''));
    expect(status).toBe(name === 'cut.pcap' ? 1 : 0);
  });

  test('has records that are as the schema of the log says', () => {
    const text = ['', '.pinned'].map((suffix) => readFileSync(`${FLOWS}${name}${suffix}.ndjson`, 'utf8')).join('');
    for (const record of parse(text)) recordSchema.parse(record);
  });

  test('is judged as it was', async () => {
    expect((await run('-c', `${FLOWS}pinned.json`, FLOWS + name)).records).toEqual(expected('.pinned'));
  });
});

test('every variant of one recording shows the same flow', async () => {
  const whole = [
    'backwards',
    'cut',
    'fragments',
    'gre',
    'nano-big-endian',
    'no-syn',
    'one-octet-segments',
    'vlan',
    'vxlan',
  ];
  const names = [...whole.map((name) => `${name}.pcap`), 'sections.pcapng', 'sections.pcapng.gz'];
  const [original] = (await run(`${FLOWS}tls12.pcap`)).records;
  for (const name of names) {
    const { records } = await run(FLOWS + name);
    expect(records.map(({ tls }) => tls)).toEqual([original!.tls]);
  }
});

test('the forged server is what enforcement would have stopped', async () => {
  const { records, status } = await run('-c', `${FLOWS}pinned.json`, `${FLOWS}forged.pcap`);
  expect(records[0]!.verdict).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch', pinset: 'bank' });
  expect(status).toBe(0);
});

describe('several captures', () => {
  test('each record says from which', async () => {
    const { records } = await run(`${FLOWS}tls12.pcap`, `${FLOWS}tls13.pcap`);
    expect(records.map((record) => record.pcap_filename)).toEqual(['tls12.pcap', 'tls13.pcap']);
  });

  test('one that is cut short or absent is named, and the others are read', async () => {
    const absent = join(folder, 'absent.pcap');
    const { records, status, err } = await run(`${FLOWS}cut.pcap`, absent, `${FLOWS}tls13.pcap`);
    expect(records.map((record) => record.pcap_filename)).toEqual(['cut.pcap', 'tls13.pcap']);
    expect(status).toBe(1);
    expect(err).toMatch(
      /^tlspin inspect: \S+cut\.pcap: cut short: a record has \d+ of at least \d+ octets at byte \d+\n/,
    );
    expect(err).toContain(`tlspin inspect: ${absent}: cannot be read: ENOENT (there is no such file)\n`);
  });
});

test('a capture without flows is no error', async () => {
  const path = join(folder, 'empty.pcap');
  writeFileSync(path, pcap([]));
  expect(await run(path)).toEqual({ status: 0, records: [], err: '' });
});

test('with --checksums, segments whose checksum is wrong do not count', async () => {
  const frames = readFileSync(`${FLOWS}tls12.pcap`);
  const path = join(folder, 'checksums.pcap');
  // Recordings of the loopback have unfinished checksums all over.
  writeFileSync(path, frames);
  expect((await run(path)).records).toHaveLength(1);
  const { records, err } = await run('--checksums', path);
  expect(records).toMatchObject([{ event_type: 'stats', stats: { refused: { 'packet.checksum': 14 } } }]);
  expect(err).toMatch(/ of 14 frames 14 refused \(packet\.checksum\)\n$/);
});

test('a configuration that is not valid is said to be so, and nothing is inspected', async () => {
  const config = join(folder, 'broken.json');
  writeFileSync(config, '{ "version": 2 }');
  const { records, status, err } = await run('-c', config, `${FLOWS}tls12.pcap`);
  expect([records, status]).toEqual([[], 1]);
  expect(err).toMatch(/broken\.json:1:\d+: error: /);
  expect(err).toContain('is no valid configuration: nothing was inspected');
});

test('a key log that cannot be read is said to be so, and nothing is inspected', async () => {
  const absent = join(folder, 'absent.keys');
  expect(await run('--keylog', absent, `${FLOWS}tls13.pcap`)).toEqual({
    status: 1,
    records: [],
    err: `error: key log ${absent}: cannot be read: ENOENT (there is no such file)\n`,
  });
});

test('secrets of other versions change nothing', async () => {
  const keys = join(folder, 'tls12.keys');
  writeFileSync(keys, `CLIENT_RANDOM ${'ab'.repeat(32)} ${'cd'.repeat(48)}\n`);
  const without = await run(`${FLOWS}tls12.pcap`);
  const err = `tlspin inspect: warning: key log ${keys}: no line of it is a SERVER_HANDSHAKE_TRAFFIC_SECRET of TLS 1.3\n`;
  expect(await run('--keylog', keys, `${FLOWS}tls12.pcap`)).toEqual({ ...without, err });
});

describe('what is not read is said, and counted in a record', () => {
  const capture = join(folder, 'odd.pcap');
  const whole = { octets: Buffer.alloc(60, 1) };
  test.each([
    ['a link type that nobody reads', pcap([whole, whole], { linkType: 227 }), { link_types_not_read: { 227: 2 } }],
    ['frames without IP and nothing else', pcap([whole]), { without_ip: 1 }],
    ['frames that were cut', pcap([{ ...whole, originalLength: 1500 }]), { cut: 1, without_ip: 1 }],
  ])('%s', async (_, octets, counted) => {
    writeFileSync(capture, octets);
    const { status, records, err } = await run(capture);
    expect(status).toBe(0);
    expect(err).toMatch(/^tlspin inspect: .*odd\.pcap: of \d frames? /);
    const stats = {
      frames: expect.any(Number),
      without_ip: 0,
      cut: 0,
      link_types_not_read: {},
      refused: {},
      ...counted,
    };
    expect(records).toEqual([{ event_type: 'stats', timestamp: expect.any(String), pcap_filename: 'odd.pcap', stats }]);
  });
});
