import { expect, it } from 'vitest';

import {
  differingTerms,
  readRemembered,
  type Remembered,
  termsOf,
  writeRemembered,
} from '../../../src/runtime/takeover/handed.ts';
import { policy } from '../../support/policy.ts';

it('what is remembered comes out as it went in, octets too, on one line', () => {
  const mark = { value: 0x1000000, mask: 0x3000000 };
  const chain = [Buffer.from([0x30, 0x00, 0xff]), new Uint8Array([10, 13])];
  const finding = { kind: 'certificates', chain, isRawPublicKey: false, proven: true } as const;
  const memory = {
    config: 'sha256:00',
    settled: [{ key: '\u0000\u00ff"\n', synSeq: 7, packed: 5, mark, idle: 3 }],
    sessions: [{ key: '00ff', pinsets: ['bank'], left: 1e6, dateMs: 1.5e12 }],
  };
  const remembered = {
    queues: [[3, { handed: { descriptor: 21, conntrack: true }, memory }]],
    probes: { shown: [['q', [{ finding, atMs: 5, confirmations: 1, confirmedMs: 7 }]]], failed: [] },
    added: [['0', ['sha256//x']]],
  } as unknown as Remembered;
  const text = writeRemembered(remembered);
  expect(text).not.toContain('\n');
  const read = readRemembered(text);
  expect(read.queues).toEqual(remembered.queues);
  expect(read.added).toEqual(remembered.added);
  const [[, [shown]]] = read.probes!.shown as unknown as [[string, [{ finding: { chain: Uint8Array[] } }]]];
  expect(shown.finding.chain.map((der) => [...der])).toEqual([
    [0x30, 0x00, 0xff],
    [10, 13],
  ]);
});

it.each([
  ['queues', {}, [0, 1]],
  ['failOpen', { failOpen: true }, [0, 0]],
  ['keylog', { keylog: { file: 'keys', socket: null } }, [0, 0]],
  ['connmark', { connmark: { ...policy().connmark, told: 0x8000000 } }, [0, 0]],
  ['probe.mark', { probe: { ...policy().probe, mark: 1 } }, [0, 0]],
] as const)('nobody takes over where %s differs', (what, fields, queues) => {
  const terms = termsOf(policy(), [0, 0]);
  expect(differingTerms(terms, termsOf(policy(), [0, 0]))).toEqual([]);
  expect(differingTerms(terms, termsOf(policy(fields), queues))).toEqual([what]);
});
