/** Real files, pipes and a file system that is full: what becomes of lines whatever happens to what they are written to. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fileDestination } from '../../src/report/file-destination.ts';
import { LogOutput, type LogTrouble } from '../../src/report/log-output.ts';

let directory: string;
let destination: string;
let told: LogTrouble[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-output-'));
  destination = join(directory, 'log');
  told = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (backlog = 100) =>
  new LogOutput({
    destination: fileDestination(destination),
    backlog,
    onTrouble: (trouble) => void told.push(trouble),
  });
const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const descriptors = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false; // the directory that is being read
    }
  });

describe('reopening', () => {
  it('any number of times at once closes each descriptor once, and loses nothing', async () => {
    const output = open(10_000);
    // Whoever has a descriptor that was free would lose it to a second closing.
    const own: number[] = [];
    for (let round = 0; round < 50; round++) {
      for (let n = 0; n < 20; n++) output.write(`${round}.${n}\n`);
      await Promise.resolve();
      renameSync(destination, `${destination}.${round}`);
      output.reopen();
      own.push(openSync(directory, constants.O_RDONLY));
      output.reopen();
      output.reopen();
      if (round % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await output.close();
    for (const descriptor of own) expect(fstatSync(descriptor).isDirectory()).toBe(true);
    own.forEach(closeSync);
    expect(descriptors()).toEqual([]);
    const text = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
    const lines = text.join('').split('\n').filter(Boolean);
    expect(lines).toHaveLength(1000);
    expect(new Set(lines).size).toBe(1000);
    expect([output.written, output.dropped]).toEqual([1000, 0]);
  });

  it('that fails changes nothing', async () => {
    const output = open();
    renameSync(directory, `${directory}.away`);
    expect(() => output.reopen()).toThrow(`log ${destination}: cannot be opened (ENOENT)`);
    renameSync(`${directory}.away`, directory);
    output.write('after\n');
    await output.close();
    expect(readFileSync(destination, 'utf8')).toBe('after\n');
  });
});

describe('a line that somebody left half written', () => {
  it('swallows no line of those that follow', async () => {
    writeFileSync(destination, 'whole\nhal');
    const output = open();
    output.write('next\n');
    await output.close();
    expect(readFileSync(destination, 'utf8')).toBe('whole\nhal\nnext\n');
  });
});

describe('a FIFO', () => {
  beforeEach(() => execFileSync('mkfifo', [destination]));

  it('is opened and reopened without its reader, who finds what was written when it comes', async () => {
    const output = open();
    for (let n = 0; n < 3; n++) {
      output.write(`${n}\n`);
      await until(() => output.written === n + 1);
      output.reopen();
    }
    const reader = openSync(destination, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = Buffer.alloc(64);
    expect(found.toString('latin1', 0, readSync(reader, found))).toBe('0\n1\n2\n');
    closeSync(reader);
    await output.close();
  });

  it('that nobody reads ends nobody’s patience: what is left is counted as lost, and said', async () => {
    const output = open(10);
    const line = `${'x'.repeat(999)}\n`;
    for (let n = 0; n < 300; n++) {
      output.write(line);
      if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await output.close();
    expect(output.written + output.dropped).toBe(300);
    expect(output.dropped).toBeGreaterThan(200);
    expect(told.at(-1)!.detail).toMatch(/records could not be written before the end$/);
  });
});

describe('standard output', () => {
  const child = `
    import { fileDestination } from ${JSON.stringify(`${DIST}file-destination.js`)};
    import { LogOutput } from ${JSON.stringify(`${DIST}log-output.js`)};
    const output = new LogOutput({ destination: fileDestination('-'), backlog: 10 });
    setInterval(() => output.write('x'.repeat(10_000) + '\\n'), 1);
    process.on('SIGTERM', async () => { await output.close(); process.exit(7); });
    process.stderr.write('ready');
  `;

  it('that is a pipe which nobody reads lets the process end', async () => {
    const process_ = spawn(process.execPath, ['--input-type=module', '-e', child], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    process_.stdout.pause();
    const ended = once(process_, 'exit');
    await once(process_.stderr, 'data');
    await new Promise((resolve) => setTimeout(resolve, 500));
    process_.kill('SIGTERM');
    expect(await ended).toEqual([7, null]);
  });
});

describe('a file system that is full', () => {
  // What fills a real one needs a mount: /dev/full says the same at the first octet.
  it('has records wait, then be lost and counted, and says so once', async () => {
    destination = '/dev/full';
    const output = open(10);
    for (let n = 0; n < 50; n++) {
      output.write(`${n}\n`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(output.dropped).toBeGreaterThan(0);
    expect(told).toEqual([
      {
        name: '/dev/full',
        isOver: false,
        detail: 'log /dev/full: cannot be written (ENOSPC): up to 10 records wait, further ones are lost',
      },
    ]);
    await output.close();
    expect([output.written, output.dropped]).toEqual([0, 50]);
  });

  it('in the midst of a line, and has room again, tears none', async () => {
    // A limit of the process's own, at which writes are cut short in the same way.
    const writing = `
      import { fileDestination } from ${JSON.stringify(`${DIST}file-destination.js`)};
      import { LogOutput } from ${JSON.stringify(`${DIST}log-output.js`)};
      process.on('SIGXFSZ', () => {});
      const onTrouble = ({ isOver, detail }) => process.stderr.write(detail + '\\n');
      const output = new LogOutput({ destination: fileDestination(${JSON.stringify(destination)}), backlog: 100, onTrouble });
      for (let n = 0; n < 20; n++) output.write(String(n).padEnd(999, '.') + '\\n');
      process.on('SIGTERM', async () => { await output.close(); process.exit(output.written); });
    `;
    const child = spawn('prlimit', ['--fsize=4500:', process.execPath, '--input-type=module', '-e', writing], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(child, 'exit');
    const said = String((await once(child.stderr, 'data'))[0]);
    expect(said).toContain('cannot be written (EFBIG)');
    expect(readFileSync(destination)).toHaveLength(4500);
    execFileSync('prlimit', ['--fsize=unlimited:', '--pid', String(child.pid)]);
    child.kill('SIGTERM');
    expect(await ended).toEqual([20, null]);
    const lines = readFileSync(destination, 'utf8').split('\n');
    expect(lines.slice(0, -1).map((line) => parseInt(line))).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(lines.every((line) => line.length === 999 || line === '')).toBe(true);
  });
});

const DIST = new URL('../../dist/report/', import.meta.url).href;
