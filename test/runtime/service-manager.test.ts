import { constants } from 'node:os';

import { expect, it } from 'vitest';

import { ServiceManager } from '../../src/runtime/service-manager.ts';

function manager(environment: NodeJS.ProcessEnv) {
  const sent: [string, string][] = [];
  const notify = (path: string, message: string) => sent.push([path, message]) * 0;
  return { sent, manager: new ServiceManager(environment, { notify }) };
}

it('is told each state at its socket', () => {
  const { sent, manager: told } = manager({ NOTIFY_SOCKET: '@tlspin' });
  told.ready('2 queues');
  told.alive();
  told.reloading();
  told.stopping();
  expect(sent.map(([path]) => path)).toEqual(['@tlspin', '@tlspin', '@tlspin', '@tlspin']);
  expect(sent.map(([, message]) => message.replace(/\d{5,}/, 'N'))).toEqual([
    'READY=1\nSTATUS=2 queues',
    'WATCHDOG=1',
    'RELOADING=1\nMONOTONIC_USEC=N',
    'STOPPING=1',
  ]);
});

it('is told nothing where there is none', () => {
  const { sent, manager: told } = manager({ WATCHDOG_USEC: '1000000' });
  told.ready('2 queues');
  told.stopping();
  expect(sent).toEqual([]);
  expect(told.watchdogMs).toBeUndefined();
});

it.each([
  [{ WATCHDOG_USEC: '20000000' }, 10_000],
  [{ WATCHDOG_USEC: '20000000', WATCHDOG_PID: String(process.pid) }, 10_000],
  [{ WATCHDOG_USEC: '20000000', WATCHDOG_PID: '1' }, undefined],
  [{ WATCHDOG_USEC: 'soon' }, undefined],
  [{}, undefined],
])('hears of us in half the time that its watchdog gives: %o', (environment, expected) => {
  expect(manager({ NOTIFY_SOCKET: '/run/notify', ...environment }).manager.watchdogMs).toBe(expected);
});

it('keeps descriptors, by name, and is told when it need not', () => {
  const sent: [string, readonly number[]][] = [];
  const notify = (_: string, message: string, descriptors: readonly number[]) => sent.push([message, descriptors]) * 0;
  const told = new ServiceManager({ NOTIFY_SOCKET: '@tlspin', FDSTORE: '8' }, { notify });
  expect(told.room).toBe(8);
  told.keep('queue', 21);
  told.discard('queue');
  expect(sent).toEqual([
    ['FDSTORE=1\nFDNAME=queue\nFDPOLL=0', [21]],
    ['FDSTOREREMOVE=1\nFDNAME=queue', []],
  ]);
  expect(manager({ FDSTORE: '8' }).manager.room).toBe(0);
  expect(manager({ NOTIFY_SOCKET: '@tlspin' }).manager.room).toBe(0);
  const deaf = new ServiceManager({ NOTIFY_SOCKET: '@tlspin', FDSTORE: '8' }, { notify: () => constants.errno.ENOENT });
  expect(() => deaf.keep('queue', 21)).toThrow('the service manager cannot be reached (ENOENT)');
});

it.each([
  [
    String(process.pid),
    'queue:memory',
    [
      ['queue', 3],
      ['memory', 4],
    ],
  ],
  ['1', 'queue:memory', []],
  [String(process.pid), undefined, []],
])('passes what it has kept to the process that it has started: %s %s', (LISTEN_PID, LISTEN_FDNAMES, expected) => {
  const environment = { LISTEN_PID, LISTEN_FDS: '2', ...(LISTEN_FDNAMES === undefined ? {} : { LISTEN_FDNAMES }) };
  expect([...manager(environment).manager.kept]).toEqual(expected);
});
