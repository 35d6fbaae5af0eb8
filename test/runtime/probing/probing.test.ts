import { expect, it } from 'vitest';

import type { ProbeRequest } from '../../../src/judge/ports.ts';
import { canProbe, mirrorProbers } from '../../../src/runtime/probing/probing.ts';
import { PINNED, pinset, policy, UNPINNED } from '../../support/policy.ts';
import { clientHelloMessage } from '../../support/tls-bytes.ts';

const STREAMS = { streamFrom: () => -1, forgetStream: () => 0, sayBehindAck: () => 0 };
/** On the machine itself, where nobody listens. */
const REQUEST: ProbeRequest = {
  client: { address: new Uint8Array([10, 0, 0, 1]), port: 40_000 },
  server: { address: new Uint8Array([127, 0, 0, 1]), port: 1 },
  clientHello: clientHelloMessage({ name: 'www.bank.example', supportedVersions: [0x0304] }).subarray(4),
  recordVersion: 0x0301,
  starttls: null,
  tunnels: [],
  patience: 0,
};

it.each([
  ['nothing is pinned', {}, false],
  ['what would be asked for pinned flows concerns no pinset', { pinned: { ...PINNED, tls13: 'probe' } }, false],
  ['a pinset’s servers are asked', { pinsets: [pinset(0, { situations: { ...PINNED, tls13: 'probe' } })] }, true],
  [
    'they are asked where a key log has nothing',
    { pinsets: [pinset(0, { situations: { ...PINNED, tls13: 'keylog-else-probe' } })] },
    true,
  ],
  ['a key log alone is used', { pinsets: [pinset(0, { situations: { ...PINNED, tls13: 'keylog' } })] }, false],
  [
    'sessions that are not bound are asked for',
    { pinsets: [pinset(0, { situations: { ...PINNED, resumed: 'bound-else-probe' } })] },
    true,
  ],
  ['flows that no pinset selects are asked for', { unpinned: { ...UNPINNED, tls13: 'probe-else-accept' } }, true],
] as const)('whether there can be probes: %s', (_, fields, expected) => {
  expect(canProbe(policy(fields))).toBe(expected);
});

it('probes are marked with the mark of the configuration, and none is sent that cannot be', async () => {
  const marks: number[] = [];
  const create = mirrorProbers({ setMark: (_fd, mark) => marks.push(mark), ...STREAMS });
  const { probe } = policy();
  const prober = create(policy({ probe: { ...probe, mark: 0x0400_0000, allowLocal: true } }), () => {});
  const answer = await new Promise((resolve) => prober.probe(REQUEST, resolve));
  expect(answer).toMatchObject({ kind: 'failed', reason: 'not-marked' });
  expect(marks).toEqual([0x0400_0000]);
  prober.close();
});

it('the configuration says whether local addresses are asked', async () => {
  const prober = mirrorProbers({ setMark: () => 0, ...STREAMS })(policy(), () => {});
  const answer = await new Promise((resolve) => prober.probe(REQUEST, resolve));
  expect(answer).toMatchObject({ kind: 'failed', reason: 'forbidden' });
  prober.close();
});
