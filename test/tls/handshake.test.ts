import { describe, expect, it } from 'vitest';

import { misbehaved } from '../../src/bytes/fault.ts';
import { toHex } from '../../src/bytes/hex.ts';
import { HandshakeReader } from '../../src/tls/handshake.ts';

function read(hex: string, size = Infinity, maxLength = 0xffffff) {
  const messages: string[] = [];
  const reader = new HandshakeReader(maxLength, (type, body) => {
    messages.push(`${type}:${toHex(body)}`);
    return type === 99 ? misbehaved('refused', 0) : undefined;
  });
  const bytes = Buffer.from(hex, 'hex');
  let fault;
  for (let at = 0; at < bytes.length && fault === undefined; at += size) {
    const piece = Uint8Array.from(bytes.subarray(at, Math.min(bytes.length, at + size)));
    fault = reader.feed(piece, 0, piece.length);
    piece.fill(0xdd);
  }
  return { messages, fault, reader };
}

describe('handshake messages', () => {
  it('several in one piece', () => {
    expect(read('02000002aabb' + '0b000001cc' + '0e000000').messages).toEqual(['2:aabb', '11:cc', '14:']);
  });

  it('are the same however they are cut, header and body', () => {
    const stream = '02000002aabb' + '0e000000' + '0b000005cccccccccc' + '0e000000';
    const whole = read(stream).messages;
    for (let size = 1; size <= stream.length / 2; size++) expect(read(stream, size).messages).toEqual(whole);
  });

  it('without a body are complete with their header, even when that ends the piece', () => {
    expect(read('0e000000', 4).messages).toEqual(['14:']);
    expect(read('0e000000', 1).messages).toEqual(['14:']);
  });

  it('that are under way are told from the space between two', () => {
    expect(read('').reader.inMessage).toBe(false);
    expect(read('02').reader.inMessage).toBe(true);
    expect(read('02000002aa').reader.inMessage).toBe(true);
    expect(read('02000002aabb').reader.inMessage).toBe(false);
  });

  it('longer than the limit are a fault at their header, before an octet of them is kept', () => {
    expect(read('0b000005', Infinity, 4).fault).toEqual({
      family: 'misbehaved',
      code: 'tls.handshake.too-long',
      at: 0,
    });
    expect(read('0b000004cccccccc', Infinity, 4).messages).toEqual(['11:cccccccc']);
  });

  it('of 16 MiB cost only what was received', () => {
    const before = process.memoryUsage().arrayBuffers;
    const { reader } = read('0bffffff' + 'cc'.repeat(100), 10);
    expect(reader.inMessage).toBe(true);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  it('that their reader refuses end the stream', () => {
    const { messages, fault } = read('63000001aa' + '0e000000');
    expect(messages).toEqual(['99:aa']);
    expect(fault).toMatchObject({ code: 'refused' });
  });
});
