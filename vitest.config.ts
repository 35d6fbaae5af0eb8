import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

import { LeftOut } from './test/support/left-out.ts';
import { OUT_OF_TIME, SecondTries } from './test/support/second-tries.ts';

/** A directory that takes a JSON report of each run, for whoever adds them up. */
const reports = process.env['TLSPIN_TEST_REPORTS'];

/** This tree's own, where its node_modules are another tree's. */
const OWN_PACKAGE = ['index', 'batch', 'binding', 'kernel-queue'].map((module) => ({
  find: new RegExp(`^node-nfqueue${module === 'index' ? '' : `/${module.replace('-queue', '')}`}$`),
  replacement: fileURLToPath(new URL(`native/dist/${module}.js`, import.meta.url)),
}));

/** Unit tests by layer; what needs root, namespaces or minutes has projects of its own. */
export default defineConfig({
  test: {
    reporters: [
      'default',
      ...(reports === undefined ? [] : [jsonReport(`${reports}/${Date.now()}.json`)]),
      new LeftOut(),
      new SecondTries(),
    ],
    projects: [
      {
        resolve: { alias: OWN_PACKAGE },
        test: {
          name: 'unit',
          // Vitest would leave one of two CPUs idle.
          maxWorkers: '100%',
          testTimeout: 60_000,
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/packages/**', 'test/vm/**', 'test/fuzz/**', 'test/bench/**'],
        },
      },
      // Only where somebody says for how long: npm run fuzz.
      ...(process.env['FUZZ_SECONDS'] === undefined
        ? []
        : [{ test: { name: 'fuzz', include: ['test/fuzz/**/*.fuzz.ts'], disableConsoleIntercept: true } }]),
      // Likewise, which faults: npm run faults.
      ...(process.env['FAULTS'] === undefined
        ? []
        : [
            {
              test: {
                name: 'faults',
                globalSetup: ['test/support/built.ts'],
                include: ['test/faults/**/*.faults.ts'],
                disableConsoleIntercept: true,
                // They wait more than they work.
                maxConcurrency: 3,
                testTimeout: 120_000,
                hookTimeout: 60_000,
              },
            },
          ]),
      // Likewise: npm run soak.
      ...(process.env['SOAK_MINUTES'] === undefined
        ? []
        : [
            {
              test: {
                name: 'soak',
                globalSetup: ['test/support/built.ts'],
                include: ['test/soak/**/*.soak.ts'],
                disableConsoleIntercept: true,
              },
            },
          ]),
      // Likewise, which floods: npm run bench:load.
      ...(process.env['LOAD'] === undefined
        ? []
        : [
            {
              test: {
                name: 'load',
                globalSetup: ['test/support/built.ts'],
                include: ['test/load/**/*.load.ts'],
                disableConsoleIntercept: true,
                hookTimeout: 60_000,
              },
            },
          ]),
      // Likewise, which clients and servers: npm run matrix.
      ...(process.env['MATRIX'] === undefined
        ? []
        : [
            {
              test: {
                name: 'matrix',
                globalSetup: ['test/support/built.ts'],
                include: ['test/matrix/**/*.matrix.ts'],
                fileParallelism: false,
                disableConsoleIntercept: true,
                maxConcurrency: Number((JSON.parse(process.env['MATRIX']) as { lanes: string }).lanes),
                hookTimeout: 300_000,
              },
            },
          ]),
      // Likewise, how often and with which clients: npm run game.
      ...(process.env['GAME'] === undefined
        ? []
        : [
            {
              test: {
                name: 'game',
                globalSetup: ['test/support/built.ts'],
                include: ['test/game/**/*.game.ts'],
                disableConsoleIntercept: true,
                hookTimeout: 60_000,
              },
            },
          ]),
      // Likewise: npm run adversary.
      ...(process.env['ADVERSARY_SECONDS'] === undefined
        ? []
        : [
            {
              test: {
                name: 'adversary',
                include: ['test/adversary/**/*.adversary.ts'],
                disableConsoleIntercept: true,
                hookTimeout: 60_000,
              },
            },
          ]),
      // Likewise: npm run simulate.
      ...(process.env['SIMULATE'] === undefined
        ? []
        : [
            {
              test: {
                name: 'simulation',
                include: ['test/simulation/**/*.simulation.ts'],
                disableConsoleIntercept: true,
                testTimeout: 600_000,
              },
            },
          ]),
      // Likewise: npm run test:vm.
      ...(process.env['TLSPIN_VM'] === undefined
        ? []
        : [{ test: { name: 'vm', globalSetup: ['test/support/built.ts'], include: ['test/vm/**/*.test.ts'] } }]),
      { test: { name: 'packages', include: ['test/packages/**/*.test.ts'], hookTimeout: 60_000 } },
      {
        test: {
          name: 'e2e',
          globalSetup: ['test/support/built.ts', 'test/support/kernel-log.ts'],
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // A busy machine has its second; a wrong answer is none of time.
          retry: { count: 1, condition: OUT_OF_TIME },
          expect: { poll: { timeout: 30_000 } },
          // They wait more than they work.
          maxWorkers: 2,
        },
      },
    ],
  },
});

function jsonReport(outputFile: string): ['json', { outputFile: string }] {
  return ['json', { outputFile }];
}
