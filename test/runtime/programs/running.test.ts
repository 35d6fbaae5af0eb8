import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { feedProgram, runProgram } from '../../../src/runtime/programs/program.ts';
import {
  type Ending,
  runByAddon,
  runByNode,
  type RunOptions,
  runToEnd,
} from '../../../src/runtime/programs/running.ts';

const OUTPUT = { kept: 'stdout', patienceMs: 20_000 } as const;
const ERRORS = { kept: 'stderr', patienceMs: 20_000 } as const;
const PATH = process.env['PATH'];

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tlspin-running-'))));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void (process.env['PATH'] = PATH));

describe.each([
  ['the addon', runByAddon],
  ['Node', runByNode],
] as const)(
  'by %s',
  (_, run: (program: string, args: string[], options: RunOptions) => Promise<Ending | undefined>) => {
    const sh = (script: string, options: RunOptions = OUTPUT) => run('sh', ['-c', script], options);

    it('a program that says nothing has ended well', async () => {
      expect(await run('true', [], OUTPUT)).toEqual({ output: '', failure: undefined });
    });

    it('a program prints what it has read', async () => {
      const input = 'ä'.repeat(1_500_000);
      expect(await run('cat', [], { ...OUTPUT, input })).toEqual({ output: input, failure: undefined });
    });

    it('a program that is given nothing is at the end of its input', async () => {
      expect(await run('cat', [], OUTPUT)).toEqual({ output: '', failure: undefined });
      expect(await run('cat', [], { ...OUTPUT, input: '' })).toEqual({ output: '', failure: undefined });
    });

    it('arguments arrive as they are', async () => {
      expect(await run('printf', ['%s|', 'a b', '', 'ü"'], OUTPUT)).toEqual({ output: 'a b||ü"|', failure: undefined });
    });

    it('errors are kept where they are wanted, and output goes nowhere', async () => {
      expect(await sh('echo one; echo two >&2', ERRORS)).toEqual({ output: 'two\n', failure: undefined });
      expect(await sh('echo one; echo two >&2')).toEqual({ output: 'one\n', failure: undefined });
    });

    it('three million octets are all there', async () => {
      const ending = await run('head', ['-c', '3000000', '/dev/zero'], OUTPUT);
      expect(ending?.output).toBe('\0'.repeat(3_000_000));
      expect(ending?.failure).toBeUndefined();
    });

    it('what is printed beyond all bounds ends it', { timeout: 60_000 }, async () => {
      expect((await run('cat', ['/dev/zero'], OUTPUT))?.failure).toBe('says more than anybody reads');
    });

    it('a status that is not 0 is a failure, with what it has said', async () => {
      expect(await sh('echo no >&2; exit 3', ERRORS)).toEqual({ output: 'no\n', failure: 'ended with status 3' });
    });

    it('so is a signal', async () => {
      expect(await sh('echo yes; kill -SEGV $$')).toEqual({ output: 'yes\n', failure: 'was ended by SIGSEGV' });
    });

    it('what takes too long is ended, and is not there any more', async () => {
      const began = performance.now();
      const ending = await sh('echo $$; exec sleep 100', { ...OUTPUT, patienceMs: 300 });
      expect(ending?.failure).toBe('took longer than 0.3 s');
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(ending?.output).toMatch(/^\d+\n$/);
      expect(() => process.kill(Number(ending?.output), 0)).toThrow('ESRCH');
    });

    it('what is left running in its place, and could print, is waited for no longer than that', async () => {
      const began = performance.now();
      const ending = await sh('sleep 3 & echo here', { ...OUTPUT, patienceMs: 300 });
      expect(ending).toEqual({ output: 'here\n', failure: undefined });
      expect(performance.now() - began).toBeLessThan(2_500);
    });

    it('what closes its output goes on', async () => {
      expect(await sh('exec >&-; sleep 0.2; exit 4')).toEqual({ output: '', failure: 'ended with status 4' });
    });

    it('who does not read its input gets to its end nevertheless', async () => {
      const input = 'x'.repeat(1_000_000);
      expect(await run('true', [], { ...OUTPUT, input })).toEqual({ output: '', failure: undefined });
      expect(await sh('exec <&-; sleep 0.2; echo done', { ...OUTPUT, input })).toEqual({
        output: 'done\n',
        failure: undefined,
      });
    });

    it('who is not there is missing', async () => {
      const failure = 'is missing: install the package that has it';
      expect(await run('tlspin-no-such-program', [], OUTPUT)).toEqual({ output: '', failure });
      expect(await run('/no/such/program', [], OUTPUT)).toEqual({ output: '', failure });
    });

    it('is looked for where PATH says', async () => {
      writeFileSync(join(folder, 'tlspin-here'), '#!/bin/sh\necho "$PATH"\n', { mode: 0o755 });
      process.env['PATH'] = `/no/such/folder:${folder}:/usr/bin:/bin`;
      expect(await run('tlspin-here', [], OUTPUT)).toEqual({ output: `${process.env['PATH']}\n`, failure: undefined });
    });

    it('signals are neither blocked nor ignored in it', async () => {
      const { output = '' } = (await run('cat', ['/proc/self/status'], OUTPUT)) ?? {};
      expect(/SigBlk:\s*(\w+)/.exec(output)?.[1]).toMatch(/^0+$/);
      // The C library's own two, which it ignores until it needs them.
      expect(BigInt(`0x${/SigIgn:\s*(\w+)/.exec(output)?.[1]}`) & ~0x1_8000_0000n).toBe(0n);
    });

    it('of our descriptors it has what does not close on exec, and its streams', async () => {
      const { output = '' } = (await run('ls', ['/proc/self/fd'], OUTPUT)) ?? {};
      // One more is the folder's.
      const more = output
        .trim()
        .split('\n')
        .filter((fd) => Number(fd) > 2 && !staysOpen(fd));
      expect(more.length).toBeLessThanOrEqual(1);
    });

    it('is of our session, and of our group', async () => {
      const { output = '' } = (await run('cat', ['/proc/self/stat'], OUTPUT)) ?? {};
      const of = (stat: string) => stat.slice(stat.lastIndexOf(')')).split(' ').slice(3, 6);
      expect(of(output)).toEqual(of(readFileSync('/proc/self/stat', 'latin1')));
    });

    it('many at once leave neither descriptors nor children behind', async () => {
      await Promise.all(Array.from({ length: 20 }, () => run('true', [], OUTPUT)));
      const before = readdirSync('/proc/self/fd').length;
      const numbers = Array.from({ length: 60 }, (_, i) => String(i));
      const endings = await Promise.all(numbers.map((number) => run('echo', [number], OUTPUT)));
      expect(endings.map((ending) => ending?.output)).toEqual(numbers.map((number) => `${number}\n`));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
      expect(zombies()).toEqual([]);
    });
  },
);

it('what the addon cannot start, Node tries and says why not', async () => {
  writeFileSync(join(folder, 'plain'), 'echo hello\n', { mode: 0o644 });
  expect(await runByAddon(join(folder, 'plain'), [], OUTPUT)).toBeUndefined();
  expect(await runToEnd(join(folder, 'plain'), [], OUTPUT)).toEqual({
    output: '',
    failure: 'cannot be started: EACCES',
  });
  chmodSync(join(folder, 'plain'), 0o755);
  expect(await runToEnd(join(folder, 'plain'), [], OUTPUT)).toEqual({ output: 'hello\n', failure: undefined });
});

it('a program is asked, and one that fails tells nothing', async () => {
  expect(await runProgram('echo', ['x'])).toBe('x\n');
  expect(await runProgram('sh', ['-c', 'echo x; exit 1'])).toBeUndefined();
  expect(await runProgram('tlspin-no-such-program', [])).toBeUndefined();
});

it('of a program that is fed, what it says where it fails', async () => {
  expect(await feedProgram('sh', [], 'echo fine >&2')).toBeUndefined();
  expect(await feedProgram('sh', [], 'echo " why " >&2; exit 1')).toBe('why');
  expect(await feedProgram('sh', [], 'exit 1')).toBe('sh ended with status 1');
  expect(await feedProgram('sh', [], 'exec sleep 100', 200)).toBe('sh took longer than 0.2 s');
});

function staysOpen(fd: string): boolean {
  try {
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    return (parseInt(flags, 8) & 0o2000000) === 0; // O_CLOEXEC
  } catch {
    return false;
  }
}

/** Those that nobody has waited for. */
function zombies(): string[] {
  const tasks = readdirSync('/proc/self/task');
  return tasks.flatMap((task) => {
    const pids = readIfThere(`/proc/self/task/${task}/children`).split(' ').filter(Boolean);
    return pids.map((pid) => readIfThere(`/proc/${pid}/stat`)).filter((stat) => / Z /.test(stat));
  });
}

/** A thread or a process that has ended meanwhile is no zombie, and has nothing to say. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
