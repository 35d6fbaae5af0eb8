import { describe, expect, it } from 'vitest';

import { Line } from '../../../src/runtime/examining/line.ts';

interface Question {
  readonly name: string;
  readonly behind: readonly string[];
}

const question = (name: string, client = name, server = 'server'): Question => ({
  name,
  behind: [`client ${client}`, `server ${server}`],
});
const names = (line: Line<Question>, count: number, nowMs = 0) =>
  Array.from({ length: count }, () => line.next(nowMs)?.name);

describe('the next one', () => {
  it('is who came first, of those that have cost nothing', () => {
    const line = new Line<Question>(9);
    for (const name of ['a', 'b', 'c']) expect(line.add(question(name))).toBeUndefined();
    expect(names(line, 4)).toEqual(['a', 'b', 'c', undefined]);
  });

  it('is whoever has cost least: six that are expensive keep nobody else waiting', () => {
    const line = new Line<Question>(9);
    const hostile = Array.from({ length: 6 }, (_, i) => question(`hostile ${i}`, `victim ${i}`, 'hostile'));
    for (const each of hostile) line.add(each);
    for (let i = 0; i < 2; i++) line.charge(line.next(0)!, 100_000, 0);
    line.add(question('genuine', 'victim 0', 'genuine'));
    line.add(question('another', 'another', 'genuine'));
    expect(names(line, 2)).toEqual(['another', 'genuine']);
    expect(line.length).toBe(4);
  });

  it('is another client’s, where one asks about servers without end', () => {
    const line = new Line<Question>(9);
    for (let i = 0; i < 3; i++) line.add(question(`q${i}`, 'greedy', `server ${i}`));
    line.charge(line.next(0)!, 10, 0);
    line.add(question('modest'));
    expect(names(line, 3)).toEqual(['modest', 'q1', 'q2']);
  });

  it('may be it again after a while', () => {
    const line = new Line<Question>(9);
    line.charge(question('a', 'a', 'x'), 1_000, 0);
    line.charge(question('b', 'b', 'y'), 100, 60_000);
    line.add(question('b', 'b', 'y'));
    line.add(question('a', 'a', 'x'));
    expect(names(line, 2, 60_000)).toEqual(['a', 'b']);
  });

  it('is nobody who has left', () => {
    const line = new Line<Question>(9);
    const left = question('left');
    line.add(left);
    line.add(question('stays'));
    expect(line.leave(left)).toBe(true);
    expect(line.leave(left)).toBe(false);
    expect(names(line, 2)).toEqual(['stays', undefined]);
  });
});

describe('where there is no room', () => {
  it('the last of whoever waits with most loses its place', () => {
    const line = new Line<Question>(4);
    for (const name of ['q1', 'q2', 'q3']) line.add(question(name, 'greedy', name));
    line.add(question('modest', 'modest', 'x'));
    expect(line.add(question('newcomer', 'newcomer', 'y'))?.name).toBe('q3');
    expect(line.add(question('q4', 'greedy', 'z'))?.name).toBe('q4');
    expect(names(line, 5)).toEqual(['q1', 'q2', 'modest', 'newcomer', undefined]);
  });

  it('a server that many clients ask about counts as well', () => {
    const line = new Line<Question>(3);
    for (const name of ['a', 'b', 'c']) line.add(question(name, name, 'hostile'));
    expect(line.add(question('d', 'd', 'genuine'))?.name).toBe('c');
  });
});
