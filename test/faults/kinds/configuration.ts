/** Of the configuration, the lists, and the time of day that both are judged by. */
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';

import { pinset } from '../../support/lab/bank.ts';
import { Clock } from '../../support/lab/clock.ts';
import type { Fault } from '../fault.ts';
import { BACKUP, type Stage } from '../stage.ts';

export const OF_THE_CONFIGURATION: readonly Fault[] = [
  {
    name: 'config-removed',
    what: 'the configuration is gone; SIGHUP',
    begin: (stage) => {
      renameSync(stage.engine.config, `${stage.engine.config}.x`);
      return reloaded(stage);
    },
    end: (stage) => renameSync(`${stage.engine.config}.x`, stage.engine.config),
  },
  {
    name: 'config-half',
    what: 'the configuration is half written; SIGHUP',
    isQuick: true,
    begin: (stage) => {
      const { config } = stage.engine;
      truncateSync(config, readFileSync(config).length >> 1);
      return reloaded(stage);
    },
    end: (stage) => stage.configure(),
  },
  {
    name: 'config-empty',
    what: 'the configuration is empty; SIGHUP',
    begin: (stage) => {
      truncateSync(stage.engine.config, 0);
      return reloaded(stage);
    },
    end: (stage) => stage.configure(),
  },
  {
    name: 'reload-storm',
    what: 'a hundred reloads, each of another configuration',
    begin: async (stage) => {
      for (let times = 0; times < 100; times++) {
        stage.configure({ log: { certificates: times % 2 === 0 ? 'full' : 'pins' } });
        await stage.ask({ command: 'reload' });
      }
    },
  },
  {
    name: 'list-storm',
    what: 'three hundred changes of a list',
    begin: async (stage) => {
      for (let times = 0; times < 300; times++) {
        const entry = times.toString(16).padStart(40, '0');
        await stage.ask({ command: 'list', list: '0', action: 'add', entries: [entry] });
      }
    },
  },
  {
    name: 'list-removed',
    what: 'a list’s file is gone; SIGHUP',
    begin: (stage) => {
      rmSync(stage.lab.path('0.list'));
      return reloaded(stage);
    },
    end: (stage) => writeFileSync(stage.lab.path('0.list'), ''),
  },
  {
    name: 'clock-back',
    what: 'the time of day is set back by an hour',
    isQuick: true,
    start: clocked,
    begin: (stage) => setClock(stage, -3_600, /time of day was set back/),
    end: (stage) => clocks.get(stage)!.set(0),
  },
  {
    name: 'clock-ahead',
    what: 'the time of day is set ahead by an hour',
    start: clocked,
    begin: (stage) => setClock(stage, 3_600, /time of day was set forward/),
    end: (stage) => clocks.get(stage)!.set(0),
  },
  {
    name: 'pinset-expires',
    what: 'a pinset gets past its own date (`expires`; `afterExpiry` is `report-only`)',
    config: ({ pin }) => ({
      pinsets: [pinset({ pins: [pin, BACKUP], expires: new Date(Date.now() + 2 * DAY_MS).toISOString().slice(0, 10) })],
    }),
    start: clocked,
    begin: (stage) => setClock(stage, 3 * DAY_S, /time of day was set forward/),
    end: (stage) => clocks.get(stage)!.set(0),
  },
];

const DAY_S = 86_400;
const DAY_MS = 1_000 * DAY_S;

const clocks = new WeakMap<Stage, Clock>();

function clocked(stage: Stage): { env: NodeJS.ProcessEnv } {
  const clock = new Clock(stage.lab);
  clocks.set(stage, clock);
  return { env: clock.env };
}

async function setClock(stage: Stage, offset: number, said: RegExp): Promise<void> {
  clocks.get(stage)!.set(offset);
  await stage.engine.child.says(said, 30_000);
}

/** Told to read everything again, and answered. */
async function reloaded(stage: Stage): Promise<void> {
  stage.signal('SIGHUP');
  await stage.engine.child.says(/reloaded: /, 30_000);
}
