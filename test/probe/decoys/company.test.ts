/** Connections beside a client's: what they and it do when, and what comes of it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Company } from '../../../src/probe/decoys/company.ts';
import { Lag } from '../../../src/probe/decoys/lag.ts';
import type { ConnectionOptions } from '../../../src/probe/connection.ts';
import type { Origin } from '../../../src/probe/origin.ts';

type Outcome = { readonly kind: 'certificates'; readonly chain: string } | { readonly kind: 'unusable-group' };
type Wire = ConnectionOptions<Outcome> & { isOver: boolean };

const SERVER = { address: new Uint8Array([192, 0, 2, 1]), port: 443 };
const origin: Origin = { family: 'ipv4', isOnly: false, open: () => undefined };
const shown = (chain: string): Outcome => ({ kind: 'certificates', chain });
const closed = { kind: 'failed', reason: 'closed', detail: '' } as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** `did`: the client's and the others' doings, in their order. */
function company(size = 3) {
  const wires: Wire[] = [];
  const [did, outcomes]: [string[], unknown[]] = [[], []];
  const told = { unasked: 0, shown: 0 };
  const made = new Company<Outcome>(
    {
      ...{ server: SERVER, origin, mark: undefined, size, timeout: 2_000, lag: new Lag() },
      converse: ((options: Wire) => {
        const wire = { ...options, isOver: false };
        wires.push(wire);
        did.push('decoy begins');
        return () => void (wire.isOver = true);
      }) as never,
      onUnasked: () => told.unasked++,
      onShown: () => told.shown++,
    },
    () => did.push('client begins'),
  );
  const ask = () =>
    made.ask({
      conversation: () => ({ start: () => new Uint8Array(0), feed: () => new Uint8Array(0), outcome: undefined }),
      clientsTurn: () => did.push('client speaks'),
      done: (all) => outcomes.push(all),
    });
  const connect = () => wires.forEach(({ turn }) => turn!(() => did.push('decoy speaks')));
  return { made, wires, did, outcomes, told, ask, connect };
}

const count = (did: readonly string[], what: string) => did.filter((each) => each === what).length;

describe('of a client that asks', () => {
  it('all speak once all are connected and it has asked, and it is among them', () => {
    const { did, ask, connect } = company();
    vi.advanceTimersByTime(50);
    expect([count(did, 'decoy begins'), count(did, 'client begins')]).toEqual([3, 1]);
    connect();
    vi.advanceTimersByTime(50);
    expect(did).toHaveLength(4);
    ask();
    vi.advanceTimersByTime(50);
    expect([count(did, 'decoy speaks'), count(did, 'client speaks')]).toEqual([3, 1]);
  });

  it('speak not ahead of the last that is connected', () => {
    const { wires, did, ask } = company();
    vi.advanceTimersByTime(50);
    ask();
    for (const { turn } of wires.slice(1)) turn!(() => did.push('decoy speaks'));
    vi.advanceTimersByTime(50);
    expect(did).toHaveLength(4);
  });

  it('speak as long behind the last SYN as it asks behind its own', () => {
    for (let times = 0; times < 50; times++) {
      const { did, ask, connect } = company();
      const at: Record<string, number> = {};
      for (let ms = 0; ms < 50; ms++) {
        vi.advanceTimersByTime(1);
        if (did.includes('client begins')) at['client'] ??= ms;
        if (did.length === 4) at['last'] ??= ms;
      }
      connect();
      ask();
      const asked = performance.now();
      while (did.length === 4) vi.advanceTimersByTime(1);
      expect(Math.abs(performance.now() - asked - (at['last']! - at['client']!))).toBeLessThanOrEqual(2);
    }
  });

  it('it begins and speaks in any place among them, in one whatever the other', () => {
    const places = new Set<string>();
    for (let times = 0; times < 200; times++) {
      const { did, ask, connect } = company(1);
      vi.advanceTimersByTime(50);
      connect();
      ask();
      vi.advanceTimersByTime(50);
      places.add(`${did.indexOf('client begins')} ${did.indexOf('client speaks')}`);
    }
    expect([...places].sort()).toEqual(['0 2', '0 3', '1 2', '1 3']);
  });

  it('what all of them are shown is the answer, when all of them are', () => {
    const { wires, outcomes, told, ask, connect } = company();
    vi.advanceTimersByTime(50);
    connect();
    ask();
    wires[0]!.done(shown('a'));
    wires[1]!.done(shown('b'));
    expect(outcomes).toEqual([]);
    wires[2]!.done(shown('a'));
    expect(outcomes).toEqual([[shown('a'), shown('b'), shown('a')]]);
    expect(told).toEqual({ unasked: 0, shown: 1 });
  });

  it.each([['closed', closed] as const, ['of a group that no probe can do', { kind: 'unusable-group' } as const]])(
    'one that is %s is the answer: fewer would have to be guessed',
    (_, outcome) => {
      const { wires, outcomes, told, ask, connect } = company();
      vi.advanceTimersByTime(50);
      connect();
      ask();
      wires[0]!.done(shown('a'));
      wires[1]!.done(outcome);
      expect(outcomes).toEqual([[outcome]]);
      expect(wires.every(({ isOver }) => isOver)).toBe(true);
      wires[2]!.done(shown('a'));
      expect(outcomes).toHaveLength(1);
      expect(told.shown).toBe(0);
    },
  );

  it('one that failed ahead of the question is so too', () => {
    const { wires, did, outcomes, ask } = company();
    vi.advanceTimersByTime(50);
    wires[0]!.done(closed);
    ask();
    expect(outcomes).toEqual([[closed]]);
    expect(count(did, 'decoy speaks')).toBe(0);
  });

  it('one that is never answered is late for all', () => {
    const { wires, outcomes, ask, connect } = company();
    vi.advanceTimersByTime(50);
    connect();
    ask();
    wires[0]!.done(shown('a'));
    vi.advanceTimersByTime(2_000);
    expect(outcomes).toEqual([[{ kind: 'failed', reason: 'timeout', detail: 'decoys' }]]);
  });
});

describe('of a client that asks nothing', () => {
  it('all go after a second, and say nothing', () => {
    const { wires, did, told, connect } = company();
    vi.advanceTimersByTime(50);
    connect();
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual({ unasked: 1, shown: 0 });
    expect(wires.every(({ isOver }) => isOver)).toBe(true);
    expect(count(did, 'decoy speaks')).toBe(0);
  });

  it('its SYN leaves at once where they end ahead of it', () => {
    for (let times = 0; times < 50; times++) {
      const { made, did } = company();
      made.end();
      expect(count(did, 'client begins')).toBe(1);
      vi.advanceTimersByTime(50);
      expect(count(did, 'client begins')).toBe(1);
    }
  });
});
