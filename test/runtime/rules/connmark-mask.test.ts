import { expect, it } from 'vitest';

import { ownedConnmarkBits } from '../../../src/runtime/rules/connmark-mask.ts';
import { pinset, policy, rule } from '../../support/policy.ts';

it("the engine's own bits alone, while no verdict adds any", () => {
  expect(ownedConnmarkBits(policy({ pinsets: [pinset(0)] }))).toBe(0x3000000);
});

it('and those of every verdict that a pinset, a rule or the default may write', () => {
  const adds = (mask: number) => ({ action: 'accept', connmark: { value: 0, mask } }) as const;
  const bits = ownedConnmarkBits(
    policy({
      pinsets: [pinset(0, { onMatch: adds(0x1), onMismatch: adds(0x2) }), pinset(1, { onDeny: adds(0x80000000) })],
      rules: [rule(0, { kind: 'fpl', list: '0', inverted: false }, { verdict: adds(0x10) })],
      onMismatch: adds(0x100),
    }),
  );
  expect(bits).toBe(0x83000113);
});
