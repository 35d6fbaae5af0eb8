/** Of the engine's process and its threads. */
import type { Fault } from '../fault.ts';
import { pause } from '../fault.ts';
import type { Stage } from '../stage.ts';

export const OF_THE_PROCESS: readonly Fault[] = [
  {
    name: 'killed',
    what: 'SIGKILL; started again',
    isQuick: true,
    begin: (stage) => stage.engine.kill(),
    end: (stage) => stage.start(),
  },
  {
    name: 'ended',
    what: 'SIGTERM; started again',
    begin: async (stage) => {
      stage.signal('SIGTERM');
      await stage.ended();
    },
    end: (stage) => stage.start(),
  },
  {
    name: 'restarted-under-load',
    what: 'stopped and started five times',
    begin: async (stage) => {
      for (let times = 0; times < 5; times++) {
        stage.signal('SIGTERM');
        await stage.ended();
        await stage.start();
      }
    },
  },
  {
    name: 'taken-over',
    what: 'another takes its place (`run --takeover`)',
    begin: async (stage) => void (await (await stage.engine.takeOver()).ended),
  },
  {
    name: 'frozen',
    what: 'SIGSTOP for four seconds',
    isQuick: true,
    begin: (stage) => stage.signal('SIGSTOP'),
    end: (stage) => stage.signal('SIGCONT'),
  },
  {
    name: 'booting',
    what: 'the rules are there before the engine',
    isQuick: true,
    start: null,
    begin: () => {},
    end: (stage) => stage.start(),
  },
  {
    name: 'second-engine',
    what: 'a second engine for the same queue: it is refused',
    begin: async (stage) => {
      await stage.startAnother('run', '-c', stage.engine.config, '--control', stage.lab.path('second')).ended;
    },
  },
  {
    name: 'second-engine-same-log',
    what: 'a second engine for another queue, with the same log',
    begin: async (stage) => {
      const args = ['--queue', '7', '--control', stage.lab.path('second'), '--log', stage.lab.path('verdicts.ndjson')];
      const second = stage.startAnother('run', '-c', stage.engine.config, ...args);
      await second.says(/bound/, 60_000);
    },
  },
  {
    name: 'sighup-storm',
    what: 'SIGHUP two hundred times in two seconds',
    begin: (stage) => storm(stage, 'SIGHUP', 200, 10),
  },
  {
    name: 'sigusr1-storm',
    what: 'SIGUSR1 two hundred times in a second',
    begin: (stage) => storm(stage, 'SIGUSR1', 200, 5),
  },
  ofThread('thread-hangs', 'the packet thread’s loop does not turn any more, so the engine ends', 'for (;;);'),
  ofThread('thread-throws', 'an exception in the packet thread, so the engine ends', "throw new Error('provoked');"),
];

/** What a packet thread does once it is told, by a module that Node loads ahead of it; the engine ends, and is started again. */
function ofThread(name: string, what: string, code: string): Fault {
  return {
    name,
    what: `${what}; started again`,
    start: (stage) => {
      const told = JSON.stringify(stage.lab.path('told'));
      const module = stage.lab.write(
        'provoke.mjs',
        `import { existsSync } from 'node:fs';
         import { isMainThread, workerData } from 'node:worker_threads';
         if (!isMainThread && workerData?.queueNum !== undefined) setInterval(() => { if (existsSync(${told})) { ${code} } }, 50).unref();`,
      );
      return { env: { NODE_OPTIONS: `--import=${module}` } };
    },
    begin: async (stage) => {
      stage.lab.write('told', '');
      await stage.ended();
    },
    end: (stage) => stage.start(),
  };
}

async function storm(stage: Stage, signal: NodeJS.Signals, times: number, spacing: number): Promise<void> {
  for (let sent = 0; sent < times; sent++) {
    stage.signal(signal);
    await pause(spacing);
  }
}
