import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { PreambleTracker } from '../../src/starttls/tracker.ts';
import { FLIGHT, HELLO, play, playSplitEverywhere } from './dialogue.ts';
import type { Turn } from './dialogue.ts';

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
