/** The section `log`: where records go, and what is wrong with it. */
import { describe, expect, it } from 'vitest';

import { load, policyOf } from '../support/configuration.ts';

const targets = (to: unknown) => policyOf({ version: 1, log: { to } }).log.to;
const errors = (to: unknown) => load({ version: 1, log: { to } }).errors;

describe('a destination', () => {
  it('is not said, one, or several', () => {
    expect(policyOf({ version: 1, log: {} }).log.to).toBeUndefined();
    expect(targets('-')).toEqual([{ kind: 'file', path: '-' }]);
    expect(targets(['-', '/var/log/tlspin.json'])).toEqual([
      { kind: 'file', path: '-' },
      { kind: 'file', path: '/var/log/tlspin.json' },
    ]);
  });

  it('may be the syslog daemon', () => {
    expect(targets({ syslog: {} })).toEqual([{ kind: 'syslog', socket: '/dev/log', facility: 3, format: 'local' }]);
    expect(targets({ syslog: { socket: '/run/log', facility: 'local0', format: 'rfc5424' } })).toEqual([
      { kind: 'syslog', socket: '/run/log', facility: 16, format: 'rfc5424' },
    ]);
  });

  it('may be a transport of pino, or several one behind the other, and have records as syslog has them', () => {
    const folder = expect.any(String) as string;
    expect(targets({ transport: { target: 'pino-socket', options: { port: 514 } } })).toEqual([
      { kind: 'transport', stages: [{ target: 'pino-socket', options: { port: 514 } }], folder },
    ]);
    expect(targets({ transport: { pipeline: [{ target: 'a' }, { target: '/b.js', options: { c: 1 } }] } })).toEqual([
      {
        kind: 'transport',
        stages: [
          { target: 'a', options: {} },
          { target: '/b.js', options: { c: 1 } },
        ],
        folder,
      },
    ]);
    expect(targets({ syslog: {}, transport: { target: 'pino-socket' } })).toEqual([
      {
        kind: 'transport',
        stages: [{ target: 'pino-socket', options: {} }],
        folder,
        syslog: { facility: 3, format: 'rfc5424' },
      },
    ]);
  });

  it.each([
    ['', 'a file without a name: write its path, or "-" for standard output'],
    [[], '"to" is an empty list: leave it out'],
    [7, '"to" must be a string or an object or a list, not a number'],
    [['-', '-'], 'this is where records go already: name it once'],
    [{}, 'nothing is named here: write { "syslog": {} } or { "transport": { "target": "…" } }'],
    [{ syslog: { facility: 'local9' } }, '"facility" must be "user" or "daemon"'],
    [{ syslog: { host: 'h' } }, 'unknown key "host": socket, facility and format are known here'],
    [{ transport: {} }, 'exactly one of "target" and "pipeline" is needed'],
    [{ transport: { target: 'a', pipeline: [{ target: 'b' }] } }, 'exactly one of "target" and "pipeline" is needed'],
    [{ transport: { pipeline: [{ target: 'b' }], options: {} } }, '"options" belong to a target'],
    [{ syslog: { socket: '/dev/log' }, transport: { target: 'a' } }, 'the transport is the way there'],
  ])('that is wrong is told of: %j', (to, text) => {
    expect(errors(to)).toEqual([expect.stringContaining(text)]);
  });
});
