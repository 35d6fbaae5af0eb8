/** What is remembered beside flows: who waits for which secret, and what servers did last. */
import { describe, expect, it } from 'vitest';

import type { KeylogSource } from '../../src/judge/ports.ts';
import { SecretBoard } from '../../src/judge/secret-board.ts';
import { ServerHabits } from '../../src/judge/server-habits.ts';

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
});
