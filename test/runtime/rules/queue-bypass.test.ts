/** What iptables-save and nft print, as they print it. */
import { describe, expect, it } from 'vitest';

import { findQueueBypass } from '../../../src/runtime/rules/queue-bypass.ts';

interface Printed {
  readonly 'iptables-save'?: string;
  readonly 'ip6tables-save'?: string;
  readonly nft?: string;
}

const found = (printed: Printed, queues: readonly [number, number] = [0, 3]) =>
  findQueueBypass(queues, async (program) => printed[program as keyof Printed]);

const iptables = (target: string) =>
  `*mangle\n:tlspin - [0:0]\n-A FORWARD -j tlspin\n-A tlspin -p tcp -m multiport --ports 443 ${target}\nCOMMIT\n`;
const nft = (statement: string) => `table inet tlspin {\n\tchain forward {\n\t\ttcp dport 443 ${statement}\n\t}\n}\n`;

describe('whether packets pass while nobody listens', () => {
  it.each<[string, Printed, boolean | null]>([
    ['no rules at all', {}, null],
    [
      'rules of others',
      { 'iptables-save': '*filter\n-A INPUT -j ACCEPT\nCOMMIT\n', nft: 'table ip filter {\n}\n' },
      null,
    ],
    ['a queue', { 'iptables-save': iptables('-j NFQUEUE --queue-num 0') }, false],
    ['a queue with bypass', { 'iptables-save': iptables('-j NFQUEUE --queue-num 0 --queue-bypass') }, true],
    ['balanced queues', { 'iptables-save': iptables('-j NFQUEUE --queue-balance 0:3') }, false],
    [
      'balanced queues with bypass',
      { 'iptables-save': iptables('-j NFQUEUE --queue-balance 0:3 --queue-bypass') },
      true,
    ],
    ['IPv6 alone', { 'ip6tables-save': iptables('-j NFQUEUE --queue-num 1 --queue-bypass') }, true],
    ['nft', { nft: nft('queue to 0') }, false],
    ['nft with bypass', { nft: nft('queue flags bypass to 0-3') }, true],
    ['nft in its older spelling', { nft: nft('queue num 0-3') }, false],
    ['nft in its older spelling, with bypass', { nft: nft('queue num 0-3 bypass') }, true],
  ])('%s', async (_, printed, expected) => {
    expect(await found(printed)).toBe(expected);
  });

  it('is asked of both families: one through which they pass is enough', async () => {
    const [closed, open] = ['-j NFQUEUE --queue-num 0', '-j NFQUEUE --queue-num 0 --queue-bypass'].map(iptables);
    expect(await found({ 'iptables-save': closed!, 'ip6tables-save': open! })).toBe(true);
    expect(await found({ 'iptables-save': closed!, 'ip6tables-save': closed! })).toBe(false);
  });

  it.each([
    [[5, 5], null],
    [[4, 6], null],
    [[7, 7], true],
    [[0, 7], true],
  ] as const)('is about our own queues, not those of others: of %j', async (queues, expected) => {
    const others = iptables('-j NFQUEUE --queue-num 7 --queue-bypass');
    expect(await found({ 'iptables-save': others }, queues)).toBe(expected);
  });

  it.each([iptables('-j NFQUEUE --queue-balance 0:3 --queue-bypass'), nft('queue flags bypass to 0-3')])(
    'counts every queue of a range as fed by it',
    async (printed) => {
      expect(await found({ nft: printed }, [2, 2])).toBe(true);
      expect(await found({ nft: printed }, [3, 9])).toBe(true);
      expect(await found({ nft: printed }, [4, 9])).toBeNull();
    },
  );

  it('a word in a comment is no rule', async () => {
    const commented = iptables('-m comment --comment "no queue 0 bypass" -j ACCEPT');
    expect(await found({ 'iptables-save': commented })).toBeNull();
  });

  it('asks the programs for what they would save, and changes nothing', async () => {
    const asked: string[] = [];
    await findQueueBypass([0, 0], async (program, args) => void asked.push([program, ...args].join(' ')));
    expect(asked).toEqual(['iptables-save', 'ip6tables-save', 'nft list ruleset']);
  });
});
