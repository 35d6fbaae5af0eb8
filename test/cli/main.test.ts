import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = `${ROOT}dist/cli/main.js`;

/** The program as users run it. */
function tlspin(args: readonly string[], input?: Buffer): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: ROOT, input });
  return { status, out: stdout.toString(), err: stderr.toString() };
}

const COMMANDS = [
  'run',
  'check',
  'inspect',
  'explain',
  'pin',
  'audit',
  'import',
  'log',
  'ctl',
  'doctor',
  'why',
  'health',
  'top',
  'list',
  'learn',
  'rules',
  'fleet',
  'demo',
  'completion',
  'man',
];

beforeAll(() => {
  if (!existsSync(MAIN)) execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: ROOT });
}, 60_000);

test('help names every command, and is no error', () => {
  const { status, out } = tlspin(['--help']);
  expect(status).toBe(0);
  for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
});

test.each([
  ...COMMANDS,
  ...['status', 'stats', 'flows', 'verdicts', 'explain', 'reload', 'lists', 'log-reopen', 'shutdown'].map(
    (name) => `ctl ${name}`,
  ),
  'learn show',
  'learn propose',
])('the help of %s says what it is for in sentences, and has an example', (command) => {
  const { status, out } = tlspin([...command.split(' '), '--help']);
  expect(status).toBe(0);
  expect(out).toMatch(/^Usage: .*\n\n[A-Z](.|\n\S)*\.\n\n/);
  expect(out).toMatch(/^Examples:\n {2}.*tlspin.*\n {6}\S/m);
});

test('the version is the package’s', () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
  expect(tlspin(['--version'])).toEqual({ status: 0, out: `${version}\n`, err: '' });
});

describe('usage is exit status 2', () => {
  test.each([
    [['inspcet', 'x'], "error: unknown command 'inspcet'\n(Did you mean inspect?)\n"],
    [['inspect', '--checksum', 'x'], "error: unknown option '--checksum'\n(Did you mean --checksums?)\n"],
    [['pin', '--jsn', 'x'], "error: unknown option '--jsn'\n(Did you mean --json?)\n"],
    [['run', '--confg', 'x'], "error: unknown option '--confg'\n(Did you mean --config?)\n"],
    [['explain', 'x', '--flwo', '1'], "error: unknown option '--flwo'\n(Did you mean --flow?)\n"],
    [['run'], "error: required option '-c, --config <file>' not specified\n"],
    [['explain', 'x'], "error: required option '-c, --config <file>' not specified\n"],
    [['rules'], "error: required option '-c, --config <file>' not specified\n"],
    [['inspect'], "error: missing required argument 'capture'\n"],
    [['check', '--nonsense'], "error: unknown option '--nonsense'\n"],
  ])('%j', (args, err) => {
    expect(tlspin(args)).toEqual({ status: 2, out: '', err });
  });

  test('no command at all shows what there is', () => {
    const { status, err } = tlspin([]);
    expect(status).toBe(2);
    expect(err).toContain('Usage: tlspin');
  });
});

test('what was asked about is wrong: exit status 1', () => {
  expect(tlspin(['inspect', 'absent.pcap'])).toEqual({
    status: 1,
    out: '',
    err: 'tlspin inspect: absent.pcap: cannot be read: ENOENT (there is no such file)\n',
  });
});

test('standard input is a capture too', () => {
  const { status, out, err } = tlspin(['inspect', '-'], readFileSync(`${ROOT}fixtures/flows/sections.pcapng.gz`));
  expect([status, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toMatchObject({ pcap_filename: '-', tls: { sni: 'www.bank.example' } });
});

test('a reader that has had enough is no error', () => {
  const capture = 'fixtures/flows/tls12.pcap ';
  const command = `${process.execPath} ${MAIN} inspect ${capture.repeat(200)} | head -n 1 | wc -l; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: ROOT });
  expect([stdout.toString(), stderr.toString()]).toEqual(['1\n0\n', '']);
});
