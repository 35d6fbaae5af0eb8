/**
 * What a probe says ahead of TLS where its client did so too: the shortest dialogue that leads to TLS, protocol by
 * protocol, in words of its own. Tunnels are not entered: what a client says to a proxy is between the two.
 */
import type { Conversation } from './connection.ts';

/** One turn: what is said, and, unless TLS may follow at once, what is then heard. */
export interface Turn {
  readonly say: string | Uint8Array;
  /** Octets of the answer once it is there and good; 0 while it is not whole; -1 when it refuses. */
  readonly hear?: (heard: Buffer) => number;
}

export interface UpgradeContext {
  /** The name that the client asks for in TLS. */
  readonly serverName: string | null;
  readonly port: number;
}

/** Undefined for a protocol, or a stack of them, that no probe speaks. */
export function dialogueOf(protocol: string, context: UpgradeContext): readonly Turn[] | undefined {
  return DIALOGUES.get(protocol)?.(context);
}

export interface UpgradeRefused {
  readonly kind: 'failed';
  readonly reason: 'protocol';
  readonly detail: string;
}

/** A conversation that begins with a dialogue. */
export class Upgrade<Outcome> implements Conversation<Outcome | UpgradeRefused> {
  readonly #turns: readonly Turn[];
  readonly #inner: Conversation<Outcome>;
  #turn = 0;
  #heard: Buffer = Buffer.alloc(0);
  #refused: UpgradeRefused | undefined;

  constructor(turns: readonly Turn[], inner: Conversation<Outcome>) {
    this.#turns = turns;
    this.#inner = inner;
  }

  get outcome(): Outcome | UpgradeRefused | undefined {
    return this.#refused ?? this.#inner.outcome;
  }

  start(): Uint8Array {
    return Buffer.concat(this.#speak());
  }

  feed(bytes: Uint8Array): Uint8Array {
    if (this.#turn === this.#turns.length) return this.#inner.feed(bytes);
    this.#heard = Buffer.concat([this.#heard, bytes]);
    const said: Uint8Array[] = [];
    while (this.#turn < this.#turns.length && this.#refused === undefined) {
      const length = this.#turns[this.#turn]!.hear!(this.#heard);
      if (length === 0 && this.#heard.length <= MAX_HEARD) break;
      if (length <= 0) return this.#refuse();
      this.#heard = this.#heard.subarray(length);
      this.#turn++;
      said.push(...this.#speak());
    }
    // Whatever came behind the agreement is TLS's.
    const isOver = this.#turn === this.#turns.length && this.#heard.length > 0;
    if (isOver) said.push(this.#inner.feed(this.#heard));
    return Buffer.concat(said);
  }

  #speak(): Uint8Array[] {
    const said: Uint8Array[] = [];
    for (; this.#turn < this.#turns.length; this.#turn++) {
      const { say, hear } = this.#turns[this.#turn]!;
      said.push(typeof say === 'string' ? Buffer.from(say, 'latin1') : say);
      if (hear !== undefined) return said;
    }
    said.push(this.#inner.start());
    return said;
  }

  #refuse(): Uint8Array {
    this.#refused = { kind: 'failed', reason: 'protocol', detail: `starttls.turn-${this.#turn + 1}` };
    return new Uint8Array(0);
  }
}

/** The first line that one of the two knows decides; others are passed over. */
function line(good: RegExp, bad: RegExp): (heard: Buffer) => number {
  return (heard) => {
    for (let at = 0, end = heard.indexOf(0x0a); end >= 0; at = end + 1, end = heard.indexOf(0x0a, at)) {
      const text = heard.toString('latin1', at, end);
      if (good.test(text)) return end + 1;
      if (bad.test(text)) return -1;
    }
    return 0;
  };
}

/** RFC 5321 §4.2, RFC 959 §4.2: a reply ends with the line that has a blank behind its code. */
function reply(code: string): (heard: Buffer) => number {
  return line(new RegExp(`^${code}( |\\r?$)`), /^\d{3}( |\r?$)/);
}

/** RFC 4511 §4.12: an ExtendedResponse whose resultCode is success. */
function ldapSuccess(heard: Buffer): number {
  const message = berElement(heard, 0);
  if (message === undefined) return 0;
  const id = berElement(heard, message.content);
  const operation = id && berElement(heard, id.end);
  const code = operation && berElement(heard, operation.content);
  const isSuccess = operation?.tag === 0x78 && code?.tag === 0x0a && heard[code.content] === 0;
  return isSuccess ? message.end : -1;
}

/** Undefined where it is not whole. Lengths of up to two octets: the answer is short. */
function berElement(bytes: Buffer, at: number): { tag: number; content: number; end: number } | undefined {
  const first = bytes[at + 1];
  if (first === undefined) return undefined;
  const lengthOctets = first > 0x80 ? first & 0x7f : 0;
  const content = at + 2 + lengthOctets;
  if (lengthOctets > 2 || content > bytes.length) return undefined;
  const length = lengthOctets === 0 ? first : bytes.readUIntBE(at + 2, lengthOctets);
  return content + length > bytes.length ? undefined : { tag: bytes[at]!, content, end: content + length };
}

/** One packet: its length in three octets, little endian, and its number. An error is refused. */
function mysqlGreeting(heard: Buffer): number {
  if (heard.length < 5) return 0;
  const end = 4 + heard.readUIntLE(0, 3);
  if (heard[4] === 0xff) return -1;
  return heard.length < end ? 0 : end;
}

/** MS-RDPBCGR §2.2.1.2: a connection confirm with a negotiation response. */
function rdpConfirm(heard: Buffer): number {
  if (heard.length < 4 || heard.length < heard.readUInt16BE(2)) return 0;
  const end = heard.readUInt16BE(2);
  return end >= 19 && heard[5] === 0xd0 && heard[11] === 2 && heard[15] !== 0 ? end : -1;
}

function element(good: RegExp, bad: RegExp): (heard: Buffer) => number {
  return (heard) => {
    const text = heard.toString('latin1');
    if (bad.test(text)) return -1;
    const match = good.exec(text);
    return match === null ? 0 : match.index + match[0].length;
  };
}

/** RFC 6120 §5.4. */
function xmpp({ serverName, port }: UpgradeContext): Turn[] | undefined {
  if (serverName === null || !/^[\w.-]+$/.test(serverName)) return undefined;
  const namespace = port === XMPP_SERVER_PORT ? 'jabber:server' : 'jabber:client';
  const stream = `<stream:stream to='${serverName}' xmlns='${namespace}' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`;
  const failure = /<\/(\w+:)?stream>|<(\w+:)?failure\b/;
  return [
    { say: `<?xml version='1.0'?>${stream}`, hear: element(/<\/(\w+:)?features>/, failure) },
    { say: `<starttls xmlns='${XMPP_TLS}'/>`, hear: element(/<proceed\b[^>]*(\/>|>\s*<\/proceed>)/, failure) },
  ];
}

const SMTP: readonly Turn[] = [
  { say: '', hear: reply('220') },
  { say: 'EHLO localhost\r\n', hear: reply('250') },
  { say: 'STARTTLS\r\n', hear: reply('220') },
];
const IMAP: readonly Turn[] = [
  { say: '', hear: line(/^\* OK/i, /^/) },
  { say: 'a STARTTLS\r\n', hear: line(/^a OK/i, /^a /i) },
];
const POP3: readonly Turn[] = [
  { say: '', hear: line(/^\+OK/, /^/) },
  { say: 'STLS\r\n', hear: line(/^\+OK/, /^/) },
];
const FTP: readonly Turn[] = [
  { say: '', hear: reply('220') },
  { say: 'AUTH TLS\r\n', hear: reply('234') },
];
const IRC: readonly Turn[] = [{ say: 'STARTTLS\r\n', hear: line(/^(:\S+ +)?670 /, /^(:\S+ +)?(691|421|451) |^ERROR/) }];
/** RFC 4511 §4.14.1: ExtendedRequest 1.3.6.1.4.1.1466.20037 */
const LDAP: readonly Turn[] = [
  { say: Buffer.from('301d02010177188016312e332e362e312e342e312e313436362e3230303337', 'hex'), hear: ldapSuccess },
];
const POSTGRES: readonly Turn[] = [
  { say: Buffer.from('0000000804d2162f', 'hex'), hear: (heard) => (heard[0] === 0x53 ? 1 : -1) },
];
/** Long passwords, protocol 4.1, TLS, secure connection, authentication plugins; packets of 16 MiB; utf8mb4. */
const MYSQL: readonly Turn[] = [
  { say: '', hear: mysqlGreeting },
  { say: Buffer.from(`20000001018a0800000000012d${'00'.repeat(23)}`, 'hex') },
];
/** TLS, or TLS with CredSSP behind it. */
const RDP: readonly Turn[] = [{ say: Buffer.from('030000130ee000000000000100080003000000', 'hex'), hear: rdpConfirm }];

/** By the names that preambles go by. */
const DIALOGUES = new Map<string, (context: UpgradeContext) => readonly Turn[] | undefined>([
  ['smtp', () => SMTP],
  ['imap', () => IMAP],
  ['pop3', () => POP3],
  ['ftp', () => FTP],
  ['irc', () => IRC],
  ['ldap', () => LDAP],
  ['postgres', () => POSTGRES],
  ['mysql', () => MYSQL],
  ['rdp', () => RDP],
  ['xmpp', xmpp],
]);

const XMPP_TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
const XMPP_SERVER_PORT = 5269;
/** More than any of these answers has; what comes octet by octet is looked at as often. */
const MAX_HEARD = 4_096;
