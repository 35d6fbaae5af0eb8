import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Command, CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { registerRules } from '../../src/cli/rules.ts';

let directory: string;
let out = '';
let err = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-rules-'));
  out = err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

const pin = `sha256//${Buffer.alloc(32, 7).toString('base64')}`;
const VALID = {
  version: 1,
  pinsets: [{ name: 'bank', match: { hosts: ['www.bank.example'], ports: [443, 8443] }, pins: [pin] }],
};

function file(configuration: unknown): string {
  const path = join(directory, 'tlspin.json');
  writeFileSync(path, JSON.stringify(configuration));
  return path;
}

/** The exit status; undefined where the command came to its end. */
async function rules(...args: string[]): Promise<number | undefined> {
  const program = new Command('tlspin').exitOverride();
  registerRules(program);
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: (text) => (err += text) });
  try {
    await program.parseAsync(['rules', ...args], { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}

describe('tlspin rules', () => {
  it('prints a script for the ports of the configuration', async () => {
    expect(await rules('-c', file(VALID))).toBeUndefined();
    expect(out).toMatch(/^#!\/bin\/sh\n/);
    expect(out).toContain('--ports 443,8443 -g tlspin-flow');
    expect(out).toContain('REJECT');
  });

  it('leaves QUIC alone with --no-quic, and lets packets pass without an engine with --queue-bypass', async () => {
    await rules('-c', file(VALID), '--no-quic', '--queue-bypass');
    expect(out).not.toContain('REJECT');
    expect(out).toContain('--queue-bypass');
  });

  it('prints for nft and for own flows when asked', async () => {
    await rules('-c', file(VALID), '--format', 'nft', '--hook', 'local');
    expect(out).toContain('table inet tlspin_local {');
  });

  it('needs no configuration to print the removal', async () => {
    expect(await rules('--remove', '--hook', 'local')).toBeUndefined();
    expect(out).toContain("remove iptables security OUTPUT '-p tcp -m addrtype ! --dst-type LOCAL -j tlspin-out'");
    expect(out).not.toContain(' security FORWARD ');
  });

  it.each([
    ['iptables', ["ip6tables security FORWARD '-p tcp -j tlspin' ", 'ip6tables security OUTPUT ']],
    ['nft', ['delete table inet tlspin\n', 'delete table inet tlspin_local\n']],
  ])('prints the removal of either hook where none is named, with %s', async (format, parts) => {
    await rules('--remove', '--format', format);
    expect(parts.filter((part) => !out.includes(part))).toEqual([]);
  });

  it('prints nothing for an invalid configuration, says what is wrong with it and ends with 1', async () => {
    expect(await rules('-c', file({ version: 1, pinsets: [{ name: 'bank', pin }] }))).toBe(1);
    expect(out).toBe('');
    expect(err).toMatch(/tlspin\.json:1:\d+/);
  });

  it('closes nothing unless it is to apply', async () => {
    expect(await rules('-c', file(VALID), '--or-close')).toBe(2);
    expect(err).toContain('--or-close goes with --apply');
    expect(out).toBe('');
  });

  it('ends with 2 without a configuration', async () => {
    expect(await rules()).toBe(2);
    expect(err).toContain('--config');
  });
});
