/** What a server shows counts for whoever learns only once the client believes it: by what it sends then. */
import { describe, expect, it } from 'vitest';

import type { FlowEvent } from '../../src/judge/events.ts';
import type { ProbeAnswer, Prober } from '../../src/judge/ports.ts';
import { DatagramWire } from '../support/datagram-wire.ts';
import * as dtls from '../support/dtls-bytes.ts';
import {
  ACCEPT,
  bank,
  forgedFlight,
  GENUINE,
  genuineFlight,
  genuinePin,
  HOST,
  opened,
  PENDING,
} from '../support/flows.ts';
import { PINNED } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const learning = bank({ pins: [], mode: 'learn' });
const continued = ({ events }: { events: readonly FlowEvent[] }) =>
  events.flatMap((event) => (event.kind === 'continued' ? [event.verdict] : []));
const cut = (octets: Uint8Array, at: number) => [octets.subarray(0, at), octets.subarray(at)] as const;

describe('over TLS 1.2', () => {
  const shown = (pinset = learning, flight = genuineFlight) => {
    const wire = opened({ pinsets: [pinset] });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(flight);
    return wire;
  };

  it('with its data, wherever they are cut, and once', () => {
    const octets = Buffer.concat([tls.clientFinish, tls.applicationData]);
    for (let at = 0; at < octets.length; at++) {
      const wire = shown();
      for (const part of cut(octets, at)) {
        expect(continued(wire)).toEqual([]);
        if (part.length > 0) expect(wire.fromClient(part).verdict).toBe('accept');
      }
      wire.fromClient(tls.applicationData);
      expect(continued(wire)).toMatchObject([
        { action: 'accept', reason: 'learning', proven: true, evidence: 'observed' },
      ]);
      expect(wire.connmark).toBe(ACCEPT);
    }
  });

  it('not with its Finished, since some look at the certificate behind it: the mark waits, packets pass', () => {
    const wire = shown();
    expect(wire.fromClient(tls.clientFinish).verdict).toBe('accept');
    expect(wire.fromServer(Buffer.concat([tls.changeCipherSpec, tls.finished])).verdict).toBe('accept');
    expect(wire.fromClient(tls.record(21, Buffer.alloc(26))).verdict).toBe('accept');
    expect([continued(wire), wire.connmark]).toEqual([[], PENDING]);
  });

  it('not with an alert', () => {
    const wire = shown();
    wire.fromClient(tls.alert('fatal', 42));
    wire.fromClient('', { flags: 0x11 });
    expect(continued(wire)).toEqual([]);
  });

  it('not with data that are sent again as others', () => {
    const wire = shown();
    const seq = wire.clientSeq;
    wire.fromClient(tls.clientFinish, { seq });
    const other = Buffer.from(tls.clientFinish);
    other[10]! ^= 1;
    wire.fromClient(Buffer.concat([other, tls.applicationData]), { seq });
    expect([continued(wire), wire.connmark]).toEqual([[], ACCEPT]);
  });

  it('also of a host that is held already, and says by which configuration it was decided', () => {
    const held = bank({ then: 'enforce' });
    const wire = opened({ pinsets: [held], hash: 'sha256:01' });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight);
    wire.reload({ pinsets: [held], hash: 'sha256:02' });
    wire.fromClient(Buffer.concat([tls.clientFinish, tls.applicationData]));
    expect(continued(wire)).toMatchObject([{ reason: 'pin-match', config: 'sha256:01' }]);
  });

  it('is not asked where nothing is learned, nor of what is denied', () => {
    for (const [pinset, flight] of [
      [bank(), genuineFlight],
      [bank({ then: 'enforce' }), forgedFlight],
    ] as const) {
      const wire = shown(pinset, flight);
      wire.fromClient(tls.clientFinish);
      wire.fromClient(tls.applicationData);
      expect(continued(wire)).toEqual([]);
    }
    const wire = shown(bank());
    wire.fromClient(tls.clientFinish);
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('is not asked where the proof failed', () => {
    const unproven = bank({ pins: [], mode: 'learn' });
    const wire = new Wire({ pinsets: [unproven] }, { proves: () => false }).open();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(tls.signedFlight({}, GENUINE));
    wire.fromClient(Buffer.concat([tls.clientFinish, tls.applicationData]));
    expect([continued(wire), wire.verdicts[0]!.reason]).toEqual([[], 'no-proof']);
  });

  it('of a client that has nothing to say for an hour, when it has', () => {
    const wire = shown();
    wire.fromClient(tls.clientFinish);
    wire.wait(3_600_000);
    expect(wire.fromClient(tls.applicationData).verdict).toBe('accept');
    expect([continued(wire).length, wire.connmark]).toEqual([1, ACCEPT]);
  });

  it('is not waited for where only the server speaks', () => {
    const wire = shown();
    wire.fromClient(tls.clientFinish);
    for (let sent = 0; sent < 300_000; sent += 20_000) wire.fromServer(Buffer.alloc(20_000, 0x17));
    wire.fromClient('');
    expect([continued(wire), wire.connmark]).toEqual([[], ACCEPT]);
  });
});

describe('over TLS 1.3, where records do not say what they are', () => {
  const alert = tls.record(23, Buffer.alloc(19));
  const finished = tls.record(23, Buffer.alloc(53));
  const probed = (hello: Buffer) => {
    const prober: Prober = { probe: (_request, done) => done(ANSWER) };
    const pinset = { ...learning, situations: { ...PINNED, tls13: 'probe' as const } };
    const wire = new Wire({ pinsets: [pinset] }, { prober }).open();
    wire.fromClient(hello);
    wire.fromServer(tls.record(22, tls.serverHello13));
    return wire;
  };
  const ANSWER: ProbeAnswer = {
    kind: 'certificates',
    chain: [tls.der(GENUINE)],
    isRawPublicKey: false,
    version: 0x0304,
    proven: true,
    alternatives: [],
    fromCache: false,
  };
  const hello = tls.clientHello({
    name: HOST,
    supportedVersions: [0x0304],
    extensions: [tls.extension(51, Buffer.alloc(40))],
  });

  it.each<[string, readonly Buffer[], number]>([
    ['what follows its Finished', [tls.changeCipherSpec, finished, tls.applicationData], 1],
    ['not an alert instead of it', [tls.changeCipherSpec, alert], 0],
    ['not its Finished alone', [tls.changeCipherSpec, finished], 0],
    ['not its Finished and a farewell', [finished, alert], 0],
  ])('with %s', (_what, flight, count) => {
    const wire = probed(hello);
    expect(wire.verdicts).toMatchObject([{ reason: 'learning', evidence: 'probed', proven: true }]);
    for (const part of flight) wire.fromClient(part);
    expect(continued(wire)).toHaveLength(count);
  });

  it('not of a client that sends data before it has seen anything', () => {
    const early = { name: HOST, supportedVersions: [0x0304], extensions: [tls.extension(51, Buffer.alloc(40))] };
    const wire = probed(tls.clientHello({ ...early, earlyData: true, psk: true }));
    for (let i = 0; i < 4; i++) wire.fromClient(tls.applicationData);
    expect(wire.verdicts).toMatchObject([{ reason: 'learning' }]);
    expect(continued(wire)).toEqual([]);
  });
});

describe('over DTLS', () => {
  /** Key transport, by RSA. */
  const TRANSPORT = 0x009c;
  const handshake = (...parts: readonly Uint8Array[]) => dtls.dtlsRecord(22, Buffer.concat(parts));
  const keyExchange = handshake(...dtls.fragments(tls.handshake(16, tls.vector16(Buffer.alloc(65, 0x0c))), 1));
  const finished = dtls.dtlsRecord(22, Buffer.alloc(60, 0x5a), { epoch: 1 });
  const shown = (pinset = learning, suite = 0xc02f) => {
    const wire = new DatagramWire({ pinsets: [pinset] });
    const messages = [
      dtls.overDatagrams(tls.serverHello({ suite })),
      tls.certificateMessage(GENUINE),
      ...(suite === TRANSPORT ? [] : [tls.serverKeyExchange()]),
      tls.serverHelloDone,
    ];
    wire.fromClient(handshake(...dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name: HOST })), 0)));
    wire.fromServer(handshake(...messages.flatMap((message, i) => dtls.fragments(message, i))));
    return wire;
  };

  it('with its Finished, since media may be all that follows', () => {
    const wire = shown();
    wire.fromClient(keyExchange);
    expect([continued(wire), wire.connmark]).toEqual([[], 0]);
    wire.fromClient(finished);
    expect(wire.connmark).toBe(ACCEPT);
    expect(continued(wire)).toMatchObject([{ datagrams: 'dtls', reason: 'learning', proven: true }]);
    wire.fromClient(finished);
    expect(continued(wire)).toHaveLength(1);
  });

  it('not where nothing is signed, and its Finished says nothing of the server: the mark does not wait', () => {
    const wire = shown(learning, TRANSPORT);
    wire.fromClient(keyExchange);
    expect(wire.connmark).toBe(0);
    wire.fromClient(finished);
    expect([continued(wire), wire.connmark]).toEqual([[], ACCEPT]);
  });

  it('not with an alert', () => {
    const wire = shown();
    wire.fromClient(dtls.dtlsRecord(21, Buffer.of(2, 42)));
    expect(continued(wire)).toEqual([]);
  });

  it('is not asked where nothing is learned', () => {
    const wire = shown(bank({ pins: [genuinePin] }));
    wire.fromClient(keyExchange);
    expect([continued(wire), wire.connmark]).toEqual([[], ACCEPT]);
  });
});
