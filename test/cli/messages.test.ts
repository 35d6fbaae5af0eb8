/** The messages of docs/messages.md, each provoked: what is said there is what is said. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { TEXTS } from '../../src/cli/ctl/text.ts';
import { Output } from '../../src/cli/output.ts';
import { fileDestination } from '../../src/report/file-destination.ts';
import { VerdictLog } from '../../src/report/verdict-log.ts';
import { ControlServer } from '../../src/runtime/control/server.ts';
import { applyRules } from '../../src/runtime/rules/applying/apply.ts';
import { renderClosing } from '../../src/runtime/rules/applying/closing.ts';
import { CHECKS, PRESENT } from '../../src/runtime/rules/shell.ts';
import { loadBinding } from '../../src/source/binding.ts';
import { ROOT } from '../support/built.ts';
import { fixturePath } from '../support/certificates.ts';
import { ensureBuilt, MAIN, tlspin } from '../support/command-line.ts';

const page = readFileSync(`${ROOT}docs/messages.md`, 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'tlspin-messages-'));
const at = (name: string) => join(folder, name);
beforeAll(ensureBuilt, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** That the page has it, with the names that are in it. */
function isOnPage(said: string): void {
  expect(said.split('…').filter((part) => !page.includes(part))).toEqual([]);
}

const thrown = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

describe('what is said', () => {
  it('of a certificate in place of a configuration', async () => {
    copyFileSync(fixturePath('leaf'), at('cert.pem'));
    const { status, err } = await tlspin(['check', 'cert.pem'], { cwd: folder });
    expect(status).toBe(1);
    isOnPage(err.trim());
  });

  it('of a folder in place of a configuration', async () => {
    const { err } = await tlspin(['check', folder]);
    isOnPage(
      err
        .trim()
        .replace(/^.*?: error/, 'error')
        .replace(folder, '/etc/tlspin'),
    );
  });

  it('of a log whose folder is not there, and of one that is a folder', () => {
    const open = (destination: string) =>
      thrown(() => new VerdictLog({ destinations: [fileDestination(destination)], backlog: 1 }));
    isOnPage(
      open(at('none/tlspin.json'))
        .replace(/^.*?: /, '')
        .replace(at('none'), '/var/log/tlspin'),
    );
    isOnPage(
      open(folder)
        .replace(/^.*?: /, '')
        .replace(folder, '/var/log/tlspin'),
    );
  });

  it('of a control socket whose folder is not there', async () => {
    const answer = () => Promise.resolve({ ok: true as const });
    const server = new ControlServer({ path: at('none/s'), mode: 0o600, answer, binding: loadBinding() });
    const said = await server.start().then(
      () => '',
      (error: Error) => error.message,
    );
    expect(said).toContain(': cannot be made (EACCES): ');
    isOnPage(said.replace(/^.*\(EACCES\): /, '').replace(at('none'), '/run/tlspin'));
  });

  it('of who may not bind a queue', () => {
    chmodSync(folder, 0o755);
    writeFileSync(at('empty.json'), '{ "version": 1, "allowOffload": true }');
    const user = process.getuid!() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const { stderr } = spawnSync(process.execPath, [MAIN, 'run', '-c', at('empty.json'), '--queue', '4711'], user);
    const said = stderr.toString();
    expect(said).toContain('EPERM');
    isOnPage(`EPERM…${/: run it with sudo.*$/m.exec(said)?.[0]}`);
  });

  it('of iptables that is not there', () => {
    isOnPage(/'(iptables is missing.*)'/.exec(CHECKS)?.[1] ?? 'nothing');
    expect(renderClosing('forward', 'iptables')).toContain(PRESENT);
  });

  it('of nft that is not there', async () => {
    vi.stubEnv('PATH', at('none'));
    const said = await applyRules('', { hook: 'forward', format: 'nft' });
    vi.unstubAllEnvs();
    isOnPage(said ?? 'nothing');
  });

  it('of a folder in place of a file that is read', async () => {
    for (const command of [['pin'], ['inspect']]) {
      const { err } = await tlspin([...command, folder]);
      isOnPage(err.trim().replace(/^.*: cannot/, 'cannot'));
    }
  });

  it('of a filter that fits nothing', () => {
    const others = { names: ['www.bank.example'], pinsets: ['bank'] };
    const out = new Output({ write: () => true });
    isOnPage(TEXTS['verdicts']!({ verdicts: [], others }, out).trim());
    expect(TEXTS['flows']!({ flows: [], next: null, all: 12 }, out)).toBe('none of the 12 flows fits\n');
  });

  it('of a control socket where nobody listens', async () => {
    const { err } = await tlspin(['ctl', 'status', '--control', at('none.sock')]);
    isOnPage(err.trim().replace(/^.*none\.sock: /, ''));
  });
});

it('help has 80 columns', async () => {
  const { out } = await tlspin(['--help']);
  const commands = [...out.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!);
  for (const command of commands) {
    const help = await tlspin([command, '--help'], { env: { COLUMNS: '80' } });
    expect(help.out.split('\n').filter((line) => line.length > 80)).toEqual([]);
  }
}, 180_000);
