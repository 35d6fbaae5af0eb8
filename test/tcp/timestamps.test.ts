import { describe, expect, it } from 'vitest';

import { TimestampCheck } from '../../src/tcp/timestamps.ts';

describe('timestamps (RFC 7323 §5)', () => {
  it('before the first one everything is acceptable', () => {
    expect(new TimestampCheck().acceptable(0)).toBe(true);
    expect(new TimestampCheck().acceptable(0xffffffff)).toBe(true);
  });

  it('older than the last one at the left edge: the receiver drops the segment', () => {
    const check = new TimestampCheck();
    check.record(1000, true);
    expect([999, 1000, 1001].map((ts) => check.acceptable(ts))).toEqual([false, true, true]);
  });

  it('ahead of the left edge moves nothing: a segment that the receiver never gets cannot spoil those that it gets', () => {
    const check = new TimestampCheck();
    check.record(1000, true);
    check.record(5000, false);
    expect(check.acceptable(1500)).toBe(true);
  });

  it('wraps', () => {
    const check = new TimestampCheck();
    check.record(0xfffffff0, true);
    expect(check.acceptable(0x10)).toBe(true);
    check.record(0x10, true);
    expect(check.acceptable(0xfffffff0)).toBe(false);
  });
});
