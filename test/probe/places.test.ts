import { beforeEach, describe, expect, it } from 'vitest';

import { Places } from '../../src/probe/allowance/places.ts';

interface Question {
  readonly destination: string;
  readonly name: string;
}

let dropped: string[];
let places: Places<Question>;

beforeEach(() => {
  dropped = [];
  places = new Places<Question>(({ name }) => dropped.push(name));
});

const question = (name: string, destination = name): Question => ({ name, destination });
/** How many of a number of questions have a place at once. */
const taken = (count: number, client: string, destination?: string, atOnce = 32) =>
  [...Array(count).keys()].filter((i) => places.take(question(`${client} ${i}`, destination), client, atOnce)).length;

describe('places', () => {
  it('are left for others, as many as one has', () => {
    expect(taken(100, 'greedy')).toBe(17);
    expect(taken(100, 'another')).toBe(8);
    expect(taken(1, 'newcomer')).toBe(1);
    expect(places.taken).toBe(26);
  });

  it('are left for other destinations, whoever asks one that never answers', () => {
    const clients = [...Array(100).keys()].filter((i) => places.take(question(`${i}`, 'tarpit'), `client ${i}`, 32));
    expect(clients).toHaveLength(17);
    expect(taken(1, 'another')).toBe(1);
  });

  it('are no more than there are', () => {
    const all = [...Array(100).keys()].filter((i) => places.take(question(`${i}`), `client ${i}`, 32));
    expect(all).toHaveLength(32);
    expect(places.take(question('x'), 'x', 32)).toBe(false);
  });

  it('are there again when they are left', () => {
    const first = question('first');
    expect(places.take(first, 'a', 1)).toBe(true);
    expect(places.take(question('second'), 'b', 1)).toBe(false);
    places.leave(first);
    expect(places.take(question('second'), 'b', 1)).toBe(true);
  });
});

describe('lines', () => {
  const wait = (name: string, client: string, room = 100) => places.wait(question(name), client, room);
  const next = () => places.next(100)?.name;

  it('of clients have their turns', () => {
    for (const i of [1, 2, 3]) wait(`a${i}`, 'a');
    for (const i of [1, 2]) wait(`b${i}`, 'b');
    wait('c1', 'c');
    expect([next(), next(), next(), next(), next(), next(), next()]).toEqual([
      'a1',
      'b1',
      'c1',
      'a2',
      'b2',
      'a3',
      undefined,
    ]);
  });

  it('that are full lose the last of the longest', () => {
    for (const i of [1, 2, 3]) wait(`a${i}`, 'a', 4);
    expect(wait('b1', 'b', 4)).toBe(true);
    expect(wait('b2', 'b', 4)).toBe(true);
    expect(dropped).toEqual(['a3']);
    expect(wait('a4', 'a', 4)).toBe(false);
    expect(wait('c1', 'c', 4)).toBe(true);
    expect(dropped).toHaveLength(2);
  });

  it('pass over whom there is no place for', () => {
    for (let i = 0; i < 3; i++) places.take(question(`${i}`, 'tarpit'), `${i}`, 6);
    places.wait(question('at the tarpit', 'tarpit'), 'a', 10);
    places.take(question('x'), 'x', 6);
    places.wait(question('elsewhere'), 'a', 10);
    expect(places.next(6)?.name).toBe('elsewhere');
    expect(places.next(6)).toBeUndefined();
  });

  it('share a question that two clients wait for: it comes with the first turn of either, once', () => {
    for (const i of [1, 2, 3]) wait(`a${i}`, 'a');
    const shared = question('shared');
    places.wait(shared, 'a', 100);
    places.wait(shared, 'b', 100);
    expect([next(), next(), next(), next(), next()]).toEqual(['a1', 'shared', 'a2', 'a3', undefined]);
  });

  it('keep a shared question that one of them loses', () => {
    const shared = question('shared');
    for (const i of [1, 2]) wait(`a${i}`, 'a', 4);
    places.wait(shared, 'a', 4);
    places.wait(shared, 'b', 4);
    expect(wait('c1', 'c', 4)).toBe(true);
    expect(dropped).toEqual([]);
    expect(places.isWaiting(shared)).toBe(true);
  });
});
