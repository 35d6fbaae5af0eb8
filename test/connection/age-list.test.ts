import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Aged, AgeList } from '../../src/connection/age-list.ts';

class Flow extends Aged {}

describe('AgeList', () => {
  it('has its members in the order in which they came', () => {
    const [a, b, c] = [new Flow(), new Flow(), new Flow()];
    const list = new AgeList<Flow>();
    for (const flow of [b, a, c]) list.add(flow);
    expect([...list]).toEqual([b, a, c]);
    expect(list.oldest).toBe(b);
  });

  it('a member that is added again stays where it is', () => {
    const [a, b] = [new Flow(), new Flow()];
    const list = new AgeList<Flow>();
    for (const flow of [a, b, a]) list.add(flow);
    expect([...list]).toEqual([a, b]);
    expect(list.size).toBe(2);
  });

  it('knows its own members only', () => {
    const [ours, theirs] = [new AgeList<Flow>(), new AgeList<Flow>()];
    const flow = new Flow();
    theirs.add(flow);
    expect(ours.has(flow)).toBe(false);
    expect(ours.delete(flow)).toBe(false);
    expect([...theirs]).toEqual([flow]);
  });

  it('a member that was taken out refers to nobody, and may come into another list', () => {
    const flows = [new Flow(), new Flow(), new Flow()];
    const [before, after] = [new AgeList<Flow>(), new AgeList<Flow>()];
    for (const flow of flows) before.add(flow);
    expect(before.delete(flows[1]!)).toBe(true);
    expect(flows[1]).toEqual(new Flow());
    after.add(flows[1]!);
    expect([...before]).toEqual([flows[0], flows[2]]);
    expect([...after]).toEqual([flows[1]]);
  });

  it('may lose the member that is being looked at', () => {
    const flows = [new Flow(), new Flow(), new Flow()];
    const list = new AgeList<Flow>();
    for (const flow of flows) list.add(flow);
    const seen: Flow[] = [];
    for (const flow of list) {
      seen.push(flow);
      list.delete(flow);
    }
    expect(seen).toEqual(flows);
    expect(list.size).toBe(0);
    expect(list.oldest).toBeUndefined();
  });

  it('does what a Set does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
        const flows = Array.from({ length: 10 }, () => new Flow());
        const [list, model] = [new AgeList<Flow>(), new Set<Flow>()];
        for (const [isAdded, index] of steps) {
          const flow = flows[index]!;
          if (isAdded) {
            list.add(flow);
            model.add(flow);
          } else {
            expect(list.delete(flow)).toBe(model.delete(flow));
          }
          expect(list.size).toBe(model.size);
        }
        const order = (members: Iterable<Flow>) => [...members].map((flow) => flows.indexOf(flow));
        expect(order(list)).toEqual(order(model));
      }),
    );
  });
});
