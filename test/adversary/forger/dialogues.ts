/** What clients and servers of several protocols say ahead of TLS, word for word, as Latin-1. */
export interface Dialogue {
  readonly says: readonly string[];
  /** The server's word ahead of the client's first, and its answer to each; none where nothing is awaited. */
  readonly hears: readonly string[];
  /** An answer is over with the first line that no other one follows, whatever it says; else by its length. */
  readonly isByLine: boolean;
}

const sasl = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
const starttls = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'";
const stream = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'";

const DIALOGUE = {
  smtp: {
    says: ['EHLO me\r\n', 'STARTTLS\r\n'],
    hears: ['220 mail\r\n', '250-mail\r\n250 STARTTLS\r\n', '220 ready\r\n'],
    isByLine: true,
  },
  imap: { says: ['a1 STARTTLS\r\n'], hears: ['* OK mail\r\n', 'a1 OK begin\r\n'], isByLine: true },
  pop3: { says: ['STLS\r\n'], hears: ['+OK mail\r\n', '+OK begin\r\n'], isByLine: true },
  ftp: { says: ['AUTH TLS\r\n'], hears: ['220 files\r\n', '234 begin\r\n'], isByLine: true },
  xmpp: {
    says: [`<?xml version='1.0'?><stream:stream to='www.bank.example' ${stream}>`, `<starttls ${starttls}/>`],
    hears: [
      '',
      `<?xml version='1.0'?><stream:stream from='www.bank.example' id='1' ${stream}>` +
        `<stream:features><starttls ${starttls}/>${sasl}</stream:features>`,
      `<proceed ${starttls}/>`,
    ],
    isByLine: false,
  },
  irc: { says: ['STARTTLS\r\n'], hears: ['', ':irc 670 me :STARTTLS successful\r\n'], isByLine: false },
  postgres: { says: ['\0\0\0\x08\x04\xd2\x16\x2f'], hears: ['', 'S'], isByLine: false },
  mysql: {
    says: [`\x20\0\0\x01\0\x0a\0\0\0\0\0\x01\x21${'\0'.repeat(23)}`],
    hears: [`\x4a\0\0\0\x0a8.0.1\0${'\x01'.repeat(67)}`, ''],
    isByLine: false,
  },
  ldap: {
    says: ['\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037'],
    hears: ['', '\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0'],
    isByLine: false,
  },
  connect: {
    says: ['CONNECT www.bank.example:443 HTTP/1.1\r\nHost: www.bank.example:443\r\n\r\n'],
    hears: ['', 'HTTP/1.1 200 Connection established\r\n\r\n'],
    isByLine: false,
  },
  socks: {
    says: ['\x05\x01\0', '\x05\x01\0\x03\x10www.bank.example\x01\xbb'],
    hears: ['', '\x05\0', '\x05\0\0\x01\0\0\0\0\x01\xbb'],
    isByLine: false,
  },
} satisfies Readonly<Record<string, Dialogue>>;

export type Protocol = keyof typeof DIALOGUE;
export const DIALOGUES: Readonly<Record<Protocol, Dialogue>> = DIALOGUE;
export const PROTOCOLS = Object.keys(DIALOGUE) as Protocol[];
