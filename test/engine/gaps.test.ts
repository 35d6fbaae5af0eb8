/**
 * Captures in which packets are missing that the other end has: reading goes on behind them as far as anything tells how,
 * and the record says of which side they are.
 */
import { describe, expect, it } from 'vitest';

import type { Policy } from '../../src/pins/policy.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { bank, GENUINE, genuineFlight, HOST } from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const capture = (fields: Partial<Policy> = { pinsets: [bank()] }) => new Wire(fields, { live: false }).open();
const hello = tls.clientHello(HOST);
const finish = Buffer.concat([tls.changeCipherSpec, tls.finished, tls.applicationData]);

function records(wire: Wire) {
  wire.finish();
  return wire.verdicts;
}

/** The octets from `from` to `to` of a server's flight are not captured; the rest comes in segments. */
function withoutOfServer(flight: Buffer, from: number, to: number, fields?: Partial<Policy>) {
  const wire = capture(fields);
  wire.fromClient(hello);
  wire.fromServer(flight.subarray(0, from));
  lose(wire, to - from);
  wire.fromServer(flight.subarray(to));
  wire.fromClient(tls.clientFinish, { ack: wire.serverSeq });
  wire.fromServer(finish);
  wire.fromClient(tls.applicationData, { ack: wire.serverSeq });
  return records(wire);
}

function lose(wire: Wire, octets: number): void {
  wire.serverSeq = seqAdd(wire.serverSeq, octets);
}

function loseOfClient(wire: Wire, octets: number): void {
  wire.clientSeq = seqAdd(wire.clientSeq, octets);
}

describe('a ClientHello that was not captured', () => {
  it('leaves the chain to be shown, also inside a SOCKS 4 tunnel', () => {
    const wire = capture();
    wire.fromClient(Buffer.from('040101bbc633640700', 'hex'));
    wire.fromServer(Buffer.from('005a01bbc6336407', 'hex'));
    loseOfClient(wire, hello.length);
    wire.fromServer(genuineFlight);
    wire.fromClient(tls.clientFinish, { ack: wire.serverSeq });
    wire.fromServer(finish);
    const [record] = records(wire);
    expect(record).toMatchObject({ starttls: 'socks', gaps: ['client'], fault: null, tls: { sni: null } });
    expect(record!.tls!.certificates.length).toBe(1);
  });

  it('leaves the chain to be shown without a tunnel', () => {
    const wire = capture();
    loseOfClient(wire, hello.length);
    wire.fromServer(genuineFlight);
    wire.fromClient(tls.clientFinish, { ack: wire.serverSeq });
    expect(records(wire)).toMatchObject([{ gaps: ['client'], tls: { certificates: [{}] } }]);
  });

  it('in part leaves the chain to be shown as well', () => {
    const wire = capture();
    wire.fromClient(hello.subarray(0, 40));
    loseOfClient(wire, hello.length - 40);
    wire.fromServer(genuineFlight);
    wire.fromClient(tls.clientFinish, { ack: wire.serverSeq });
    expect(records(wire)).toMatchObject([{ gaps: ['client'], fault: null, tls: { certificates: [{}] } }]);
  });
});

describe('an answer ahead of TLS that was not captured', () => {
  it('leaves the handshake to be read', () => {
    const wire = capture();
    wire.fromServer('220 mail ESMTP\r\n');
    wire.fromClient('EHLO x\r\n');
    wire.fromServer('250 STARTTLS\r\n');
    wire.fromClient('STARTTLS\r\n');
    lose(wire, 15);
    wire.fromClient(hello, { ack: wire.serverSeq });
    wire.fromServer(genuineFlight);
    expect(records(wire)).toMatchObject([{ gaps: ['server'], reason: 'pin-match', tls: { sni: HOST } }]);
  });
});

describe("of a server's flight", () => {
  const parts = [tls.serverHello(), tls.certificateMessage(GENUINE), tls.serverHelloDone].map((part) =>
    tls.record(22, part),
  );
  const flight = Buffer.concat(parts);
  const ends = parts.map((_, i) => Buffer.concat(parts.slice(0, i + 1)).length);

  it('the ServerHello may be missing: the certificate is shown', () => {
    expect(withoutOfServer(flight, 0, ends[0]!)).toMatchObject([
      { gaps: ['server'], fault: null, tls: { sni: HOST, certificates: [{}] } },
    ]);
  });

  it('what comes behind the Certificate may be missing', () => {
    expect(withoutOfServer(flight, ends[1]!, ends[2]!)).toMatchObject([
      { gaps: ['server'], fault: null, tls: { certificates: [{}] } },
    ]);
  });

  it("a piece of the Certificate may be missing: there is none, and that is no fault of the server's", () => {
    for (const [from, to] of [
      [ends[0]! + 100, ends[0]! + 400],
      [ends[0]! + 2, ends[0]! + 7],
      [ends[0]! - 3, ends[0]! + 100],
      [ends[0]! + 100, ends[1]!],
      [ends[0]! + 100, ends[1]! + 4],
    ]) {
      const found = withoutOfServer(flight, from!, to!);
      expect(found, `${from} to ${to}`).toMatchObject([{ gaps: ['server'], reason: 'incomplete', fault: null }]);
      expect(found[0]!.tls!.certificates).toEqual([]);
    }
  });

  it('a piece of another message of the same record may be missing: the certificate is shown', () => {
    const done = tls.serverHelloDone;
    const request = tls.handshake(13, Buffer.alloc(600, 0x0d));
    const messages = [tls.serverHello(), request, tls.certificateMessage(GENUINE), done];
    const inOrder = tls.record(22, Buffer.concat([messages[0]!, messages[2]!, request, done]));
    const at = inOrder.length - done.length - 300;
    expect(withoutOfServer(inOrder, at, at + 200)).toMatchObject([
      { gaps: ['server'], reason: 'pin-match', tls: { certificates: [{}] } },
    ]);
  });

  it('any piece may be missing: nothing that was not sent is shown, and nothing is called a fault of TLS', () => {
    const whole = Buffer.concat([flight, finish]);
    for (let from = 0; from < whole.length; from += 37) {
      for (const length of [1, 5, 64, 700]) {
        const [record] = withoutOfServer(whole, from, Math.min(whole.length - 1, from + length));
        expect(record!.fault, `${from}, ${length}`).toBeNull();
        for (const certificate of record!.tls!.certificates)
          expect(certificate).toEqual(new Uint8Array(tls.der(GENUINE)));
      }
    }
  });
});

describe('octets that nobody has acknowledged', () => {
  it('may still come: nothing behind them is read', () => {
    const wire = capture();
    wire.fromClient(hello);
    const seq = wire.serverSeq;
    lose(wire, 10);
    wire.fromServer(genuineFlight.subarray(10));
    wire.fromClient('', { ack: seq });
    wire.fromServer(genuineFlight.subarray(0, 10), { seq });
    expect(records(wire)).toMatchObject([{ gaps: [], reason: 'pin-match', tls: { sni: HOST } }]);
  });

  it('are not there because a reset, or a number beyond anything, says so', () => {
    for (const fields of [{ flags: TCP_FLAG.rst | TCP_FLAG.ack }, { ack: 0x7fff_0000 }]) {
      const wire = capture();
      wire.fromClient(hello);
      const seq = wire.serverSeq;
      lose(wire, 10);
      wire.fromServer(genuineFlight.subarray(10));
      wire.fromClient('', { ack: wire.serverSeq, ...fields });
      wire.fromServer(genuineFlight.subarray(0, 10), { seq });
      expect(records(wire)).toMatchObject([{ gaps: [], reason: 'pin-match' }]);
    }
  });
});

describe('a direction of which nothing was captured', () => {
  it('is no gap', () => {
    const wire = capture();
    wire.fromClient(hello);
    lose(wire, genuineFlight.length);
    wire.fromClient(tls.clientFinish, { ack: wire.serverSeq });
    expect(records(wire)).toMatchObject([{ gaps: [], tls: { sni: HOST } }]);
  });
});
