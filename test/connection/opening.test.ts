import { describe, expect, it } from 'vitest';

import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { ACCEPT, bank, DENY, forgedFlight, genuineFlight, hasForged, HOST, opened, PENDING } from '../support/flows.ts';
import { bankWith } from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const { syn, ack, rst, fin, urg } = TCP_FLAG;
/** The interface of the SYN is 2; the servers' side is 3. */
const SERVER_SIDE = { inIfindex: 3 };

/** A client that has sent its SYN and waits. */
function synSent(options: { connmark?: number } = {}): Wire {
  const wire = new Wire({ pinsets: [bank()] });
  wire.connmark = options.connmark ?? 0;
  wire.fromClient('', { flags: syn });
  wire.clientSeq = seqAdd(wire.clientSeq, 1);
  return wire;
}

/** The genuine handshake to its end, or a forged one; what the verdict was. */
function handshake(wire: Wire, flight: Buffer): string | undefined {
  wire.fromClient(tls.clientHello(HOST));
  wire.fromServer(flight);
  wire.fromClient('');
  return wire.verdicts.at(-1)?.reason;
}

describe('two SYN/ACKs with different numbers', () => {
  it('both go to the client, whose acknowledgment selects: the genuine one', () => {
    const wire = synSent();
    const genuine = wire.serverSeq;
    expect(wire.fromServer('', { flags: syn | ack, seq: 777_000 }).verdict).toBe('accept');
    expect(wire.fromServer('', { flags: syn | ack, seq: genuine }).verdict).toBe('accept');
    wire.serverSeq = seqAdd(genuine, 1);
    wire.atClient.start(wire.serverSeq);
    wire.fromClient('', { ack: wire.serverSeq });
    expect(handshake(wire, forgedFlight)).toBe('pin-mismatch');
    expect(hasForged(wire)).toBe(false);
  });

  it('and the other way round', () => {
    const wire = synSent();
    wire.fromServer('', { flags: syn | ack, seq: wire.serverSeq });
    wire.fromServer('', { flags: syn | ack, seq: 777_000 });
    wire.serverSeq = 777_001;
    wire.atClient.start(wire.serverSeq);
    wire.fromClient('', { ack: wire.serverSeq });
    expect(handshake(wire, genuineFlight)).toBe('pin-match');
  });

  it('more than anybody needs are not forwarded', () => {
    const wire = synSent();
    const answers = [1, 2, 3, 4, 5, 6].map((n) => wire.fromServer('', { flags: syn | ack, seq: n * 1000 }).verdict);
    expect(answers).toEqual(['accept', 'accept', 'accept', 'accept', 'drop', 'drop']);
  });
});

describe('a SYN/ACK', () => {
  it('that acknowledges no SYN is not forwarded', () => {
    const wire = synSent();
    expect(wire.fromServer('', { flags: syn | ack, ack: 4711 }).verdict).toBe('drop');
  });

  it('with data is not forwarded: a client may keep octets that nobody has inspected', () => {
    const wire = synSent();
    const irs = wire.serverSeq;
    wire.atClient.start(seqAdd(irs, 1));
    expect(wire.fromServer(forgedFlight, { flags: syn | ack, seq: irs }).verdict).toBe('drop');
    expect(hasForged(wire)).toBe(false);
  });

  it('or a SYN with an urgent pointer, FIN or RST is not forwarded', () => {
    const wire = synSent();
    for (const more of [urg, fin, rst, fin | rst]) {
      expect(wire.fromServer('', { flags: syn | ack | more }).verdict).toBe('drop');
      expect(wire.fromClient('', { flags: syn | more, seq: 1 }).verdict).toBe('drop');
    }
  });

  it('without the SYN, which the engine has forgotten, is not forwarded, whatever an earlier connection left', () => {
    for (const connmark of [0, PENDING, ACCEPT, DENY]) {
      const wire = new Wire({ pinsets: [bank()] });
      wire.connmark = connmark;
      expect(wire.fromServer('', { flags: syn | ack }).verdict).toBe('drop');
      expect(wire.connmark).toBe(connmark);
    }
  });
});

describe('until the client has answered the SYN/ACK', () => {
  it('the server may send no data', () => {
    const wire = synSent();
    wire.fromServer('', { flags: syn | ack });
    wire.serverSeq = seqAdd(wire.serverSeq, 1);
    wire.atClient.start(wire.serverSeq);
    expect(wire.fromServer(forgedFlight).verdict).toBe('drop');
    expect(wire.fromServer('').verdict).toBe('accept');
  });

  it('a client packet that fits no pair is not forwarded; a reset of its is', () => {
    const wire = synSent();
    wire.fromServer('', { flags: syn | ack });
    expect(wire.fromClient('', { ack: 4711 }).verdict).toBe('drop');
    expect(wire.fromClient(tls.clientHello(HOST), { ack: 4711 }).verdict).toBe('drop');
    expect(wire.fromClient('', { ack: 4711, flags: rst | ack }).verdict).toBe('accept');
    expect(wire.fromClient('', { flags: rst, seq: 4711 }).verdict).toBe('accept');
  });

  it('segments of the server and the passing of time decide nothing', () => {
    const wire = synSent();
    wire.fromServer('');
    wire.wait(11_000);
    expect(wire.events).toEqual([]);
    wire.fromServer('', { flags: syn | ack });
    wire.serverSeq = seqAdd(wire.serverSeq, 1);
    wire.atClient.start(wire.serverSeq);
    wire.fromClient('');
    expect(handshake(wire, genuineFlight)).toBe('pin-match');
    wire.finish();
  });
});

describe('SYNs resent', () => {
  it('with another number: every one counts until the client selects', () => {
    const wire = synSent();
    wire.fromClient('', { flags: syn, seq: 42_000 });
    wire.clientSeq = 42_001;
    wire.fromServer('', { flags: syn | ack, ack: 42_001 });
    wire.serverSeq = seqAdd(wire.serverSeq, 1);
    wire.atClient.start(wire.serverSeq);
    wire.fromClient('');
    expect(handshake(wire, forgedFlight)).toBe('pin-mismatch');
  });

  it('that arrive after the connection is open begin no new one, nor does the SYN/ACK resent for them', () => {
    const wire = opened();
    const [c, s] = [seqAdd(wire.clientSeq, -1), seqAdd(wire.serverSeq, -1)];
    wire.fromClient(tls.clientHello(HOST));
    expect(wire.fromClient('', { flags: syn, seq: c }).verdict).toBe('accept');
    expect(wire.fromServer('', { flags: syn | ack, seq: s, ack: seqAdd(c, 1) }).verdict).toBe('accept');
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });
});

describe('attempts from one port, one after the other', () => {
  it('each of them is forwarded, and the last one counts', () => {
    const wire = new Wire({ pinsets: [bank()] });
    for (let attempt = 1; attempt <= 20; attempt++) {
      expect(wire.fromClient('', { flags: syn, seq: attempt * 1000 }).verdict).toBe('accept');
      expect(wire.fromServer('', { flags: rst | ack, ack: attempt * 1000 + 1, seq: 0 }).verdict).toBe('accept');
    }
    wire.clientSeq = 21_000;
    wire.open();
    expect(handshake(wire, genuineFlight)).toBe('pin-match');
  });

  it('with an answer to each that comes too late', () => {
    const wire = new Wire({ pinsets: [bank()] });
    for (let attempt = 1; attempt <= 20; attempt++) {
      wire.fromClient('', { flags: syn, seq: attempt * 1000 });
      expect(wire.fromServer('', { flags: syn | ack, ack: attempt * 1000 + 1, seq: attempt * 7 }).verdict).toBe(
        'accept',
      );
    }
    wire.clientSeq = 21_000;
    wire.open();
    expect(handshake(wire, genuineFlight)).toBe('pin-match');
  });
});

describe('data in a SYN (TCP Fast Open)', () => {
  const hello = tls.clientHello(HOST);

  function fastOpen(acknowledges: boolean): Wire {
    const wire = new Wire({ pinsets: [bank()] });
    wire.fromClient(hello, { flags: syn, seq: wire.clientSeq });
    const next = seqAdd(wire.clientSeq, 1 + (acknowledges ? hello.length : 0));
    wire.fromServer('', { flags: syn | ack, ack: next });
    wire.clientSeq = next;
    wire.serverSeq = seqAdd(wire.serverSeq, 1);
    wire.atServer.start(next);
    wire.atClient.start(wire.serverSeq);
    wire.fromClient('');
    return wire;
  }

  it('is the ClientHello where the SYN/ACK acknowledges it', () => {
    const wire = fastOpen(true);
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch', tls: { sni: HOST } }]);
    expect(hasForged(wire)).toBe(false);
  });

  it('is nothing where the SYN/ACK does not: the client sends it again', () => {
    const wire = fastOpen(false);
    wire.fromClient(hello);
    wire.fromServer(genuineFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-match', tls: { sni: HOST } }]);
  });

  it('of a name that nothing pins unpins the connection once the client has acknowledged the SYN/ACK, not before', () => {
    const other = tls.clientHello('other.example');
    const wire = new Wire({ pinsets: [bank()] });
    wire.fromClient(other, { flags: syn, seq: wire.clientSeq });
    wire.fromServer('', { flags: syn | ack, ack: seqAdd(wire.clientSeq, 1 + other.length) });
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient('', { seq: seqAdd(wire.clientSeq, 1 + other.length), ack: seqAdd(wire.serverSeq, 1) });
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe("packets with the client's address that do not come from where its SYN came", () => {
  const open = (wire: Wire) => [
    wire.fromClient('', { ...SERVER_SIDE, flags: syn, seq: 77_000 }).verdict,
    wire.fromServer('', { flags: syn | ack, seq: 88_000, ack: 77_001 }).verdict,
    wire.fromClient('', { ...SERVER_SIDE, seq: 77_001, ack: 88_001 }).verdict,
    wire.fromClient(tls.clientHello('other.example'), { ...SERVER_SIDE, seq: 77_001, ack: 88_001 }).verdict,
  ];

  it('cannot open a connection of their own in the place of one that is being opened', () => {
    const wire = synSent();
    // Their SYN is a SYN, for all that is known; the answer to it leads to the client, which sent another one.
    expect(open(wire)).toEqual(['accept', 'drop', 'drop', 'drop']);
    expect(wire.connmark).toBe(PENDING);
    wire.open();
    expect(handshake(wire, forgedFlight)).toBe('pin-mismatch');
  });

  it('keep nobody from opening one of his own, however many SYNs they send, ahead of his or behind', () => {
    for (const isAhead of [true, false]) {
      const wire = new Wire({ pinsets: [bank()] });
      const spoof = (): void => {
        for (let seq = 1; seq <= 20; seq++) wire.fromClient('', { ...SERVER_SIDE, flags: syn, seq: seq * 1000 });
      };
      if (isAhead) spoof();
      wire.fromClient('', { flags: syn, seq: 500_000 });
      spoof();
      wire.clientSeq = 500_001;
      wire.fromServer('', { flags: syn | ack, ack: 500_001 });
      wire.serverSeq = seqAdd(wire.serverSeq, 1);
      wire.atClient.start(wire.serverSeq);
      wire.fromClient('');
      expect(handshake(wire, genuineFlight)).toBe('pin-match');
    }
  });

  it('and answered by the server, which the client resets: it opens its own all the same', () => {
    const wire = new Wire({ pinsets: [bank()] });
    wire.fromClient('', { ...SERVER_SIDE, flags: syn, seq: 77_000 });
    expect(wire.fromServer('', { flags: syn | ack, seq: 88_000, ack: 77_001 }).verdict).toBe('accept');
    expect(wire.fromClient('', { flags: rst, seq: 77_001 }).verdict).toBe('accept');
    wire.open();
    expect(handshake(wire, genuineFlight)).toBe('pin-match');
  });

  it('cannot open one in the place of one that is open, and unpin it', () => {
    const wire = opened();
    expect(open(wire)).toEqual(['drop', 'drop', 'drop', 'drop']);
    expect(wire.connmark).toBe(PENDING);
    expect(handshake(wire, forgedFlight)).toBe('pin-mismatch');
  });

  it('cannot open one in the place of one that was denied', () => {
    const wire = opened();
    handshake(wire, forgedFlight);
    expect(wire.connmark).toBe(DENY);
    expect(open(wire)).toEqual(['drop', 'drop', 'drop', 'drop']);
    expect(wire.connmark).toBe(DENY);
  });

  it('that opened one ahead of the client keep it from opening its own, until theirs is forgotten', () => {
    const wire = new Wire({ pinsets: [bank()] });
    open(wire);
    expect(wire.fromClient('', { flags: syn }).verdict).toBe('drop');
    wire.wait(31_000);
    expect(wire.fromClient('', { flags: syn }).verdict).toBe('accept');
    expect(wire.fromServer('', { flags: syn | ack }).verdict).toBe('drop');
    wire.fromServer('', { flags: syn | ack, ack: seqAdd(wire.clientSeq, 1) });
    expect(wire.connmark).toBe(PENDING);
  });

  it('say nothing of what the client has, nor of what it wants', () => {
    const wire = opened();
    expect(wire.fromClient(tls.clientHello('other.example'), { ...SERVER_SIDE, seq: wire.clientSeq }).verdict).toBe(
      'drop',
    );
    wire.fromClient(tls.clientHello(HOST));
    const end = seqAdd(wire.serverSeq, genuineFlight.length);
    wire.fromServer(genuineFlight, { lost: true });
    expect(wire.fromClient('', { ...SERVER_SIDE, ack: end }).verdict).toBe('drop');
    expect(wire.connmark).toBe(PENDING);
  });
});

describe('a reset in the client’s name from the server’s side', () => {
  it.each([
    ['that has said nothing', ''],
    ['that asks for TLS', 'EHLO gateway.example\r\n'],
  ])('does not have a connection forgotten %s', (_, words) => {
    const wire = opened();
    wire.fromClient(words);
    expect(wire.fromClient('', { ...SERVER_SIDE, flags: rst | ack }).verdict).toBe('drop');
    wire.wait(31_000);
    expect(wire.engine.flows).toBe(1);
  });
});

describe('endpoints that are used again', () => {
  /** A connection that ended with the accept mark; `gap` milliseconds later the next SYN. */
  function again(gap: number, first = genuineFlight): Wire {
    const wire = opened();
    handshake(wire, first);
    wire.wait(gap);
    wire.clientSeq = 0x10000000;
    wire.serverSeq = 0x20000000;
    wire.atClient.next = undefined;
    return wire;
  }

  it.each([0, 60_000])('%d ms later: a bare SYN, which anyone can forge, clears nothing', (gap) => {
    const wire = again(gap);
    expect(wire.fromClient('', { flags: syn }).verdict).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
  });

  it.each([0, 60_000])('%d ms later: the SYN/ACK that acknowledges the new SYN starts inspection afresh', (gap) => {
    const wire = again(gap);
    wire.open();
    expect(wire.connmark).toBe(PENDING);
    expect(handshake(wire, forgedFlight)).toBe('pin-mismatch');
    expect(hasForged(wire)).toBe(false);
    expect(wire.connmark).toBe(DENY);
  });

  it.each([0, 60_000])('%d ms later: what was denied is judged again', (gap) => {
    const wire = again(gap, forgedFlight);
    expect(wire.connmark).toBe(DENY);
    wire.open();
    expect(wire.connmark).toBe(PENDING);
    expect(handshake(wire, genuineFlight)).toBe('pin-match');
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('a SYN that is never answered takes nothing from the connection that is open', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromClient('', { flags: syn, seq: 0x30000000 });
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
    expect(hasForged(wire)).toBe(false);
  });

  it('the connection that is replaced leaves no packet without a verdict', () => {
    const wire = new Wire({ pinsets: [bankWith({})] }, {}).open();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight.subarray(0, 100));
    expect(wire.held).toBe(1);
    wire.fromClient('', { flags: syn, seq: 0x30000000 });
    wire.fromServer('', { flags: syn | ack, seq: 0x40000000, ack: 0x30000001 });
    expect(wire.held).toBe(0);
    wire.finish();
  });
});
