import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import { PreambleTracker } from '../../src/starttls/tracker.ts';
import { FLIGHT, HELLO, play, playSplitEverywhere } from './dialogue.ts';
import type { Turn } from './dialogue.ts';
import { bytes, UPGRADES } from './upgrades.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const TLS = { state: 'tls', client: HELLO, server: FLIGHT };
const AFTER: readonly Turn[] = [
  ['C', HELLO],
  ['S', FLIGHT],
];

describe('MySQL', () => {
  const greeting = Buffer.concat([hex('4a0000 00 0a'), Buffer.from('8.0.36\0'), Buffer.alloc(66, 1)]);
  const sslRequest = Buffer.concat([hex('200000 01 85aeff19 00000001 ff'), Buffer.alloc(23)]);
  const dialogue: Turn[] = [['S', greeting], ['C', sslRequest], ...AFTER];

  test('TLS begins behind the client’s request, without an answer', () => {
    expect(play(dialogue)).toMatchObject({ ...TLS, by: 'C', protocol: 'mysql' });
    for (const outcome of playSplitEverywhere(dialogue)) expect(outcome).toMatchObject({ ...TLS, protocol: 'mysql' });
  });

  test('request and hello in one piece', () => {
    const both = Buffer.concat([sslRequest, Buffer.from(HELLO, 'latin1')]);
    expect(
      play([
        ['S', greeting],
        ['C', both],
        ['S', FLIGHT],
      ]),
    ).toMatchObject(TLS);
  });

  test('the request of the protocol before 4.1', () => {
    expect(play([['S', greeting], ['C', hex('050000 01 0008 ffffff')], ...AFTER])).toMatchObject(TLS);
  });

  test('a handshake response in the clear is foreign', () => {
    const response = Buffer.concat([hex('540000 01 85a6ff19 00000001 ff'), Buffer.alloc(75)]);
    expect(
      play([
        ['S', greeting],
        ['C', response],
      ]),
    ).toMatchObject({ state: 'foreign', by: 'C' });
  });
});

describe('tunnels start from the beginning', () => {
  const connect: Turn[] = [
    ['C', 'CONNECT mail.example:25 HTTP/1.1\r\n\r\n'],
    ['S', 'HTTP/1.1 200 OK\r\n\r\n'],
  ];
  const smtp: Turn[] = [
    ['S', '220 ready\r\n'],
    ['C', 'EHLO x\r\n'],
    ['S', '250 STARTTLS\r\n'],
    ['C', 'STARTTLS\r\n'],
    ['S', '220 go\r\n'],
  ];
  const socks4: Turn[] = [
    ['C', hex('04 01 01bb c0000201 00')],
    ['S', hex('00 5a 0000 00000000')],
  ];

  test('another preamble inside one', () => {
    const dialogue = [...connect, ...smtp, ...AFTER];
    expect(play(dialogue)).toMatchObject({ ...TLS, protocol: 'http-connect+smtp' });
    for (const outcome of playSplitEverywhere(dialogue)) expect(outcome).toMatchObject(TLS);
  });

  test('a tunnel inside a tunnel', () => {
    expect(play([...socks4, ...connect, ...AFTER])).toMatchObject({ ...TLS, protocol: 'socks+http-connect' });
  });

  test('something else inside one is foreign', () => {
    expect(play([...connect, ['C', 'GET / HTTP/1.1\r\n']])).toMatchObject({ state: 'foreign', by: 'C' });
    expect(play([...connect, ['S', 'SSH-2.0-x\r\n'], ['C', 'SSH-2.0-y\r\n']]).state).toBe('foreign');
  });

  test('what the server says inside before the hello is TLS', () => {
    expect(play([...connect, ['S', 'early '], ['S', 'words'], ...AFTER])).toMatchObject({
      state: 'tls',
      client: HELLO,
      server: `early words${FLIGHT}`,
    });
  });

  test('are followed for a bounded way', () => {
    const nested = Array.from({ length: 5 }, () => connect).flat();
    expect(play([...nested, ['C', HELLO]]).state).toBe('foreign');
  });
});

describe('a client whose only word is STARTTLS', () => {
  const ask: Turn = ['C', 'STARTTLS\r\n'];

  test.each([
    ['irc', ':irc.example 670 * :go ahead\r\n', ''],
    ['irc', ':irc.example 670 * :go ahead\r\n', ':irc.example NOTICE * :*** Looking up\r\n'],
    ['sieve', 'OK "begin"\r\n', '"STARTTLS"\r\nOK "ready"\r\n'],
    ['nntp', '382 go on\r\n', '200 ready\r\n'],
  ])('speaks what its server does: %s', (protocol, agreement, greeting) => {
    const dialogues: Turn[][] = [
      [['S', greeting], ask, ['S', agreement], ...AFTER],
      // Ahead of the greeting.
      [ask, ['S', greeting], ['S', agreement], ...AFTER],
      [
        ['S', greeting],
        ['C', `STARTTLS\r\n${HELLO}`],
        ['S', agreement],
        ['S', FLIGHT],
      ],
    ];
    for (const dialogue of dialogues) {
      for (const chunk of [1, 2, 5, Infinity]) expect(play(dialogue, chunk)).toMatchObject({ ...TLS, protocol });
    }
  });

  test('has said nothing that names a protocol, and goes over to TLS all the same', () => {
    expect(play([ask, ['S', 'whatever\r\n'], ...AFTER])).toMatchObject({ ...TLS, by: 'C', protocol: null });
  });

  test('may be refused, and ask again in the same protocol', () => {
    const refused: Turn[] = [['S', '201 ready\r\n'], ask, ['S', '502 no\r\n']];
    expect(play([...refused, ask, ['S', '382 go on\r\n'], ...AFTER])).toMatchObject({ ...TLS, protocol: 'nntp' });
    expect(play([...refused, ['C', 'NICK user\r\n']])).toMatchObject({ state: 'foreign', by: 'C' });
  });
});

describe('white space behind the request', () => {
  const before: Turn[] = [['C', `<stream:stream xmlns='jabber:client'>`]];
  const proceed: Turn = ['S', `<proceed/>`];

  test.each(['\n', ' \t\r\n'])('%j belongs to it where it is of XML', (blanks) => {
    const asking: Turn = ['C', `<starttls/>${blanks}`];
    const dialogue: Turn[] = [...before, asking, proceed, ...AFTER];
    for (const outcome of playSplitEverywhere(dialogue)) expect(outcome).toMatchObject({ ...TLS, protocol: 'xmpp' });
    const pipelined: Turn[] = [...before, ['C', `<starttls/>${blanks}${HELLO}`], proceed, ['S', FLIGHT]];
    for (const outcome of playSplitEverywhere(pipelined)) expect(outcome).toMatchObject(TLS);
  });

  test('is the client’s next word anywhere else', () => {
    expect(
      play([
        ['C', 'EHLO x\r\n'],
        ['C', 'STARTTLS\r\n\n'],
        ['S', '220 x\r\n250 x\r\n220 go\r\n'],
      ]),
    ).toMatchObject({
      state: 'tls',
      client: '\n',
    });
  });
});

test('the cancellation of a query has no answer: nothing that the server says goes', () => {
  const tracker = new PreambleTracker();
  expect(tracker.client(hex('00000014 04d2162e 00001234 deadbeefdeadbeef')).state).toBe('preamble');
  expect(tracker.server(Buffer.from('S')).state).toBe('preamble');
  expect(tracker.served).toBe(0);
  expect(tracker.protocol).toBe('postgres');
});

describe('TLS without a preamble', () => {
  test('what the server said ahead of the hello belongs to TLS', () => {
    const ahead = '\x16\x03\x01\x00\x04\x00\x00\x00\x00';
    for (const chunk of [1, 2, 3, Infinity]) {
      expect(play([['S', ahead], ...AFTER], chunk)).toMatchObject({ ...TLS, server: ahead + FLIGHT, protocol: null });
    }
  });

  test('a hello in SSLv2 form', () => {
    const hello = '\x80\x2e\x01\x03\x01\x00\x15\x00';
    for (const chunk of [1, 2, 3, 4, Infinity]) {
      expect(
        play(
          [
            ['C', hello],
            ['S', FLIGHT],
          ],
          chunk,
        ),
      ).toMatchObject({ state: 'tls', client: hello, server: FLIGHT });
    }
  });

  test.each([
    '\x16\x02',
    '\x80\x2e\x02',
    '\x80\x2e\x01\x07',
    'GET / HTTP/1.1\r\n',
    'SSH-2.0-x\r\n',
    '\x13BitTorrent',
    '\0\x01',
  ])('%j is foreign', (said) => {
    expect(play([['C', said]])).toMatchObject({ state: 'foreign', by: 'C', protocol: null });
    expect(play([['C', said]], 1)).toMatchObject({ state: 'foreign', by: 'C' });
  });
});

describe('a server cannot have its certificate pass for preamble', () => {
  const ready: Turn[] = [
    ['S', '220 ready\r\n'],
    ['C', 'EHLO x\r\n'],
  ];

  test('by an answer ahead of the request: the hello comes at once, and TLS is found', () => {
    const ahead: Turn[] = [...ready, ['S', '250 STARTTLS\r\n220 go ahead\r\n'], ['C', 'STARTTLS\r\n'], ...AFTER];
    expect(play(ahead)).toMatchObject(TLS);
    expect(play(ahead, 1)).toMatchObject(TLS);
  });

  test('by an answer that is not understood: the hello that follows is TLS', () => {
    const odd: Turn[] = [...ready, ['S', '250 x\r\n'], ['C', 'STARTTLS\r\n'], ['S', ' 220 go\r\n'], ...AFTER];
    expect(play(odd)).toMatchObject({ ...TLS, by: 'C' });
  });

  test('by an answer inside what passes for the body of a refusal', () => {
    const connect: Turn = ['C', 'CONNECT a:1 HTTP/1.1\r\n\r\n'];
    const refusal: Turn = ['S', 'HTTP/1.1 407 No\r\nContent-Length: 999\r\n\r\n'];
    const hidden: Turn = ['S', 'HTTP/1.1 200 OK\r\n\r\n'];
    expect(play([connect, refusal, connect, hidden, ...AFTER])).toMatchObject({ ...TLS, by: 'C' });
  });

  test('by text around the answer to a hello that waits', () => {
    const pipelined: Turn[] = [...ready, ['S', '250 x\r\n'], ['C', `STARTTLS\r\n${HELLO}`]];
    for (const chunk of [1, Infinity]) {
      expect(play([...pipelined, ['S', `odd words${FLIGHT}`]], chunk)).toMatchObject(TLS);
    }
  });
});

describe('a server goes only as far as its client has asked', () => {
  const saidBy = (who: 'C' | 'S', turns: readonly Turn[]) =>
    Buffer.concat(turns.filter(([speaker]) => speaker === who).map(bytes));

  test.each(UPGRADES)('$name, whenever each side speaks', ({ before, request, agreement }) => {
    const dialogue = [...before, request, agreement];
    const client = saidBy('C', dialogue);
    const server = Buffer.concat([saidBy('S', dialogue), Buffer.from(FLIGHT, 'latin1')]);
    const flightAt = server.length - FLIGHT.length;
    const turn = fc.record({ isServer: fc.boolean(), octets: fc.integer({ min: 1, max: 400 }) });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 20 }), (turns) => {
        const tracker = new PreambleTracker();
        const at = { client: 0, server: 0 };
        for (const { isServer, octets } of turns) {
          const [side, said] = isServer ? (['server', server] as const) : (['client', client] as const);
          const { state } = tracker[side](said.subarray(at[side], at[side] + octets));
          at[side] = Math.min(said.length, at[side] + octets);
          expect(tracker.served).toBeLessThanOrEqual(flightAt);
          if (state === 'preamble') continue;
          expect(at.client).toBe(client.length);
          break;
        }
      }),
    );
  });

  const askedOnce = UPGRADES.filter(({ protocol }) => protocol !== 'http-connect');
  test.each(askedOnce)('$name: what was ahead is TLS once the hello is there', ({ before, request, agreement }) => {
    const dialogue = [...before, request, agreement];
    const ahead: Turn = ['S', Buffer.concat([saidBy('S', dialogue), Buffer.from(FLIGHT, 'latin1')])];
    const clients: Turn[] = dialogue.filter(([who]) => who === 'C');
    const first = clients[0]!;
    for (const turns of [
      [ahead, ...clients],
      [first, ahead, ...clients.slice(1)],
    ]) {
      expect(play([...turns, ['C', HELLO]])).toMatchObject({ state: 'tls', server: FLIGHT });
    }
  });

  test('a greeting of MySQL goes, and nothing behind it', () => {
    const greeting = Buffer.concat([hex('4a0000 00 0a'), Buffer.from('8.0.36\0'), Buffer.alloc(66, 0x16)]);
    const tracker = new PreambleTracker();
    tracker.server(greeting.subarray(0, 30));
    // For all that is known, the first is a letter.
    expect(tracker.served).toBe(1);
    tracker.server(Buffer.concat([greeting.subarray(30), Buffer.from(FLIGHT, 'latin1')]));
    expect(tracker.served).toBe(greeting.length);
    tracker.server(greeting);
    expect(tracker.served).toBe(greeting.length);
  });

  test('nor does a greeting of more octets than one has', () => {
    const tracker = new PreambleTracker();
    tracker.server(Buffer.concat([hex('000800 00 0a'), Buffer.alloc(0x800, 0x41)]));
    expect(tracker.served).toBe(0);
  });

  test('the entries of a directory go, however long; the answer to what was not asked does not', () => {
    const tracker = new PreambleTracker();
    const search = hex('3025 020102 6320 0400 0a0100 0a0100 020100 020100 010100 870b 6f626a656374436c617373 3000');
    tracker.client(search);
    const entry = Buffer.concat([hex('3084 00004e20 020102 6484 00004e17'), Buffer.alloc(0x4e17, 0x16)]);
    for (let at = 0; at < entry.length; at += 1000) tracker.server(entry.subarray(at, at + 1000));
    expect(tracker.served).toBe(entry.length);
    tracker.server(hex('300c 020103 7807 0a0100 0400 0400'));
    expect(tracker.served).toBe(entry.length);
  });

  test('the words of an error go with it', () => {
    const tracker = new PreambleTracker();
    tracker.client(hex('00000008 04d2162f'));
    tracker.server(Buffer.from('E\0\0\0\x30SFATAL\0Munsupported frontend protocol\0\0'));
    expect(tracker.served).toBe(44);
    tracker.server(Buffer.from(FLIGHT, 'latin1'));
    expect(tracker.served).toBe(44);
  });
});

describe('bounds', () => {
  test('octets that wait for an answer', () => {
    const held: Turn[] = [
      ['C', 'CONNECT a:1 HTTP/1.1\r\n\r\n'],
      ['C', 'x'.repeat(100)],
    ];
    expect(play(held, Infinity, { bytes: 100 }).state).toBe('preamble');
    expect(play(held, Infinity, { bytes: 99 })).toMatchObject({ state: 'limit', by: 'C' });
  });

  test('octets of the server ahead of a possible hello', () => {
    expect(play([['S', 'x'.repeat(100)]], 1, { bytes: 100 }).state).toBe('preamble');
    expect(play([['S', 'x'.repeat(101)]], 1, { bytes: 100 })).toMatchObject({ state: 'limit', by: 'S' });
  });

  test('a client’s message', () => {
    expect(play([['C', `EHLO ${'x'.repeat(20_000)}`]])).toMatchObject({ state: 'limit', by: 'C' });
    expect(play([['C', `CONNECT a:1 HTTP/1.1\r\nx: ${'x'.repeat(20_000)}`]]).state).toBe('limit');
    expect(play([['C', `<stream:stream a='${'x'.repeat(20_000)}`]]).state).toBe('limit');
  });

  test('a server’s overlong line is passed over', () => {
    const dialogue: Turn[] = [
      ['S', `220-${'x'.repeat(20_000)}\r\n220 ready\r\n`],
      ['C', 'EHLO x\r\n'],
      ['S', '250 STARTTLS\r\n'],
      ['C', 'STARTTLS\r\n'],
      ['S', `${'x'.repeat(20_000)}\r\n220 go\r\n`],
    ];
    expect(play([...dialogue, ...AFTER])).toMatchObject(TLS);
  });
});

test('whatever is said, a server’s octets make nothing foreign, and nothing throws', () => {
  const words = fc.constantFrom(
    '220 x\r\n',
    'EHLO x\r\n',
    'STARTTLS\r\n',
    HELLO,
    '\x30\x84',
    '\x05\x01\x00',
    '<a',
    '\0',
    '5',
  );
  const said = fc.oneof(words, fc.string({ unit: 'binary' }));
  const turn = fc.tuple(fc.constantFrom('C' as const, 'S' as const), said);
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (turns, chunk) => {
      const outcome = play(turns, chunk);
      if (outcome.state === 'foreign') expect(outcome.by).toBe('C');
    }),
    { numRuns: 500 },
  );
});

test('a client that never asks and says only harmless things stays in the preamble', () => {
  const tracker = new PreambleTracker();
  expect(tracker.protocol).toBeNull();
  tracker.client(Buffer.from('EHLO x\r\n'));
  for (let count = 0; count < 100; count++) {
    expect(tracker.client(Buffer.from('NOOP\r\n')).state).toBe('preamble');
    expect(tracker.server(Buffer.from('250 ok\r\n')).state).toBe('preamble');
  }
  expect(tracker.protocol).toBe('smtp');
  expect(tracker.client(Buffer.from('QUIT\r\n')).state).toBe('preamble');
});

test('of what a server says ahead of its client, octet by octet, none is copied with each one that comes', () => {
  const tracker = new PreambleTracker();
  const concat = vi.spyOn(Buffer, 'concat');
  for (let count = 0; count < 2_000; count++) tracker.server(Buffer.of(0));
  const copied = concat.mock.results.map(({ value }) => (value as Buffer).length);
  concat.mockRestore();
  expect(Math.max(...copied)).toBeLessThan(11);
});
