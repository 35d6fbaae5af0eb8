import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { ConnectionOptions } from '../../src/probe/connection.ts';
import { dial } from '../../src/probe/dial.ts';
import type { Origin } from '../../src/probe/origin.ts';

type Outcome = { readonly kind: 'certificates'; readonly by: string };
type Wire = ConnectionOptions<Outcome>;

const END = { address: new Uint8Array([10, 0, 0, 2]), port: 40_000 };
const FAILED = (reason: 'timeout' | 'unreachable' | 'closed' | 'alert') =>
  ({ kind: 'failed', reason, detail: '' }) as const;
const origin: Origin = { family: 'ipv4', isOnly: false, open: () => undefined };

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const ports = { taken: 0 };

interface Dialled {
  readonly isStrict?: boolean;
  readonly from?: Origin | undefined;
  readonly mayPause?: boolean;
}

function dialled({ isStrict = false, mayPause = true, ...given }: Dialled = {}) {
  const from = 'from' in given ? given.from : { ...origin, isOnly: isStrict };
  const wires: (Wire & { isEnded: boolean })[] = [];
  const [heard, outcomes, begun]: [string[], unknown[], string[]] = [[], [], []];
  let [connected, made] = [0, 0];
  const converse = ((options: Wire) => {
    const wire = { ...options, isEnded: false };
    wires.push(wire);
    return () => {
      if (wire.isEnded) return;
      wire.isEnded = true;
      wire.done({ kind: 'failed', reason: 'stopped', detail: '' });
    };
  }) as never;
  const giveUp = dial<Outcome>({
    request: { server: END, client: END },
    timeout: 2_000,
    mark: undefined,
    origins: {
      of: () => from,
      isStrict,
      onHeard: () => heard.push('heard'),
      onUnheard: () => heard.push('unheard'),
      mayPause: () => mayPause,
      onStarved: () => heard.push('starved'),
      get portsTaken() {
        return ports.taken;
      },
    },
    conversation: () => {
      made++;
      return {
        start: () => Uint8Array.of(1),
        feed: (bytes) => Uint8Array.of(2, ...bytes),
        outcome: undefined,
        part: (bytes) => [Uint8Array.of(3, ...bytes)],
      };
    },
    converse,
    begun: (asClient, isFallback) => begun.push(`${asClient ? 'client' : 'own'}${isFallback ? ' again' : ''}`),
    connected: () => connected++,
    done: (outcome) => outcomes.push(outcome),
  });
  return { wires, heard, outcomes, begun, giveUp, connected: () => connected, made: () => made };
}

it('by the client’s address the first word comes now and then a moment later, and by the own one at once', () => {
  const pauses = Array.from({ length: 60 }, () => {
    const { wires } = dialled();
    vi.advanceTimersByTime(400);
    return wires.map(({ pause }) => pause!);
  });
  expect(new Set(pauses.map(([first]) => first))).toEqual(new Set([0, 1, 2]));
  expect(new Set(pauses.map(([, second]) => second))).toEqual(new Set([0]));
});

it('a server that leaves one that was late without an answer is told of, and none is late there', () => {
  const told = Array.from({ length: 40 }, () => {
    const { wires, heard } = dialled({ isStrict: true });
    wires[0]!.connected!();
    wires[0]!.done(FAILED('timeout'));
    return [wires[0]!.pause! > 0, heard.includes('starved')];
  });
  for (const [isLate, isStarved] of told) expect(isStarved).toBe(isLate);
  const pauses = Array.from({ length: 40 }, () => dialled({ isStrict: true, mayPause: false }).wires[0]!.pause);
  expect(new Set(pauses)).toEqual(new Set([0]));
});

it('what is heard by the client’s address is the answer, and nothing else is begun', () => {
  const { wires, heard, outcomes, begun } = dialled();
  wires[0]!.connected!();
  vi.advanceTimersByTime(900);
  wires[0]!.done({ kind: 'certificates', by: 'client' });
  vi.advanceTimersByTime(5_000);
  expect(begun).toEqual(['client']);
  expect(heard).toEqual(['heard']);
  expect(outcomes).toEqual([{ kind: 'certificates', by: 'client' }]);
});

it('what is not heard is asked by the own address beside it, and the first to show something counts', () => {
  const { wires, heard, outcomes, begun, connected } = dialled();
  vi.advanceTimersByTime(399);
  expect(begun).toEqual(['client']);
  vi.advanceTimersByTime(1);
  expect(begun).toEqual(['client', 'own again']);
  wires[1]!.connected!();
  wires[1]!.done({ kind: 'certificates', by: 'own' });
  expect(outcomes).toEqual([{ kind: 'certificates', by: 'own' }]);
  expect(heard).toEqual(['unheard']);
  expect(wires[0]!.isEnded).toBe(true);
  expect(connected()).toBe(1);
});

it.each(['unreachable', 'closed', 'timeout'] as const)(
  'one that ends as %s with nothing shown is asked otherwise at once',
  (reason) => {
    const { wires, outcomes, begun } = dialled();
    wires[0]!.done(FAILED(reason));
    expect(begun).toEqual(['client', 'own again']);
    wires[1]!.done(FAILED('closed'));
    expect(outcomes).toEqual([FAILED('closed')]);
  },
);

it('a server that takes the connection and says nothing has half of the time for it', () => {
  const { wires, begun } = dialled();
  wires[0]!.connected!();
  vi.advanceTimersByTime(999);
  expect(begun).toEqual(['client']);
  vi.advanceTimersByTime(1);
  expect(begun).toEqual(['client', 'own again']);
});

it('what the server says is the answer, a refusal too', () => {
  const { wires, outcomes, begun } = dialled();
  wires[0]!.connected!();
  wires[0]!.done(FAILED('alert'));
  expect(begun).toEqual(['client']);
  expect(outcomes).toEqual([FAILED('alert')]);
});

it('where nothing may leave by another address, nothing does', () => {
  const strict = dialled({ isStrict: true });
  vi.advanceTimersByTime(1_900);
  strict.wires[0]!.done(FAILED('timeout'));
  expect(strict.begun).toEqual(['client']);
  expect(strict.outcomes).toEqual([FAILED('timeout')]);
  const without = dialled({ isStrict: true, from: undefined });
  expect(without.begun).toEqual([]);
  expect(without.outcomes).toEqual([{ kind: 'failed', reason: 'unreachable', detail: 'source' }]);
});

it('given up, all of it ends and is answered once', () => {
  const { wires, outcomes, giveUp } = dialled();
  vi.advanceTimersByTime(500);
  giveUp();
  vi.advanceTimersByTime(5_000);
  expect(wires.map(({ isEnded }) => isEnded)).toEqual([true, true]);
  expect(outcomes).toEqual([{ kind: 'failed', reason: 'stopped', detail: '' }]);
});

it('says what its conversation says, from the first word to the last', () => {
  const { conversation } = dialled({ from: undefined }).wires[0]!;
  expect(conversation.start()).toEqual(Uint8Array.of(1));
  expect(conversation.feed(Uint8Array.of(9))).toEqual(Uint8Array.of(2, 9));
  expect(conversation.part!(Uint8Array.of(9))).toEqual([Uint8Array.of(3, 9)]);
});

it('makes its conversation once the connection is begun, without being asked', async () => {
  const { made } = dialled({ from: undefined });
  expect(made()).toBe(0);
  await new Promise((go) => setImmediate(go));
  expect(made()).toBe(1);
});

it('where its port was its client’s it begins anew, some times, and nobody else does', () => {
  const { wires, outcomes, begun } = dialled({ isStrict: true });
  for (let taken = 0; taken < 5; taken++) {
    expect(outcomes).toEqual([]);
    ports.taken++;
    wires[taken]!.done(FAILED('unreachable'));
  }
  expect(begun).toEqual(Array<string>(5).fill('client'));
  expect(outcomes).toEqual([FAILED('unreachable')]);
  const other = dialled({ isStrict: true });
  other.wires[0]!.done(FAILED('unreachable'));
  expect([other.begun, other.outcomes]).toEqual([['client'], [FAILED('unreachable')]]);
});
