import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { registerCheck } from '../../src/cli/check.ts';
import { ensureBuilt, tlspin, tlspinOnTerminal } from '../support/command-line.ts';
import { PIN_A, PIN_B } from '../support/configuration.ts';

const folder = mkdtempSync(join(tmpdir(), 'tlspin-check-'));
const file = join(folder, 'tlspin.json');
let out = '';
let err = '';

function run(...args: string[]): number {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += text), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += text), true));
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => (err += text) });
  registerCheck(program);
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  try {
    program.parse(['check', ...args], { from: 'user' });
  } catch (error) {
    return (error as { exitCode: number }).exitCode;
  }
  const status = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return status;
}

function check(document: object): number {
  writeFileSync(file, JSON.stringify(document));
  return run(file);
}

afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('tlspin check', () => {
  const pinset = { name: 'bank', match: { hosts: ['bank.example'] }, pins: [PIN_A, PIN_B] };

  it('exits 0 on a valid file and says what is in it', () => {
    expect(check({ version: 1, pinsets: [pinset], rules: [] })).toBe(0);
    expect(out).toMatch(/tlspin\.json: valid: 1 pinset, 2 pins, sha256:[0-9a-f]{64}\n$/);
    expect(err).toMatch(/^.*tlspin\.json:1:\d+: note: /);
  });

  it('exits 0 with warnings, and 1 under strict', () => {
    const alone = { ...pinset, pins: [PIN_A] };
    expect(check({ version: 1, pinsets: [alone] })).toBe(0);
    expect(err).toMatch(/tlspin\.json:1:\d+: warning: "bank" enforces with only one usable pin/);
    expect(check({ version: 1, strict: true, pinsets: [alone] })).toBe(1);
    expect(err).toMatch(/tlspin\.json:1:\d+: warning: /);
    expect(out).toBe('');
  });

  it('exits 1 with all errors', () => {
    expect(check({ version: 1, pinsets: [{ ...pinset, mode: 'learn' }], queues: 'x' })).toBe(1);
    expect(err.split('\n').filter((line) => /tlspin\.json:1:\d+: error: /.test(line))).toHaveLength(2);
    expect(out).toBe('');
  });

  it('exits 1 where there is no file', () => {
    expect(run(join(folder, 'none.json'))).toBe(1);
    expect(err).toContain('there is no such file');
  });

  it('says all of it as one document to programs', () => {
    writeFileSync(file, JSON.stringify({ version: 1, pinsets: [{ ...pinset, pins: [PIN_A] }] }));
    expect(run('--json', file)).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({
      file,
      valid: true,
      config: { pinsets: [{ name: 'bank', mode: 'enforce', for: 'bank.example', pins: 1, deny: 0 }], rules: 0 },
    });
    expect(report.messages[0]).toMatchObject({ severity: 'warning', file, line: 1, column: expect.any(Number) });
    writeFileSync(file, '{ "version": 2 }');
    expect(run('--json', file)).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ valid: false, messages: [{ severity: 'error' }] });
    expect(err).toBe('');
  });

  it('shows a table and colours on a terminal alone', async () => {
    ensureBuilt();
    writeFileSync(file, JSON.stringify({ version: 1, pinsets: [{ ...pinset, pins: [PIN_A] }] }));
    const { out: shown, status } = await tlspinOnTerminal(['check', file]);
    expect(status).toBe(0);
    expect(shown).toContain('\x1b[33mwarning:\x1b[39m');
    expect(shown).toMatch(
      /PINSET {2}MODE {5}FOR {11}PINS {2}DENY {2}TLS 1\.3.*\r\nbank {4}enforce {2}bank\.example {2}1 {5}0 {5}probe\r\n/,
    );
    expect((await tlspin(['check', file])).out).toMatch(/^\S+: valid: 1 pinset, 1 pin, sha256:\w+\n$/);
  });

  it('exits 2 without a file', () => {
    expect(run()).toBe(2);
    expect(err).toContain("missing argument 'file'");
  });

  it('prints a JSON Schema that knows every key, its values, meaning and default', () => {
    expect(run('--schema')).toBe(0);
    const schema = JSON.parse(out);
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(schema.required).toEqual(['version']);
    expect(schema.additionalProperties).toBe(false);
    const tls13 = schema.properties.pinsets.items.properties.tls13;
    expect(tls13).toMatchObject({
      enum: ['probe', 'probe-else-accept', 'keylog', 'keylog-else-probe', 'accept', 'deny'],
      default: 'probe',
      description: expect.any(String),
    });
    const { probe } = schema.properties;
    expect(probe.properties.perDestination).toMatchObject({ minimum: 1, maximum: 6_000, default: 120 });
    for (const property of Object.values(probe.properties)) expect(property).toHaveProperty('description');
    expect(schema.properties.unpinned.properties.tls13.default).toBe('accept');
    expect(schema.properties.limits.properties.flows).toMatchObject({ type: 'integer', minimum: 1, default: 65_536 });
  });
});
