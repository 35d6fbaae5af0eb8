import { describe, expect, it, vi } from 'vitest';

import type { ProbeTunnel } from '../../src/judge/ports.ts';
import type { Conversation } from '../../src/probe/connection.ts';
import { dialogueOf, Upgrade } from '../../src/probe/upgrade.ts';
import { PreambleTracker } from '../../src/starttls/tracker.ts';

const HELLO = Buffer.from([22, 3, 1, 0, 1, 1]);
const NAME = 'www.example.com';

/** TLS, as far as it matters here: says hello, keeps what it hears. */
class Listener implements Conversation<string> {
  heard = '';
  outcome: string | undefined;
  start(): Uint8Array {
    return HELLO;
  }
  feed(bytes: Uint8Array): Uint8Array {
    this.heard += Buffer.from(bytes).toString('latin1');
    return new Uint8Array(0);
  }
}

const bytesOf = (text: string | Buffer): Buffer => (typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
const mysqlPacket = (sequence: number, body: Buffer) =>
  Buffer.concat([Buffer.from([body.length, 0, 0, sequence]), body]);
const ldap = (code: string) => Buffer.from(`300c02010178070a01${code}04000400`, 'hex');
const rdp = (type: string, value: string) => Buffer.from(`030000130ed00000123400${type}000800${value}`, 'hex');
const features = `<?xml version='1.0'?><stream:stream xmlns:stream='x'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>`;

/** What a server says, turn by turn; null where it waits for the client's first words. */
const AGREE: Record<string, (string | Buffer)[]> = {
  smtp: ['220-mail.example\r\n220 ready\r\n', '250-mail.example\r\n250-STARTTLS\r\n250 HELP\r\n', '220 go ahead\r\n'],
  imap: ['* OK ready\r\n', '* CAPABILITY IMAP4rev1\r\na OK begin\r\n'],
  pop3: ['+OK ready\r\n', '+OK begin\r\n'],
  ftp: ['220-Welcome\r\n to all\r\n220 ready\r\n', '234 AUTH TLS successful\r\n'],
  irc: [':irc.example NOTICE * :*** Looking up\r\n:irc.example 670 * :STARTTLS successful\r\n'],
  sieve: ['"STARTTLS"\r\nOK "ready"\r\n', 'OK "begin"\r\n'],
  nntp: ['200 ready\r\n', '382 go on\r\n'],
  ldap: [ldap('00')],
  postgres: ['S'],
  mysql: [mysqlPacket(0, Buffer.concat([Buffer.from([10]), Buffer.alloc(70, 0x2e)]))],
  rdp: [rdp('02', '01000000')],
  xmpp: [features, `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`],
};

const REFUSE: [string, string, (string | Buffer)[]][] = [
  ['smtp', 'that is busy', ['421 busy\r\n']],
  ['smtp', 'without TLS', [...AGREE['smtp']!.slice(0, 2), '502 no\r\n']],
  ['imap', 'that is busy', ['* BYE busy\r\n']],
  ['imap', 'without TLS', ['* OK ready\r\n', 'a BAD what\r\n']],
  ['pop3', 'without TLS', ['+OK ready\r\n', '-ERR what\r\n']],
  ['ftp', 'without TLS', ['220 ready\r\n', '500 what\r\n']],
  ['irc', 'without TLS', [':irc.example 691 * :no\r\n']],
  ['sieve', 'that is busy', ['BYE "busy"\r\n']],
  ['sieve', 'without TLS', ['OK "ready"\r\n', 'NO "what"\r\n']],
  ['nntp', 'that is busy', ['400 busy\r\n']],
  ['nntp', 'without TLS', ['201 ready\r\n', '500 what\r\n']],
  ['ldap', 'without TLS', [ldap('02')]],
  ['postgres', 'without TLS', ['N']],
  ['mysql', 'that lets nobody in', [mysqlPacket(0, Buffer.from([0xff, 0x6a, 0x04]))]],
  ['rdp', 'without TLS', [rdp('03', '02000000')]],
  ['xmpp', 'without TLS', [features, `<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>`]],
  ['smtp', 'that is a web server', ['HTTP/1.1 400 Bad Request\r\n'.repeat(1000)]],
];

/** What the probe says to each turn of the server's, from its first words on. */
function play(protocol: string, turns: readonly (string | Buffer)[], cut = Infinity) {
  const inner = new Listener();
  const upgrade = new Upgrade(dialogueOf(protocol, { serverName: NAME, port: 1, tunnels: [] })!, inner);
  const said = [upgrade.start()];
  for (const turn of turns.map(bytesOf)) {
    const answers: Uint8Array[] = [];
    for (let at = 0; at < turn.length; at += cut) answers.push(upgrade.feed(turn.subarray(at, at + cut)));
    said.push(Buffer.concat(answers));
  }
  return { said: said.map((bytes) => Buffer.from(bytes)), upgrade, inner };
}

describe.each(Object.keys(AGREE))('%s', (protocol) => {
  const turns = AGREE[protocol]!;

  it('leads to TLS, in whatever pieces the server answers', () => {
    const whole = play(protocol, turns);
    expect(whole.said.at(-1)!.subarray(-HELLO.length)).toEqual(HELLO);
    expect(Buffer.concat(whole.said.slice(0, -1)).includes(HELLO)).toBe(false);
    for (const cut of [1, 2, 3]) expect(play(protocol, turns, cut).said).toEqual(whole.said);
  });

  it('is what those who listen take for it', () => {
    const { said } = play(protocol, turns);
    const tracker = new PreambleTracker();
    const last = said.pop()!;
    let state = 'preamble';
    for (const [index, words] of said.entries()) {
      if (words.length > 0) state = tracker.client(words).state;
      state = tracker.server(bytesOf(turns[index]!)).state;
    }
    if (state === 'preamble') state = tracker.client(last).state;
    expect({ state, protocol: tracker.protocol }).toEqual({ state: 'tls', protocol });
  });

  it('hands on to TLS what is behind the agreement', () => {
    const { upgrade, inner } = play(protocol, turns);
    upgrade.feed(Buffer.from('server hello'));
    expect(inner.heard).toBe('server hello');
    inner.outcome = 'proven';
    expect(upgrade.outcome).toBe('proven');
  });
});

it.each(REFUSE)('%s: a server %s is refused', (protocol, _, turns) => {
  for (const cut of [Infinity, 1]) {
    const { upgrade, said } = play(protocol, turns, cut);
    expect(upgrade.outcome).toMatchObject({ kind: 'failed', reason: 'protocol' });
    expect(Buffer.concat(said).includes(HELLO)).toBe(false);
  }
});

it.each(['http-connect', 'socks', 'http-connect+smtp', 'unknown'])('%s is not spoken', (protocol) => {
  expect(dialogueOf(protocol, { serverName: NAME, port: 443, tunnels: [] })).toBeUndefined();
});

describe('through a proxy', () => {
  const socks5 = Buffer.from('0501000301780050', 'hex');
  const TUNNELS: [string, ProbeTunnel, (string | Buffer)[], (string | Buffer)[]][] = [
    [
      'http-connect',
      { protocol: 'http-connect', request: Buffer.from('CONNECT x:80 HTTP/1.1\r\n\r\n') },
      ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nX: y\r\n\r\n'],
      ['HTTP/1.1 407 No\r\n\r\n'],
    ],
    [
      'socks',
      { protocol: 'socks5', request: socks5 },
      [Buffer.from('0500', 'hex'), Buffer.from('050000030161', 'hex'), Buffer.from('0050', 'hex')],
      [Buffer.from('0502', 'hex')],
    ],
    [
      'socks',
      { protocol: 'socks4', request: Buffer.from('040100500000000100780000', 'hex') },
      [Buffer.from('005a000000000000', 'hex')],
      [Buffer.from('005b000000000000', 'hex')],
    ],
  ];
  const talk = (
    protocol: string,
    tunnels: readonly ProbeTunnel[],
    turns: readonly (string | Buffer)[],
    cut: number,
  ) => {
    const inner = new Listener();
    const upgrade = new Upgrade(dialogueOf(protocol, { serverName: NAME, port: 1, tunnels })!, inner);
    const said = [upgrade.start()];
    for (const turn of turns.map(bytesOf)) {
      for (let at = 0; at < turn.length; at += cut) said.push(upgrade.feed(turn.subarray(at, at + cut)));
    }
    return { said: Buffer.concat(said), upgrade };
  };

  it.each(TUNNELS)('%s: what the client asked for is asked for, then TLS', (protocol, tunnel, agree) => {
    for (const cut of [1, 2, 3, 1000]) {
      const { said } = talk(protocol, [tunnel], agree, cut);
      expect(said.includes(Buffer.from(tunnel.request!))).toBe(true);
      expect(said.subarray(-HELLO.length)).toEqual(HELLO);
    }
  });

  it.each(TUNNELS)('%s: and what comes ahead of TLS there', (protocol, tunnel, agree) => {
    const { said } = talk(`${protocol}+smtp`, [tunnel], [...agree, ...AGREE['smtp']!], 1000);
    expect(said.toString('latin1')).toContain('EHLO localhost\r\nSTARTTLS\r\n');
    expect(said.subarray(-HELLO.length)).toEqual(HELLO);
  });

  it.each(TUNNELS)('%s: that refuses nobody speaks TLS', (protocol, tunnel, _, refuse) => {
    for (const cut of [1, 1000]) {
      const { said, upgrade } = talk(protocol, [tunnel], refuse, cut);
      expect(upgrade.outcome).toMatchObject({ kind: 'failed', reason: 'protocol' });
      expect(said.includes(HELLO)).toBe(false);
    }
  });

  it('to which the client said who it is nobody else says so', () => {
    const tunnels: ProbeTunnel[] = [{ protocol: 'http-connect', request: null }];
    expect(dialogueOf('http-connect', { serverName: NAME, port: 1, tunnels })).toBeUndefined();
  });
});

it('xmpp needs a name, and one that means nothing in XML', () => {
  expect(dialogueOf('xmpp', { serverName: null, port: 5222, tunnels: [] })).toBeUndefined();
  expect(dialogueOf('xmpp', { serverName: "x' y='", port: 5222, tunnels: [] })).toBeUndefined();
});

/** What goes on for ever without being an answer, and looks most like one. */
const ENDLESS: [string, string][] = [
  '<proceed',
  '<proceed x',
  '</a:',
  '</aaaaaaaa',
  '<proceed>   ',
  '<a:failur',
  '<',
].map((text): [string, string] => ['xmpp', text]);
ENDLESS.push(['smtp', '220'], ['smtp', '220-\n'], ['imap', '* O'], ['irc', ':x 67'], ['mysql', '\xff\xff\0\0\n']);

it.each(ENDLESS)('%s: of an answer without end (%j) no octet is read twice', (protocol, text) => {
  const inner = new Listener();
  const upgrade = new Upgrade(dialogueOf(protocol, { serverName: NAME, port: 1, tunnels: [] })!, inner);
  upgrade.start();
  if (protocol === 'xmpp') upgrade.feed(Buffer.from('</stream:features>'));
  const octets = Buffer.from(text.repeat(5_000 / text.length), 'latin1');
  const read = vi.spyOn(Buffer.prototype, 'toString');
  for (let at = 0; at < octets.length && upgrade.outcome === undefined; at++) upgrade.feed(octets.subarray(at, at + 1));
  const count = read.mock.results.reduce((sum, { value }) => sum + String(value).length, 0);
  read.mockRestore();
  expect(upgrade.outcome).toMatchObject({ kind: 'failed' });
  expect(count).toBeLessThanOrEqual(octets.length);
});
