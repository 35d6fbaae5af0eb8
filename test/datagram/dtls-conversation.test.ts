/**
 * One conversation over DTLS, datagram by datagram: which of the server's its client may have and when the rest may pass,
 * what waits, what is refused, and when it begins anew. Whose datagrams they are is for the tests of flows.
 */
import { describe, expect, it } from 'vitest';

import { DtlsConversation } from '../../src/datagram/dtls.ts';
import type { ChainFacts } from '../../src/judge/ports.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { certificate } from '../support/certificates.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { ConversationBench, type HostFields } from '../support/conversation-bench.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { bank, FORGED, GENUINE, genuinePin, HOST } from '../support/flows.ts';
import { pin, policy } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';

const handshake = (...parts: readonly Uint8Array[]) => dtls.dtlsRecord(22, Buffer.concat(parts));
const hello = (name: string, octet = 0xc1) =>
  handshake(...dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name, random: Buffer.alloc(32, octet) })), 0));
const flightOf = (suite: number, file: string) => {
  const exchange = suite === ECDHE ? [tls.serverKeyExchange()] : [];
  const all = [
    dtls.overDatagrams(tls.serverHello({ suite })),
    tls.certificateMessage(file),
    ...exchange,
    tls.serverHelloDone,
  ];
  return all.map((message, seq) => handshake(...dtls.fragments(message, seq)));
};
const ECDHE = 0xc02f;
const STATIC = 0x009c;
const genuine = flightOf(ECDHE, GENUINE);
const forged = flightOf(ECDHE, FORGED);
const encrypted = dtls.dtlsRecord(22, Buffer.alloc(60, 0x5a), { epoch: 1 });
const warning = dtls.dtlsRecord(21, Buffer.of(1, 90));
const junk = Buffer.of(99, 99);
const goesOn = Buffer.concat([
  handshake(...dtls.fragments(tls.handshake(16, tls.vector16(Buffer.alloc(65, 0x0c))), 1)),
  dtls.dtlsRecord(20, Buffer.of(1)),
  encrypted,
]);

class Spoken extends ConversationBench {
  readonly conversation: DtlsConversation;

  constructor(fields: Partial<Policy> = { pinsets: [bank()] }, host: HostFields = {}) {
    super(fields, host);
    this.conversation = new DtlsConversation(this.host);
  }

  client(...datagrams: readonly Uint8Array[]): string[] {
    return datagrams.map((data) => this.conversation.onClient(this.packet(data, true)));
  }

  server(...datagrams: readonly Uint8Array[]): string[] {
    return datagrams.map((data) => this.conversation.onServer(this.packet(data, false)));
  }

  accepted(data: Uint8Array, fromClient = true): boolean {
    return this.conversation.accepted(this.packet(data, fromClient), fromClient) !== undefined;
  }

  /** Reason and fault of each report. */
  get said(): string[] {
    return this.reported.map(({ ruling, isDecided }) => `${ruling.reason} ${isDecided} ${ruling.fault}`);
  }
}

const all = (verdict: string, flight: readonly unknown[] = genuine) => flight.map(() => verdict);

describe('a flight', () => {
  it('that matches goes, and the rest may pass once the client has gone on with it', () => {
    const at = new Spoken();
    expect([at.client(hello(HOST)), at.server(...genuine)]).toEqual([['accept'], all('accept')]);
    expect(at.reported).toMatchObject([
      { kind: 'dtls', isDecided: true, proven: true, ruling: { reason: 'pin-match' } },
    ]);
    expect(at.server(encrypted)).toEqual(['drop']);
    expect([at.accepted(hello(HOST)), at.accepted(goesOn, false), at.accepted(goesOn)]).toEqual([false, false, true]);
    expect([at.server(encrypted), at.accepted(hello(HOST))]).toEqual([['accept'], true]);
  });

  it('that matched may be followed by alerts in clear, and may come again', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    at.server(...genuine);
    expect(at.server(warning, ...genuine, encrypted)).toEqual(['accept', ...all('accept'), 'drop']);
  });

  it('that matches nothing goes up to its certificate', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    expect(at.server(...forged)).toEqual(['accept', 'drop', 'drop', 'drop']);
    expect([at.client(goesOn), at.accepted(goesOn)]).toEqual([['drop'], false]);
    expect(at.said).toEqual(['pin-mismatch true null']);
  });

  it('without a hello is of no connection', () => {
    const at = new Spoken();
    expect(at.server(...genuine)).toEqual(all('drop'));
    expect(at.said).toEqual(['midstream true null']);
  });

  it('of nobody who is pinned passes, and the rest with it', () => {
    const at = new Spoken();
    at.client(hello('www.other.example'));
    expect([at.accepted(hello('www.other.example')), at.server(encrypted)]).toEqual([true, ['accept']]);
  });

  it('that a deny list has nothing against rests on nothing that was shown', () => {
    const other = pin('spki-sha256', presentCertificate(certificate('forged')).spkiSha256!);
    const at = new Spoken({ pinsets: [bank({ pins: [], deny: [other] })] });
    at.client(hello(HOST));
    expect(at.server(encrypted)).toEqual(['drop']);
    at.server(...genuine);
    expect(at.reported).toMatchObject([{ ruling: { action: 'accept', pinset: null } }]);
    expect([at.server(encrypted), at.accepted(hello(HOST))]).toEqual([['accept'], true]);
  });

  it('of which a pinset only reports passes as it comes', () => {
    const at = new Spoken({ pinsets: [bank({ mode: 'report-only' })] });
    at.client(hello(HOST));
    expect(at.server(...forged, encrypted)).toEqual(all('accept', [...forged, 0]));
  });

  it('is not understood where the kernel cuts it anew; what its client says is', () => {
    const at = new Spoken();
    expect(at.conversation.onClient(at.packet(hello(HOST), true, { gso: true }))).toBe('accept');
    expect(at.conversation.onServer(at.packet(genuine[0]!, false, { gso: true }))).toBe('drop');
    expect(at.server(...genuine)).toEqual(all('accept'));
  });

  it('of more certificates than may be is counted', () => {
    const at = new Spoken({ pinsets: [bank()] }, { limits: { certificates: 0 } });
    at.client(hello(HOST));
    at.server(...genuine);
    expect(at.counted).toContain('certificates');
  });
});

describe('ahead of a ruling', () => {
  it('alerts go', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    expect([at.server(warning), at.client(warning)]).toEqual([['accept'], ['accept']]);
  });

  it.each([
    ['what nobody reads', Buffer.concat([warning, junk]), 'dtls.record.syntax'],
    ['what comes too early', encrypted, 'dtls.record.early'],
  ])('%s is refused, and at the end of its time denied for that', (_, datagram, fault) => {
    const at = new Spoken();
    at.client(hello(HOST));
    expect(at.conversation.deadline()).toBe(Infinity);
    at.clock = 1000;
    expect(at.server(datagram, encrypted)).toEqual(['drop', 'drop']);
    const due = 1000 + LIMIT_DEFAULTS.handshakeTimeout * 1000;
    expect(at.conversation.deadline()).toBe(due);
    at.conversation.onTime(due - 1);
    expect([at.said, at.counted]).toEqual([[], []]);
    at.conversation.onTime(due);
    expect([at.said, at.counted]).toEqual([[`incomplete true ${fault}`], ['handshakeTimeout']]);
  });

  it('what was refused is no matter any more once it is decided', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    at.server(encrypted, ...genuine);
    expect(at.conversation.deadline()).toBe(Infinity);
  });

  it('what the client says beyond its hello is refused where it could be denied', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    expect(at.client(goesOn)).toEqual(['drop']);
  });
});

describe('while a path is asked for', () => {
  const issuer = pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!);
  const withIssuer = flightOf(ECDHE, GENUINE);
  withIssuer[1] = handshake(...dtls.fragments(tls.certificateMessageOf(certificate('leaf'), certificate('inter')), 1));

  function asking(limits: HostFields['limits'] = {}) {
    const answers: ((facts: ChainFacts) => void)[] = [];
    const at = new Spoken(
      { pinsets: [bank({ pins: [issuer] })] },
      {
        limits,
        examiner: { examine: (_request, done) => void answers.push(done) },
      },
    );
    at.client(hello(HOST));
    return { at, answers };
  }

  it('what the server sends waits, and goes with the answer', () => {
    const { at, answers } = asking();
    expect(at.server(...withIssuer)).toEqual(['accept', 'hold', 'hold', 'hold']);
    // Whatever comes meanwhile lets nothing go.
    at.client(hello(HOST));
    expect([at.released, at.said]).toEqual([[], []]);
    answers[0]!(chainFacts({ onPath: [0, 1] }));
    expect(at.released.map(([, verdict]) => verdict)).toEqual(['accept', 'accept', 'accept']);
    expect(at.said).toEqual(['pin-match true null']);
  });

  it('no more waits than may', () => {
    const { at } = asking({ heldPackets: 2 });
    expect(at.server(...withIssuer)).toEqual(['accept', 'hold', 'hold', 'drop']);
    const full = asking().at;
    full.mayHold = false;
    expect(full.server(...withIssuer.slice(0, 2))).toEqual(['accept', 'drop']);
    expect([at.counted, full.counted]).toEqual([['heldPackets'], ['heldPackets']]);
  });

  it('it waits from its first datagram on, and no longer than anything does', () => {
    const { at } = asking();
    at.clock = 1000;
    at.server(...withIssuer.slice(0, 2));
    at.clock = 5000;
    at.server(withIssuer[2]!);
    const due = 1000 + LIMIT_DEFAULTS.holdTime * 1000;
    expect(at.conversation.deadline()).toBe(due);
    at.conversation.onTime(due);
    expect([at.counted, at.said]).toEqual([['holdTime'], ['overload true hold-time']]);
    expect(at.released.map(([, verdict]) => verdict)).toEqual(['drop', 'drop']);
    expect(at.conversation.deadline()).toBe(Infinity);
  });

  it('another configuration may want none: what waits goes then', () => {
    const { at } = asking();
    at.server(...withIssuer);
    at.snapshot = new PinsetSnapshot(policy());
    at.conversation.reselect();
    expect(at.released.map(([, verdict]) => verdict)).toEqual(['accept', 'accept', 'accept']);
    expect(at.said).toEqual(['unpinned true null']);
  });

  it('what waits at the end is dropped', () => {
    const { at } = asking();
    at.server(...withIssuer);
    at.conversation.end();
    expect([at.released.length, at.said]).toEqual([3, ['incomplete true null']]);
  });
});

describe('at the end', () => {
  it('nothing is said where nothing was', () => {
    const at = new Spoken({}, { live: false });
    at.client(warning);
    at.conversation.end();
    expect(at.said).toEqual([]);
  });

  it('what is undecided comes to what it is then', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    at.server(encrypted);
    at.conversation.end();
    at.conversation.end();
    expect(at.said).toEqual(['incomplete false dtls.record.early']);
  });
});

describe('a client that begins anew', () => {
  it('is judged anew, and what was before is said', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    at.client(hello(HOST));
    expect(at.said).toEqual([]);
    at.client(hello(HOST, 0xc2));
    expect(at.said).toEqual(['incomplete false null']);
    at.server(...genuine);
    expect([at.accepted(goesOn), at.said.at(-1)]).toEqual([true, 'pin-match true null']);
    at.client(hello(HOST, 0xc3));
    expect([at.conversation.isUndecided, at.accepted(hello(HOST)), at.server(encrypted)]).toEqual([
      true,
      false,
      ['drop'],
    ]);
  });

  it('does so with whatever else is in the datagram', () => {
    const at = new Spoken();
    at.client(hello(HOST));
    at.server(...genuine);
    at.client(Buffer.concat([warning, hello(HOST, 0xc2)]));
    expect(at.conversation.isUndecided).toBe(true);
  });
});

describe('where a pinset learns', () => {
  const learning = { pinsets: [bank({ pins: [], mode: 'learn' as const })] };

  it('the client’s Finished tells that it believes a server that has signed', () => {
    const at = new Spoken(learning);
    at.client(hello(HOST));
    at.server(...genuine);
    expect([at.accepted(goesOn.subarray(0, 40)), at.continued.length]).toEqual([false, 0]);
    expect([at.accepted(goesOn), at.continued.length, at.accepted(hello(HOST))]).toEqual([true, 1, true]);
  });

  it('and nothing of one that has not', () => {
    const at = new Spoken(learning);
    at.client(hello(HOST));
    at.server(...flightOf(STATIC, GENUINE));
    expect([at.accepted(goesOn), at.continued.length, at.accepted(hello(HOST))]).toEqual([true, 0, true]);
  });
});

describe('in a capture', () => {
  const capture = () => new Spoken({ pinsets: [bank()] }, { live: false });

  it('everything passes, and what was decided is said at the end, once', () => {
    const at = capture();
    expect([at.client(hello(HOST)), at.server(...forged, encrypted)]).toEqual([
      ['accept'],
      all('accept', [...forged, 0]),
    ]);
    expect(at.said).toEqual([]);
    at.conversation.end();
    expect(at.said).toEqual(['pin-mismatch true null']);
  });

  it('a flight counts without a hello, and what can be read of a datagram counts', () => {
    const at = capture();
    at.server(...genuine.slice(0, 2));
    at.conversation.end();
    expect(at.said).toEqual(['incomplete false null']);
    const cut = capture();
    cut.client(Buffer.concat([hello(HOST), junk]));
    cut.conversation.end();
    expect(cut.said).toEqual(['incomplete false null']);
    expect(cut.reported[0]!.facts!.serverName).toBe(HOST);
  });

  it('what follows an acceptance does not revoke it, as it does live', () => {
    const again = handshake(...dtls.fragments(tls.certificateMessage(FORGED), 4));
    for (const [live, reasons] of [
      [true, ['pin-match', 'overlap-conflict']],
      [false, ['pin-match']],
    ] as const) {
      const at = new Spoken({ pinsets: [bank()] }, { live });
      at.client(hello(HOST));
      at.server(...genuine, again);
      at.conversation.end();
      expect(at.reported.map(({ ruling }) => ruling.reason)).toEqual(reasons);
    }
  });
});

it('a pin that denies still does so behind one that accepts', () => {
  const at = new Spoken({ pinsets: [bank({ deny: [genuinePin] })] });
  at.client(hello(HOST));
  expect(at.server(...genuine)).toEqual(['accept', 'drop', 'drop', 'drop']);
});
