import { describe, expect, it } from 'vitest';

import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { match, pin, pinset } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const GENUINE = fixturePath('leaf');
const FORGED = fixturePath('forged');
const HOST = 'www.bank.example';
const genuineSpki = presentCertificate(certificate('leaf')).spkiSha256!;
const bank = pinset(0, { match: match({ hosts: [HOST] }), pins: [pin('spki-sha256', genuineSpki)] });
const PENDING = 0x3000000;
const ACCEPT = 0x1000000;
const DENY = 0x2000000;
const BAD_CERTIFICATE = '1503030002022a';

const pinned = () => new Wire({ pinsets: [bank] }).open();

describe('a forged certificate', () => {
  it('never reaches the client, which reads an alert instead', () => {
    const wire = pinned();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(tls.serverFlight(FORGED));
    expect(wire.atClient.stream.toString('hex')).toBe(BAD_CERTIFICATE);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch', evidence: 'observed' }]);
  });

  it('is answered with a reset to the server and the deny mark once the client has read the alert', () => {
    const wire = pinned();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(tls.serverFlight(FORGED));
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient('');
    expect(wire.atServer.flags.at(-1)).toBe(TCP_FLAG.rst | TCP_FLAG.ack);
    expect(wire.connmark).toBe(DENY);
  });

  it('stays denied through retransmissions in both directions', () => {
    const wire = pinned();
    const hello = tls.clientHello(HOST);
    wire.fromClient(hello);
    const flight = tls.serverFlight(FORGED);
    wire.fromServer(flight);
    wire.fromServer(flight, { seq: wire.serverSeq - flight.length });
    wire.fromClient('');
    expect(wire.fromServer(flight, { seq: wire.serverSeq - flight.length }).verdict).toBe('drop');
    expect(wire.fromClient(hello, { seq: wire.clientSeq - hello.length }).verdict).toBe('drop');
    expect(wire.atClient.stream.toString('hex')).toBe(BAD_CERTIFICATE);
  });

  it('stays denied while its octets are sent again, where no mark ever reaches conntrack', () => {
    const wire = new Wire({ pinsets: [{ ...bank, onMismatch: { action: 'drop', connmark: null } }] }).open();
    wire.fromClient(tls.clientHello(HOST));
    const flight = tls.serverFlight(FORGED);
    wire.fromServer(flight);
    wire.connmark = PENDING; // it went with a packet that was dropped
    const before = wire.atServer.flags.length;
    for (const seconds of [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]) {
      wire.wait(seconds * 1000);
      const { verdict } = wire.fromServer(flight, { seq: wire.serverSeq - flight.length });
      expect(verdict).toBe('drop');
      wire.connmark = PENDING;
    }
    expect(wire.atServer.flags.slice(before)).toEqual([]);
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'pin-mismatch' }]);
  });

  it('is stopped in whatever segments it comes', () => {
    const flight = tls.serverFlight(FORGED);
    for (let size = 1; size < flight.length; size += size < 16 ? 1 : 97) {
      const wire = pinned();
      wire.fromClient(tls.clientHello(HOST));
      for (let at = 0; at < flight.length; at += size) wire.fromServer(flight.subarray(at, at + size));
      wire.wait(40);
      expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
      expect(wire.atClient.stream.includes(Buffer.from(certificate('forged'))), `in pieces of ${size}`).toBe(false);
    }
  });

  it('with the genuine one appended behind it does not pass', () => {
    const wire = pinned();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(tls.serverFlight(FORGED, GENUINE));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });
});

describe('the genuine certificate', () => {
  it('passes, and the accept mark goes with the client packet that acknowledges it', () => {
    const wire = pinned();
    wire.fromClient(tls.clientHello(HOST));
    const flight = tls.serverFlight(GENUINE);
    wire.fromServer(flight);
    expect(wire.atClient.stream.equals(flight)).toBe(true);
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.verdicts).toMatchObject([
      { action: 'accept', reason: 'pin-match', pinset: 'pinset-0', matched: bank.pins[0]!.canonical },
    ]);
  });

  it('passes with every packet answered exactly once, in any segments', () => {
    const flight = tls.serverFlight(GENUINE);
    for (const size of [1, 2, 5, 7, 100, 536, 1448]) {
      const wire = pinned();
      wire.fromClient(tls.clientHello(HOST));
      for (let at = 0; at < flight.length; at += size) {
        wire.fromServer(flight.subarray(at, at + size));
        wire.wait(1);
      }
      expect(wire.atClient.stream.equals(flight)).toBe(true);
      expect([...wire.answers.values()].some((answer) => answer.verdict === 'held')).toBe(false);
    }
  });

  it('is not bought by bytes forged after an early acknowledgment', () => {
    const wire = pinned();
    wire.fromClient(tls.clientHello(HOST));
    const flight = tls.serverFlight(GENUINE);
    // The genuine copy dies on its way: the client acknowledges nothing.
    const clientNext = wire.serverSeqSeen;
    wire.fromServer(flight);
    wire.fromClient('', { ack: clientNext });
    expect(wire.connmark).toBe(PENDING);
    const forged = tls.serverFlight(FORGED);
    expect(wire.fromServer(forged, { seq: wire.serverSeq - flight.length }).verdict).toBe('drop');
  });
});

describe('a flow that nothing pins', () => {
  it('is accepted with its ClientHello and marked at once', () => {
    const wire = pinned();
    wire.fromClient(tls.clientHello('other.example'));
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.events).toEqual([]);
  });
});
