import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { FlowKey } from '../../src/tcp/flow-key.ts';
import { ipv4, ipv6, tcpSegment, viewIp, viewTcp } from '../support/ip-bytes.ts';

function keyOf(packet: Uint8Array, seed = 1): FlowKey {
  const key = new FlowKey(seed);
  key.setEndpoints(viewIp(packet), viewTcp(packet));
  return key;
}

const text = (key: FlowKey) => key.words.join();
const between = (source: string, srcPort: number, destination: string, dstPort: number) =>
  ipv4(tcpSegment({ srcPort, dstPort }), { source, destination });

describe('the key of a flow', () => {
  it('is one for both directions, which `forward` tells apart', () => {
    const one = keyOf(between('10.1.2.3', 51514, '198.51.100.7', 443));
    const other = keyOf(between('198.51.100.7', 443, '10.1.2.3', 51514));
    expect(text(one)).toBe(text(other));
    expect(one.hash).toBe(other.hash);
    expect(one.forward).toBe(!other.forward);
  });

  it('between ports of one address', () => {
    const one = keyOf(between('10.0.0.1', 40000, '10.0.0.1', 443));
    const other = keyOf(between('10.0.0.1', 443, '10.0.0.1', 40000));
    expect(text(one)).toBe(text(other));
    expect(one.forward).toBe(!other.forward);
  });

  it('differs with either address and either port, and swapped ports are another flow', () => {
    const keys = [
      between('10.1.2.3', 51514, '198.51.100.7', 443),
      between('10.1.2.4', 51514, '198.51.100.7', 443),
      between('10.1.2.3', 51515, '198.51.100.7', 443),
      between('10.1.2.3', 51514, '198.51.100.8', 443),
      between('10.1.2.3', 51514, '198.51.100.7', 444),
      between('10.1.2.3', 443, '198.51.100.7', 51514),
    ].map((packet) => text(keyOf(packet)));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('of IPv6 holds whole addresses', () => {
    const packet = ipv6(tcpSegment());
    const turned = Buffer.from(packet);
    packet.copy(turned, 8, 24, 40);
    packet.copy(turned, 24, 8, 24);
    turned.writeUInt16BE(443, 40);
    turned.writeUInt16BE(51514, 42);
    expect(text(keyOf(packet))).toBe(text(keyOf(turned)));
    const last = Buffer.from(packet);
    last[39]! ^= 1;
    expect(text(keyOf(last))).not.toBe(text(keyOf(packet)));
  });

  it('keeps nothing of the key before: IPv4 after IPv6', () => {
    const key = new FlowKey(1);
    const [six, four] = [ipv6(tcpSegment()), ipv4(tcpSegment())];
    key.setEndpoints(viewIp(six), viewTcp(six));
    key.setEndpoints(viewIp(four), viewTcp(four));
    expect(text(key)).toBe(text(keyOf(four)));
  });

  it('hashes by a seed, so that peers cannot choose endpoints that collide', () => {
    const packet = ipv4(tcpSegment());
    expect(keyOf(packet, 1).hash).not.toBe(keyOf(packet, 2).hash);
  });
});

describe('by conntrack id', () => {
  it('the id is the key, and its direction tells who sends', () => {
    const key = new FlowKey(1);
    key.setConntrack(0xfeedbeef, false);
    const original = { words: text(key), forward: key.forward };
    key.setConntrack(0xfeedbeef, true);
    expect(text(key)).toBe(original.words);
    expect([original.forward, key.forward]).toEqual([true, false]);
  });

  it('is never the key of endpoints', () => {
    const ids = fc.integer({ min: 1, max: 0xffffffff });
    const port = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(ids, port, port, fc.ipV4(), fc.ipV4(), (ctid, srcPort, dstPort, source, destination) => {
        if (destination === '255.255.255.255' || source === '255.255.255.255') return;
        const key = new FlowKey(1);
        key.setConntrack(ctid, false);
        expect(text(key)).not.toBe(text(keyOf(between(source, srcPort, destination, dstPort))));
      }),
    );
  });
});

describe('a copy that is kept', () => {
  const word = fc.oneof(fc.constantFrom(0, 1, 0xffff, 0x10000, 0xd800, 0x7fffffff, 0xffffffff), fc.nat(0xffffffff));
  const words = fc.tuple(word, word, word, word, word, word, word, word, word);
  const made = (of: readonly number[], isLong: boolean) => {
    const key = new FlowKey(7);
    of.forEach((value, i) => (key.words[i] = isLong || i % 4 === 0 ? value : 0));
    return key;
  };

  it('names its flow again, whatever was named before, and so does one of its octets, as other processes tell it', () => {
    fc.assert(
      fc.property(words, fc.boolean(), words, (of, isLong, before) => {
        const key = made(of, isLong);
        const octets = Buffer.from(key.words.buffer).toString('latin1');
        const [again, told] = [key.kept, octets].map((kept) => made(before, true).restore(kept));
        expect(text(again!)).toBe(text(key));
        expect(text(told!)).toBe(text(key));
        expect(again!.hash).toBe(told!.hash);
      }),
    );
  });

  it('is short where no address of IPv6 is in it', () => {
    const [four, six] = [ipv4(tcpSegment()), ipv6(tcpSegment())].map((packet) => keyOf(packet).kept.length);
    expect([four, six]).toEqual([6, 36]);
    const key = new FlowKey(7);
    key.setConntrack(0xfedcba98, true);
    expect(key.kept.length).toBe(6);
  });
});
