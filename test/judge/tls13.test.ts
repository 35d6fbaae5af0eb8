/** TLS 1.3 as the engine decides it: real handshakes of OpenSSL, and a prober and a key log that answer when told. */
import type { ConnectionOptions } from 'node:tls';

import { beforeAll, describe, expect, it } from 'vitest';

import type { HiddenCertificate } from '../../src/pins/policy.ts';
import { KeyLogStore } from '../../src/source/key-log-store.ts';
import { parseKeyLog } from '../../src/source/key-log.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { HOST, PENDING } from '../support/flows.ts';
import { match, pin, PINNED, pinset, UNPINNED } from '../support/policy.ts';
import { record, ServerMemory, type Recording } from '../support/recorded.ts';
import * as tls from '../support/tls-bytes.ts';
import {
  Asked,
  FAILED,
  MSS,
  PIN,
  flights,
  forged,
  forgedDer,
  genuine,
  genuineDer,
  pinned,
  shown,
  wireWith,
} from '../support/tls13-flows.ts';

let toGenuine: Recording;
let toForged: Recording;
let toOld: Recording;
beforeAll(async () => {
  toGenuine = await record({ identity: genuine });
  toForged = await record({ identity: forged });
  toOld = await record({ identity: forged, maxVersion: 'TLSv1.2' });
});

describe('a probe', () => {
  const probing = (tls13: HiddenCertificate = 'probe', more: object = {}) => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13, ...more }), { prober });
    return { prober, wire };
  };

  it('is asked with the hello, as soon as it is there; the server’s answer waits for it', () => {
    const { prober, wire } = probing();
    const { hello, server } = flights(toGenuine);
    expect(wire.fromClient(hello)).toMatchObject({ verdict: 'accept' });
    expect(prober.requests).toMatchObject([{ server: { port: 443 }, starttls: null, recordVersion: 0x0301 }]);
    expect(Buffer.from(prober.requests[0]!.clientHello)).toEqual(hello.subarray(9));
    expect(wire.fromServer(server.subarray(0, MSS))).toMatchObject({ verdict: 'held' });
    prober.answer(shown(genuineDer));
    expect(wire.held).toBe(0);
    expect(wire.atClient.stream).toEqual(server.subarray(0, MSS));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match', evidence: 'probed' }]);
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient('');
    expect(wire.connmark).toBe(0x1000000);
  });

  it('that has answered by then costs nothing', () => {
    const { prober, wire } = probing();
    const { hello, server } = flights(toGenuine);
    wire.fromClient(hello);
    prober.answer(shown(genuineDer));
    expect(wire.verdicts).toEqual([]);
    expect(wire.fromServer(server.subarray(0, MSS))).toMatchObject({ verdict: 'accept' });
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match', heldMicros: 0 }]);
  });

  it.each([
    ['another certificate', shown(forgedDer), 'probe-mismatch', 'probed'],
    ['the genuine one without its key', shown(genuineDer, { proven: false }), 'no-proof', 'probed'],
    ['two, one of them another', undefined, 'probe-inconsistent', 'probed'],
    ['none', FAILED, 'probe-failed', 'none'],
  ] as const)(
    'that is shown %s denies with an alert, and the client gets nothing else',
    (_, answer, reason, evidence) => {
      const { prober, wire } = probing();
      const { hello, server } = flights(toForged);
      wire.fromClient(hello);
      wire.fromServer(server.subarray(0, MSS));
      const other = { chain: [forgedDer], isRawPublicKey: false, proven: true };
      prober.answer(answer ?? shown(genuineDer, { alternatives: [other] }));
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason, evidence }]);
      expect([...wire.atClient.stream]).toEqual([21, 3, 3, 0, 2, 2, expect.any(Number)]);
      expect(wire.held).toBe(0);
    },
  );

  it('of which two were shown another chain each is consistent where all of them match', () => {
    const { prober, wire } = probing();
    const { hello, server } = flights(toGenuine);
    wire.fromClient(hello);
    wire.fromServer(server.subarray(0, MSS));
    const other = { chain: [genuineDer, forgedDer], isRawPublicKey: false, proven: true };
    prober.answer(shown(genuineDer, { alternatives: [other] }));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match' }]);
  });

  it('that fails accepts with probe-else-accept, and the record says what it rests on', () => {
    const { prober, wire } = probing('probe-else-accept');
    const { hello, server } = flights(toForged);
    wire.fromClient(hello);
    prober.answer(FAILED);
    expect(wire.fromServer(server)).toMatchObject({ verdict: 'accept' });
    expect(wire.verdicts).toMatchObject([
      { action: 'accept', reason: 'probe-failed', evidence: 'none', fault: 'probe.unreachable.ECONNREFUSED' },
    ]);
  });

  it('that never answers ends at its deadline', () => {
    const { wire } = probing();
    const { hello, server } = flights(toForged);
    wire.fromClient(hello);
    wire.fromServer(server.subarray(0, MSS));
    wire.wait(2_900);
    expect(wire.held).toBe(1);
    wire.wait(200);
    expect(wire.held).toBe(0);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'overload' }]);
  });

  it('says nothing of a server that shows its certificate itself', () => {
    const { prober, wire } = probing();
    const { hello, server } = flights(toOld);
    wire.fromClient(hello);
    prober.answer(shown(genuineDer));
    wire.fromServer(server);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch', evidence: 'observed' }]);
    expect(wire.atClient.stream.includes(Buffer.from(forgedDer))).toBe(false);
  });

  it('is not asked ahead of a server that showed its certificate itself the last time', () => {
    const { prober, wire } = probing();
    /** Questions when the hello is out, and when the server has answered. */
    const visit = (recording: Recording): readonly [number, number] => {
      const before = prober.requests.length;
      const { hello, server } = flights(recording);
      wire.fromClient(hello);
      const asked = prober.requests.length - before;
      wire.fromServer(server.subarray(0, MSS));
      const inTheEnd = prober.requests.length - before;
      if (inTheEnd > 0) prober.answer(shown(forgedDer));
      wire.fromClient('');
      wire.clientSeq += 0x10000;
      wire.serverSeq += 0x10000;
      wire.atClient.next = undefined;
      wire.open();
      return [asked, inTheEnd];
    };
    expect(visit(toOld)).toEqual([1, 1]);
    expect(visit(toOld)).toEqual([0, 0]);
    expect(visit(toForged)).toEqual([0, 1]);
    expect(visit(toForged)).toEqual([1, 1]);
    expect(wire.verdicts.map(({ reason }) => reason)).toEqual([
      'pin-mismatch',
      'pin-mismatch',
      'probe-mismatch',
      'probe-mismatch',
    ]);
  });

  it('is not asked where the configuration decides without it', () => {
    for (const tls13 of ['accept', 'deny'] as const) {
      const { prober, wire } = probing(tls13);
      const { hello, server } = flights(toForged);
      wire.fromClient(hello);
      wire.fromServer(server);
      expect(prober.requests).toEqual([]);
      expect(wire.verdicts).toMatchObject([
        { action: tls13 === 'accept' ? 'accept' : 'tls-alert', reason: 'no-certificate', evidence: 'none' },
      ]);
    }
  });

  it('shows deny lists what they may deny, where the unpinned are probed', () => {
    const deny = [pin('cert-sha256', presentCertificate(forgedDer).sha256, { at: 'any' })];
    const lists = [pinset(0, { name: 'list', match: match(), pins: [], deny })];
    for (const [der, answer] of [
      [forgedDer, { action: 'tls-alert', reason: 'deny-pin', pinset: 'list', evidence: 'probed' }],
      [genuineDer, { action: 'accept', reason: 'unpinned', evidence: 'probed' }],
    ] as const) {
      const prober = new Asked();
      const log = { unpinned: true, certificates: 'pins' };
      const wire = wireWith({ pinsets: lists, unpinned: { ...UNPINNED, tls13: 'probe' }, log }, { prober });
      const { hello, server } = flights(toForged);
      wire.fromClient(hello);
      wire.fromServer(server.subarray(0, MSS));
      prober.answer(shown(der));
      expect(wire.verdicts).toMatchObject([answer]);
    }
  });

  it.each([
    ['pin', genuineDer, { action: 'accept', reason: 'probe-match' }],
    ['pin', forgedDer, { action: 'tls-alert', reason: 'probe-mismatch' }],
    ['deny', genuineDer, { action: 'tls-alert', reason: 'raw-public-key' }],
  ] as const)('that was shown a raw public key is taken as rawPublicKey has it: %s', (rawPublicKey, of, ruling) => {
    const { prober, wire } = probing('probe');
    wire.reload(pinned({ tls13: 'probe', rawPublicKey }));
    const { hello, server } = flights(toGenuine);
    wire.fromClient(hello);
    wire.fromServer(server.subarray(0, MSS));
    prober.answer(shown(presentCertificate(of).spki!, { isRawPublicKey: true }));
    expect(wire.verdicts).toMatchObject([ruling]);
  });

  it('that only reports lets everything pass, and says what would have been', () => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13: 'probe' }, { mode: 'report-only' }), { prober });
    const { hello, server } = flights(toForged);
    wire.fromClient(hello);
    wire.fromServer(server.subarray(0, MSS));
    prober.answer(shown(forgedDer));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-mismatch', would: 'tls-alert' }]);
    expect(wire.atClient.stream).toEqual(server.subarray(0, MSS));
  });

  it('is judged by the configuration that is in force when it answers', () => {
    const { prober, wire } = probing();
    const { hello, server } = flights(toGenuine);
    wire.fromClient(hello);
    wire.fromServer(server.subarray(0, MSS));
    wire.reload(pinned({ tls13: 'probe' }, { pins: [pin('spki-sha256', 'ab'.repeat(32))] }));
    expect(wire.held).toBe(1);
    prober.answer(shown(genuineDer));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'probe-mismatch' }]);
  });

  async function resumption(client: ConnectionOptions): Promise<Recording> {
    const server = { identity: genuine, maxVersion: 'TLSv1.2', memory: new ServerMemory() } as const;
    const { session } = await record(server, client);
    const recording = await record(server, { ...client, session: session! });
    expect(recording.resumed).toBe(true);
    return recording;
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'decides a resumption that nothing is known of, of a client that knows TLS up to %s',
    async (offered) => {
      const { hello, server } = flights(await resumption({ maxVersion: offered }));
      for (const [answer, ruling] of [
        [shown(genuineDer, { version: 0x0303 }), { action: 'accept', reason: 'probe-match', evidence: 'probed' }],
        [shown(forgedDer, { version: 0x0303 }), { action: 'tls-alert', reason: 'probe-mismatch' }],
        [FAILED, { action: 'tls-alert', reason: 'probe-failed' }],
      ] as const) {
        const prober = new Asked();
        const wire = wireWith(pinned({ resumed: 'bound-else-probe' }), { prober });
        wire.fromClient(hello);
        expect(wire.fromServer(server)).toMatchObject({ verdict: 'held' });
        prober.answer(answer);
        expect(wire.verdicts).toMatchObject([ruling]);
      }
    },
  );

  it('that cannot be asked leaves an unknown resumption what it is: unbound', async () => {
    const { hello, server } = flights(await resumption({ maxVersion: 'TLSv1.2' }));
    const wire = wireWith(pinned({ resumed: 'bound-else-probe' }), {});
    wire.fromClient(hello);
    wire.fromServer(server);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'resumed-unbound', evidence: 'none' }]);
  });
});

describe('early data', () => {
  const EARLY_DATA = 42;
  const EARLY = Buffer.from([23, 3, 3, 0, 5, ...Buffer.from('early')]);
  const early = (recording: Recording) => withEmptyExtension(flights(recording).hello, EARLY_DATA);

  it('waits with its hello for the probe, and goes when it matches', () => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13: 'probe' }), { prober });
    expect(wire.fromClient(early(toGenuine))).toMatchObject({ verdict: 'held' });
    expect(wire.fromClient(EARLY)).toMatchObject({ verdict: 'held' });
    expect(wire.fromClient(EARLY, { seq: wire.clientSeq - EARLY.length })).toMatchObject({ verdict: 'drop' });
    expect(wire.atServer.stream).toHaveLength(0);
    prober.answer(shown(genuineDer));
    expect(wire.atServer.stream.subarray(-EARLY.length)).toEqual(EARLY);
    wire.fromServer(flights(toGenuine).server.subarray(0, MSS));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match', evidence: 'probed' }]);
  });

  it('waits on after a reload, for what was asked already', () => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13: 'probe' }), { prober });
    wire.fromClient(early(toGenuine));
    wire.reload(pinned({ tls13: 'probe' }));
    expect(prober.requests).toHaveLength(1);
    expect(wire.atServer.stream).toHaveLength(0);
    prober.answer(shown(genuineDer));
    expect(wire.atServer.stream).toEqual(early(toGenuine));
    expect(wire.held).toBe(0);
  });

  it('is denied by a reload that lets none through, while the probe is awaited, or its path', () => {
    const checks = { ...PINNED.checks, validity: 'on' } as const;
    const above = [pin('spki-sha256', PIN.key, { at: 'path' })];
    for (const isAnswered of [false, true]) {
      const prober = new Asked();
      const examiner = { examine: () => undefined };
      const wire = wireWith(pinned({ tls13: 'probe', checks }, { pins: above }), { prober, examiner });
      wire.fromClient(early(toGenuine));
      if (isAnswered) prober.answer(shown(genuineDer));
      expect(wire.verdicts).toEqual([]);
      wire.reload(pinned({ tls13: 'probe', earlyData: 'deny', checks }, { pins: above }));
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
      expect(wire.atServer.stream).toHaveLength(0);
    }
  });

  it('of which nobody can tell goes where that accepts, and what the server shows in clear counts all the same', () => {
    for (const [recording, ruling] of [
      [toForged, { action: 'accept', reason: 'probe-failed', evidence: 'none' }],
      [toOld, { action: 'tls-alert', reason: 'pin-mismatch', evidence: 'observed' }],
    ] as const) {
      const prober = new Asked();
      const wire = wireWith(pinned({ tls13: 'probe-else-accept' }), { prober });
      expect(wire.fromClient(early(recording))).toMatchObject({ verdict: 'held' });
      prober.answer(FAILED);
      expect(wire.verdicts).toEqual([]);
      expect(wire.atServer.stream).toEqual(early(recording));
      wire.fromServer(flights(recording).server.subarray(0, MSS));
      expect(wire.verdicts).toMatchObject([ruling]);
    }
  });

  it('of which nobody can tell is denied where that denies', () => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13: 'probe' }), { prober });
    wire.fromClient(early(toGenuine));
    prober.answer(FAILED);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'probe-failed' }]);
    expect(wire.atServer.stream).toHaveLength(0);
  });

  it('never reaches a server that shows something else', () => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13: 'probe' }), { prober });
    wire.fromClient(early(toForged));
    prober.answer(shown(forgedDer));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'probe-mismatch' }]);
    expect(wire.held).toBe(0);
    expect(wire.atServer.stream).toHaveLength(0);
  });

  it('that ends its stream leaves no packet without a verdict where the server contradicts itself', () => {
    const wire = wireWith(pinned({ tls13: 'probe' }), { prober: new Asked() });
    const { server } = flights(toGenuine);
    const { fin, ack } = TCP_FLAG;
    wire.fromClient(early(toGenuine), { flags: fin | ack });
    const seq = wire.serverSeq;
    expect(wire.fromServer(server.subarray(0, MSS))).toMatchObject({ verdict: 'held' });
    const other = Buffer.from(server.subarray(0, MSS)).fill(0, 100);
    expect(wire.fromServer(other, { seq })).toMatchObject({ verdict: 'drop' });
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'overlap-conflict' }]);
    expect(wire.held).toBe(0);
  });

  it('that was let go is no reason to believe a certificate that goes by in clear', () => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13: 'probe' }), { prober });
    wire.fromClient(early(toOld));
    prober.answer(shown(genuineDer));
    wire.fromServer(flights(toOld).server);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch', evidence: 'observed' }]);
  });

  it.each(['deny', 'keylog'] as const)(
    'is denied at once where %s decides: nothing could be known in time',
    (tls13) => {
      const wire = wireWith(pinned({ tls13 }), { prober: new Asked(), keylog: new KeyLogStore() });
      wire.fromClient(early(toGenuine));
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
      expect(wire.atServer.stream).toHaveLength(0);
    },
  );
});

describe('a key log', () => {
  const logging = (tls13: HiddenCertificate, recording: Recording, more = {}) => {
    const keylog = new KeyLogStore();
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13 }, more), { keylog, prober });
    const { hello, server } = flights(recording);
    const log = () => parseKeyLog(recording.keyLog).forEach((secret) => keylog.add(secret));
    wire.fromClient(hello);
    return { wire, prober, keylog, server, log };
  };
  /** Behind the server’s hello and its ChangeCipherSpec. */
  const clearOctets = (server: Buffer) => 5 + server.readUInt16BE(3) + 6;

  it('gets the server’s hello to the client, and nothing of what is encrypted until the secret is there', () => {
    const { wire, server, log, prober } = logging('keylog', toGenuine);
    wire.fromServer(server.subarray(0, MSS));
    expect(wire.atClient.stream).toEqual(server.subarray(0, clearOctets(server)));
    log();
    expect(wire.verdicts).toMatchObject([
      { action: 'accept', reason: 'pin-match', evidence: 'decrypted', tls: { certificates: [genuineDer] } },
    ]);
    wire.fromServer(server.subarray(0, MSS), { seq: wire.serverSeq - Math.min(MSS, server.length) });
    expect(wire.atClient.stream).toEqual(server.subarray(0, MSS));
    expect(prober.requests).toEqual([]);
  });

  it('with the secret at hand decides at once', () => {
    const { wire, server, log } = logging('keylog', toGenuine);
    log();
    expect(wire.fromServer(server)).toMatchObject({ verdict: 'accept', payload: undefined });
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', evidence: 'decrypted' }]);
  });

  it.each([1, 7, 100, 536])('decides the same in segments of %d octets', (size) => {
    for (const [recording, answer] of [
      [toGenuine, { action: 'accept', reason: 'pin-match', evidence: 'decrypted' }],
      [toForged, { reason: 'pin-mismatch', evidence: 'decrypted' }],
    ] as const) {
      const { wire, server, log } = logging('keylog', recording);
      for (let at = 0; at < server.length; at += size) {
        wire.fromServer(server.subarray(at, at + size));
        if (at < clearOctets(server) && at + size >= clearOctets(server)) log();
      }
      expect(wire.verdicts).toMatchObject([answer]);
    }
  });

  it('denies another certificate, of which the client has nothing', () => {
    const { wire, server, log } = logging('keylog', toForged);
    wire.fromServer(server.subarray(0, MSS));
    log();
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch', evidence: 'decrypted' }]);
    expect(wire.atClient.stream.length).toBeLessThanOrEqual(clearOctets(server));
  });

  it('that says nothing in time denies', () => {
    const { wire, server } = logging('keylog', toGenuine);
    wire.fromServer(server.subarray(0, MSS));
    wire.fromClient('');
    wire.wait(190);
    expect(wire.verdicts).toEqual([]);
    wire.wait(20);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'keylog-missing', evidence: 'none' }]);
  });

  it('whose ServerHello is lost on its way is waited for until the client has it, and leaves nothing to a probe', () => {
    const { wire, server, prober } = logging('keylog-else-probe', toGenuine);
    wire.fromServer(server.subarray(0, MSS), { lost: true });
    wire.wait(210);
    expect(wire.verdicts).toEqual([]);
    wire.wait(2800);
    expect(wire.verdicts).toMatchObject([{ reason: 'overload', fault: 'hold-time' }]);
    expect(prober.requests).toEqual([]);
  });

  it('whose ServerHello is lost on its way has it let go again, up to the same octet', () => {
    const { wire, server, log } = logging('keylog', toGenuine);
    const seq = wire.serverSeq;
    wire.fromServer(server.subarray(0, MSS), { lost: true });
    wire.wait(300);
    wire.fromServer(server.subarray(0, MSS), { seq });
    expect(wire.atClient.stream).toEqual(server.subarray(0, clearOctets(server)));
    log();
    wire.fromServer(server.subarray(0, MSS), { seq });
    wire.fromServer(server.subarray(MSS));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', evidence: 'decrypted' }]);
  });

  it('lets nothing go ahead of a gap that the ServerHello would close', () => {
    const { wire, server, log } = logging('keylog', toGenuine);
    const seq = wire.serverSeq;
    const clear = clearOctets(server);
    wire.fromServer(server.subarray(40), { seq: seqAdd(seq, 40) });
    wire.wait(100);
    wire.fromServer(server.subarray(0, 40), { seq });
    expect(wire.atClient.stream.length).toBeLessThanOrEqual(clear);
    wire.fromServer(server.subarray(40), { seq: seqAdd(seq, 40) });
    expect(wire.atClient.stream).toEqual(server.subarray(0, clear));
    log();
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', evidence: 'decrypted' }]);
  });

  it('that there is none of leaves it to a probe at once where the configuration says so', () => {
    const prober = new Asked();
    const wire = wireWith(pinned({ tls13: 'keylog-else-probe' }), { prober });
    const { hello, server } = flights(toGenuine);
    wire.fromClient(hello);
    wire.fromServer(server.subarray(0, MSS));
    expect(prober.requests).toHaveLength(1);
    prober.answer(shown(genuineDer));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match' }]);
  });

  it('that says nothing in time leaves it to a probe where the configuration says so', () => {
    const { wire, server, prober } = logging('keylog-else-probe', toGenuine);
    expect(prober.requests).toEqual([]);
    wire.fromServer(server.subarray(0, MSS));
    wire.fromClient('');
    wire.wait(210);
    expect(prober.requests).toHaveLength(1);
    prober.answer(shown(genuineDer));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match', evidence: 'probed' }]);
  });

  it('with a wrong secret is as good as none', () => {
    const { wire, server, keylog } = logging('keylog', toGenuine);
    wire.fromServer(server.subarray(0, MSS));
    const [own] = parseKeyLog(toGenuine.keyLog);
    keylog.add({ clientRandom: own!.clientRandom, secret: new Uint8Array(own!.secret.length) });
    expect(wire.verdicts).toMatchObject([
      { action: 'tls-alert', reason: 'keylog-missing', fault: 'tls.record.undecipherable' },
    ]);
  });

  it('opens nothing of a suite that nobody here knows, which denies', () => {
    const keylog = new KeyLogStore();
    const wire = wireWith(pinned({ tls13: 'keylog-else-probe' }), { keylog, prober: new Asked() });
    const random = Buffer.alloc(32, 0xc1);
    wire.fromClient(tls.clientHello({ name: HOST, random, suites: [0x13aa], supportedVersions: [0x0304] }));
    keylog.add({ clientRandom: random, secret: new Uint8Array(32) });
    wire.fromServer(tls.record(22, tls.serverHello({ suite: 0x13aa, selectedVersion: 0x0304 })));
    wire.fromServer(tls.record(23, Buffer.alloc(100)));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'keylog-missing', fault: 'tls.cipher-suite' }]);
  });

  it('keeps nothing of flows that are decided', () => {
    const { wire, server, keylog, log } = logging('keylog', toGenuine);
    log();
    expect(keylog.size).toBe(1);
    wire.fromServer(server);
    expect(keylog.size).toBe(0);
  });

  it('of a capture shows the certificates of flows that no pinset selects', () => {
    const keylog = new KeyLogStore();
    for (const secret of parseKeyLog(toForged.keyLog)) keylog.add(secret);
    const wire = wireWith({}, { keylog, live: false });
    const { hello, server } = flights(toForged);
    wire.fromClient(hello);
    wire.fromServer(server);
    wire.engine.finish();
    expect(wire.verdicts).toMatchObject([
      { action: 'accept', reason: 'unpinned', evidence: 'decrypted', tls: { certificates: [forgedDer] } },
    ]);
  });
});

describe('a key log of a capture', () => {
  const played = (fields: object, recording: Recording, keyLog: Uint8Array) => {
    const keylog = new KeyLogStore();
    for (const secret of parseKeyLog(keyLog)) keylog.add(secret);
    const wire = wireWith(fields, { keylog, live: false });
    const { hello, server } = flights(recording);
    wire.fromClient(hello);
    wire.fromServer(server);
    wire.engine.finish();
    return wire.verdicts;
  };

  it.each(['probe', 'keylog', 'keylog-else-probe', 'probe-else-accept'] as const)(
    'decides what %s asks of a gateway',
    (tls13) => {
      expect(played(pinned({ tls13 }), toGenuine, toGenuine.keyLog)).toMatchObject([
        { action: 'accept', reason: 'pin-match', evidence: 'decrypted' },
      ]);
      expect(played(pinned({ tls13 }), toForged, toForged.keyLog)).toMatchObject([
        { action: 'tls-alert', reason: 'pin-mismatch', evidence: 'decrypted' },
      ]);
    },
  );

  it.each([
    ['keylog', 'keylog-missing'],
    ['probe', 'no-certificate'],
    ['keylog-else-probe', 'no-certificate'],
  ] as const)('without the secret leaves %s what it is without evidence', (tls13, reason) => {
    expect(played(pinned({ tls13 }), toGenuine, new Uint8Array(0))).toMatchObject([
      { action: 'tls-alert', reason, evidence: 'none' },
    ]);
    expect(played(pinned({ tls13 }), toGenuine, toForged.keyLog)).toMatchObject([{ action: 'tls-alert', reason }]);
  });

  it('shows, and decides nothing, where the situation is decided without it', () => {
    expect(played(pinned({ tls13: 'deny' }), toGenuine, toGenuine.keyLog)).toMatchObject([
      { action: 'tls-alert', reason: 'no-certificate' },
    ]);
  });
});

/** The hello, in its record, with one more extension at its end. */
function withEmptyExtension(flight: Buffer, type: number): Buffer {
  const out = Buffer.concat([flight, Buffer.from([type >> 8, type & 0xff, 0, 0])]);
  out.writeUInt16BE(flight.readUInt16BE(3) + 4, 3);
  out.writeUIntBE(flight.readUIntBE(6, 3) + 4, 6, 3);
  let at = 9 + 35 + flight[9 + 34]!;
  at += 2 + flight.readUInt16BE(at);
  at += 1 + flight[at]!;
  out.writeUInt16BE(flight.readUInt16BE(at) + 4, at);
  return out;
}
