/** What gateways have learned, over a carrier that is gone for a while, has lost everything, or is somebody else's. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type HostWord, openPart, partOctets, partOf, PARTS } from '../../src/fleet/learned-words.ts';
import { SharedLearning } from '../../src/fleet/shared-learning.ts';
import { type FakeBroker, FakeCarrier } from '../support/fake-broker.ts';

const KEY = Buffer.alloc(32, 1);
const A = `${'A'.repeat(43)}=`;
const B = `${'B'.repeat(43)}=`;
const HOST = { pinset: 'bank', host: 'www.bank.example:443' };
const PART = partOf(HOST);

let carrier: FakeCarrier;
let running: SharedLearning[];
beforeEach(() => {
  [carrier, running] = [new FakeCarrier(), []];
});
afterEach(() => Promise.all(running.map((each) => each.stop())));

const word = (spki: string, count = 3): HostWord => ({ ...HOST, observations: count, keys: [{ spki, count }] });

interface Gateway {
  readonly broker: FakeBroker;
  readonly shared: SharedLearning;
  readonly troubles: (string | null)[];
  readonly hosts: HostWord[];
}

interface More {
  readonly key?: Uint8Array;
  readonly tells?: boolean;
  readonly onPut?: () => void;
}

function join(gateway: string, hosts: HostWord[] = [], more: More = {}): Gateway {
  const broker = carrier.connect();
  const made = broker.bucket.bind(broker);
  broker.bucket = async (name, options) => {
    const bucket = await made(name, options);
    const put: typeof bucket.put = (key, value) => {
      more.onPut?.();
      return bucket.put(key, value);
    };
    return { ...bucket, put };
  };
  const troubles: (string | null)[] = [];
  const { key = KEY, tells = true } = more;
  const of = { broker, fleet: 'office', gateway, network: `net-${gateway}`, key };
  const shared = new SharedLearning({
    ...of,
    hosts: tells ? () => hosts : undefined,
    onTrouble: (why) => troubles.push(why),
  });
  shared.start();
  running.push(shared);
  return { broker, shared, troubles, hosts };
}

const patience = { timeout: 10_000, interval: 10 };
const seenBy = ({ shared }: Gateway) =>
  shared.sightingsOf(HOST.pinset, HOST.host).map(({ gateway, network, observations, keys }) => {
    return `${gateway} ${network} ${observations} ${keys.map(({ spki, count }) => `${spki[0]}${count}`).join(' ')}`;
  });
const bucket = () => carrier.connect().bucket('tlspin-learned', { history: 1 });
const keyOf = (gateway: string) => `office.${gateway}.${PART}`;

describe('what gateways have learned', () => {
  it('is told part by part, with turns for others in between, however much it is', async () => {
    const hosts = Array.from({ length: 5_000 }, (_, at) => ({ ...word(A), host: `www${at}.bank.example:443` }));
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    const told: number[] = [];
    const { shared } = join('gw1', hosts, { onPut: () => told.push(turns) });
    turn();
    await expect.poll(() => told.length, patience).toBe(PARTS);
    isOver = true;
    await shared.stop();
    expect(new Set(told).size).toBeGreaterThan(PARTS / 2);
  });

  it('is known to the others, each by its own word, and as it changes', async () => {
    const [a, b] = [join('gw1', [word(A)]), join('gw2', [word(B, 1)])];
    await expect.poll(() => [seenBy(a), seenBy(b)], patience).toEqual([['gw2 net-gw2 1 B1'], ['gw1 net-gw1 3 A3']]);
    b.hosts.splice(0, 1, word(B, 2));
    b.shared.touch();
    await expect.poll(() => seenBy(a), patience).toEqual(['gw2 net-gw2 2 B2']);
    const late = join('gw3', [], { tells: false });
    await expect.poll(() => seenBy(late), patience).toEqual(['gw1 net-gw1 3 A3', 'gw2 net-gw2 2 B2']);
    expect(seenBy(a)).toHaveLength(1);
  });

  it('is unlearned where it is forgotten', async () => {
    const [a, b] = [join('gw1', [word(A)]), join('gw2')];
    await expect.poll(() => seenBy(b), patience).toHaveLength(1);
    a.hosts.length = 0;
    a.shared.touch();
    await expect.poll(() => seenBy(b), patience).toEqual([]);
  });

  it('costs the carrier nothing where nothing has changed, after a restart either', async () => {
    const [a, b] = [join('gw1', [word(A)]), join('gw2')];
    await expect.poll(() => seenBy(b), patience).toHaveLength(1);
    const { revision } = (await (await bucket()).get(keyOf('gw1')))!;
    a.shared.touch();
    await a.shared.stop();
    const again = join('gw1', [word(A)]);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect((await (await bucket()).get(keyOf('gw1')))!.revision).toBe(revision);
    again.hosts.push({ ...word(B), host: 'shop.bank.example:443' });
    again.shared.touch();
    await expect.poll(() => b.shared.sightingsOf('bank', 'shop.bank.example:443'), patience).toHaveLength(1);
  });

  it('stays while a gateway is cut off, and is caught up with afterwards', async () => {
    const [a, b] = [join('gw1', [word(A)]), join('gw2', [word(A)])];
    await expect.poll(() => seenBy(a), patience).toHaveLength(1);
    a.broker.cutOff();
    b.hosts.splice(0, 1, word(B));
    b.shared.touch();
    a.hosts.splice(0, 1, word(A, 4));
    a.shared.touch();
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect([seenBy(a), seenBy(b)]).toEqual([['gw2 net-gw2 3 A3'], ['gw1 net-gw1 3 A3']]);
    a.broker.heal();
    await expect.poll(() => [seenBy(a), seenBy(b)], patience).toEqual([['gw2 net-gw2 3 B3'], ['gw1 net-gw1 4 A4']]);
    expect(a.troubles.filter((each) => each !== null)).toEqual([]);
  });

  it('is told anew where the servers have lost it', async () => {
    const a = join('gw1', [word(A)]);
    await expect.poll(async () => (await bucket()).get(keyOf('gw1')), patience).toBeDefined();
    a.broker.cutOff();
    carrier.lose();
    a.broker.heal();
    const b = join('gw2');
    await expect.poll(() => seenBy(b), patience).toEqual(['gw1 net-gw1 3 A3']);
  });
});

describe('whoever has the carrier', () => {
  const place = (gateway: string, part = PART) => ({ fleet: 'office', gateway, part });
  const part = (spki: string, at = Date.now()) => ({ at, network: 'x', hosts: [word(spki)] });

  it.each([
    ['with another key', partOctets(part(B), place('gw9'), Buffer.alloc(32, 2))],
    ['of another gateway', partOctets(part(B), place('gw8'), KEY)],
    ['of another part', partOctets(part(B), place('gw9', (PART + 1) % 64), KEY)],
    ['of another fleet', partOctets(part(B), { ...place('gw9'), fleet: 'home' }, KEY)],
    ['of nobody', Buffer.from('{"at":1,"network":"x","hosts":[]}')],
  ])('can pass off nothing as learned (%s), which is told until it is gone', async (_, octets) => {
    const a = join('gw1');
    await (await bucket()).put(keyOf('gw9'), octets);
    await expect
      .poll(() => a.troubles.at(-1), patience)
      .toMatch(/^something that gw9 is said to have learned is not seal/);
    expect(seenBy(a)).toEqual([]);
    await (await bucket()).put(keyOf('gw9'), partOctets(part(A), place('gw9'), KEY));
    await expect.poll(() => seenBy(a), patience).toEqual(['gw9 x 3 A3']);
    expect(a.troubles.at(-1)).toBeNull();
  });

  it('can play nothing again', async () => {
    const a = join('gw1');
    const old = partOctets(part(B, Date.now() - 1_000), place('gw9'), KEY);
    await (await bucket()).put(keyOf('gw9'), partOctets(part(A), place('gw9'), KEY));
    await expect.poll(() => seenBy(a), patience).toEqual(['gw9 x 3 A3']);
    await (await bucket()).put(keyOf('gw9'), old);
    const marker = partOf({ pinset: 'p', host: 'x:1' });
    const other = { at: Date.now(), network: 'x', hosts: [{ ...word(A), pinset: 'p', host: 'x:1' }] };
    await (await bucket()).put(`office.gw9.${marker}`, partOctets(other, place('gw9', marker), KEY));
    await expect.poll(() => a.shared.sightingsOf('p', 'x:1'), patience).toHaveLength(1);
    expect(seenBy(a)).toEqual(['gw9 x 3 A3']);
  });

  it('cannot read anything', async () => {
    join('gw1', [word(A)]);
    await expect.poll(async () => (await bucket()).get(keyOf('gw1')), patience).toBeDefined();
    const { value } = (await (await bucket()).get(keyOf('gw1')))!;
    expect(Buffer.from(value).toString('latin1')).not.toContain('bank');
    expect(openPart(value, place('gw1'), KEY)).toMatchObject({ hosts: [word(A)] });
  });

  it('cannot keep a gateway that is no more among the witnesses for longer than a month', async () => {
    const a = join('gw1');
    await (await bucket()).put(keyOf('gw9'), partOctets(part(A), place('gw9'), KEY));
    await expect.poll(() => seenBy(a), patience).toHaveLength(1);
    expect(a.shared.sightingsOf(HOST.pinset, HOST.host, Date.now() + 31 * 86_400_000)).toEqual([]);
  });
});
