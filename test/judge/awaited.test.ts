/**
 * Everything that can be awaited, against everything that can happen meanwhile: nothing of it makes a ruling that accepts,
 * nothing lets the client have what waits, and in the end the flow is denied. What was asked is still awaited afterwards.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { TCP_FLAG } from '../../src/packet/tcp.ts';
import type { ChainFacts } from '../../src/judge/ports.ts';
import type { HiddenCertificate, Situations } from '../../src/pins/policy.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { KeyLogStore } from '../../src/source/key-log-store.ts';
import { parseKeyLog } from '../../src/source/key-log.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { bank, forgedFlight, GENUINE, HOST } from '../support/flows.ts';
import { PINNED, pin } from '../support/policy.ts';
import { record, type Recording, ServerMemory } from '../support/recorded.ts';
import * as tls from '../support/tls-bytes.ts';
import { FAILED, Asked, flights, forged, forgedDer, genuine, genuineDer, PIN, shown } from '../support/tls13-flows.ts';
import { Wire } from '../support/wire.ts';

let whole: Recording;
let genuineWhole: Recording;
/** With a session that the client has of the forger's. */
let resumed: Recording;
let resumed12: Recording;
beforeAll(async () => {
  whole = await record({ identity: forged });
  genuineWhole = await record({ identity: genuine });
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const server = { identity: forged, maxVersion, memory: new ServerMemory() } as const;
    const { session } = await record(server, { maxVersion });
    const again = await record(server, { maxVersion, session: session! });
    expect(again.resumed).toBe(true);
    if (maxVersion === 'TLSv1.3') resumed = again;
    else resumed12 = again;
  }
});

interface Scene {
  readonly wire: Wire;
  readonly prober: Asked;
  readonly keylog: KeyLogStore;
  readonly answers: ((facts: ChainFacts) => void)[];
  readonly fields: object;
  /** Octets of the server's that the client may have. */
  allowed: number;
}

function scene(situations: Partial<Situations>, more: object = {}): Scene {
  const prober = new Asked();
  const keylog = new KeyLogStore();
  const answers: ((facts: ChainFacts) => void)[] = [];
  const fields = { pinsets: [bank({ pins: [PIN], situations: { ...PINNED, ...situations }, ...more })] };
  const examiner = { examine: (_: unknown, done: (facts: ChainFacts) => void) => void answers.push(done) };
  const wire = new Wire(fields, { prober, keylog, examiner }).open();
  return { wire, prober, keylog, answers, fields, allowed: 0 };
}

/** Behind the server’s hello and its ChangeCipherSpec. */
const clearOctets = (server: Buffer) => 5 + server.readUInt16BE(3) + 6;

function hidden(tls13: HiddenCertificate, recording: Recording, upTo = Infinity): Scene {
  const at = scene({ tls13 });
  const { hello, server } = flights(recording);
  at.wire.fromClient(hello);
  if (upTo > 0) at.wire.fromServer(server.subarray(0, Math.min(upTo, 8960)));
  if (tls13.startsWith('keylog')) at.allowed = clearOctets(server);
  return at;
}

const logged = ({ keylog }: Scene, recording: Recording) =>
  parseKeyLog(recording.keyLog).forEach((secret) => keylog.add(secret));

/** TLS 1.2, with the genuine certificate and nobody's key; `issuer`: its issuer is pinned, so its path matters. */
function clear(at: 'server-hello' | 'certificate' | 'proof' | 'path'): Scene {
  const leafPin = pin('spki-sha256', presentCertificate(certificate('leaf')).spkiSha256!);
  const issuerPin = pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!);
  const it = scene({}, { pins: [at === 'path' ? issuerPin : leafPin] });
  it.wire.fromClient(tls.clientHello(HOST));
  if (at === 'server-hello') return it;
  const [hello, shownCertificate] = [tls.serverHello(0xc02f), tls.certificateMessage(GENUINE)];
  const messages = at === 'certificate' ? [hello] : [hello, shownCertificate];
  if (at === 'path') messages.push(tls.serverKeyExchange(), tls.serverHelloDone);
  const flight = tls.record(22, Buffer.concat(messages));
  it.wire.fromServer(flight);
  if (at !== 'path') it.allowed = flight.length;
  return it;
}

/** A match wants a path, whose dates are asked for. */
const byPath = (situations: Partial<Situations>) =>
  bank({
    pins: [pin('spki-sha256', PIN.key, { at: 'path' })],
    situations: { ...PINNED, checks: { ...PINNED.checks, validity: 'on' }, ...situations },
  });

/** The genuine server has shown itself where nobody on the path sees it, and its path is asked for. */
function hiddenPath(tls13: 'probe' | 'keylog'): Scene {
  const at = scene({}, byPath({ tls13 }));
  const { hello, server } = flights(genuineWhole);
  at.wire.fromClient(hello);
  if (tls13 === 'keylog') logged(at, genuineWhole);
  at.wire.fromServer(server.subarray(0, 8960));
  if (tls13 === 'probe') at.prober.answer(shown(genuineDer));
  else at.allowed = clearOctets(server);
  expect(at.answers).toHaveLength(1);
  return at;
}

const states: Readonly<Record<string, () => Scene>> = {
  'a ServerHello': () => hidden('probe', whole, 0),
  'the rest of a ServerHello': () => Object.assign(hidden('probe', whole, 50), { allowed: 50 }),
  'a ServerHello of TLS 1.2': () => clear('server-hello'),
  'a Certificate': () => clear('certificate'),
  'a proof': () => clear('proof'),
  'a path': () => clear('path'),
  'a path that a probe has shown': () => hiddenPath('probe'),
  'a path that a secret has shown': () => hiddenPath('keylog'),
  'a probe': () => hidden('probe', whole),
  'a probe that may fail': () => hidden('probe-else-accept', whole),
  'a secret': () => hidden('keylog', whole),
  'a secret, or else a probe': () => hidden('keylog-else-probe', whole),
  'the encrypted records that a secret is for': () =>
    hidden('keylog-else-probe', whole, clearOctets(flights(whole).server)),
  'a probe, because no secret came': () => {
    const it = hidden('keylog-else-probe', whole);
    it.wire.fromClient('');
    it.wire.wait(210);
    expect(it.prober.requests).toHaveLength(1);
    return it;
  },
  'a probe, because a secret shows a session and no certificate': () => {
    const it = hidden('keylog-else-probe', resumed);
    logged(it, resumed);
    expect(it.prober.requests).toHaveLength(1);
    return it;
  },
  'a probe for a session of TLS 1.2': () => {
    const it = scene({ resumed: 'bound-else-probe' });
    const { hello, server } = flights(resumed12);
    it.wire.fromClient(hello);
    it.wire.fromServer(server);
    expect(it.prober.requests).toHaveLength(1);
    return it;
  },
};

const list = { id: 'bad', writable: true, file: null, kind: null, entries: [] };
const events: Readonly<Record<string, (scene: Scene) => void>> = {
  'nothing at all': () => undefined,
  'a reload': ({ wire, fields }) => wire.reload(fields),
  'two reloads': ({ wire, fields }) => {
    wire.reload(fields);
    wire.reload(fields);
  },
  'a change of a list': ({ wire, fields }) => wire.reload({ ...fields, lists: [list] }),
  'a moment’s silence': ({ wire }) => wire.wait(35),
  'a reload, and a moment’s silence': ({ wire, fields }) => {
    wire.reload(fields);
    wire.wait(35);
  },
  'the server’s FIN': ({ wire }) => void wire.fromServer('', { flags: TCP_FLAG.fin | TCP_FLAG.ack }),
  'the server’s reset': ({ wire }) => void wire.fromServer('', { flags: TCP_FLAG.rst | TCP_FLAG.ack }),
  'the client’s FIN': ({ wire }) => void wire.fromClient('', { flags: TCP_FLAG.fin | TCP_FLAG.ack }),
  'the client’s acknowledgment': ({ wire }) => void wire.fromClient(''),
  'a retransmission': ({ wire }) => void wire.fromServer(wire.lastOfServer, { seq: wire.lastSeqOfServer }),
  'the end of its time': ({ wire }) => {
    for (let i = 0; i < 40; i++) wire.wait(100);
  },
  'the end of the handshake’s time': ({ wire }) => {
    for (let i = 0; i < 110; i++) wire.wait(100);
  },
  'the end of the engine': ({ wire }) => wire.finish(),
  'a restart': ({ wire, fields }) => {
    wire.restart(fields);
    wire.fromServer('more');
  },
  'a forged answer of the probe': ({ prober }) => prober.isAsked && prober.answer(shown(forgedDer)),
  'an answer of the probe without its key': ({ prober }) =>
    prober.isAsked && prober.answer(shown(genuineDer, { proven: false })),
  'the secret of another flight': ({ keylog }) => {
    const [own] = parseKeyLog(whole.keyLog);
    keylog.add({ clientRandom: own!.clientRandom, secret: new Uint8Array(own!.secret.length) });
  },
  'the secret': (it) => logged(it, whole),
  'a path that is none': ({ answers }) => answers.splice(0).forEach((answer) => answer(NO_PATH)),
};
const NO_PATH = chainFacts({ leafValidAt: false });

describe.each(Object.entries(states))('while %s is awaited', (_, begin) => {
  it.each(Object.entries(events))('%s accepts nothing and lets go of nothing', (_name, happen) => {
    const it = begin();
    const { wire } = it;
    happen(it);
    const isAlert = (octets: Buffer) => octets[0] === 21 && octets.length === 7;
    const beyond = wire.atClient.stream.subarray(it.allowed);
    expect(beyond.length === 0 || isAlert(beyond) || isAlert(wire.atClient.stream)).toBe(true);
    expect(wire.verdicts.filter(({ action }) => action === 'accept')).toEqual([]);
    for (let i = 0; i < 110; i++) wire.wait(100);
    expect(wire.verdicts.filter(({ action }) => action === 'accept')).toEqual([]);
    expect(wire.held).toBe(0);
  });
});

describe('what was asked', () => {
  const reloads: Readonly<Record<string, (scene: Scene) => void>> = {
    'a reload': events['a reload']!,
    'a change of a list': events['a change of a list']!,
  };

  it.each(Object.entries(reloads))('is still awaited after %s: a probe’s answer', (_, reload) => {
    const it = hidden('keylog-else-probe', genuineWhole);
    it.wire.fromClient('');
    it.wire.wait(210);
    reload(it);
    expect(it.prober.requests).toHaveLength(1);
    it.prober.answer(shown(genuineDer));
    expect(it.wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match' }]);
  });

  it.each(Object.entries(reloads))('is still awaited after %s: a secret', (_, reload) => {
    const it = hidden('keylog-else-probe', genuineWhole);
    reload(it);
    logged(it, genuineWhole);
    expect(it.wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', evidence: 'decrypted' }]);
    expect(it.prober.requests).toEqual([]);
  });

  it.each(Object.entries(reloads))('is asked again after %s: a path', (_, reload) => {
    for (const [tls13, reason, evidence] of [
      ['probe', 'probe-match', 'probed'],
      ['keylog', 'pin-match', 'decrypted'],
    ] as const) {
      const it = hiddenPath(tls13);
      const [late] = it.answers.splice(0);
      reload(it);
      late!(chainFacts());
      expect(it.wire.verdicts).toEqual([]);
      it.answers.pop()!(chainFacts());
      expect(it.wire.verdicts).toMatchObject([{ action: 'accept', reason, evidence }]);
      expect(it.prober.requests).toHaveLength(tls13 === 'probe' ? 1 : 0);
    }
  });

  it('of a chain that a secret has shown is of no use to a configuration that wants none', () => {
    const it = hiddenPath('keylog');
    it.wire.reload({ pinsets: [byPath({ tls13: 'deny' })] });
    expect(it.wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
  });

  it('of a chain that a probe has shown for a session is of no use to one that wants no sessions', () => {
    const it = scene({}, byPath({ resumed: 'bound-else-probe' }));
    const { hello, server } = flights(resumed12);
    it.wire.fromClient(hello);
    it.wire.fromServer(server);
    it.prober.answer(shown(genuineDer, { version: 0x0303 }));
    it.wire.reload({ pinsets: [byPath({ resumed: 'deny' })] });
    expect(it.wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'resumed-unbound' }]);
  });

  it('is not awaited for longer because of reloads', () => {
    const it = hidden('probe', whole);
    for (let i = 0; i < 31; i++) {
      it.wire.wait(100);
      it.wire.reload(it.fields);
    }
    expect(it.wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'overload' }]);
  });

  it('and was refuted stays so, whatever a later configuration says of probes', () => {
    const it = hidden('keylog-else-probe', resumed);
    logged(it, resumed);
    it.wire.reload({ pinsets: [bank({ pins: [PIN], situations: { ...PINNED, tls13: 'keylog' } })] });
    expect(it.wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'resumed-unbound', fault: 'psk' }]);
  });

  it('and was resumed is said to be', () => {
    for (const [recording, sessionResumed] of [
      [resumed, true],
      [whole, false],
    ] as const) {
      const it = hidden('probe', recording);
      it.prober.answer(FAILED);
      expect(it.wire.verdicts).toMatchObject([{ reason: 'probe-failed', tls: { sessionResumed } }]);
    }
  });
});

describe('a secret that was logged', () => {
  const failing = {
    'and opens nothing': (it: Scene) => events['the secret of another flight']!(it),
    'and is none of that suite': ({ keylog }: Scene) => {
      const [own] = parseKeyLog(whole.keyLog);
      keylog.add({ clientRandom: own!.clientRandom, secret: new Uint8Array(7) });
    },
  };

  it.each(Object.entries(failing))('%s denies: no probe is asked, whose answer the server could choose', (_, fail) => {
    for (const isLate of [false, true]) {
      const it = hidden('keylog-else-probe', whole);
      if (isLate) {
        it.wire.fromClient('');
        it.wire.wait(210);
      }
      fail(it);
      expect(it.wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'keylog-missing', evidence: 'none' }]);
      expect(it.wire.verdicts[0]!.fault).not.toBeNull();
      expect(it.prober.requests).toHaveLength(isLate ? 1 : 0);
      if (isLate) it.prober.answer(shown(genuineDer));
      expect(it.wire.verdicts).toHaveLength(1);
      expect(it.wire.atClient.stream.length).toBeLessThanOrEqual(it.allowed + 7);
    }
  });

  /** Dummies that no client minds, one more than are read. */
  const many = (server: Buffer): Buffer => {
    const [at, end] = [clearOctets(server), 8960];
    return Buffer.concat([
      server.subarray(0, at),
      ...Array<Buffer>(LIMIT_DEFAULTS.records + 4).fill(tls.changeCipherSpec),
      server.subarray(at, end),
    ]);
  };

  it.each(['before', 'behind'])('%s more records than are read denies as well', (order) => {
    const it = scene({ tls13: 'keylog-else-probe' });
    const { hello, server } = flights(whole);
    it.wire.fromClient(hello);
    if (order === 'before') logged(it, whole);
    it.wire.fromServer(many(server));
    expect(it.prober.requests).toEqual([]);
    if (order === 'behind') logged(it, whole);
    expect(it.wire.verdicts).toMatchObject([{ reason: 'keylog-missing', fault: 'tls.record.too-many' }]);
    expect(it.wire.verdicts[0]!.action).not.toBe('accept');
    expect(it.prober.requests).toEqual([]);
  });

  it('never is by a client that logs nothing: then more records than are read leave it to a probe', () => {
    const it = scene({ tls13: 'keylog-else-probe' });
    const { hello, server } = flights(whole);
    it.wire.fromClient(hello);
    it.wire.fromServer(many(server));
    it.wire.fromClient('');
    it.wire.wait(210);
    expect(it.prober.requests).toHaveLength(1);
    expect(it.wire.verdicts).toEqual([]);
  });
});

describe('the random of HelloRetryRequest in a ServerHello of TLS 1.2', () => {
  const random = tls.helloRetryRequest.subarray(6, 38);
  const ticket = Buffer.from('a ticket that nobody saw handed out');

  it.each([
    ['no supported_versions', {}],
    ['TLS 1.2 in supported_versions', { selectedVersion: 0x0303 }],
  ])('with %s hides no resumption', (_, more) => {
    const it = scene({ resumed: 'bound' });
    it.wire.fromClient(tls.clientHello({ name: HOST, ticket, supportedVersions: [0x0304, 0x0303] }));
    const finish = Buffer.concat([tls.changeCipherSpec, tls.finished]);
    it.wire.fromServer(Buffer.concat([tls.record(22, tls.serverHello({ random, ...more })), finish]));
    expect(it.wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'resumed-unbound' }]);
    expect(it.wire.atClient.stream).toHaveLength(7);
  });

  it('hides no certificate', () => {
    const it = scene({});
    it.wire.fromClient(tls.clientHello(HOST));
    const flight = Buffer.concat([tls.serverHello({ random }), forgedFlight.subarray(5 + tls.serverHello().length)]);
    it.wire.fromServer(tls.record(22, flight));
    expect(it.wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });
});
