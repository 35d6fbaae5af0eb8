import { describe, expect, it } from 'vitest';

import { type Waiter, Waiting } from '../../src/connection/waiting.ts';

class Alarm implements Waiter {
  isWaiting = false;
  rang = 0;
  #at: number;

  constructor(at: number) {
    this.#at = at;
  }

  deadline(): number {
    return this.#at;
  }

  onTime(now: number): void {
    if (now < this.#at) return;
    this.rang++;
    this.#at = Infinity;
  }
}

describe('Waiting', () => {
  it('asks whoever waits, and lets go of those that wait no more', () => {
    const [soon, late] = [new Alarm(10), new Alarm(20)];
    const waiting = new Waiting();
    waiting.add(late);
    waiting.add(soon);
    waiting.tick(15);
    expect([soon.rang, late.rang]).toEqual([1, 0]);
    expect(waiting.deadline()).toBe(20);
    waiting.tick(20);
    expect(late.rang).toBe(1);
    expect(waiting.isEmpty).toBe(true);
    expect(waiting.deadline()).toBe(Infinity);
  });

  it('lets go of one that gave up before its time', () => {
    const waiting = new Waiting();
    waiting.add(new Alarm(Infinity));
    expect(waiting.isEmpty).toBe(false);
    waiting.tick(0);
    expect(waiting.isEmpty).toBe(true);
  });

  it('asks one that begins to wait while others are asked', () => {
    const waiting = new Waiting();
    const second = new Alarm(10);
    const first = new Alarm(10);
    const onTime = first.onTime.bind(first);
    first.onTime = (now) => {
      waiting.add(second);
      onTime(now);
    };
    waiting.add(first);
    waiting.tick(10);
    expect([first.rang, second.rang]).toEqual([1, 1]);
    expect(waiting.isEmpty).toBe(true);
  });

  it('has nobody twice', () => {
    const alarm = new Alarm(10);
    const waiting = new Waiting();
    waiting.add(alarm);
    waiting.add(alarm);
    waiting.tick(5);
    waiting.add(alarm);
    waiting.tick(10);
    expect(alarm.rang).toBe(1);
    expect(waiting.isEmpty).toBe(true);
  });

  it('takes one back that waits again', () => {
    const waiting = new Waiting();
    const alarm = new Alarm(10);
    waiting.add(alarm);
    waiting.tick(10);
    expect(alarm.isWaiting).toBe(false);
    waiting.add(alarm);
    expect(waiting.isEmpty).toBe(false);
  });
});
