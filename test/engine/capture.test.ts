import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import type { VerdictEvent } from '../../src/judge/events.ts';
import { bank, forgedFlight, GENUINE, genuineFlight, HOST } from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const capture = (more = {}) => new Wire({ pinsets: [bank()], ...more }, { live: false });
const records = (wire: Wire) => {
  wire.finish();
  return wire.verdicts;
};

describe('a capture', () => {
  it('has one record a connection, and what enforcement would have done is in it', () => {
    const wire = capture().open();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    expect(records(wire)).toMatchObject([{ reason: 'pin-mismatch', action: 'tls-alert', tls: { sni: HOST } }]);
    expect([...wire.answers.values()].every(({ verdict }) => verdict === 'accept')).toBe(true);
  });

  it('that begins in the middle is picked up where a record begins, whichever side sends it', () => {
    const fromHello = capture();
    fromHello.fromClient(tls.clientHello(HOST));
    fromHello.fromServer(genuineFlight);
    expect(records(fromHello)).toMatchObject([{ reason: 'pin-match', tls: { sni: HOST } }]);
    const fromFlight = capture();
    fromFlight.fromServer(genuineFlight);
    expect(records(fromFlight)[0]!.tls!.certificates.length).toBe(1);
  });

  it('of the server alone shows its certificate', () => {
    const wire = capture();
    wire.fromServer('', { flags: TCP_FLAG.syn | TCP_FLAG.ack });
    wire.serverSeq = seqAdd(wire.serverSeq, 1);
    wire.fromServer(genuineFlight.subarray(0, 500));
    wire.fromServer(genuineFlight.subarray(500));
    expect(records(wire)[0]!.tls!.certificates.length).toBe(1);
  });

  it('in which some unknown protocol turns to TLS shows the handshake', () => {
    const wire = capture().open();
    wire.fromClient('MAGIC please\n');
    wire.fromServer('OK\n');
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight);
    expect(records(wire)).toMatchObject([{ tls: { sni: HOST } }]);
  });

  it('with the server ahead of the client is read all the same', () => {
    const wire = capture().open();
    const seq = wire.clientSeq;
    const hello = tls.clientHello(HOST);
    wire.fromServer(genuineFlight, { ack: seqAdd(seq, hello.length) });
    wire.fromClient(hello);
    expect(records(wire)[0]!.tls).toMatchObject({ sni: HOST });
  });

  it('whose TLS client was called shows the client as such, as on data connections of active FTP (RFC 4217)', () => {
    const wire = capture().open();
    wire.fromServer(tls.clientHello(HOST));
    wire.fromClient(genuineFlight);
    wire.fromServer(tls.clientFinish);
    expect(records(wire)).toMatchObject([
      { reason: 'pin-match', client: { port: 443 }, server: { port: 51514 }, tls: { sni: HOST } },
    ]);
  });

  it.each([
    ['TACACS+', 'c101010000112233000000190101010105050505616c6963657474793030312e312e312e31'],
    ['SMB', 'b4ab0103aabbccddeeff00112233445566778899aabbccddeeff001122334455'],
    ['any binary', '80010102ffffffffffffffffffffffffffffffff'],
  ])('of %s, which begins like a CLIENT-HELLO of SSLv2, has no record', (_protocol, octets) => {
    for (const isOpened of [false, true]) {
      const wire = new Wire({ pinsets: [] }, { live: false });
      if (isOpened) wire.open();
      wire.fromClient(Buffer.from(octets, 'hex'));
      wire.fromServer(Buffer.from(octets.replace(/^(.{4})01/, '$104'), 'hex'));
      expect(records(wire)).toEqual([]);
    }
  });

  it('of SSLv2 shows its certificate, opened or picked up in the middle', () => {
    for (const isOpened of [false, true]) {
      const wire = new Wire({ pinsets: [] }, { live: false });
      if (isOpened) wire.open();
      wire.fromClient(tls.ssl2ClientHello(0x0002));
      wire.fromServer(tls.ssl2ServerHello(tls.der(GENUINE)));
      expect(records(wire)[0]!.tls).toMatchObject({ version: 0x0002, certificates: [{}] });
    }
  });

  it('that begins at the Certificate shows it, whichever side has the lower port', () => {
    const flight = Buffer.concat([tls.certificateMessage(GENUINE), tls.serverKeyExchange(), tls.serverHelloDone]);
    const parts = [tls.certificateMessage(GENUINE), tls.serverKeyExchange(), tls.serverHelloDone];
    for (const octets of [tls.record(22, flight), Buffer.concat(parts.map((part) => tls.record(22, part)))]) {
      const wire = capture();
      wire.fromServer(octets);
      wire.fromClient(tls.clientFinish);
      const reversed = capture();
      reversed.fromClient(octets);
      reversed.fromServer(tls.clientFinish);
      for (const [{ client, tls: shown }] of [records(wire), records(reversed)] as [VerdictEvent][]) {
        expect(shown!.certificates.length).toBe(1);
        expect(client.port).toBe(client === wire.verdicts[0]!.client ? 51514 : 443);
      }
    }
  });

  it('of more connections than the table holds keeps no more', () => {
    const wire = capture({ limits: { ...LIMIT_DEFAULTS, flows: 2 } });
    for (let ctid = 1; ctid <= 5; ctid++) wire.fromServer(genuineFlight, { ctid, seq: 1 });
    expect(wire.engine.flows).toBe(2);
    expect(records(wire).length).toBe(5);
  });
});
