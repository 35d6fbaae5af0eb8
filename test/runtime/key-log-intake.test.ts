import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { KeyLogIntake } from '../../src/runtime/key-log-intake.ts';

const line = (octet: string) => `SERVER_HANDSHAKE_TRAFFIC_SECRET ${octet.repeat(32)} ${'cd'.repeat(32)}\n`;

let directory: string;
let path: string;
/** First octets of the client randoms that were handed on together. */
let pieces: (number | undefined)[][];
let said: string[];
let intake: KeyLogIntake;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-intake-'));
  path = join(directory, 'keys');
  pieces = [];
  said = [];
});
afterEach(async () => {
  await intake.stop();
  rmSync(directory, { recursive: true });
});

function start(places: { readonly file?: string; readonly socket?: string }): Promise<void> {
  intake = new KeyLogIntake(
    { file: null, socket: null, ...places },
    {
      onSecrets: (secrets) => pieces.push(secrets.map(({ clientRandom }) => clientRandom[0])),
      say: (text) => said.push(text),
    },
  );
  return intake.start();
}

const arrive = (...expected: number[][]) => expect.poll(() => pieces, { timeout: 5000 }).toEqual(expected);

it('without any place there is nothing to open', async () => {
  await start({});
  await intake.stop();
});

it('what was written at once is handed on together', async () => {
  await start({ file: path });
  writeFileSync(path, line('01') + line('02') + '# a comment\n' + line('03').slice(0, 70));
  await arrive([1, 2]);
  appendFileSync(path, line('03').slice(70));
  await arrive([1, 2], [3]);
});

it('a socket is for its owner alone, and is gone in the end', async () => {
  await start({ socket: path });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  connect(path).end(line('01') + line('02').trimEnd());
  await arrive([1], [2]);
  await intake.stop();
  expect(existsSync(path)).toBe(false);
});

it('a place that cannot be had is named, and nothing is left open', async () => {
  writeFileSync(path, 'somebody’s');
  await expect(start({ file: join(directory, 'other'), socket: path })).rejects.toThrow(
    `key log socket ${path}: there is a file of that name: remove it`,
  );
  appendFileSync(join(directory, 'other'), line('01'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(pieces).toEqual([]);
});

it('a log that cannot be read any more is said, once, with its path', async () => {
  await start({ file: path });
  mkdirSync(path);
  await expect
    .poll(() => said, { timeout: 5000 })
    .toEqual([`key log ${path}: not a file: clients need one to append to`]);
});
