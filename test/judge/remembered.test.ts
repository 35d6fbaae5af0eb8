/** What is remembered beside flows: who waits for which secret, and what servers did last. */
import { describe, expect, it } from 'vitest';

import type { KeylogSource } from '../../src/judge/ports.ts';
import { SecretBoard } from '../../src/judge/secret-board.ts';
import { ServerHabits } from '../../src/judge/server-habits.ts';
import { type SessionExpiry, SessionMemory } from '../../src/judge/sessions.ts';

describe('a secret', () => {
  const [random, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const [secret, another] = [Buffer.alloc(32, 0x51), Buffer.alloc(32, 0x52)];

  function board(known = new Map<string, Uint8Array>()) {
    let listener: Parameters<KeylogSource['onSecret']>[0];
    const forgotten: Uint8Array[] = [];
    const source: KeylogSource = {
      secretFor: (of) => known.get(Buffer.from(of).toString('hex')),
      onSecret: (listens) => void (listener = listens),
      forget: (of) => void forgotten.push(of),
    };
    return { board: new SecretBoard(source), log: (of: Uint8Array, is: Uint8Array) => listener(of, is), forgotten };
  }

  it('that is logged already is told at once, and nobody waits for it', () => {
    const made = board(new Map([[random.toString('hex'), secret]]));
    const told: Uint8Array[] = [];
    made.board.ask(random, (found) => told.push(found));
    made.log(random, another);
    expect(told).toEqual([secret]);
  });

  it('comes to whoever waits for it, and to nobody else', () => {
    const made = board();
    const told: Uint8Array[] = [];
    made.board.ask(random, (found) => told.push(found));
    made.log(other, another);
    made.log(random, secret);
    expect(told).toEqual([secret]);
  });

  it('comes to nobody that waits no more, and is not kept for them', () => {
    const made = board();
    const told: Uint8Array[] = [];
    made.board.ask(random, (found) => told.push(found));
    made.board.forget(random);
    made.log(random, secret);
    expect([told, made.forgotten]).toEqual([[], [random]]);
  });
});

describe('a server', () => {
  const server = { address: Uint8Array.of(198, 51, 100, 7), port: 443 };

  it('shows its certificate in clear as it did last, under each name', () => {
    const habits = new ServerHabits();
    const shows = (name: string | null) => habits.showsClear(server, name);
    expect(shows('a.example')).toBe(false);
    habits.onChoice(server, 'a.example', false);
    expect([shows('a.example'), shows('b.example'), shows(null)]).toEqual([true, false, false]);
    habits.onChoice(server, 'a.example', true);
    expect(shows('a.example')).toBe(false);
  });

  it('speaks first where it did so in the last minute', () => {
    const habits = new ServerHabits();
    expect(habits.greets(server, 0)).toBe(false);
    habits.onGreeting(server, 1000);
    expect([habits.greets(server, 60_000_999), habits.greets(server, 60_001_000)]).toEqual([true, false]);
    expect(habits.greets({ ...server, port: 25 }, 1000)).toBe(false);
  });

  it('is spoken to first where that was so in the last minute, and it did not greet anybody', () => {
    const habits = new ServerHabits();
    expect(habits.awaitsHello(server, 0)).toBe(false);
    habits.onHello(server, 1000);
    expect([habits.awaitsHello(server, 60_000_999), habits.awaitsHello(server, 60_001_000)]).toEqual([true, false]);
    habits.onGreeting(server, 2000);
    expect(habits.awaitsHello(server, 2000)).toBe(false);
  });
});

describe('a session', () => {
  const subject = {
    client: { address: Uint8Array.of(10, 1, 2, 3), port: 51_000 },
    server: { address: Uint8Array.of(198, 51, 100, 7), port: 443 },
  };
  const [first, second, third] = [1, 2, 3].map((octet) => Buffer.alloc(32, octet));
  const lasting: SessionExpiry = { until: 1000, dateMs: Infinity };
  const isBound = (memory: SessionMemory, credential: Uint8Array, now = 0, dateMs = 0) =>
    memory.bound(subject, credential, ['bank'], { now, dateMs }) !== undefined;

  it('counts through its lifetime, and before its date', () => {
    const memory = new SessionMemory(4);
    memory.remember(subject, first!, ['bank'], { until: 1000, dateMs: 500 });
    expect(isBound(memory, first!, 1000, 499)).toBe(true);
    expect(isBound(memory, first!, 0, 500)).toBe(false);
    memory.remember(subject, first!, ['bank'], lasting);
    expect([isBound(memory, first!, 1000, 1e15), isBound(memory, first!, 1001)]).toEqual([true, false]);
  });

  it('that is handed out again takes the place of none but itself', () => {
    const memory = new SessionMemory(2);
    for (const credential of [first!, second!, second!]) memory.remember(subject, credential, ['bank'], lasting);
    expect([isBound(memory, first!), isBound(memory, second!)]).toEqual([true, true]);
    memory.remember(subject, third!, ['bank'], lasting);
    expect([isBound(memory, first!), isBound(memory, second!), isBound(memory, third!)]).toEqual([false, true, true]);
  });

  it('that is used outlasts one that is not', () => {
    const memory = new SessionMemory(2);
    for (const credential of [first!, second!]) memory.remember(subject, credential, ['bank'], lasting);
    expect(isBound(memory, first!)).toBe(true);
    memory.remember(subject, third!, ['bank'], lasting);
    expect([isBound(memory, first!), isBound(memory, second!)]).toEqual([true, false]);
  });

  it('is as it was where another process knows it, with what is left of its time', () => {
    const memory = new SessionMemory(4);
    memory.remember(subject, first!, ['bank'], lasting);
    memory.remember(subject, second!, ['bank'], { until: 1000, dateMs: 500 });
    const kept = memory.keep(400);
    expect(kept.map(({ pinsets, left, dateMs }) => [pinsets, left, dateMs])).toEqual([
      [['bank'], 600, null],
      [['bank'], 600, 500],
    ]);
    const other = new SessionMemory(4);
    other.restore(kept, 10_000);
    expect([isBound(other, first!, 10_600, 1e15), isBound(other, second!, 10_600, 499)]).toEqual([true, true]);
    expect([isBound(other, first!, 10_601), isBound(other, second!, 10_600, 500)]).toEqual([false, false]);
    const smaller = new SessionMemory(1);
    smaller.restore(kept, 0);
    expect([isBound(smaller, first!), isBound(smaller, second!)]).toEqual([false, true]);
  });
});
