/** `tlspin ctl` and `tlspin list` as processes, where there is no tlspin to ask; with one, test/e2e/control.test.ts. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { ROOT } from '../support/built.ts';

const directory = mkdtempSync(join(tmpdir(), 'tlspin-ctl-'));
afterAll(() => rmSync(directory, { recursive: true }));

function tlspin(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${ROOT}dist/cli/main.js`, ...args], {
    encoding: 'utf8',
    env: { ...process.env, TLSPIN_CONTROL: join(directory, 'none.sock') },
  });
  return { status, out: stdout, err: stderr };
}

describe('usage is exit status 2', () => {
  it.each([
    [['list', '0', 'ad', 'x'], 'what is "ad"? show, add or rm'],
    [['list', '0', 'add'], "missing argument 'fingerprints': name some, or - for standard input"],
    [['list', '0', 'show', 'x'], 'show takes no fingerprints'],
    [['ctl', 'explain'], "missing required argument 'flow'"],
    [['ctl', 'flows', '--limit', 'x'], 'expected a whole number'],
    [['ctl', 'relaod'], '(Did you mean reload?)'],
    [['ctl', 'reload', '--dryrun'], '(Did you mean --dry-run?)'],
  ])('%j', (args, error) => {
    const { status, out, err } = tlspin(...args);
    expect([status, out]).toEqual([2, '']);
    expect(err).toContain(error);
  });
});

describe('nobody to ask is exit status 1', () => {
  it.each([[['ctl', 'status']], [['list']], [['list', '0', 'add', 'a'.repeat(40)]]])('%j', (args) => {
    const { status, err } = tlspin(...args);
    expect(status).toBe(1);
    expect(err).toBe(
      `error: control socket ${join(directory, 'none.sock')}: there is none (does tlspin run, with --control or "control": { "socket": … }?)\n`,
    );
  });

  it('the configuration says where to ask, or does not', () => {
    const file = join(directory, 'tlspin.json');
    writeFileSync(file, '{ "version": 1, "control": { "socket": "there.sock" } }');
    expect(tlspin('ctl', 'status', '-c', file).err).toContain(
      `control socket ${join(directory, 'there.sock')}: there is none`,
    );
    writeFileSync(file, '{ "version": 1 }');
    expect(tlspin('ctl', 'status', '-c', file).err).toContain('names no control socket: add "control"');
    writeFileSync(file, '{');
    expect(tlspin('ctl', 'status', '-c', file)).toMatchObject({
      status: 1,
      err: expect.stringContaining('no valid configuration'),
    });
  });
});

it('help of each shows how it is used', () => {
  expect(tlspin('ctl', '--help').out).toMatch(/status.*\n(.*\n)*.*explain.*\n(.*\n)*.*shutdown/);
  expect(tlspin('list', '--help').out).toContain('sha1sum | tlspin list 0 add -');
});
