/** Packets and handshakes in unusual shapes: what the client of a pinned flow has in the end. */
import { describe, expect, it } from 'vitest';

import { Engine } from '../../src/engine/engine.ts';
import { FIELD, NF_ACCEPT } from '../../src/packet/batch.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { certificate } from '../support/certificates.ts';
import { bank, FORGED, forgedFlight, GENUINE, genuineFlight, hasForged, HOST, opened } from '../support/flows.ts';
import { ipv4, ipv6, tcpSegment } from '../support/ip-bytes.ts';
import { policy } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire } from '../support/wire.ts';

const { syn } = TCP_FLAG;
const record = (...messages: Buffer[]): Buffer => tls.record(tls.CONTENT.handshake, Buffer.concat(messages));

/** An open connection whose client has said hello. */
function greeted(...of: Parameters<typeof opened>): Wire {
  const wire = opened(...of);
  wire.fromClient(tls.clientHello(HOST));
  return wire;
}

function verdictOf(wire: Wire): { action: string; reason: string } | undefined {
  const [verdict] = wire.verdicts;
  return verdict && { action: verdict.action, reason: verdict.reason };
}

/** What becomes of one packet that nothing came before. */
function offer(packet: Buffer): 'accept' | 'drop' | undefined {
  const answers: number[] = [];
  const engine = new Engine({
    policy: policy({ pinsets: [bank()] }),
    verdicts: { verdict: (_id, verdict) => answers.push(verdict), flush: () => undefined },
    events: { emit: () => undefined },
    clock: { now: () => 0, wallTime: () => 0 },
    examiner: { examine: () => undefined },
    proves: () => false,
    live: true,
  });
  const words = new Uint32Array(FIELD.ROW);
  words[FIELD.packetId] = 1;
  words[FIELD.length] = packet.length;
  engine.onBatch({ slab: packet, words, count: 1 });
  return answers.length !== 1 ? undefined : answers[0] === NF_ACCEPT ? 'accept' : 'drop';
}

describe('packets', () => {
  const segment = tcpSegment({ flags: syn });

  it('a SYN is let through: the ones below differ from it in one thing', () => {
    expect(offer(ipv4(segment))).toBe('accept');
    expect(offer(ipv6(segment))).toBe('accept');
  });

  it('a fragment is refused, first, middle and last: conntrack has put together what may come here', () => {
    for (const fragment of [0x2000, 0x2001, 0x0001]) expect(offer(ipv4(segment, { fragment }))).toBe('drop');
    const header = (offset: number) => [{ type: 44, rest: [0, offset >> 8, offset & 0xff, 0, 0, 0, 7] }];
    for (const offset of [0x0001, 0x0009, 0x0008]) expect(offer(ipv6(segment, header(offset)))).toBe('drop');
  });

  it('extension headers without end are refused', () => {
    const options = { type: 60, rest: [0, 1, 4, 0, 0, 0, 0] };
    expect(offer(ipv6(segment, [options]))).toBe('accept');
    expect(
      offer(
        ipv6(
          segment,
          Array.from({ length: 20 }, () => options),
        ),
      ),
    ).toBe('drop');
  });
});

describe('the client’s hello', () => {
  it('in any number of segments selects by its whole name', () => {
    const hello = tls.clientHello({ name: HOST, extensions: [tls.extension(51, Buffer.alloc(1300))] });
    for (const size of [1, 7, 100, 1000]) {
      const wire = opened();
      for (let at = 0; at < hello.length; at += size) wire.fromClient(hello.subarray(at, at + size));
      wire.fromServer(forgedFlight);
      expect(verdictOf(wire)).toEqual({ action: 'tls-alert', reason: 'pin-mismatch' });
    }
  });

  it('in any number of records likewise', () => {
    const padding = tls.extension(21, Buffer.alloc(1_500));
    for (const size of [1, 5]) {
      const wire = opened();
      wire.fromClient(tls.records(22, tls.clientHelloMessage({ name: HOST, extensions: [padding] }), size));
      wire.fromServer(forgedFlight);
      expect(verdictOf(wire)).toEqual({ action: 'tls-alert', reason: 'pin-mismatch' });
    }
  });
});

describe('the server’s flight', () => {
  const messages = (file: string): Buffer =>
    Buffer.concat([tls.serverHello(), tls.certificateMessage(file), tls.serverHelloDone]);

  it.each([5, 16, 100])('in records of %d octets is read all the same, within their limit', (size) => {
    const forged = greeted();
    forged.fromServer(tls.records(22, messages(FORGED), size));
    expect(forged.verdicts[0]!.reason).toMatch(/pin-mismatch|limit/);
    expect(forged.verdicts[0]!.action).toBe('tls-alert');
    if (size < 10) return;
    const genuine = greeted();
    genuine.fromServer(tls.records(22, messages(GENUINE), size));
    expect(verdictOf(genuine)).toEqual({ action: 'accept', reason: 'pin-match' });
  });

  it('with a few warnings between its messages is read all the same', () => {
    const wire = greeted();
    wire.fromServer(Buffer.concat([tls.alert('warning', 112), record(tls.serverHello()), tls.alert('warning', 112)]));
    wire.fromServer(record(tls.certificateMessage(GENUINE), tls.serverHelloDone));
    expect(verdictOf(wire)).toEqual({ action: 'accept', reason: 'pin-match' });
  });

  it('with a second Certificate ahead of the key exchange is denied', () => {
    const wire = greeted();
    const both = [tls.certificateMessage(GENUINE), tls.certificateMessage(FORGED)];
    wire.fromServer(record(tls.serverHello(0xc02f), ...both, tls.serverKeyExchange(), tls.serverHelloDone));
    expect(verdictOf(wire)).toEqual({ action: 'tls-alert', reason: 'parse-error' });
    expect(hasForged(wire)).toBe(false);
  });

  it('with a second Certificate behind one that matches, and no key exchange to sign, is denied', () => {
    const wire = greeted();
    const both = [tls.certificateMessage(GENUINE), tls.certificateMessage(FORGED)];
    for (const message of [tls.serverHello(), ...both, tls.serverHelloDone]) wire.fromServer(record(message));
    expect(verdictOf(wire)).toEqual({ action: 'tls-alert', reason: 'parse-error' });
    expect(hasForged(wire)).toBe(false);
  });

  it('with a second Certificate behind the key exchange is denied', () => {
    const wire = greeted();
    const flight = [tls.serverHello(0xc02f), tls.certificateMessage(GENUINE), tls.serverKeyExchange()];
    for (const message of [...flight, tls.certificateMessage(FORGED)]) wire.fromServer(record(message));
    expect(verdictOf(wire)).toEqual({ action: 'tls-alert', reason: 'parse-error' });
    expect(hasForged(wire)).toBe(false);
  });

  it('with the leaf twice, as honest servers send it, passes', () => {
    const wire = greeted();
    wire.fromServer(record(tls.serverHello(), tls.certificateMessage(GENUINE, GENUINE), tls.serverHelloDone));
    expect(verdictOf(wire)).toEqual({ action: 'accept', reason: 'pin-match' });
  });

  it('with a certificate that no parser reads is a mismatch, and not an error', () => {
    const wire = greeted();
    const broken = Buffer.from(certificate('leaf')).fill(0xff, 20, 60);
    wire.fromServer(record(tls.serverHello(), tls.certificateMessageOf(broken), tls.serverHelloDone));
    expect(verdictOf(wire)).toEqual({ action: 'tls-alert', reason: 'pin-mismatch' });
  });
});

describe('what comes before TLS', () => {
  function upgraded(): Wire {
    const wire = opened();
    wire.fromServer('220 mail ESMTP\r\n');
    wire.fromClient('EHLO x\r\n');
    wire.fromServer('250-mail\r\n250 STARTTLS\r\n');
    wire.fromClient('STARTTLS\r\n');
    wire.fromServer('220 go\r\n');
    return wire;
  }

  it('an upgrade leads to the same inspection', () => {
    const forged = upgraded();
    forged.fromClient(tls.clientHello(HOST));
    forged.fromServer(forgedFlight);
    expect(verdictOf(forged)).toMatchObject({ reason: 'pin-mismatch' });
    expect(hasForged(forged)).toBe(false);
    const genuine = upgraded();
    genuine.fromClient(tls.clientHello(HOST));
    genuine.fromServer(genuineFlight);
    expect(verdictOf(genuine)).toEqual({ action: 'accept', reason: 'pin-match' });
  });

  it('a client that goes on in the clear after it is no TLS', () => {
    const wire = upgraded();
    wire.fromClient('MAIL FROM:<a@b>\r\n');
    expect(verdictOf(wire)).toMatchObject({ reason: 'not-tls' });
    expect(verdictOf(wire)!.action).not.toBe('accept');
  });
});

describe('another configuration', () => {
  it('judges what is undecided, and leaves what is decided', () => {
    const undecided = greeted();
    undecided.reload({ pinsets: [bank({ pins: [] }), bank({ index: 1, name: 'none' })] });
    undecided.fromServer(genuineFlight);
    expect(verdictOf(undecided)).toEqual({ action: 'accept', reason: 'pin-match' });
    const denied = greeted();
    denied.fromServer(forgedFlight);
    denied.reload({ pinsets: [] });
    denied.fromServer(forgedFlight, { seq: seqAdd(denied.serverSeq, -forgedFlight.length) });
    expect(hasForged(denied)).toBe(false);
  });
});
