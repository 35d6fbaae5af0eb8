import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { bank, forgedFlight, genuineFlight, HOST } from '../support/flows.ts';
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

  it('of more connections than the table holds keeps no more', () => {
    const wire = capture({ limits: { ...LIMIT_DEFAULTS, flows: 2 } });
    for (let ctid = 1; ctid <= 5; ctid++) wire.fromServer(genuineFlight, { ctid, seq: 1 });
    expect(wire.engine.flows).toBe(2);
    expect(records(wire).length).toBe(5);
  });
});
