/** Packets of connections that nobody knows, in any number: what the log has of them. */
import { describe, expect, it } from 'vitest';

import { bank } from '../support/flows.ts';
import { ManyWires } from '../support/many-wires.ts';

const wires = () => new ManyWires({ pinsets: [bank()] });
const told = (of: ManyWires) => of.verdicts.reduce((sum, { packets }) => sum + packets!, 0);

describe('packets of connections that nobody knows', () => {
  it('have a record each, at once, as long as they are few', () => {
    const few = wires();
    for (let client = 1; client <= 10; client++) few.fromClient(client, 'x');
    expect(few.verdicts).toHaveLength(10);
    expect(few.verdicts[0]).toMatchObject({ action: 'reset', reason: 'midstream', packets: 1 });
  });

  it('have one for all others each ten seconds, and all records tell every packet', () => {
    const many = wires();
    for (let second = 0; second < 20; second++) {
      for (let client = 1; client <= 1_000; client++) many.fromClient(second * 1_000 + client, 'x');
      many.wait(1_000);
    }
    many.finish();
    expect(many.verdicts.length).toBeLessThanOrEqual(3 * 11);
    expect(told(many)).toBe(20_000);
    expect(many.engine.counters.midstream).toBe(20_000);
  });

  it('of one connection have one at once, and the others are counted', () => {
    const one = wires();
    for (let at = 0; at < 50; at++) one.fromClient(1, 'x');
    expect(one.verdicts).toHaveLength(1);
    one.wait(9_000);
    expect(one.verdicts).toHaveLength(1);
    one.wait(2_000);
    expect(one.verdicts.map(({ packets }) => packets)).toEqual([1, 49]);
    // And nothing is said of nothing.
    one.wait(60_000);
    expect(one.verdicts).toHaveLength(2);
  });

  it('to ever other servers are bounded all the same', () => {
    const many = wires();
    for (let server = 0; server < 2_000; server++) many.fromClient(1, 'x', { to: server });
    many.finish();
    expect(many.verdicts.length).toBeLessThanOrEqual(100 + 257);
    expect(told(many)).toBe(2_000);
  });
});
