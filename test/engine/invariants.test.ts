/** The promises of the engine, each shown where it would break first. The rest of this folder shows them in all cases. */
import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS, type LimitName } from '../../src/pins/limits.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import {
  ACCEPT,
  bank,
  DENY,
  FORGED,
  forgedFlight,
  GENUINE,
  genuineFlight,
  hasForged,
  HOST,
  opened,
  PENDING,
} from '../support/flows.ts';
import { match, pin, range } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const { syn, ack, rst } = TCP_FLAG;
const hello = tls.clientHello(HOST);

function greeted(fields = {}): Wire {
  const wire = opened(fields);
  wire.fromClient(hello);
  return wire;
}

describe('1. one verdict per packet, always', () => {
  it('received is accepted and dropped and held, at every moment', () => {
    const wire = greeted();
    const counted = () => {
      const { received, accepted, dropped } = wire.engine.counters;
      return [received, accepted + dropped + wire.engine.heldPackets];
    };
    for (let at = 0; at < forgedFlight.length; at += 200) {
      wire.fromServer(forgedFlight.subarray(at, at + 200));
      const [received, answered] = counted();
      expect(received).toBe(answered);
    }
    wire.fromServer('x', { badChecksum: true });
    wire.fromServer('x', { flags: 0 });
    wire.fromClient('');
    expect(counted()[0]).toBe(counted()[1]);
    wire.finish();
  });
});

describe('2. the decision belongs to the flow', () => {
  it('both directions, every retransmission, also after the engine has forgotten the connection', () => {
    const wire = greeted();
    wire.fromServer(forgedFlight);
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
    for (const wait of [0, 60_000]) {
      wire.wait(wait);
      expect(wire.fromServer(forgedFlight, { seq: seqAdd(wire.serverSeq, -forgedFlight.length) }).verdict).toBe('drop');
      expect(wire.fromClient(hello, { seq: seqAdd(wire.clientSeq, -hello.length) }).verdict).toBe('drop');
    }
  });

  it('survives the engine: the connmark says it', () => {
    for (const [flight, mark] of [
      [genuineFlight, ACCEPT],
      [forgedFlight, DENY],
    ] as const) {
      const wire = greeted();
      wire.fromServer(flight);
      wire.fromClient('');
      expect(wire.connmark).toBe(mark);
      wire.restart({ pinsets: [bank()] });
      const verdict = mark === ACCEPT ? 'accept' : 'drop';
      expect(wire.fromServer('later').verdict).toBe(verdict);
      expect(wire.fromClient('later').verdict).toBe(verdict);
      expect(wire.connmark).toBe(mark);
    }
  });

  it('has one record', () => {
    const wire = greeted();
    for (let i = 0; i < 3; i++) wire.fromServer(forgedFlight, { seq: wire.serverSeq });
    wire.wait(100_000);
    wire.finish();
    expect(wire.verdicts.length).toBe(1);
  });
});

describe('3. one value per sequence number, until the client has acknowledged it', () => {
  it('genuine octets that never arrive do not buy the place of forged ones', () => {
    const wire = greeted();
    const first = wire.serverSeq;
    wire.fromServer(genuineFlight, { lost: true });
    wire.fromClient('');
    expect(wire.connmark).toBe(PENDING);
    wire.fromServer(forgedFlight, { seq: first });
    expect(wire.atClient.stream.length).toBe(0);
    expect(hasForged(wire)).toBe(false);
  });

  it('the accept mark goes with a packet from where the SYN came, and covers the decision', () => {
    const wire = greeted();
    const end = seqAdd(wire.serverSeq, genuineFlight.length);
    wire.fromServer(genuineFlight);
    wire.fromClient('', { inIfindex: 3 });
    wire.fromClient('', { ack: seqAdd(end, -1) });
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient('', { ack: end });
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('4. nothing becomes contiguous past the decision point before the decision', () => {
  it('the client never has the octet that completes a forged certificate, whichever comes last', () => {
    const complete = forgedFlight.length - tls.serverHelloDone.length;
    for (const last of [0, 3, 5, 40, 90, 500, complete - 1]) {
      const wire = greeted();
      const first = wire.serverSeq;
      wire.fromServer(forgedFlight.subarray(0, last), { seq: first });
      wire.fromServer(forgedFlight.subarray(last + 1), { seq: seqAdd(first, last + 1) });
      wire.wait(31);
      expect(wire.verdicts).toEqual([]);
      wire.fromServer(forgedFlight.subarray(last, last + 1), { seq: seqAdd(first, last) });
      expect(wire.verdicts, `octet ${last}`).toMatchObject([{ reason: 'pin-mismatch' }]);
      expect(hasForged(wire)).toBe(false);
      wire.finish();
    }
  });

  it('a match that needs the proof waits for it, and a mismatch does not', () => {
    const signed = tls.signedFlight({}, GENUINE);
    const wire = opened({}, { proves: () => false });
    wire.fromClient(hello);
    for (let at = 0; at < signed.length; at += 50) wire.fromServer(signed.subarray(at, at + 50));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-proof' }]);
    expect(wire.atClient.stream.includes(tls.serverHelloDone)).toBe(false);
  });
});

describe('5. only what the client sent can make a flow unpinned', () => {
  const serverOctets: Record<string, Buffer> = {
    nothing: Buffer.alloc(0),
    'a greeting': Buffer.from('220 ready\r\n'),
    'a HelloRequest': tls.record(22, tls.helloRequest),
    'a warning': tls.alert('warning', 112),
    'a fatal alert': tls.alert('fatal', 40),
    'a TLS 1.3 hello': tls.record(22, tls.serverHello13),
    'an abbreviated flight': Buffer.concat([tls.record(22, tls.serverHello()), tls.changeCipherSpec, tls.finished]),
    'octets of nothing': Buffer.from('ffffffffffffffffffff', 'hex'),
  };

  it.each(Object.entries(serverOctets))(
    '%s of the server, before and after the hello, accepts nothing',
    (_what, octets) => {
      for (const early of [true, false]) {
        const wire = opened();
        if (early) wire.fromServer(octets);
        wire.fromClient('');
        if (!early) {
          wire.fromClient(hello);
          wire.fromServer(octets);
          wire.wait(31);
        }
        wire.fromClient('');
        expect(wire.connmark).not.toBe(ACCEPT);
      }
    },
  );

  it('the client does, by its name', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello('other.example'));
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('6. undecided never becomes accepted by forgetting', () => {
  it('the pending mark goes with the SYN', () => {
    const wire = new Wire({ pinsets: [bank()] });
    expect(wire.fromClient('', { flags: syn }).connmark).toBe(PENDING);
  });

  it.each(['the SYN', 'the SYN/ACK', 'the handshake', 'the hello', 'a part of the flight'])(
    'an engine that is killed after %s and started again denies the pending flow',
    (after) => {
      const wire = new Wire({ pinsets: [bank()] });
      const restart = (point: string) => {
        if (point === after) wire.restart({ pinsets: [bank()] });
      };
      wire.fromClient('', { flags: syn });
      wire.clientSeq = seqAdd(wire.clientSeq, 1);
      restart('the SYN');
      wire.fromServer('', { flags: syn | ack });
      wire.serverSeq = seqAdd(wire.serverSeq, 1);
      wire.atServer.start(wire.clientSeq);
      wire.atClient.start(wire.serverSeq);
      restart('the SYN/ACK');
      wire.fromClient('');
      restart('the handshake');
      wire.fromClient(hello);
      restart('the hello');
      wire.fromServer(forgedFlight.subarray(0, 300));
      restart('a part of the flight');
      wire.fromServer(forgedFlight.subarray(300));
      wire.fromServer(forgedFlight, { seq: seqAdd(wire.serverSeq, -forgedFlight.length) });
      wire.fromClient('');
      expect(hasForged(wire)).toBe(false);
      expect(wire.connmark).toBe(PENDING);
      expect(wire.atClient.flags.some((flags) => (flags & rst) !== 0)).toBe(true);
      // What the repetition became is answered by who has closed, and that goes on.
      wire.fromClient('', { flags: rst });
      expect(wire.atServer.flags.at(-1)! & rst).toBe(rst);
    },
  );

  it('a connection without its hello that is given up for room is denied when it speaks again', () => {
    const wire = new Wire({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, flows: 1 } }).open();
    wire.fromClient('', { flags: syn, ctid: 5, seq: 1 });
    wire.fromClient(tls.clientHello('other.example'));
    wire.fromServer(forgedFlight);
    expect(hasForged(wire)).toBe(false);
    expect(wire.connmark).toBe(PENDING);
  });
});

describe('7. a pin matches only the leaf or a certificate on the verified path from it', () => {
  const INTER = fixturePath('inter');
  const issuer = pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!);
  const facts = (onPath: number[], nameMatches = true) => ({
    onPath,
    anchorsOnPath: [],
    nameMatches,
    leafValidAt: true,
    trusted: false,
    exhausted: false as const,
  });

  it.each([
    ['on the path, with the name', [0, 1], true, 'pin-match'],
    ['beside the path', [0], true, 'pin-mismatch'],
    ['on the path, without any name that fits', [0, 1], false, 'name-mismatch'],
  ])('an issuer %s', (_where, onPath, name, reason) => {
    const wire = opened(
      { pinsets: [bank({ pins: [issuer] })] },
      { examiner: { examine: (_request, done) => done(facts(onPath, name)) } },
    );
    wire.fromClient(hello);
    wire.fromServer(tls.serverFlight(GENUINE, INTER));
    expect(wire.verdicts).toMatchObject([{ reason }]);
  });

  it('"any certificate in the message" satisfies no pin', () => {
    const wire = greeted();
    wire.fromServer(tls.serverFlight(FORGED, GENUINE));
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });
});

describe('8. everything is bounded', () => {
  it('each limit has a counter of its name', () => {
    const wire = new Wire();
    const names = Object.keys(LIMIT_DEFAULTS) as LimitName[];
    for (const name of names) expect(wire.engine.counters.limits[name]).toBe(0);
  });

  it('connections: no more than the table holds, whatever comes', () => {
    const wire = new Wire({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, flows: 3 } });
    for (let ctid = 1; ctid <= 20; ctid++) wire.fromClient('', { flags: syn, ctid, seq: ctid });
    expect(wire.engine.flows).toBe(3);
    expect(wire.engine.counters.limits.flows).toBe(17);
  });

  it('memory of a connection: what was received and is not acknowledged, and no more', () => {
    const limits = { ...LIMIT_DEFAULTS, outOfOrderBytes: 4096 };
    const wire = opened({ limits, pinsets: [bank({ match: match({ addresses: [range('198.51.100.7')] }) })] });
    wire.fromClient(hello);
    for (let at = 4000; at > 0; at -= 100) wire.fromServer(Buffer.alloc(50), { seq: seqAdd(wire.serverSeq, at) });
    for (let i = 0; i < 100; i++)
      wire.fromServer(Buffer.alloc(1000), { seq: seqAdd(wire.serverSeq, 100_000 + i * 1000) });
    expect(wire.engine.counters.limits.outOfOrderBytes).toBeGreaterThanOrEqual(100);
    expect(wire.engine.flows).toBe(1);
  });

  it('time of a connection: one that says nothing is forgotten', () => {
    const wire = opened();
    wire.wait(299_000);
    expect(wire.engine.flows).toBe(1);
    wire.wait(2_000);
    expect(wire.engine.flows).toBe(0);
    const half = new Wire({ pinsets: [bank()] });
    half.fromClient('', { flags: syn });
    half.wait(131_000);
    expect(half.engine.flows).toBe(0);
  });
});
