/**
 * What either direction begins with, when both turn to TLS, and what the client may have of what was read: the inspection
 * alone, with a judge that only listens. What a judge makes of it is for the tests of those.
 */
import { describe, expect, it } from 'vitest';

import { Inspection } from '../../src/connection/inspection.ts';
import type { Permissible } from '../../src/judge/awaited/state.ts';
import type { Judge } from '../../src/judge/judge.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { FORGED, HOST } from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';

type Octets = Uint8Array | string | readonly number[];
const bytesOf = (octets: Octets) =>
  typeof octets === 'string' ? Buffer.from(octets, 'latin1') : Uint8Array.from(octets);

/** An inspection, live or of a capture, and what its judge has heard. */
class Heard {
  readonly calls: [string, ...unknown[]][] = [];
  readonly judge = {
    unfinished: { action: 'drop' },
    sealedFrom: undefined as number | undefined,
    permitted: [] as Permissible[],
    permits: (point: Permissible) => this.judge.permitted.includes(point),
  };
  readonly inspection: Inspection;

  constructor(clientFirst: boolean) {
    const get = (target: object, name: string) =>
      Reflect.get(target, name) ??
      (name in target ? undefined : (...args: unknown[]) => void this.calls.push([name, ...args]));
    const judge = new Proxy(this.judge, { get }) as unknown as Judge;
    this.inspection = new Inspection(judge, { limits: LIMIT_DEFAULTS, clientFirst });
  }

  client(octets: Octets): this {
    const bytes = bytesOf(octets);
    this.inspection.feedClient(bytes, 0, bytes.length);
    return this;
  }

  server(octets: Octets): this {
    const bytes = bytesOf(octets);
    this.inspection.feedServer(bytes, 0, bytes.length);
    return this;
  }

  skip(side: 'client' | 'server', octets: number): this {
    this.inspection.skip(side, octets);
    return this;
  }

  /** What it was told by that name. */
  told(name: string): unknown[][] {
    return this.calls.filter(([of]) => of === name).map(([, ...args]) => args);
  }

  get faults(): unknown[] {
    return this.told('onFault').map(([from, fault]) => `${String(from)} ${(fault as { code: string }).code}`);
  }

  get speaks(): 'nothing yet' | 'tls' | 'preamble' | 'no tls' {
    const { isOpaque, begun, isPreamble } = this.inspection;
    return isOpaque ? 'no tls' : isPreamble ? 'preamble' : begun ? 'tls' : 'nothing yet';
  }

  get permitted(): number {
    return this.inspection.permission.offset;
  }
}

const live = () => new Heard(true);
const capture = () => new Heard(false);
const hello = tls.clientHello(HOST);
const flight = (...messages: readonly Uint8Array[]) => tls.record(22, Buffer.concat(messages));
const octetwise = (octets: Uint8Array, feed: (octets: Octets) => unknown) => octets.forEach((octet) => feed([octet]));
const agreeing = (heard: Heard) =>
  heard
    .server('220 mail\r\n')
    .client('EHLO x\r\n')
    .server('250 STARTTLS\r\n')
    .client('STARTTLS\r\n')
    .server('220 go\r\n');
const connected = (heard: Heard) =>
  heard.client('CONNECT www.bank.example:443 HTTP/1.1\r\n\r\n').server('HTTP/1.1 200 OK\r\n\r\n');

describe('what a client begins with', () => {
  /** As SSLv2 only by its first octets: the lengths do not fit. */
  const lookalike = [0x80, 46, 1, 3, 1, 0, 7, 0, 0, 0, 16, 0, 0, 0];
  it.each<[string, Octets, Heard['speaks'], Heard['speaks']]>([
    ['one octet of a record', [22], 'nothing yet', 'nothing yet'],
    ['a record', [22, 3], 'tls', 'tls'],
    ['an alert', [21, 3], 'tls', 'tls'],
    ['a type of records and no version', [22, 5], 'no tls', 'no tls'],
    ['the same, and more', [22, 5, 1, 0, 9], 'no tls', 'no tls'],
    ['a version and no type of records', [65, 3, 1, 0, 9], 'no tls', 'no tls'],
    ['one octet of SSLv2', [0x80], 'nothing yet', 'nothing yet'],
    ['three of it', [0x80, 46, 1], 'nothing yet', 'nothing yet'],
    ['another message of it', [0x80, 46, 2], 'no tls', 'preamble'],
    ['no version of it', [0x80, 46, 1, 9], 'no tls', 'preamble'],
    ['four octets of it', lookalike.slice(0, 4), 'tls', 'nothing yet'],
    ['more of what is not it', lookalike, 'tls', 'no tls'],
    ['all of it', tls.ssl2ClientHello(), 'tls', 'tls'],
    ['text', 'EHLO x\r\n', 'preamble', 'preamble'],
  ])('%s', (_, octets, whenLive, ofCapture) => {
    expect([live().client(octets).speaks, capture().client(octets).speaks]).toEqual([whenLive, ofCapture]);
    const [first, second] = [live(), capture()];
    octetwise(bytesOf(octets), (octet) => first.client(octet));
    octetwise(bytesOf(octets), (octet) => second.client(octet));
    expect([first.speaks, second.speaks]).toEqual([whenLive, ofCapture]);
  });

  it('is asked about once: what comes in one piece with the rest is no other beginning', () => {
    expect(live().client([22]).client([22, 3, 1, 0, 9]).speaks).toBe('no tls');
  });

  it('ends where the packet does, whatever lies behind it', () => {
    const heard = live();
    heard.inspection.feedClient(Uint8Array.of(22, 3, 1, 0, 9), 0, 1);
    expect(heard.speaks).toBe('nothing yet');
  });

  it('is heard once, in whatever pieces it comes', () => {
    const heard = live();
    octetwise(hello, (octet) => heard.client(octet));
    expect(heard.told('onClientHello')).toHaveLength(1);
    expect(heard.faults).toEqual([]);
  });
});

describe('a server', () => {
  it('that begins with an alert speaks TLS', () => {
    const heard = live().server(tls.alert('fatal', 40));
    expect([heard.speaks, heard.told('onFatalAlert').length]).toEqual(['nothing yet', 1]);
  });

  it.each<[string, (heard: Heard) => Heard]>([
    ['whose client has begun to speak TLS', (heard) => heard.client(hello)],
    ['that has agreed to TLS', agreeing],
  ])('%s is read as that, whatever it says', (_, begin) => {
    const heard = begin(live());
    const before = heard.told('onPreamble').length;
    heard.server('HTTP/1.1 400 Bad Request\r\n');
    expect(heard.faults).toHaveLength(1);
    expect([heard.speaks === 'no tls', heard.told('onPreamble').length]).toEqual([false, before]);
  });

  it('that speaks first is told of once, with its first word', () => {
    const heard = live().server('220').server(' mail\r\n').client('EHLO x\r\n');
    expect([heard.told('onPreamble'), heard.told('onFirstWord')]).toEqual([[['server']], [[]]]);
  });

  it('that speaks second has a first word too', () => {
    const heard = live().client('EHLO x\r\n');
    expect([heard.told('onPreamble'), heard.told('onFirstWord')]).toEqual([[['client']], []]);
    expect(heard.server('220 mail\r\n').told('onFirstWord')).toHaveLength(1);
  });
});

describe('a client that was greeted in text, and then speaks TLS that nobody asked for', () => {
  it('is denied live', () => {
    const heard = live().server('220 mail\r\n').client(hello);
    expect(heard.told('settleBy')).toEqual([['parseError', 'parse-error', 'starttls.unexpected-tls']]);
  });

  it('is read in a capture: something in between may be missing', () => {
    const heard = capture().server('220 mail\r\n').client(hello);
    expect([heard.told('settleBy'), heard.told('onClientHello').length]).toEqual([[], 1]);
  });
});

describe('an upgrade', () => {
  it('is told of with its protocol, and both directions begin anew', () => {
    const heard = agreeing(live());
    expect([heard.told('onUpgrade'), heard.speaks]).toEqual([[['smtp', []]], 'nothing yet']);
    expect(heard.client(hello).speaks).toBe('tls');
  });

  it('binds the client: what is not TLS then is refused, once', () => {
    const heard = agreeing(live()).client('NOOP\r\n').client('NOOP\r\n').server('250 ok\r\n');
    expect(heard.told('settleBy')).toEqual([['notTls', 'not-tls']]);
    expect([heard.speaks, heard.inspection.done, heard.inspection.isPreamble]).toEqual(['no tls', true, false]);
  });

  it('is told of by nobody where TLS came first', () => {
    expect(capture().client(hello).told('onUpgrade')).toEqual([]);
  });

  it.each([
    ['live, what begins like it', live, [0x80, 46, 1, 3, 1, 0, 7, 0, 0, 0, 16, 0, 0, 0], true],
    ['live, all of it', live, tls.ssl2ClientHello(), true],
    ['in a capture, what begins like it', capture, [0x80, 46, 1, 3, 1, 0, 7, 0, 0, 0, 16, 0, 0, 0], false],
    ['in a capture, all of it', capture, tls.ssl2ClientHello(), true],
  ])('to SSLv2 inside a tunnel: %s', (_, begin, octets, isTls) => {
    const heard = connected(begin());
    octetwise(Uint8Array.from(octets), (octet) => heard.client(octet));
    expect(heard.inspection.begun).toBe(isTls);
  });
});

it('a preamble is none any more once it turns out to be no TLS', () => {
  const heard = live().client('EHLO x\r\n').client('GET / HTTP/1.1\r\n\r\n').client(Buffer.alloc(20, 0xff));
  expect([heard.inspection.isOpaque, heard.inspection.isPreamble]).toEqual([true, false]);
});

describe('octets that a capture lacks', () => {
  it('may be where a direction began: what comes then begins it', () => {
    expect(capture().client([22]).skip('client', 3).client([3, 1, 65]).speaks).toBe('no tls');
    expect(capture().skip('server', 3).server('220 mail\r\n').speaks).toBe('preamble');
  });

  it('of a server whose client speaks TLS are TLS', () => {
    const heard = capture().client(hello).skip('server', 40).server('250 ok\r\n');
    expect([heard.told('onPreamble'), heard.speaks]).toEqual([[], 'tls']);
  });

  it('have a certificate count though no hello came ahead of it', () => {
    const certificate = flight(tls.certificateMessage(FORGED));
    expect(capture().server(certificate).told('onCertificate')).toHaveLength(0);
    expect(capture().skip('server', 0).server(certificate).told('onCertificate')).toHaveLength(1);
  });

  it('may be the agreement that a preamble was about', () => {
    const heard = capture().server('220 mail\r\n').client('EHLO x\r\n').skip('server', 20).client(hello);
    expect([heard.told('restart').length, heard.told('onUpgrade'), heard.speaks]).toEqual([1, [['smtp', []]], 'tls']);
  });

  it('of a server that has spoken in text begin everything anew, whatever its client says', () => {
    const heard = capture().server('220 mail\r\n').client(hello).skip('server', 20);
    expect([heard.told('restart').length, heard.speaks]).toEqual([1, 'preamble']);
  });

  it('change nothing of what is no TLS', () => {
    const heard = capture().client('GET / HTTP/1.1\r\n\r\n').skip('client', 20);
    expect([heard.told('restart'), heard.speaks]).toEqual([[], 'no tls']);
  });
});

describe('nothing was read', () => {
  it.each<[string, boolean, (heard: Heard) => Heard]>([
    ['where nobody has said anything', true, (heard) => heard],
    ['but what is not whole, of a client', false, (heard) => heard.client([22])],
    ['but what is not whole, of a server', false, (heard) => heard.server([22])],
    ['but TLS', false, (heard) => heard.client(hello)],
    ['but a preamble', false, (heard) => heard.server('220 mail\r\n')],
    ['but what is no TLS', true, (heard) => heard.client('GET / HTTP/1.1\r\n\r\n')],
    [
      'but TLS beside what is none',
      false,
      (heard) => heard.server('220 mail\r\n').client(hello).server(Buffer.alloc(70_000, 1)),
    ],
  ])('%s: %s', (_, isUnread, begin) => {
    expect(begin(capture()).inspection.isUnread).toBe(isUnread);
  });
});

describe('the client may have', () => {
  it('what answers it, and not what is ahead of it, where that could be denied', () => {
    const heard = live().server('220 mail\r\n').server(flight(tls.helloRequest));
    expect(heard.permitted).toBe(10);
  });

  it('what is ahead of it as well where nothing would be denied, and no octet more than there is', () => {
    const heard = live().client('EHLO x\r\n');
    heard.judge.unfinished.action = 'accept';
    expect(heard.server('220 mail\r\n').server(Buffer.alloc(50, 1)).permitted).toBe(60);
  });

  it('no octet of what may become a record, before it tells', () => {
    expect(live().client(hello).server([22]).permitted).toBe(0);
    expect(live().client(hello).server([22, 3]).permitted).toBe(2);
  });

  it.each<[string, Permissible[], number]>([
    ['nothing', [], 0],
    ['the certificate', ['certificate'], 1],
    ['the proof', ['certificate', 'key-exchange'], 2],
  ])('of a flight no more than its judge permits: %s', (_, permitted, expected) => {
    const heard = live().client(hello);
    heard.judge.permitted = permitted;
    const messages = [tls.certificateMessage(FORGED), tls.serverKeyExchange(), tls.serverHelloDone];
    const records = [flight(tls.serverHello(0xc02f)), ...messages.map((message) => flight(message))];
    const ends = records.map((record) => heard.server(record) && heard.permitted);
    const lengths = records.map((_record, i) => Buffer.concat(records.slice(0, i + 1)).length);
    expect(ends).toEqual(lengths.map((length, i) => (i <= expected ? length : lengths[expected]!)));
  });

  it('nothing more once it has said what is no TLS, and nothing more is read', () => {
    const heard = agreeing(live()).server(flight(tls.helloRequest));
    const before = heard.permitted;
    heard.client('NOOP\r\n').server(tls.alert('fatal', 40));
    expect([heard.permitted, heard.told('onFatalAlert')]).toEqual([before, []]);
  });
});

describe('encrypted records that wait for their secret', () => {
  const hidden = (heard: Heard) => heard.server(flight(tls.serverHello13)).server(tls.changeCipherSpec);
  const before = () => agreeing(live()).client(tls.clientHello({ name: HOST, supportedVersions: [0x0304] }));

  it('begin where the judge says, behind what was a preamble', () => {
    const heard = before();
    const preamble = heard.permitted;
    hidden(heard);
    heard.judge.sealedFrom = 40;
    heard.judge.permitted = ['sealed'];
    expect(heard.inspection.sealedFrom).toBe(preamble + 40);
    heard.inspection.permit();
    expect(heard.permitted).toBe(preamble + 40);
  });

  it.each<[string, number | undefined, Permissible[]]>([
    ['where the judge permits nothing of it', 40, []],
    ['where there are none', undefined, ['sealed']],
  ])('begin nowhere %s', (_, sealedFrom, permitted) => {
    const heard = before();
    const preamble = heard.permitted;
    heard.judge.sealedFrom = sealedFrom;
    heard.judge.permitted = permitted;
    hidden(heard);
    expect([heard.inspection.sealedFrom, heard.permitted]).toEqual([undefined, preamble]);
  });
});

describe('a client would read a record from the server', () => {
  it.each<[string, boolean, Octets]>([
    ['ahead of any', true, []],
    ['within the octets that tell', false, [22]],
    ['within one', false, flight(tls.serverHello()).subarray(0, 20)],
    ['behind one', true, flight(tls.serverHello())],
  ])('%s: %s', (_, expected, octets) => {
    expect(live().client(hello).server(octets).inspection.serverAtBoundary).toBe(expected);
  });

  it('only once it speaks TLS', () => {
    expect(live().inspection.serverAtBoundary).toBe(false);
  });
});

describe('nothing more will show', () => {
  it('of a handshake that is whole, and of what is no TLS', () => {
    const heard = live().client(hello).server(tls.serverFlight(FORGED));
    expect(heard.inspection.done).toBe(false);
    heard.client(tls.clientFinish).server(Buffer.concat([tls.changeCipherSpec, tls.finished]));
    expect(heard.inspection.done).toBe(true);
    expect(live().client('GET / HTTP/1.1\r\n\r\n').inspection.done).toBe(true);
  });
});
