/** Of the log: its file, its disk, its reader. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';

import type { Child } from '../../../src/runtime/demo/child.ts';
import type { RunOptions } from '../../support/lab/engine.ts';
import type { Fault } from '../fault.ts';
import { pause } from '../fault.ts';
import type { Stage } from '../stage.ts';

export const OF_THE_LOG: readonly Fault[] = [
  {
    name: 'log-removed',
    what: 'the log file is removed; SIGUSR1',
    begin: (stage) => rmSync(stage.lab.path('verdicts.ndjson')),
    end: (stage) => stage.signal('SIGUSR1'),
  },
  {
    name: 'log-directory-gone',
    what: 'the log’s directory is gone; SIGUSR1, and again when it is back',
    start: (stage) => {
      mkdirSync(stage.lab.path('logs'));
      return { log: stage.lab.path('logs/v.ndjson') };
    },
    begin: async (stage) => {
      renameSync(stage.lab.path('logs'), stage.lab.path('logs.x'));
      stage.signal('SIGUSR1');
      await pause(500);
    },
    end: (stage) => {
      renameSync(stage.lab.path('logs.x'), stage.lab.path('logs'));
      stage.signal('SIGUSR1');
    },
  },
  {
    name: 'disk-full',
    what: 'the log’s disk fills, and has room again',
    isQuick: true,
    config: () => ({ limits: { logBacklog: 4 } }),
    start: (stage) => {
      mkdirSync(stage.lab.path('small'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', stage.lab.path('small')]);
      return { log: stage.lab.path('small/v.ndjson') };
    },
    begin: async (stage) => {
      execFileSync('sh', ['-c', `dd if=/dev/zero of=${stage.lab.path('small/other')} bs=4k 2>/dev/null || true`]);
      for (let times = 0; times < 3; times++) await stage.look(4_000);
    },
    end: (stage) => rmSync(stage.lab.path('small/other')),
    tidy: (stage) => void execFileSync('umount', [stage.lab.path('small')]),
  },
  readerOf('stdout-stuck', 'standard output is a pipe that nobody reads, and is read again', 'stdout', 'STOP'),
  readerOf('fifo-stuck', 'the log is a FIFO that nobody reads, and is read again', 'log', 'STOP'),
  readerOf('stdout-reader-gone', 'who read standard output is gone, and another comes', 'stdout', 'KILL'),
  readerOf('fifo-reader-gone', 'who read the log’s FIFO is gone, and another comes', 'log', 'KILL'),
  {
    name: 'fifo-without-reader',
    what: 'the log is a FIFO without a reader from the start on',
    start: (stage) => {
      execFileSync('mkfifo', [stage.lab.path('fifo')]);
      return { log: stage.lab.path('fifo') };
    },
    begin: () => {},
    end: (stage) => void read(stage),
  },
];

const readers = new WeakMap<Stage, Child>();

/** A log that goes to another process, which stops or ends; little of it may wait. */
function readerOf(name: string, what: string, way: 'stdout' | 'log', how: 'STOP' | 'KILL'): Fault {
  return {
    name,
    what,
    config: () => ({ limits: { logBacklog: 4 }, log: { certificates: 'full' } }),
    start: (stage): RunOptions => {
      execFileSync('mkfifo', [stage.lab.path('fifo')]);
      read(stage);
      if (way === 'log') return { log: stage.lab.path('fifo') };
      return { log: '-', under: ['sh', '-c', `exec "$@" > ${stage.lab.path('fifo')}`, 'sh'] };
    },
    begin: async (stage) => {
      const reader = readers.get(stage)!;
      process.kill(reader.pid!, `SIG${how}`);
      // A pipe holds 64 KiB.
      const fill = how === 'STOP' ? 8 : 2;
      for (let times = 0; times < fill; times++) await stage.look(4_000);
    },
    end: async (stage) => {
      if (how === 'STOP') process.kill(readers.get(stage)!.pid!, 'SIGCONT');
      else read(stage);
      // A FIFO keeps what was written while nobody read it.
      if (how === 'STOP' || way === 'stdout') await stage.engine.child.says(/is written again/, 30_000);
    },
  };
}

function read(stage: Stage): void {
  readers.set(stage, stage.assist('sh', '-c', `exec cat ${stage.lab.path('fifo')} > /dev/null`));
}
