/**
 * A server that says all its answers ahead of its client, and its flight with them: the client has the flight only once
 * it has asked, and it was judged. Every protocol that may come before TLS; a client that believes whatever comes.
 */
import { describe, expect, it } from 'vitest';

import { seqAdd } from '../../src/tcp/sequence.ts';
import { bank, forgedFlight, genuineFlight, hasForged, HOST, opened } from '../support/flows.ts';
import { viewTcp } from '../support/ip-bytes.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire } from '../support/wire.ts';
import { bytes, hex, UPGRADES, type Upgrade } from '../starttls/upgrades.ts';

const MYSQL: Pick<Upgrade, 'name' | 'protocol' | 'before' | 'request' | 'agreement'> = {
  protocol: 'mysql',
  name: 'MySQL',
  before: [['S', Buffer.concat([hex('4a0000 00 0a'), Buffer.from('8.0.36\0'), Buffer.alloc(66, 1)])]],
  request: ['C', Buffer.concat([hex('200000 01 85aeff19 00000001 ff'), Buffer.alloc(23)])],
  agreement: ['S', ''],
};
/** Octets of a segment. */
const SIZES = [Infinity, 1400, 40, 7];

interface Talk {
  readonly answers: Buffer;
  readonly asks: readonly Buffer[];
}

function talk({ before, request, agreement }: typeof MYSQL): Talk {
  const turns = [...before, request, agreement];
  const of = (who: 'C' | 'S'): Buffer[] => turns.filter(([speaker]) => speaker === who).map(bytes);
  return { answers: Buffer.concat(of('S')), asks: of('C') };
}

/** All of the server's octets, from the first, as a server sends again what is not acknowledged. */
function send(wire: Wire, first: number, said: Buffer, size: number): void {
  for (let at = 0; at < said.length; at += size) {
    wire.fromServer(said.subarray(at, at + size), { seq: seqAdd(first, at) });
    wire.wait(2);
  }
}

/** The server says `ahead` when the client has said so many of its messages, and again after each later one. */
function speaksAhead({ answers, asks }: Talk, ahead: Buffer, after: number, size: number): Wire {
  const wire = opened();
  const first = wire.serverSeq;
  [...asks, tls.clientHello(HOST)].forEach((ask, index) => {
    if (index >= after) send(wire, first, ahead, size);
    expect(wire.atClient.stream.length).toBeLessThanOrEqual(answers.length);
    wire.fromClient(ask);
  });
  send(wire, first, ahead, size);
  wire.serverSeq = seqAdd(first, ahead.length);
  return wire;
}

describe.each([...UPGRADES, MYSQL])('$name', (upgrade) => {
  const each = talk(upgrade);
  const moments = each.asks.map((_, after) => after);
  /** A refusal that was said ahead of its request leaves that request, and what follows it, without an answer. */
  const isAnswerLost = (after: number) => upgrade.protocol === 'http-connect' && after === 0;

  it.each(SIZES)('a forged flight with the answers is not delivered, and denied: %d octets a segment', (size) => {
    for (const after of moments) {
      const wire = speaksAhead(each, Buffer.concat([each.answers, forgedFlight]), after, size);
      expect(hasForged(wire)).toBe(false);
      expect(wire.verdicts.map(({ action }) => action)).toEqual(isAnswerLost(after) ? [] : ['tls-alert']);
    }
  });

  it.each(SIZES)(
    'answers that are early come when they are due, and the genuine flight: %d octets a segment',
    (size) => {
      for (const after of moments.filter((moment) => !isAnswerLost(moment))) {
        const wire = speaksAhead(each, each.answers, after, size);
        expect(wire.atClient.stream.equals(each.answers)).toBe(true);
        wire.fromServer(genuineFlight);
        expect(wire.atClient.stream.equals(Buffer.concat([each.answers, genuineFlight]))).toBe(true);
        expect(wire.verdicts).toMatchObject([{ reason: 'pin-match' }]);
      }
    },
  );

  it('where a pinset only reports, all of it goes at once', () => {
    const wire = opened({ pinsets: [bank({ mode: 'report-only' })] });
    wire.fromServer(Buffer.concat([each.answers, forgedFlight]));
    expect(wire.atClient.stream.length).toBe(each.answers.length + forgedFlight.length);
  });
});

it('a greeting that no protocol here has goes while it is text', () => {
  const wire = opened();
  for (const text of ['SSH-2.0-x\r\n', 'RFB 003.008\n', '\x1b[1mwelcome\x1b[0m \xe9t\xe9\r\n']) {
    expect(wire.fromServer(text).verdict).toBe('accept');
  }
  expect(wire.fromServer('\x00\x00\x03').verdict).toBe('drop');
});

it('what goes of a packet that is cut has its options: a client that negotiated timestamps would drop it without', () => {
  const wire = opened();
  wire.fromServer('220 mail\r\n');
  wire.fromClient('EHLO me\r\n');
  const options = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 1);
  const answers = Buffer.from('250-mail\r\n250 STARTTLS\r\n');
  const { payload } = wire.fromServer(Buffer.concat([answers, forgedFlight]), { options });
  const { hasTimestamps, tsVal, dataStart } = viewTcp(Buffer.from(payload!));
  expect({ hasTimestamps, tsVal }).toEqual({ hasTimestamps: true, tsVal: 9 });
  expect(Buffer.from(payload!.subarray(dataStart)).equals(answers)).toBe(true);
});
