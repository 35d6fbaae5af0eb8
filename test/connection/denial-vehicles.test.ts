import { describe, expect, it } from 'vitest';

import type { ChainFacts } from '../../src/judge/ports.ts';
import { tcpChecksumFits } from '../../src/packet/checksum.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { bank, DENY, FORGED, forgedFlight, genuinePin, hasForged, HOST, opened, PENDING } from '../support/flows.ts';
import { viewIp, viewTcp } from '../support/ip-bytes.ts';
import { pin } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Answer, Wire, WireOptions } from '../support/wire.ts';

const { rst, fin, ack, psh } = TCP_FLAG;
const ALERT = Buffer.from('1503030002022a', 'hex');
const ACCESS_DENIED = '15030300020231';
const hello = tls.clientHello(HOST);
const issuerPin = pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!);

function after(action: 'tls-alert' | 'reset' | 'drop', options: WireOptions = {}): Wire {
  const wire = opened({ pinsets: [bank({ onMismatch: { action, connmark: null } })] }, options);
  wire.fromClient(hello);
  return wire;
}

/** The server sends its last octets again. */
const resend = (wire: Wire, octets: Uint8Array, more = {}) =>
  wire.fromServer(octets, { seq: seqAdd(wire.serverSeq, -octets.length), ...more });

const replacement = (answer: Answer) => {
  const packet = Buffer.from(answer.payload!);
  const tcp = viewTcp(packet);
  const data = packet.subarray(tcp.dataStart);
  return { ...tcp, fits: tcpChecksumFits(viewIp(packet)), data, dataLength: data.length };
};

describe('tls-alert', () => {
  it('takes the place of the packet that brought the decision, at the number that the client expects', () => {
    const wire = after('tls-alert');
    const expected = wire.serverSeq;
    const answer = wire.fromServer(forgedFlight);
    expect(replacement(answer)).toMatchObject({ fits: true, seq: expected, flags: fin | psh | ack });
    expect(replacement(answer).data.equals(ALERT)).toBe(true);
  });

  it('keeps the options of its packet: a client that negotiated timestamps would drop it without', () => {
    const wire = after('tls-alert');
    const options = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 1);
    expect(replacement(wire.fromServer(forgedFlight, { options }))).toMatchObject({ hasTimestamps: true, tsVal: 9 });
  });

  it('is told again on each retransmission of the server: the first may have been lost', () => {
    const wire = after('tls-alert');
    wire.fromServer(forgedFlight, { lost: true });
    expect(wire.atClient.stream.length).toBe(0);
    resend(wire, forgedFlight);
    expect(wire.atClient.stream.equals(ALERT)).toBe(true);
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
  });

  it('carries the version of the handshake', () => {
    for (const version of [0x0301, 0x0302, 0x0303]) {
      const wire = after('tls-alert');
      const messages = [tls.serverHello({ version }), tls.certificateMessage(FORGED), tls.serverHelloDone];
      wire.fromServer(tls.record(22, Buffer.concat(messages), version));
      expect(wire.atClient.stream.readUInt16BE(1)).toBe(version);
    }
  });

  it('is access_denied where no certificate was judged', () => {
    const wire = after('tls-alert');
    wire.fromServer(tls.record(22, tls.serverHello({ suite: 0x0034 })));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'anonymous' }]);
    expect(wire.atClient.stream.toString('hex')).toBe(ACCESS_DENIED);
  });

  it('is a reset where the client stands in the midst of a record', () => {
    const wire = after('tls-alert');
    wire.fromServer(forgedFlight.subarray(0, 100));
    wire.wait(31);
    wire.fromServer(forgedFlight.subarray(100));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert' }]);
    expect(wire.atClient.stream.length).toBe(100);
    expect(wire.atClient.isReset).toBe(true);
  });

  it('is a reset where what waited went in part, up to the midst of a record', () => {
    const asked: ((facts: ChainFacts) => void)[] = [];
    const examiner = { examine: (_: unknown, answer: (facts: ChainFacts) => void) => void asked.push(answer) };
    const wire = opened({ pinsets: [bank({ pins: [genuinePin, issuerPin] })] }, { examiner });
    wire.fromClient(hello);
    const flight = tls.serverFlight(FORGED, fixturePath('inter'));
    const [first, second] = [flight.subarray(0, 900), flight.subarray(900)];
    const start = wire.serverSeq;
    wire.fromServer(first);
    wire.fromServer(second, { gso: true });
    expect(wire.held).toBe(2);
    wire.fromServer(first, { seq: start });
    expect(wire.atClient.stream.length).toBe(900);
    asked[0]!(chainFacts());
    wire.fromServer(second, { seq: start + 900 });
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
    expect(wire.atClient.stream.length).toBe(900);
    expect(wire.atClient.isReset).toBe(true);
  });

  it('comes between records of one message too', () => {
    const wire = after('tls-alert');
    const messages = [tls.serverHello(), tls.certificateMessage(FORGED)];
    const flight = tls.records(22, Buffer.concat(messages), 200);
    wire.fromServer(flight.subarray(0, 410));
    wire.wait(31);
    wire.fromServer(flight.subarray(410));
    expect(wire.atClient.stream.subarray(410).equals(ALERT)).toBe(true);
  });

  it('is a reset before the client has begun to speak TLS', () => {
    const wire = opened();
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'parse-error' }]);
    expect(wire.atClient.isReset).toBe(true);
  });
});

describe('what the client has behind a gap', () => {
  // A header that makes the engine deny, in five octets that come last; behind them everything else.
  const header = Buffer.from('1603030200', 'hex');
  const evil = Buffer.concat([Buffer.from([1, 112]), forgedFlight]);

  function gap(wire: Wire, missing: number, data: Uint8Array): void {
    const first = wire.serverSeq;
    for (let at = 0; at < data.length; at += 1000) {
      wire.fromServer(data.subarray(at, at + 1000), { seq: seqAdd(first, missing + at) });
    }
    wire.wait(31);
  }

  it.each(['first', 'last'] as const)(
    'is not handed to it by an alert that fills the gap (%s copy wins)',
    (prefers) => {
      const wire = after('tls-alert', { prefers });
      const first = wire.serverSeq;
      gap(wire, header.length, evil);
      expect(wire.fromServer(header, { seq: first }).payload).toBeDefined();
      expect(wire.atClient.stream.length).toBe(0);
      expect(wire.atClient.isReset).toBe(true);
      expect(hasForged(wire)).toBe(false);
    },
  );

  it('nor by an alert that ends where it begins', () => {
    const wire = after('tls-alert');
    const first = wire.serverSeq;
    gap(wire, ALERT.length, forgedFlight);
    wire.fromServer(Buffer.concat([header, Buffer.from([1, 112])]), { seq: first });
    expect(wire.atClient.isReset).toBe(true);
  });

  it('leaves the alert its place where the gap is wider', () => {
    const wire = after('tls-alert');
    const first = wire.serverSeq;
    gap(wire, 600, forgedFlight.subarray(600));
    wire.fromServer(forgedFlight.subarray(0, 600), { seq: first });
    expect(wire.atClient.stream.equals(ALERT)).toBe(true);
  });

  it('is not reached by the alerts that fill a GSO packet: another packet carries one', () => {
    const wire = after('tls-alert');
    const first = wire.serverSeq;
    gap(wire, 600, forgedFlight.subarray(600));
    expect(wire.fromServer(forgedFlight, { seq: first, gso: true }).verdict).toBe('drop');
    expect(wire.fromServer(forgedFlight.subarray(0, 600), { seq: first }).verdict).toBe('accept');
    expect(wire.atClient.stream.equals(ALERT)).toBe(true);
  });
});

describe('a GSO packet', () => {
  it('keeps its length: the alert is repeated until it is filled', () => {
    const wire = after('tls-alert');
    const answer = wire.fromServer(forgedFlight, { gso: true });
    const { data } = replacement(answer);
    expect(data.length).toBe(forgedFlight.length);
    for (let at = 0; at < data.length; at++) expect(data[at]).toBe(ALERT[at % ALERT.length]);
    expect(hasForged(wire)).toBe(false);
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
  });

  it('does not become a reset: that waits for a packet that is not GSO', () => {
    const wire = after('reset');
    expect(wire.fromServer(forgedFlight, { gso: true }).verdict).toBe('drop');
    expect(wire.atClient.isReset).toBe(false);
    resend(wire, forgedFlight.subarray(-500));
    expect(wire.atClient.isReset).toBe(true);
    expect(hasForged(wire)).toBe(false);
  });

  it("of the client's does not become the reset to the server either", () => {
    const wire = after('tls-alert');
    wire.fromServer(forgedFlight);
    expect(wire.fromClient('more', { gso: true }).verdict).toBe('drop');
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient('');
    expect(wire.atServer.flags.at(-1)).toBe(rst | ack);
  });
});

describe('reset', () => {
  it('goes to the client at once, and to the server with the next packet of the client, which carries the mark', () => {
    const wire = after('reset');
    const expected = wire.serverSeq;
    expect(replacement(wire.fromServer(forgedFlight))).toMatchObject({ fits: true, seq: expected, flags: rst | ack });
    expect(wire.atClient.isReset).toBe(true);
    // What a client answers to whatever comes after its reset.
    wire.fromClient('', { flags: rst, seq: wire.clientSeq });
    expect(wire.atServer.isReset).toBe(true);
    expect(wire.connmark).toBe(DENY);
    expect(wire.verdicts).toMatchObject([{ action: 'reset', reason: 'pin-mismatch' }]);
  });

  it('that was lost is repeated, and then the client is made to speak', () => {
    const wire = after('reset');
    wire.fromServer(forgedFlight, { lost: true });
    expect(replacement(resend(wire, forgedFlight)).flags).toBe(rst | ack);
    // A client that has gone answers a bare ACK with its own reset.
    expect(replacement(resend(wire, forgedFlight))).toMatchObject({ flags: ack, dataLength: 0 });
  });
});

describe('drop', () => {
  it('says nothing to anybody, and the mark goes with the packet that brought the decision', () => {
    const wire = after('drop');
    expect(wire.fromServer(forgedFlight)).toMatchObject({ verdict: 'drop', connmark: DENY });
    expect(wire.connmark).toBe(DENY);
    expect(wire.fromClient('').verdict).toBe('drop');
    expect(resend(wire, forgedFlight).verdict).toBe('drop');
    expect([wire.atClient.stream.length, wire.atClient.isReset]).toEqual([0, false]);
  });

  it('decided by the clock is marked with the next packet of either side', () => {
    const wire = after('drop');
    wire.wait(11_000);
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'incomplete' }]);
    expect(wire.fromServer('').connmark).toBe(DENY);
  });
});

describe('a denial while the client speaks last', () => {
  it('makes its packets into a FIN, whose answer becomes the alert', () => {
    // The decision falls with the client's own packet: an unpinned version of early data.
    const wire = opened();
    const hello13 = tls.clientHello({ name: HOST, supportedVersions: [0x0304], earlyData: true, psk: true });
    const answer = wire.fromClient(hello13);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
    const end = replacement(answer);
    expect(end).toMatchObject({ fits: true, flags: fin | ack, dataLength: 0 });
    expect(end.seq).toBe(seqAdd(wire.clientSeq, -hello13.length));
    expect(wire.atServer.stream.length).toBe(0);
    const alert = replacement(wire.fromServer('', { ack: seqAdd(end.seq, 1) }));
    expect(wire.atClient.stream.toString('hex')).toBe(ACCESS_DENIED);
    // The client, which has sent none, would not believe that it was acknowledged.
    expect(alert.ack).toBe(end.seq);
    const reset = replacement(wire.fromClient(''));
    expect(reset).toMatchObject({ flags: rst | ack, seq: seqAdd(end.seq, 1) });
    expect(wire.atServer.isReset).toBe(true);
    expect(wire.connmark).toBe(DENY);
  });

  it('and its GSO packets are dropped', () => {
    const wire = opened();
    const answer = wire.fromClient(tls.clientHello({ name: HOST, supportedVersions: [0x0304], earlyData: true }), {
      gso: true,
    });
    expect(answer.verdict).toBe('drop');
  });
});

describe('while a denial is under way', () => {
  it("the client's FIN or reset ends it, as its acknowledgment does", () => {
    for (const flags of [fin | ack, rst | ack, rst]) {
      const wire = after('tls-alert');
      const clientNext = wire.serverSeqSeen;
      wire.fromServer(forgedFlight);
      wire.fromClient('', { flags, ack: clientNext });
      expect(wire.connmark).toBe(DENY);
      expect(wire.atServer.isReset).toBe(true);
    }
  });

  it('nothing of the client reaches the server, and nothing of the server the client, but the news', () => {
    const wire = after('tls-alert');
    const sent = wire.atServer.stream.length;
    wire.fromServer(forgedFlight);
    wire.fromClient('GET /', { ack: wire.serverSeq });
    wire.fromServer(forgedFlight);
    expect(wire.atServer.stream.length).toBe(sent);
    expect(hasForged(wire)).toBe(false);
  });

  it('held packets are answered: the first becomes the alert, the rest are dropped', () => {
    const wire = after('tls-alert');
    const ids = [wire.packets + 1, wire.packets + 2, wire.packets + 3];
    wire.fromServer(forgedFlight.subarray(0, 300));
    wire.fromServer(forgedFlight.subarray(300, 600));
    expect(wire.held).toBe(2);
    wire.fromServer(forgedFlight.subarray(600));
    expect(ids.map((id) => wire.answers.get(id)!.verdict)).toEqual(['accept', 'drop', 'drop']);
    expect(wire.atClient.stream.equals(ALERT)).toBe(true);
    wire.finish();
  });
});

describe('octets of the flight that were let go before the decision and lost on the way', () => {
  // Records of 200 octets, so that the decision falls between two of them.
  const flight = tls.records(22, Buffer.concat([tls.serverHello(), tls.certificateMessage(FORGED)]), 200);
  const gone = 205 * 2;

  /** The first two records are let go and lost; what follows them decides. */
  function losing(action: 'tls-alert' | 'reset'): { wire: Wire; first: number } {
    const wire = after(action);
    const first = wire.serverSeq;
    wire.fromServer(flight.subarray(0, gone), { lost: true });
    wire.wait(31);
    wire.fromServer(flight.subarray(gone));
    expect(wire.verdicts).toMatchObject([{ action, reason: 'pin-mismatch' }]);
    return { wire, first };
  }

  it('the client still gets, as the server sends them again, and then the alert', () => {
    const { wire, first } = losing('tls-alert');
    expect(wire.atClient.stream.length).toBe(0);
    expect(wire.fromServer(flight.subarray(0, 205), { seq: first }).payload).toBeUndefined();
    expect(wire.fromServer(flight.subarray(205, gone), { seq: seqAdd(first, 205) }).payload).toBeUndefined();
    expect(wire.atClient.stream.equals(Buffer.concat([flight.subarray(0, gone), ALERT]))).toBe(true);
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
  });

  it('the client gets out of a packet that goes on past them, with the alert behind them', () => {
    const { wire, first } = losing('tls-alert');
    const answer = wire.fromServer(flight.subarray(0, 600), { seq: first });
    expect(replacement(answer)).toMatchObject({ fits: true, seq: first });
    expect(wire.atClient.stream.equals(Buffer.concat([flight.subarray(0, gone), ALERT]))).toBe(true);
  });

  it('the client gets ahead of a reset, which it takes only at the number that it expects', () => {
    const { wire, first } = losing('reset');
    expect(wire.atClient.isReset).toBe(false);
    wire.fromServer(flight.subarray(0, 600), { seq: first });
    expect(wire.atClient.stream.equals(flight.subarray(0, gone))).toBe(true);
    wire.fromClient('');
    wire.fromServer(flight.subarray(gone), { seq: seqAdd(first, gone) });
    expect(wire.atClient.isReset).toBe(true);
  });

  it('with another value are not what it was let have', () => {
    const { wire, first } = losing('tls-alert');
    const changed = Buffer.from(flight.subarray(0, 205));
    changed[100]! ^= 1;
    wire.fromServer(changed, { seq: first });
    expect(wire.atClient.stream.length).toBe(0);
  });

  it('a super-packet cannot bring cut short', () => {
    const { wire, first } = losing('tls-alert');
    expect(wire.fromServer(flight.subarray(0, 600), { seq: first, gso: true }).verdict).toBe('drop');
    expect(wire.fromServer(flight.subarray(0, gone), { seq: first, gso: true })).toMatchObject({
      verdict: 'accept',
      payload: undefined,
    });
  });

  it('and acknowledged by then are news no more: the packet carries the alert again', () => {
    const { wire, first } = losing('tls-alert');
    wire.fromServer(flight.subarray(0, gone), { seq: first });
    const seen = wire.atClient.stream.length;
    wire.fromClient('', { ack: seqAdd(first, gone) });
    expect(replacement(wire.fromServer(flight.subarray(0, gone), { seq: first })).data.equals(ALERT)).toBe(true);
    expect(wire.atClient.stream.length).toBe(seen);
  });
});
