/** Dialogues up to TLS, one for each protocol and form of it. */
import type { Turn } from './dialogue.ts';

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

export interface Upgrade {
  readonly protocol: string;
  readonly name: string;
  /** Up to, and without, the request. */
  readonly before: readonly Turn[];
  readonly request: Turn;
  readonly agreement: Turn;
  /** An answer after which the dialogue goes on, where the protocol has one. */
  readonly refusal?: Turn;
  /** What a client says that will not upgrade. */
  readonly clear: Turn;
}

const LDAP_START_TLS = hex('301d 020101 7718 8016 312e332e362e312e342e312e313436362e3230303337');
const PRESENT = hex('870b 6f626a656374436c617373');
const SUBSCHEMA = hex('a318 040b 6f626a656374436c617373 0409 737562736368656d61');
const POSTGRES_SSL = hex('00000008 04d2162f');
const SOCKS5_GREETING = hex('05 02 00 02');
const SOCKS5_CONNECT = Buffer.concat([hex('05 01 00 03 0b'), Buffer.from('example.com'), hex('01bb')]);
const RDP_COOKIE = Buffer.from('Cookie: mstshash=user\r\n');
const RDP_REQUEST = Buffer.concat([hex('0300 002a 25 e0 0000 0000 00'), RDP_COOKIE, hex('0100 0800 0b000000')]);
const CONNECT = 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nUser-Agent: x\r\n\r\n';

/** A search of the directory `base`: of its subtree, for whatever has a class. */
function ldapSearch(base: string, { scope = 2, filter = PRESENT } = {}): Buffer {
  const settings = Buffer.concat([hex(`0a010${scope} 0a0100 020100 020100 010100`), filter, hex('3000')]);
  const request = Buffer.concat([Buffer.from([4, base.length]), Buffer.from(base), settings]);
  return Buffer.concat([Buffer.from([0x30, 5 + request.length, 2, 1, 2, 0x63, request.length]), request]);
}

export const UPGRADES: Upgrade[] = [
  {
    protocol: 'smtp',
    name: 'SMTP',
    before: [
      ['S', '220-mail.example ESMTP\r\n220 ready\r\n'],
      ['C', 'EHLO client.example\r\n'],
      ['S', '250-mail.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n'],
    ],
    request: ['C', 'STARTTLS\r\n'],
    agreement: ['S', '220 2.0.0 Ready to start TLS\r\n'],
    refusal: ['S', '454 4.7.0 TLS not available\r\n'],
    clear: ['C', 'MAIL FROM:<a@example>\r\n'],
  },
  {
    protocol: 'smtp',
    name: 'LMTP, lower case, bare LF',
    before: [
      ['S', '220 ready\n'],
      ['C', 'lhlo x\n'],
      ['S', '250 starttls\n'],
    ],
    request: ['C', 'starttls\n'],
    agreement: ['S', '220\n'],
    refusal: ['S', '502 no\n'],
    clear: ['C', 'AUTH PLAIN AGEAYg==\n'],
  },
  {
    protocol: 'imap',
    name: 'IMAP',
    before: [
      ['S', '* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n'],
      ['C', 'a001 CAPABILITY\r\n'],
      ['S', '* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na001 OK done\r\n'],
      ['C', 'a002 ID ("name" "client")\r\n'],
      ['S', '* ID NIL\r\na002 OK ID completed\r\n'],
    ],
    request: ['C', 'a003 STARTTLS\r\n'],
    agreement: ['S', 'a003 OK Begin TLS negotiation now\r\n'],
    refusal: ['S', '* BAD hm\r\na003 NO not now\r\n'],
    clear: ['C', 'a004 LOGIN user pass\r\n'],
  },
  {
    protocol: 'pop3',
    name: 'POP3',
    before: [
      ['S', '+OK POP3 ready\r\n'],
      ['C', 'CAPA\r\n'],
      ['S', '+OK list follows\r\nSTLS\r\n+OK is no line of a list\r\nUIDL\r\n.\r\n'],
    ],
    request: ['C', 'STLS\r\n'],
    agreement: ['S', '+OK begin\r\n'],
    refusal: ['S', '-ERR not supported\r\n'],
    clear: ['C', 'USER mrose\r\n'],
  },
  {
    protocol: 'ftp',
    name: 'FTP',
    before: [
      ['S', '120 wait\r\n220-Welcome\r\n  anything 220 may stand here\r\n220 ready\r\n'],
      ['C', 'FEAT\r\n'],
      ['S', '211-Features:\r\n AUTH TLS\r\n MDTM\r\n211 End\r\n'],
    ],
    request: ['C', 'AUTH TLS\r\n'],
    agreement: ['S', '234 AUTH TLS successful\r\n'],
    refusal: ['S', '504 no TLS\r\n'],
    clear: ['C', 'USER anonymous\r\n'],
  },
  {
    protocol: 'irc',
    name: 'IRC',
    before: [
      ['S', ':irc.example NOTICE AUTH :*** Looking up your hostname\r\n'],
      ['C', 'CAP LS 302\r\nNICK user\r\nUSER user 0 * :Real Name\r\n'],
      ['S', ':irc.example CAP * LS :tls multi-prefix\r\n'],
    ],
    request: ['C', 'STARTTLS\r\n'],
    agreement: ['S', ':irc.example 670 user :STARTTLS successful, go ahead with TLS handshake\r\n'],
    refusal: ['S', ':irc.example 421 user STARTTLS :Unknown command\r\n'],
    clear: ['C', 'JOIN #channel\r\n'],
  },
  {
    protocol: 'irc',
    name: 'IRC with a password',
    before: [['C', 'PASS secret\r\nNICK user\r\n']],
    request: ['C', 'STARTTLS\r\n'],
    agreement: ['S', ':irc.example 670 * :go ahead\r\n'],
    refusal: ['S', ':irc.example 691 * :no\r\n'],
    clear: ['C', 'OPER name word\r\n'],
  },
  {
    protocol: 'sieve',
    name: 'ManageSieve',
    before: [
      ['S', '"IMPLEMENTATION" "x"\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\nOK {13}\r\nsay\r\nOK "x"\n (hi)\r\n'],
      ['C', 'CAPABILITY\r\n'],
      ['S', '"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK\r\n'],
    ],
    request: ['C', 'STARTTLS\r\n'],
    agreement: ['S', 'OK "Begin TLS negotiation now."\r\n'],
    refusal: ['S', 'NO (QUOTA) "not now"\r\n'],
    clear: ['C', 'AUTHENTICATE "PLAIN" "AGEAYg=="\r\n'],
  },
  {
    protocol: 'nntp',
    name: 'NNTP',
    before: [
      ['S', '200 news.example ready\r\n'],
      ['C', 'CAPABILITIES\r\n'],
      ['S', '101 list follows\r\nVERSION 2\r\n382 is no reply\r\nSTARTTLS\r\n.\r\n'],
    ],
    request: ['C', 'STARTTLS\r\n'],
    agreement: ['S', '382 Continue with TLS negotiation\r\n'],
    refusal: ['S', '580 Can not initiate TLS negotiation\r\n'],
    clear: ['C', 'AUTHINFO USER x\r\n'],
  },
  {
    protocol: 'xmpp',
    name: 'XMPP',
    before: [
      ['C', `<?xml version='1.0'?><stream:stream to='a>b' xmlns='jabber:client' version='1.0'>`],
      ['S', `<?xml version='1.0'?><stream:stream from='example' id='x' version='1.0'><stream:features>`],
      ['S', `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>`],
    ],
    request: ['C', `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`],
    agreement: ['S', `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`],
    refusal: ['S', `<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`],
    clear: ['C', `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>`],
  },
  {
    protocol: 'xmpp',
    name: 'XMPP with end tags',
    before: [['C', `<stream:stream xmlns="jabber:client">\n`]],
    request: ['C', `<starttls xmlns="urn:ietf:params:xml:ns:xmpp-tls"></starttls>`],
    agreement: ['S', `<proceed xmlns="urn:ietf:params:xml:ns:xmpp-tls"></proceed>`],
    refusal: ['S', `<failure xmlns="urn:ietf:params:xml:ns:xmpp-tls"></failure>`],
    clear: ['C', `<iq type="get"/>`],
  },
  {
    protocol: 'ldap',
    name: 'LDAP',
    before: [
      // A search of the root DSE, its entry and its end.
      ['C', hex('3025 020102 6320 0400 0a0100 0a0100 020100 020100 010100 870b 6f626a656374436c617373 3000')],
      ['S', hex('3009 020102 6404 0400 3000 300c 020102 6507 0a0100 0400 0400')],
    ],
    request: ['C', LDAP_START_TLS],
    agreement: ['S', hex('300c 020101 7807 0a0100 0400 0400')],
    refusal: ['S', hex('300c 020101 7807 0a0134 0400 0400')],
    clear: ['C', hex('3014 020103 600f 020103 0403 636e3d 8005 7061737331')],
  },
  {
    protocol: 'ldap',
    name: 'LDAP, behind a search of the schema',
    before: [
      ['C', ldapSearch('cn=Subschema')],
      ['C', ldapSearch('cn=schema', { scope: 0, filter: SUBSCHEMA })],
    ],
    request: ['C', LDAP_START_TLS],
    agreement: ['S', hex('300c 020101 7807 0a0100 0400 0400')],
    clear: ['C', ldapSearch('cn=schema', { scope: 2, filter: SUBSCHEMA })],
  },
  {
    protocol: 'postgres',
    name: 'PostgreSQL, behind a refused GSS encryption',
    before: [
      ['C', hex('00000008 04d21630')],
      ['S', 'N'],
    ],
    request: ['C', POSTGRES_SSL],
    agreement: ['S', 'S'],
    refusal: ['S', 'N'],
    clear: ['C', Buffer.concat([hex('00000012 00030000'), Buffer.from('user\0bob\0\0')])],
  },
  {
    protocol: 'postgres',
    name: 'PostgreSQL, behind the cancellation of what another connection asks',
    before: [['C', hex('00000010 04d2162e 00001234 deadbeef')]],
    request: ['C', POSTGRES_SSL],
    agreement: ['S', 'S'],
    refusal: ['S', 'N'],
    clear: ['C', hex('00000011 04d2162f 00000000 00000000 00')],
  },
  {
    protocol: 'rdp',
    name: 'RDP',
    before: [],
    request: ['C', RDP_REQUEST],
    agreement: ['S', hex('0300 0013 0e d0 0000 1234 00 0200 0800 02000000')],
    refusal: ['S', hex('0300 0013 0e d0 0000 1234 00 0300 0800 02000000')],
    clear: ['C', hex('0300 000c 02f080 7f65 8201')],
  },
  {
    protocol: 'http-connect',
    name: 'HTTP CONNECT',
    before: [
      ['C', CONNECT],
      ['S', 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 9\r\n\r\nbody here'],
    ],
    request: ['C', CONNECT],
    agreement: ['S', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Connection established\r\nContent-Length: 5\r\n\r\n'],
    refusal: ['S', 'HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n'],
    clear: ['C', 'GET http://example.com/ HTTP/1.1\r\n\r\n'],
  },
  {
    protocol: 'socks',
    name: 'SOCKS 5 with a password',
    before: [
      ['C', SOCKS5_GREETING],
      ['S', hex('05 02')],
      ['C', Buffer.concat([hex('01 04'), Buffer.from('user'), hex('04'), Buffer.from('pass')])],
      ['S', hex('01 00')],
    ],
    request: ['C', SOCKS5_CONNECT],
    agreement: ['S', hex('05 00 00 01 c0000201 1234')],
    refusal: ['S', hex('05 05 00 04 00000000000000000000000000000000 0000')],
    clear: ['C', hex('05 03 00 01 00000000 0000')],
  },
  {
    protocol: 'socks',
    name: 'SOCKS 4',
    before: [],
    request: ['C', Buffer.concat([hex('04 01 01bb c0000201'), Buffer.from('user\0')])],
    agreement: ['S', hex('00 5a 01bb c0000201')],
    clear: ['C', hex('04 02 01bb c0000201 00')],
  },
  {
    protocol: 'socks',
    name: 'SOCKS 4a',
    before: [],
    request: ['C', Buffer.concat([hex('04 01 01bb 00000001'), Buffer.from('\0example.com\0')])],
    agreement: ['S', hex('00 5a 0000 00000000')],
    clear: ['C', '\x01'],
  },
];

export function bytes([, said]: Turn): Buffer {
  return typeof said === 'string' ? Buffer.from(said, 'latin1') : said;
}
