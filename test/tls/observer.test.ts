import { describe, expect, it } from 'vitest';

import { certificate } from '../support/certificates.ts';
import { type Fed, watch } from '../support/handshake-recorder.ts';
import * as tls from '../support/tls-bytes.ts';

const DER = certificate('leaf');
const HOST = 'www.bank.example';
const handshake = (...messages: readonly Uint8Array[]) => tls.record(22, Buffer.concat(messages));
const certificateMessage = tls.certificateMessageOf(DER);
const hello: Fed = ['client', tls.clientHello(HOST)];
const clientFinish: Fed = ['client', tls.clientFinish];
const server = (...records: readonly Uint8Array[]): Fed => ['server', Buffer.concat(records)];
const finish = Buffer.concat([tls.changeCipherSpec, tls.finished]);

/** Whole conversations, each with the names of what an observer reports. */
const conversations: Record<string, { fed: Fed[]; names: string[]; options?: { isSsl2: boolean } }> = {
  'static RSA': {
    fed: [
      hello,
      server(handshake(tls.serverHello(), certificateMessage, tls.serverHelloDone)),
      clientFinish,
      server(finish, tls.applicationData),
    ],
    names: ['ClientHello', 'ServerHello', 'Certificate', 'ServerHelloDone', 'ServerChangeCipherSpec'],
  },
  'ECDHE, with a ticket and a certificate status': {
    fed: [
      hello,
      server(
        handshake(tls.serverHello({ suite: 0xc02f, ticket: true })),
        handshake(certificateMessage),
        handshake(tls.handshake(22, Buffer.from('010000023000', 'hex'))),
        handshake(tls.serverKeyExchange()),
        handshake(tls.serverHelloDone),
      ),
      clientFinish,
      server(handshake(tls.newSessionTicket(Buffer.from('ticket'))), finish, tls.applicationData),
    ],
    names: [
      'ClientHello',
      'ServerHello',
      'Certificate',
      'ServerKeyExchange',
      'ServerHelloDone',
      'NewSessionTicket',
      'ServerChangeCipherSpec',
    ],
  },
  'client certificates': {
    fed: [
      hello,
      server(
        handshake(tls.serverHello(), certificateMessage),
        handshake(tls.handshake(13, Buffer.from('0101000000', 'hex')), tls.serverHelloDone),
      ),
      [
        'client',
        handshake(certificateMessage, tls.handshake(16, Buffer.alloc(66)), tls.handshake(15, Buffer.alloc(8))),
      ],
      ['client', finish],
      server(finish),
    ],
    names: [
      'ClientHello',
      'ServerHello',
      'Certificate',
      'ServerHelloDone',
      'ClientCertificate',
      'ServerChangeCipherSpec',
    ],
  },
  'an abbreviated handshake': {
    fed: [hello, server(handshake(tls.serverHello()), finish), ['client', finish], server(tls.applicationData)],
    names: ['ClientHello', 'ServerHello', 'ServerChangeCipherSpec'],
  },
  'an abbreviated handshake with a new ticket': {
    fed: [
      hello,
      server(handshake(tls.serverHello({ ticket: true }), tls.newSessionTicket(Buffer.from('new'))), finish),
      ['client', finish],
    ],
    names: ['ClientHello', 'ServerHello', 'NewSessionTicket', 'ServerChangeCipherSpec'],
  },
  'an anonymous exchange': {
    fed: [
      hello,
      server(handshake(tls.serverHello(0x0034), tls.handshake(12, Buffer.alloc(40)), tls.serverHelloDone)),
      clientFinish,
      server(finish),
    ],
    names: ['ClientHello', 'ServerHello', 'ServerHelloDone', 'ServerChangeCipherSpec'],
  },
  'TLS 1.3': {
    fed: [
      ['client', tls.clientHello({ name: HOST, supportedVersions: [0x0304] })],
      server(handshake(tls.serverHello13), tls.changeCipherSpec, tls.applicationData),
      ['client', Buffer.concat([tls.changeCipherSpec, tls.applicationData])],
      server(tls.applicationData),
    ],
    names: ['ClientHello', 'ServerHello'],
  },
  'TLS 1.3 with early data': {
    fed: [
      ['client', tls.clientHello({ name: HOST, supportedVersions: [0x0304], earlyData: true, psk: true })],
      ['client', Buffer.concat([tls.changeCipherSpec, tls.applicationData, tls.applicationData])],
      server(handshake(tls.serverHello13), tls.changeCipherSpec, tls.applicationData),
    ],
    names: ['ClientHello', 'ServerHello'],
  },
  'TLS 1.3 with HelloRetryRequest': {
    fed: [
      ['client', tls.clientHello({ name: HOST, supportedVersions: [0x0304] })],
      server(handshake(tls.helloRetryRequest), tls.changeCipherSpec),
      ['client', Buffer.concat([tls.changeCipherSpec, tls.clientHello({ name: HOST, supportedVersions: [0x0304] })])],
      server(handshake(tls.serverHello13), tls.applicationData),
    ],
    names: ['ClientHello', 'ServerHello', 'ClientHello', 'ServerHello'],
  },
  'a raw public key': {
    fed: [
      ['client', tls.clientHello({ name: HOST, rawPublicKey: true })],
      server(
        handshake(
          tls.serverHello({ rawPublicKey: true }),
          tls.handshake(11, tls.vector24(Buffer.from('spki'))),
          tls.serverHelloDone,
        ),
      ),
    ],
    names: ['ClientHello', 'ServerHello', 'RawPublicKey', 'ServerHelloDone'],
  },
  'an SSLv2 hello that is answered in TLS': {
    fed: [
      ['client', tls.ssl2ClientHello()],
      server(handshake(tls.serverHello({ version: 0x0301 }), certificateMessage, tls.serverHelloDone)),
      clientFinish,
      server(finish),
    ],
    names: ['ClientHello', 'ServerHello', 'Certificate', 'ServerHelloDone', 'ServerChangeCipherSpec'],
    options: { isSsl2: true },
  },
  'an SSLv2 hello that is answered in SSLv2': {
    fed: [
      ['client', tls.ssl2ClientHello(0x0002)],
      server(tls.ssl2ServerHello(DER)),
      ['client', Buffer.from('800a02aabbccddeeff001122', 'hex')],
      server(Buffer.from('8003aabbcc', 'hex')),
    ],
    names: ['ClientHello', 'ServerHello', 'Certificate', 'ServerHelloDone'],
    options: { isSsl2: true },
  },
};

describe.each(Object.entries(conversations))('%s', (_name, { fed, names, options = { isSsl2: false } }) => {
  it('is reported message by message, without a fault', () => {
    expect(watch(fed, options).names).toEqual(names);
  });

  it('is the same in pieces of any size', () => {
    const whole = watch(fed, options).lines;
    const longest = Math.max(...fed.map(([, octets]) => octets.length));
    for (let size = 1; size < longest; size += size < 20 ? 1 : 61) {
      expect(watch(fed, { ...options, size }).lines, `pieces of ${size}`).toEqual(whole);
    }
  });

  it('is the same for somebody who was not told that the client comes first', () => {
    expect(watch(fed, { ...options, clientFirst: false }).lines).toEqual(watch(fed, options).lines);
  });
});

describe('one octet of a message in each record', () => {
  it('makes the same message', () => {
    const messages = Buffer.concat([
      tls.serverHello(),
      tls.certificateMessageOf(Buffer.from('tiny')),
      tls.serverHelloDone,
    ]);
    const whole = watch([hello, server(handshake(messages))]);
    const cut = watch([hello, server(tls.records(22, messages, 1))]);
    expect(cut.lines).toEqual(whole.lines);
  });

  it('more records than the limit is a limit and not an error', () => {
    const messages = Buffer.concat([tls.serverHello(), certificateMessage]);
    const { fault } = watch([hello, server(tls.records(22, messages, 1))]);
    expect(fault).toMatchObject({ family: 'misbehaved', code: 'tls.record.too-many' });
    expect(watch([hello, server(tls.records(22, messages, 1))], { limits: { records: 10_000 } }).fault).toBeUndefined();
  });
});

describe('a Certificate', () => {
  it('over several records, of more than 16 KiB and of more than 64 KiB', () => {
    for (const size of [20_000, 70_000]) {
      const der = Buffer.alloc(size, 0x30);
      const messages = Buffer.concat([tls.serverHello(), tls.certificateMessageOf(der), tls.serverHelloDone]);
      const watched = watch([hello, server(tls.records(22, messages, 0x4000))]);
      expect(watched.fault).toBeUndefined();
      expect(watched.certificates[0]!.length).toBe(size);
    }
  });

  it('longer than the limit is a limit at its header', () => {
    const announced = Buffer.from('0b' + 'ffffff', 'hex');
    const watched = watch([hello, server(handshake(tls.serverHello(), announced))]);
    expect(watched.lines.at(-1)).toBe('Fault server misbehaved tls.handshake.too-long');
  });

  it('that is empty is none that a server may send (RFC 5246 §7.4.2)', () => {
    const watched = watch([hello, server(handshake(tls.serverHello(), tls.certificateMessageOf()))]);
    expect(watched.lines.at(-1)).toBe('Fault server malformed tls.certificate.none');
  });

  it('of more certificates than the limit', () => {
    const many = tls.certificateMessageOf(...Array<Uint8Array>(17).fill(Buffer.from('x')));
    const watched = watch([hello, server(handshake(tls.serverHello(), many))]);
    expect(watched.lines.at(-1)).toBe('Fault server misbehaved tls.certificate.too-many');
  });
});

/** Records of the server's after an ordinary ClientHello, and the fault that they are. */
const faults: Record<string, [code: string, ...records: Uint8Array[]]> = {
  'a second Certificate': [
    'tls.handshake.order',
    handshake(tls.serverHello(), certificateMessage, certificateMessage, tls.serverHelloDone),
  ],
  'a second Certificate behind ServerKeyExchange': [
    'tls.handshake.order',
    handshake(tls.serverHello(0xc02f), certificateMessage, tls.serverKeyExchange(), certificateMessage),
  ],
  'a second ServerHello': ['tls.handshake.order', handshake(tls.serverHello(), tls.serverHello())],
  'a Certificate before ServerHello': ['tls.handshake.order', handshake(certificateMessage)],
  'a Certificate behind ServerHelloDone': [
    'tls.handshake.order',
    handshake(tls.serverHello(), certificateMessage, tls.serverHelloDone, certificateMessage),
  ],
  'a Certificate behind ServerKeyExchange that comes first': [
    'tls.handshake.order',
    handshake(tls.serverHello(0xc02f), tls.serverKeyExchange(), certificateMessage),
  ],
  'no ServerKeyExchange where one is due': [
    'tls.server-key-exchange.missing',
    handshake(tls.serverHello(0xc02f), certificateMessage, tls.serverHelloDone),
  ],
  'a ServerKeyExchange where none may be': [
    'tls.server-key-exchange.unexpected',
    handshake(tls.serverHello(0x009c), certificateMessage, tls.serverKeyExchange()),
  ],
  'a message of a type that nobody assigned': [
    'tls.handshake.order',
    handshake(tls.serverHello(), tls.handshake(200, Buffer.alloc(3))),
  ],
  'the header of such a message, whose body never comes': [
    'tls.handshake.order',
    handshake(Buffer.from([3, 3, 0, 0]), certificateMessage),
  ],
  'a message behind the ServerHello of TLS 1.3, in its record': [
    'tls.handshake.order',
    handshake(tls.serverHello({ suite: 0x1301, selectedVersion: 0x0304 }), Buffer.from([11, 0, 1])),
  ],
  'EncryptedExtensions in clear': [
    'tls.handshake.order',
    handshake(tls.serverHello(), tls.handshake(8, Buffer.alloc(2))),
  ],
  'a ClientHello of the server': ['tls.handshake.order', tls.clientHello(HOST)],
  'ChangeCipherSpec before ServerHello': ['tls.change-cipher-spec.early', tls.changeCipherSpec],
  'ChangeCipherSpec behind Certificate': [
    'tls.change-cipher-spec.early',
    handshake(tls.serverHello(), certificateMessage),
    tls.changeCipherSpec,
  ],
  'ChangeCipherSpec before ServerHelloDone': [
    'tls.change-cipher-spec.early',
    handshake(tls.serverHello(0xc02f), certificateMessage, tls.serverKeyExchange()),
    tls.changeCipherSpec,
  ],
  'ChangeCipherSpec of two octets': [
    'tls.change-cipher-spec.length',
    handshake(tls.serverHello()),
    tls.record(20, Buffer.from([1, 1])),
  ],
  'ChangeCipherSpec of another value': [
    'tls.change-cipher-spec.value',
    handshake(tls.serverHello()),
    tls.record(20, Buffer.from([2])),
  ],
  'application data in clear': ['tls.application-data.early', handshake(tls.serverHello()), tls.applicationData],
  'a handshake record without octets': [
    'tls.record.empty',
    handshake(tls.serverHello()),
    tls.record(22, Buffer.alloc(0)),
  ],
  'an alert record without octets': ['tls.record.empty', tls.record(21, Buffer.alloc(0))],
  'an alert inside a message': [
    'tls.record.interleaved',
    tls.record(22, tls.serverHello().subarray(0, 20)),
    tls.alert('warning', 112),
    tls.record(22, tls.serverHello().subarray(20)),
  ],
  'a ChangeCipherSpec inside a message': [
    'tls.record.interleaved',
    tls.record(22, tls.serverHello().subarray(0, 20)),
    tls.changeCipherSpec,
  ],
  'a handshake record inside an alert': [
    'tls.record.interleaved',
    tls.record(21, Buffer.from([1])),
    handshake(tls.serverHello()),
  ],
  'a plaintext record of more than 2^14 octets': ['tls.record.overflow', tls.record(22, Buffer.alloc(0x4001))],
  'a HelloRequest with a body': ['tls.hello-request.syntax', handshake(tls.handshake(0, Buffer.alloc(1)))],
  'more HelloRequests than anybody sends': [
    'tls.warning.too-many',
    handshake(...Array<Buffer>(9).fill(tls.helloRequest)),
  ],
  'more warnings than anybody sends': ['tls.warning.too-many', ...Array<Buffer>(9).fill(tls.alert('warning', 112))],
  'a second HelloRetryRequest': [
    'tls.hello-retry-request.repeated',
    handshake(tls.helloRetryRequest, tls.helloRetryRequest),
  ],
};

describe.each(Object.entries(faults))('%s', (_name, [code, ...records]) => {
  const offer: Fed = ['client', tls.clientHello({ name: HOST, supportedVersions: [0x0304, 0x0303] })];

  it(`is ${code}, and the end of what is read`, () => {
    const watched = watch([offer, server(...records, handshake(tls.serverHello(), certificateMessage))]);
    expect(watched.fault).toMatchObject({ code });
    expect(watched.lines.at(-1)).toContain('Fault server');
    expect(watched.names.filter((name) => name === 'Certificate').length).toBeLessThan(2);
  });

  it('in pieces of one octet too', () => {
    expect(watch([offer, server(...records)], { size: 1 }).lines).toEqual(watch([offer, server(...records)]).lines);
  });
});

describe('warnings between messages', () => {
  it('are ignored while they are few: unrecognized_name is met in practice', () => {
    const watched = watch([
      hello,
      server(tls.alert('warning', 112), handshake(tls.helloRequest, tls.serverHello()), tls.alert('warning', 112)),
      server(handshake(certificateMessage, tls.serverHelloDone)),
    ]);
    expect(watched.names).toEqual(['ClientHello', 'ServerHello', 'Certificate', 'ServerHelloDone']);
  });

  it('and a fatal one is reported', () => {
    expect(watch([hello, server(tls.alert('fatal', 40))]).lines.at(-1)).toBe('FatalAlert server 40');
    expect(watch([hello, ['client', tls.alert('fatal', 42)]]).lines.at(-1)).toBe('FatalAlert client 42');
  });
});

describe('record versions', () => {
  it('mean nothing, and may change from record to record', () => {
    const flight = [tls.serverHello(), certificateMessage, tls.serverHelloDone].map((message, i) =>
      tls.record(22, message, [0x0300, 0x0304, 0x03ff][i]!),
    );
    expect(watch([hello, server(...flight)]).names).toEqual([
      'ClientHello',
      'ServerHello',
      'Certificate',
      'ServerHelloDone',
    ]);
  });
});

describe('before the ClientHello', () => {
  it('HelloRequests and warnings are ignored: clients ignore them too', () => {
    const watched = watch([server(handshake(tls.helloRequest), tls.alert('warning', 112)), hello]);
    expect(watched.names).toEqual(['ClientHello']);
  });

  it('an answer is none: a client would take it for the answer once it asks', () => {
    expect(watch([server(handshake(tls.serverHello())), hello]).lines[0]).toBe(
      'Fault server misbehaved tls.server-hello.early',
    );
    expect(watch([server(tls.changeCipherSpec), hello]).lines[0]).toContain('tls.change-cipher-spec.early');
    expect(watch([server(tls.applicationData), hello]).lines[0]).toContain('tls.application-data.early');
  });

  it('an answer whose first half came before it is one', () => {
    const flight = handshake(tls.serverHello(), certificateMessage);
    const watched = watch([server(flight.subarray(0, 30)), hello, server(flight.subarray(30))]);
    expect(watched.names).toEqual(['ClientHello', 'ServerHello', 'Certificate']);
  });

  it('a client says nothing else', () => {
    expect(watch([['client', handshake(tls.handshake(16, Buffer.alloc(4)))]]).fault).toMatchObject({
      code: 'tls.handshake.order',
    });
    expect(watch([['client', tls.applicationData]]).fault).toMatchObject({ code: 'tls.application-data.early' });
  });
});

describe('a second ClientHello', () => {
  const first: Fed = ['client', tls.clientHello({ name: HOST, supportedVersions: [0x0304] })];

  it('without a HelloRetryRequest, once the server has answered, is a fault', () => {
    const watched = watch([hello, server(handshake(tls.serverHello())), hello]);
    expect(watched.lines.at(-1)).toBe('Fault client misbehaved tls.client-hello.repeated');
  });

  it('with another name is a fault (RFC 8446 §4.1.2)', () => {
    for (const name of ['other.example', undefined]) {
      const watched = watch([
        first,
        server(handshake(tls.helloRetryRequest)),
        ['client', tls.clientHello({ name, supportedVersions: [0x0304] })],
      ]);
      expect(watched.lines.at(-1)).toBe('Fault client misbehaved tls.client-hello.changed-name');
    }
  });
});

describe('behind a HelloRetryRequest', () => {
  const offer: Fed = ['client', tls.clientHello({ name: HOST, supportedVersions: [0x0304, 0x0303] })];
  const asked = server(handshake(tls.helloRetryRequest));

  it.each([
    ['a ServerHello of another version behind a HelloRetryRequest', [offer, asked, offer], tls.serverHello()],
    ['a ServerHello that does not wait for the second ClientHello', [offer, asked], tls.serverHello13],
  ] as [string, Fed[], Buffer][])('%s is a fault', (_, fed, message) => {
    const watched = watch([...fed, server(handshake(message))]);
    expect(watched.lines.at(-1)).toBe('Fault server misbehaved tls.server-hello.retried');
  });
});

describe('what the client did not offer', () => {
  it.each([
    ['TLS 1.3', tls.serverHello13],
    ['HelloRetryRequest', tls.helloRetryRequest],
    ['a draft of TLS 1.3', tls.serverHello({ selectedVersion: 0x7f1c })],
    ['a raw public key', tls.serverHello({ rawPublicKey: true })],
    ['a pre-shared key', tls.serverHello({ extensions: [tls.extension(41, Buffer.from('0000', 'hex'))] })],
  ])('%s: clients that ignore it would read on in another way', (_what, message) => {
    expect(watch([hello, server(handshake(message))]).fault).toMatchObject({
      family: 'misbehaved',
      code: 'tls.server-hello.unsolicited',
    });
  });
});

describe('what is encrypted', () => {
  const { fed } = conversations['static RSA']!;

  it('is not looked at, whatever it looks like', () => {
    const watched = watch([
      ...fed,
      server(handshake(certificateMessage), tls.alert('fatal', 40), tls.record(22, Buffer.alloc(17_000))),
      ['client', Buffer.concat([tls.clientHello('other.example'), tls.alert('fatal', 40)])],
    ]);
    expect(watched.names).toEqual(conversations['static RSA']!.names);
    expect(watched.observer.done).toBe(true);
  });

  it('is not counted as records of the handshake', () => {
    const watched = watch([...fed, server(...Array<Buffer>(1000).fill(tls.applicationData))]);
    expect(watched.fault).toBeUndefined();
  });
});

describe('where an alert could be read by the client', () => {
  it('is between records, until the server encrypts', () => {
    const flight = handshake(tls.serverHello(), certificateMessage, tls.serverHelloDone);
    const watched = watch([hello]);
    const boundaries: boolean[] = [];
    for (let at = 0; at < flight.length; at++) {
      boundaries.push(watched.observer.serverAtBoundary);
      watched.observer.feedServer(flight, at, at + 1);
    }
    expect(boundaries.indexOf(true)).toBe(0);
    expect(boundaries.lastIndexOf(true)).toBe(0);
    expect(watched.observer.serverAtBoundary).toBe(true);
    watched.observer.feedServer(finish, 0, finish.length);
    expect(watched.observer.serverAtBoundary).toBe(false);
  });

  it('the record says the version of the handshake', () => {
    expect(watch([hello]).observer.recordVersion).toBe(0x0303);
    expect(watch([hello, server(handshake(tls.serverHello({ version: 0x0301 })))]).observer.recordVersion).toBe(0x0301);
    const offer: Fed = ['client', tls.clientHello({ name: HOST, supportedVersions: [0x0304] })];
    expect(watch([offer, server(handshake(tls.serverHello13))]).observer.recordVersion).toBe(0x0303);
  });
});

describe('a capture of the server alone', () => {
  it('is read from its first message', () => {
    const flight = server(handshake(tls.serverHello(), certificateMessage, tls.serverHelloDone));
    const watched = watch([flight, server(finish)], { clientFirst: false });
    expect(watched.names).toEqual(['ServerHello', 'Certificate', 'ServerHelloDone', 'ServerChangeCipherSpec']);
  });
});
