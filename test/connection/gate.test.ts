/**
 * Which packets of the server's go, wait, or go in part, for each thing that the judge and the readers may say of them:
 * the gate alone. What they say when is for the tests of those.
 */
import { describe, expect, it } from 'vitest';

import { GateBench, TIMESTAMPS } from '../support/gate-bench.ts';

/** Nothing waits but for what is not permitted. */
const plain = (limits = {}) => new GateBench(limits);
/** The first flight waits as a whole. */
const ahead = (limits = {}) => new GateBench(limits).ask();

describe('octets', () => {
  it('go as far as they are permitted, and not one further', () => {
    const bench = plain().permit(50);
    expect(bench.send(0, 50)).toEqual(['accept 0-50']);
    expect(bench.send(50, 51)).toEqual([]);
    expect([bench.held.count, bench.gate.delivered]).toEqual([1, 50]);
  });

  it('all go once the ruling accepts', () => {
    const bench = plain();
    bench.judge.ruling = { action: 'accept' };
    expect(bench.send(0, 100)).toEqual(['accept 0-100']);
  });

  it('that wait go as far as is permitted meanwhile, when others come', () => {
    const bench = plain();
    bench.send(0, 50);
    bench.send(50, 100);
    bench.read.permitted = 60;
    expect(bench.send(100, 150)).toEqual(['accept 0-50']);
    expect([bench.gate.delivered, bench.held.count]).toEqual([50, 2]);
  });

  it('that the client has had may come again at any time', () => {
    const bench = plain().permit(50);
    bench.send(0, 50);
    expect(bench.ask().send(0, 50)).toEqual(['accept 0-50']);
    // Nothing else goes for that.
    bench.send(50, 100);
    bench.permit(100);
    expect(bench.send(0, 50)).toEqual(['accept 0-50']);
    expect(bench.held.count).toBe(1);
  });
});

describe('octets behind a gap', () => {
  it('go: they are with nobody before it is closed', () => {
    const bench = plain();
    expect(bench.send(50, 100)).toEqual(['accept 50-100']);
    expect([bench.gate.delivered, bench.gate.room]).toEqual([0, 50]);
  });

  it.each([
    ['an answer from outside is awaited', { waiting: true }],
    ['the client may have to log a secret first', { mayAwaitSecret: true }],
  ])('wait where %s', (_, said) => {
    const bench = plain();
    Object.assign(bench.judge, said);
    expect(bench.send(50, 100)).toEqual([]);
    expect(bench.held.count).toBe(1);
  });

  it('go with what closes it, as far as is permitted', () => {
    const bench = plain().permit(70);
    bench.judge.mayAwaitSecret = true;
    bench.send(50, 60);
    bench.send(60, 80);
    expect(bench.send(0, 50)).toEqual(['accept 0-50', 'accept 50-60']);
    expect([bench.gate.delivered, bench.held.count]).toEqual([60, 1]);
  });

  it('count for what closes it: all of them have to be permitted', () => {
    const bench = plain().permit(99);
    bench.send(50, 100);
    expect(bench.send(0, 50)).toEqual([]);
    bench.read.permitted = 100;
    bench.gate.release(0);
    expect(bench.log).toEqual(['accept 0-50']);
    expect([bench.gate.delivered, bench.gate.room]).toEqual([100, Infinity]);
  });

  it('leave what comes ahead of the last octet before them alone', () => {
    const bench = plain().permit(40);
    bench.send(50, 100);
    expect(bench.send(0, 40)).toEqual(['accept 0-40']);
    expect([bench.gate.delivered, bench.gate.room]).toEqual([40, 10]);
  });

  it('and behind another stay behind that', () => {
    const bench = plain().permit(100);
    bench.send(50, 100);
    bench.send(150, 200);
    bench.send(0, 50);
    expect([bench.gate.delivered, bench.gate.room]).toEqual([100, 50]);
  });

  it('are reached by no more than was asked for', () => {
    const bench = ahead();
    bench.send(0, 50);
    bench.send(50, 100);
    bench.read.permitted = 60;
    bench.gate.onTime(0);
    expect(bench.log).toEqual(['accept 0-50']);
    expect(bench.gate.delivered).toBe(50);
  });
});

describe('the first flight', () => {
  it('waits as a whole once the client has spoken, though all of it is permitted', () => {
    expect(plain().permit(100).send(0, 50)).toEqual(['accept 0-50']);
    expect(ahead().permit(100).send(0, 50)).toEqual([]);
  });

  it('does not wait where nothing can be denied', () => {
    const bench = plain().permit(100);
    bench.judge.mayDeny = false;
    expect(bench.ask().send(0, 50)).toEqual(['accept 0-50']);
  });

  it('nor where the server waits for the client: what has waited goes as well', () => {
    const bench = ahead().permit(100);
    bench.send(0, 50);
    bench.judge.awaitsClient = true;
    expect(bench.send(50, 100)).toEqual(['accept 0-50', 'accept 50-100']);
  });

  it('waits for as long as something new comes, and a repeated packet is nothing new', () => {
    const bench = ahead({ heldAheadTime: 30 });
    bench.send(0, 50);
    bench.now = 10_000;
    bench.send(50, 100);
    bench.now = 20_000;
    expect(bench.send(0, 100)).toEqual([]);
    expect(bench.gate.deadline()).toBe(40_000);
  });

  it('has no deadline where none of it waits, nor once it does not wait as a whole', () => {
    const bench = ahead();
    expect(bench.gate.deadline()).toBe(Infinity);
    bench.send(0, 50);
    bench.gate.onTime(0);
    expect([bench.held.count, bench.gate.deadline()]).toEqual([1, Infinity]);
  });

  it('goes with a copy of a packet that waits, and does not wait again', () => {
    const bench = ahead().permit(200);
    bench.send(0, 50);
    expect(bench.send(0, 50)).toEqual(['accept 0-50', 'accept 0-50']);
    expect(bench.ask().send(50, 100)).toEqual(['accept 50-100']);
  });

  it('waits on where a part of the copy does not wait', () => {
    const bench = ahead().permit(200);
    bench.send(0, 50);
    bench.send(50, 100);
    expect(bench.send(0, 100)).toEqual([]);
    expect(bench.held.count).toBe(3);
  });

  it('is answered by the copy that waits where not all of it is permitted', () => {
    const bench = ahead();
    bench.send(0, 50);
    expect(bench.send(0, 50)).toEqual(['drop 0-50']);
  });

  it('waits no longer where more packets would wait than may', () => {
    const bench = ahead({ heldAheadPackets: 2 }).permit(100);
    bench.send(0, 50);
    expect(bench.send(50, 100)).toEqual(['accept 0-50', 'accept 50-100']);
  });

  it('waits on where an answer from outside is awaited all the same', () => {
    const bench = ahead({ heldAheadPackets: 2 }).permit(100);
    bench.judge.waiting = true;
    bench.send(0, 50);
    expect(bench.send(50, 100)).toEqual([]);
    expect(bench.gate.deadline()).toBeLessThan(Infinity);
  });

  it('waits though many packets have waited ahead of the client', () => {
    const bench = plain({ heldAheadPackets: 2 });
    for (const at of [0, 50, 100]) bench.send(at, at + 50);
    bench.read.permitted = 200;
    bench.gate.onAnswer(0);
    expect(bench.log).toHaveLength(3);
    expect(bench.ask().send(150, 200)).toEqual([]);
  });
});

describe('with an answer from outside', () => {
  const waiting = (bench: GateBench) => {
    bench.send(0, 50);
    bench.read.permitted = 50;
    return bench;
  };

  it.each([
    ['goes what is permitted', plain, false, ['accept 0-50']],
    ['nothing goes while another is awaited', plain, true, []],
    ['nothing goes while the first flight waits as a whole', ahead, false, []],
  ])('%s', (_, begin, isWaiting, expected) => {
    const bench = waiting(begin());
    bench.judge.waiting = isWaiting;
    bench.gate.onAnswer(0);
    expect(bench.log).toEqual(expected);
  });
});

describe('a packet is cut', () => {
  const sealed = (bench = plain()) => {
    bench.permit(30).read.sealedFrom = 30;
    return bench;
  };

  it('where encrypted octets begin, with its options, and the rest comes again', () => {
    const bench = sealed();
    expect(bench.send(0, 50)).toEqual(['cut 0-50 to 30']);
    expect(bench.cut).toEqual([{ payload: Uint8Array.from({ length: 30 }, (_, i) => i), options: TIMESTAMPS.length }]);
    expect([bench.gate.delivered, bench.held.count]).toEqual([30, 0]);
  });

  it('where a server has said more than its client has asked for', () => {
    const bench = plain().permit(30);
    bench.read.isPreamble = true;
    expect(bench.send(0, 50)).toEqual(['cut 0-50 to 30']);
    // The rest of it does not wait, since it comes again.
    bench.acknowledge(30);
    expect(bench.send(30, 50)).toEqual(['drop 30-50']);
  });

  it('again where its client has not acknowledged all of that', () => {
    const bench = sealed();
    bench.send(0, 50);
    expect(bench.acknowledge(29).send(20, 50)).toEqual(['cut 20-50 to 10']);
    expect(bench.acknowledge(30).send(20, 50)).toEqual([]);
  });

  it.each<[string, (bench: GateBench) => string[]]>([
    ['which is a super-packet', (bench) => bench.send(0, 50, { gso: true })],
    ['of which nothing is permitted', (bench) => bench.send(30, 50)],
    ['that begins behind a gap', (bench) => bench.permit(60).send(50, 70)],
    [
      'that would close a gap ahead of octets that the client has',
      (bench) => {
        bench.send(25, 28);
        return bench.send(0, 50);
      },
    ],
  ])('but none %s', (_, send) => {
    const bench = sealed();
    bench.judge.waiting = true;
    expect(send(bench).filter((said) => said.startsWith('cut'))).toEqual([]);
  });

  it('nor one that is permitted, and waits for the whole flight', () => {
    const bench = sealed(ahead());
    expect(bench.send(0, 20)).toEqual([]);
    expect(bench.held.count).toBe(1);
  });
});

describe('the client reads what comes next as a record', () => {
  it('where all went that the readers have, and they are between records', () => {
    const bench = plain();
    for (const isBetween of [true, false]) {
      bench.read.serverAtBoundary = isBetween;
      expect(bench.gate.atBoundary).toBe(isBetween);
    }
  });

  it('where a record began at the first octet that waits', () => {
    const bench = ahead();
    bench.read.serverAtBoundary = true;
    bench.send(0, 50);
    bench.read.serverAtBoundary = false;
    expect(bench.gate.atBoundary).toBe(true);
  });

  it('but not within a record whose rest waits, wherever the readers are by now', () => {
    const bench = ahead();
    bench.send(0, 50);
    bench.read.serverAtBoundary = true;
    bench.send(50, 100);
    expect(bench.gate.atBoundary).toBe(false);
  });
});
